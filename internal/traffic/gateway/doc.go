// Package gateway is an application gateway: an HTTP reverse proxy that routes
// by host, path and priority as Azure Application Gateway v2 does. It is the data
// plane of that resource, and works alone in front of any service.
//
// A request's way:
//
//  1. config.go says what was configured; [Config.Check] finds everything wrong
//     with it before anything listens.
//  2. router.go compiles it: listeners by address and host, rules by priority,
//     path maps in listed order. [Router.Decide] says where a request goes, and
//     why not elsewhere, reading.go what a path means to others; they have no I/O.
//  3. server.go, front.go and quic.go listen, end TLS, and give a request to the
//     router in force. Another router takes over whole, without a connection lost.
//     Plain HTTP/1.1 is read in fast.go; connections that wait for a request are in
//     park_linux.go; all else is net/http's, HTTP/2 behind h2guard.go.
//  4. policy.go and firewall.go keep out what may not pass.
//  5. rewrite.go changes headers, path and query as the rule says.
//  6. proxy.go chooses a healthy member, forwards, and answers 502 or 504 itself;
//     what is plain goes by asking.go instead, over connections of fast_member.go.
//  7. probe.go asks the members how they are.
//  8. log.go writes a record with the columns of AGWAccessLogs.
package gateway
