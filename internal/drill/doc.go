// Package drill rehearses failures: it takes something down in a running
// network, measures what real traffic makes of it, and holds that against what
// the proof predicted.
//
// The order of a drill:
//
//  1. target.go reads what is to fail, "region eastus" or "host web-1", and
//     finds it in the image: a [fabric.Failure].
//  2. predict.go asks what should become of each expectation and of each flow:
//     the proof, and the reference evaluator, on the image of the network with
//     the failure as probes will have noticed it.
//  3. run.go makes steady traffic, takes the thing down, waits, brings it back
//     and waits again. It owns the clock; nobody but the probes tells the load
//     balancers.
//  4. judge.go says what each flow's timeline shows: what survived, what failed
//     over and how fast, what stayed down, and whether that is worse than
//     predicted. It has no clock. stall.go watches meanwhile whether this machine
//     keeps up: what does worse on one that does not is not judged.
//  5. failover.go writes through the names of SQL failover groups meanwhile, and
//     counts what was acknowledged and is gone.
//  6. requests.go sends the requests of expectations through their gateways, many
//     at a time, and counts those that fail, by whether probes must have noticed.
//  7. report.go is all of it, as text and JSON.
package drill
