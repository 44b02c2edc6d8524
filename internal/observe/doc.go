// Package observe shows what a running network does, and decides nothing.
//
// A packet's way through the package:
//
//  1. sight.go is what a tap shows: the packet as it entered, as it left, and
//     what the engine decided.
//  2. capture.go takes the packets that are wanted into a bounded buffer, off
//     the goroutine that carries them; what finds no room is counted.
//  3. headers.go reads their headers, whatever is in them.
//  4. rules.go finds which rules a flow met, which the engine's reason does not
//     say of an allowed one: it follows the flow's first packet through the
//     reference evaluator, with the engine's own choices of targets.
//  5. decision.go puts a reason into words; file.go writes pcapng, line.go
//     writes text.
//
// Package flowlog makes Azure's flow logs of flows; table.go lists them;
// metrics.go counts for Prometheus.
package observe
