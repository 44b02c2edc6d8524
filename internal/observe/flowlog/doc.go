// Package flowlog writes what a network's flows did as Azure's virtual network
// flow logs do (Virtual network flow logs, Azure Network Watcher), version 4 of
// their format.
//
// A flow's way through the package:
//
//  1. resource.go reads a declared flow log: its target, its types of records
//     and, by criteria.go, which flows it wants.
//  2. sight.go says what each network interface on a flow's path sees of it:
//     its direction, its addresses there, and the rule that decided.
//  3. log.go turns beginnings, counters and ends into tuples, and once a minute
//     into records. It takes the time and does no I/O.
//  4. path.go names the file of a record as Azure names its blobs; store.go
//     replaces files whole, so that each is valid JSON at every moment.
package flowlog
