// Package sql is the data plane of SQL servers: databases that clients of SQL
// Server connect to, and failover groups between them. It opens no socket: a
// network hands it connections.
//
//  1. servers.go knows the servers, their databases, logins and groups, from the
//     resources that say so ([Servers.Follow]).
//  2. A connection comes to [Servers.Serve] and becomes a session: login.go greets
//     it, asks who it is and whether the server's firewall lets it in; session.go
//     answers its requests.
//  3. lexer.go and dialect.go turn the statements of Transact-SQL into those of
//     SQLite, as far as the two share a meaning, and refuse the rest.
//  4. execute.go runs them; a change waits for the right to write and ends as a
//     commit. engine.go is SQLite, columns.go the types between the two.
//  5. store.go keeps a database as one server has it: an image in memory, and what
//     a commit changed of it.
//  6. group.go sends commits to the secondaries and moves roles, as package geo
//     says; status.go tells.
//  7. roles.go says in resources who is the primary now.
//
// What is written lives in memory and ends with the process.
package sql
