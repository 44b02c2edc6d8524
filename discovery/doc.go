// Package discovery is a registry of services: instances that keep a lease, say
// how they are, and are watched without a lost change. A program imports it to
// run a registry, or as the client of one.
//
// The data flow:
//
//  1. instance.go says what an instance is, and which ones are refused.
//  2. registry.go holds instances, leases and the last changes. Every change has
//     a version, one more than the last. It has no goroutine and no clock: callers
//     say what time it is.
//  3. handler.go is its HTTP interface: JSON, and watches as lines of JSON.
//  4. client.go registers and keeps the lease, and follows services: from a
//     version on, and anew where the registry has forgotten that far back.
package discovery
