// Package dns is an authoritative DNS server. It serves zones alone, and is the
// face of Traffic Manager and of a declared network's zones to the outside.
//
// A query's way:
//
//  1. zone.go reads zones: from master files (RFC 1035 section 5), or as records
//     that somebody else made of documents.
//  2. compile.go makes a [Snapshot] of them: for every name and type, and for
//     every choice of a name that depends on who asks, the bytes of the answer
//     after the question. A snapshot never changes; another takes its place.
//  3. query.go reads a query from the wire, EDNS and client subnet included.
//  4. respond.go finds the name, in table.go what does not depend on who asks, and
//     puts the answer together: no allocation, no clock, no I/O.
//  5. limit.go holds back answers to networks that ask too much.
//  6. server.go owns the sockets: udp_linux.go receives and sends many datagrams
//     with one call, over several sockets of one address (SO_REUSEPORT);
//     udp_other.go one by one; tcp.go serves connections (RFC 7766).
//
// It answers no transfer, no NSID and no version, to ANY with one record
// (RFC 8482), and does not sign (DNSSEC).
package dns
