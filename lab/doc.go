// Package lab runs a declared Azure network inside a Go test: real TCP/IP
// stacks behind real NSGs, routes, firewalls, peerings and private names, in
// this process, without privileges, in milliseconds.
//
//	func TestOrders(t *testing.T) {
//		l := lab.Open(t, "testdata/network.yaml")
//		l.Check() // every expectation of the file, proved for all packets
//
//		listener, err := l.Host("db-1").Listen("tcp", ":5432")
//		// ... serve your own code on it ...
//		conn, err := l.Host("app-1").DialContext(ctx, "tcp", "db.shop.internal:5432")
//	}
//
// A network is declared in a YAML file or folder (see package intent), or in a
// string with [Declare]. [Open] compiles it and fails the test with every
// problem of the declaration at once. Hosts offer the usual Go interfaces:
// [net.Conn], [net.Listener], [net.PacketConn], [http.Client].
//
// What the network denies fails at once with an error that says which rule of
// which resource denied it, and where it was declared; see [Denied]. In Azure a
// denied packet is silence: [WithSilentDrops] gives that too.
//
// The lab closes with the test and then verifies that nothing it started still
// runs.
//
// The order of a lab's life: lab.go opens and closes it, host.go is what code
// under test sees of it, claims.go proves and probes what the declaration
// expects, explain.go follows one flow.
package lab
