// Package balance chooses a healthy member of a group, and keeps a failing one
// from being asked; any Go program may import it.
//
// A request's way:
//
//  1. A [Balancer] has a group ([Balancer.Update]) and what is known of its
//     members: what health checks found ([Balancer.SetHealth]), and who failed
//     again and again ([Outliers]).
//  2. [Balancer.Pick] chooses by a [Strategy]: in turn, by load, by chance, by
//     latency, or by the request's key ([ConsistentHash], on a [Maglev] table).
//     It takes no lock and allocates nothing.
//  3. A [Breaker] lets the request pass, or refuses it while its target fails.
//  4. [Retry] tries again and [Hedge] tries elsewhere meanwhile, both within a
//     [Budget].
//  5. [Pick.Done] and [Ticket.Done] say what became of it.
//
// Members are of any comparable type: addresses, connections, names. The package
// starts no goroutine but those of [Hedge], which end before it returns, and does
// no I/O; it reads the clock where something depends on time.
package balance
