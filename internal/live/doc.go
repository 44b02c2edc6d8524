// Package live runs a network in this process: hosts with real TCP/IP stacks
// around one engine, and the wire between them.
//
// A packet's way:
//
//  1. An application dials or listens through a [Host]; the host's stack
//     (gVisor's netstack) makes IP packets.
//  2. link.go takes each packet from the stack and puts it on the wire's queue.
//  3. wire.go, the one goroutine that owns the engine, asks it what becomes of
//     the packet, and hands it to the stack of the port where it comes out: at
//     once, or after the propagation delay of its path.
//  4. A packet to the platform goes to platform.go, which answers DNS from the
//     image's names.
//  5. A packet that was not delivered tells whoever dialled (watch.go), so that
//     a denial is an error at once instead of a timeout.
//
// Stacks start when their first packet or call comes. [Network.Close] stops
// every goroutine it started, gVisor's included.
//
// probe.go turns expectations into real connections and compares what their
// packets did with what the reference evaluator and the proof say.
package live
