// Package plan turns a declared network and an observed cloud into the steps
// between them, and runs the steps.
//
// The order of its data flow:
//
//  1. [Compute] marks what the network owns (owner.go), compares each declared
//     document with the observed one (compare.go, by the facts in facts.go) and
//     writes the document to send (overlay.go).
//  2. It finds the network-manager commits that are due (goal.go, ADR 0007).
//  3. It orders everything by parents and references (refs.go, edges.go,
//     order.go) into an immutable [Plan].
//  4. [Write] and [WriteJSON] show the plan.
//  5. [Execute] runs it through a [Client], with bounded concurrency.
//
// Steps 1 to 4 do no I/O and read no clock. A plan holds no progress: computing
// it again after an interruption gives the work that remains.
package plan
