// Package engine moves packets through a compiled image: one IP packet in,
// verdict, reason and rewritten bytes out. It does no I/O, reads no clock and
// starts no goroutine; its user serialises the calls.
//
// A packet's way through the package:
//
//  1. parse.go reads the headers: a malformed packet or a later fragment is a
//     fault, not a verdict.
//  2. key.go makes the exact-match key: the port and the five-tuple.
//  3. table.go finds the flow. An established flow is one lookup and no
//     allocation: the action was composed when the flow began.
//  4. walk.go composes the action of a new flow, or of a flow that an older
//     image composed, by following the image step by step as package ref does.
//  5. nat.go picks a source port where a pool translates.
//  6. rewrite.go applies the action to the bytes, checksums included.
//  7. icmp.go passes ICMP errors back along the flow they speak of.
//
// What the engine knows beyond package ref, which sees single five-tuples:
//
//   - A TCP packet that opens nothing (no SYN, or SYN with ACK) and an ICMP
//     message that is no request begin a flow at filters, as they do in a
//     network whose filters keep flow records, but a stateful forwarder that
//     never saw the flow drops them ([fabric.CodeNoSession]).
//   - Pools keep the source port where it is free for that destination and
//     choose another where it is not, so a translated source port may differ
//     from the reference's.
//   - After [Engine.Swap], established flows keep passing the filters of the
//     ports they passed, are routed anew, and are dropped where the policy of a
//     forwarder now denies them. A TCP flow keeps the target that a redirect
//     chose for it, down or not, and ends if the target was removed; any other
//     flow moves to a target that is up.
//   - The time to live is left alone: ports are not hops of the sender's path.
package engine
