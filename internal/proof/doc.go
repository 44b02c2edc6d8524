// Package proof answers questions about all packets of a compiled image: which
// of them are delivered, dropped, undecided, go past a device, or come back
// another way. Every answer that something exists carries a witness, a
// concrete packet, replayed by the reference evaluator (package ref) before it
// is shown; the two must agree. Every answer that nothing exists holds for all
// packets, not for a sample.
//
// The way of a question through the package:
//
//  1. [New] prepares an image once: ports that behave alike become one class
//     (prover.go), route tables become partitions of the destinations
//     (partition.go).
//  2. select.go turns the names of a claim into ports, traffic.go its protocols
//     and ports into boxes, and question.go both into the boxes to follow, with
//     the addresses that lead to others (leads.go).
//  3. A box is a product of five sets, one per packet field (state.go). Sets
//     are interned, so that equal work is done once (sets.go).
//     For claims that nothing is delivered contract.go narrows the boxes to what
//     no policy, route or forwarder excludes by itself (contract_shape.go,
//     contract_match.go), and contract_search.go follows them in parts.
//  4. walk.go moves boxes through the image step by step as ref moves packets,
//     splitting them where rules, routes and owners (branch.go) tell packets
//     apart; inward.go has redirects, which make a box for every target, and
//     service endpoints; reply.go has translations and what is different on the
//     way back.
//     Boxes that meet at a port and differ in one field only are joined before
//     they go on (merge.go), and those that share destinations are rearranged
//     (regroup.go).
//  5. Every box ends in a leaf: verdict and reason for all of its packets. The
//     leaves are, for every sequence of choices that redirects make, a partition
//     of the question. claims.go, waypoints.go, some.go, resolves.go, find.go and
//     faults.go judge leaves, tally.go groups counterexamples by cause;
//     witness.go makes one concrete and replays it (concrete.go).
//  6. explain.go follows one concrete flow and, where it is blocked, tries the
//     smallest change that lets it pass, until it passes: the blockers of a
//     complete path.
//  7. incremental.go keeps claims decided while filters and routes change
//     (incremental_deny.go).
//  8. hops.go and text.go say all of it to people.
//
// A search has a budget of steps. When it runs out the answer is unknown, never
// "safe".
package proof
