// Package geo is the replication of a failover group: one server takes the
// commits, the others get them later, and roles move. It has no clock, no
// sockets and no content: it is told the time and what of the world works, and
// returns what is to be done.
//
//  1. A commit at the primary ([Group.Commit]) gets a number and sets out to each
//     secondary.
//  2. [Group.Advance] brings what has arrived by now, in order, and looks at the
//     world: what cannot be reached is suspended and caught up later, or seeded
//     anew.
//  3. It ends a planned failover when the new primary has everything, and begins a
//     forced one when the primary has been away for the grace period.
//  4. [Group.Next] says when to call it again.
//
// Words and rules are those of "Failover groups overview & best practices (Azure
// SQL Database)" and "Active geo-replication".
package geo
