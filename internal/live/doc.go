// Package live runs a network in this process: hosts with real TCP/IP stacks, or
// with the virtual network interfaces of real programs, around one engine, and
// the wire between them.
//
// A packet's way:
//
//  1. An application dials or listens through a [Host], whose stack (gVisor's
//     netstack) makes IP packets; or a program sends through a [Device]. Both may
//     hand over segments of up to 64 KB, which pass uncut.
//  2. Packets of stacks wait in a queue (link.go): stacks hold locks while they
//     write. A device's goroutine carries what it reads by itself (device.go).
//  3. wire.go asks the engine what becomes of each packet, and shows it to taps
//     (tap.go).
//  4. underlay.go says when it arrives: at once, later, or not at all.
//  5. It is handed to the stack or the device of the port where it comes out. A
//     packet to the platform goes to platform.go: DNS, metadata, the registry of
//     services (discovery.go), and whoever answers behind an address of the
//     platform (planes.go, gateways.go).
//  6. A packet that was not delivered tells whoever dialled (watch.go), so that
//     a denial is an error at once instead of a timeout.
//
// Stacks start when their first packet or call comes. [Network.Close] stops
// every goroutine it started, gVisor's included.
//
// Besides, health.go and prober.go send the probes of load balancers and put
// what they find into force as another image; probe.go turns expectations into
// real connections and compares what their packets did with what the reference
// evaluator and the proof say; steady.go makes traffic for drills.
package live
