// Package frontdoor is the data plane of Azure Front Door, standard and premium:
// edges placed in regions, each of which takes requests by domain and path, keeps
// answers, and asks the origin that is well, preferred and near.
//
//  1. config.go says what was declared; check.go and check_rules.go find everything
//     wrong with it. It is read from a file (file.go, file_build.go), or made of
//     Resource Manager's documents (documents.go and those after it).
//  2. route.go finds the route of a request: the most exact domain, then path.
//  3. rules.go runs rule sets: conditions on the request (variables.go), actions on
//     it and on the answer.
//  4. health.go judges origins by the last probes; choose.go takes the origin:
//     enabled and healthy, then priority, then latency, then weight. decide.go says
//     all that of a URL. None of these has I/O or a clock.
//  5. server.go puts a profile in force, edge.go listens and speaks TLS, probe.go
//     asks origins, exchange.go takes requests through firewall, route, rules, what
//     is kept (compress.go) and an origin; log.go is what is told of it.
//  6. anycast.go says which edge a client's packets reach.
package frontdoor
