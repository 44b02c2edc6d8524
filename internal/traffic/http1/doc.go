// Package http1 reads the heads of plain HTTP/1.1 messages (RFC 9112) without
// copying them. It is stricter than the RFC: what is unusual it leaves to others.
//
//  1. head.go splits a head into its first line and fields, in place, and notes what
//     frames the message and what concerns the connection.
//  2. chunk.go finds the end of a chunked body that passes by.
//
// It has no I/O.
package http1
