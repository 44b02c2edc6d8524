// Package coding compresses the bodies of HTTP answers while they pass: content
// codings (RFC 9110, 8.4). What is worth it is for others to say.
//
//  1. accept.go reads which codings a client takes.
//  2. encode.go makes an answer one with another coding.
package coding
