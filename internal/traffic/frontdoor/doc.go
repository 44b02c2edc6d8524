// Package frontdoor is the data plane of Azure Front Door, standard and premium:
// edges placed in regions, each of which takes requests by domain and path, keeps
// answers, and asks the origin that is well, preferred and near.
//
//  1. config.go says what was declared; check.go finds everything wrong with it, and
//     file.go reads it from a file.
//  2. route.go finds the route of a request: the most exact domain, then path.
//  3. rules.go runs rule sets: conditions on the request, actions on it and on the
//     answer.
//  4. health.go judges origins by the last probes; choose.go takes the origin:
//     enabled and healthy, then priority, then latency, then weight. None of these
//     has I/O or a clock.
//  5. server.go listens at the edges, probes, keeps answers and forwards.
//  6. anycast.go says which edge a client's packets reach.
package frontdoor
