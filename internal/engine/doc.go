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
//  5. nat.go finds a source port where a pool translates; pools.go lends it.
//  6. rewrite.go applies the action to the bytes, checksums included.
//  7. icmp.go passes ICMP errors back along the flow they speak of.
//  8. timers.go ends flows, with or without packets: [Engine.Advance]. tcp.go
//     resets those that both ends are to hear of, ends.go tells.
//
// counters.go and flow.go are for who watches; report.go and craft.go make
// packets.
//
// What the engine knows beyond package ref, which sees single five-tuples:
//
//   - A TCP packet that opens nothing (no SYN, or SYN with ACK) and an ICMP
//     message that is no request begin a flow at filters, as they do in a
//     network whose filters keep flow records, but a stateful forwarder that
//     never saw the flow drops them ([fabric.CodeNoSession]).
//   - Pools keep the source port where it is the flow's to have and free for
//     that destination, and choose another where it is not, so a translated
//     source port may differ from the reference's; so may the address, where the
//     first of a pool has no port left. A flow without a port is lost by a fault,
//     [fabric.FaultPortsExhausted].
//   - A pool does not translate a TCP packet that opens nothing and belongs to no
//     flow ([fabric.CodeNoSession]): the flow is dead.
//   - Silent flows end by the timers of the devices on their way.
//   - After [Engine.Swap], established flows keep passing the filters of the
//     ports they passed, are routed anew, and are dropped where the policy of a
//     forwarder now denies them. A TCP flow keeps the target that a redirect
//     chose for it, down or not, and ends if the target was removed, after the
//     time to drain if there is one; any other flow moves to a target that is up.
//   - The time to live is left alone: ports are not hops of the sender's path.
package engine
