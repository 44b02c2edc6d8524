// Package filter is the language that chooses packets to look at: a subset of
// pcap-filter(7), and words for what the network decided.
//
// An expression's way through the package:
//
//  1. lex.go cuts the text into words; errors carry the column.
//  2. parse.go reads primitives and the words between them. As in pcap-filter,
//     "not" binds closest, "and" and "or" bind alike and from the left, and a
//     bare value takes the words of the primitive before it: "port 80 or 443".
//  3. match.go says whether a packet is meant. It allocates nothing.
//
// The primitives:
//
//	[src|dst|src or dst|src and dst] host ADDRESS|NAME
//	[src|dst|…] net 10.0.0.0/8 | 10.1 | 10.0.0.0 mask 255.0.0.0 | fd00::/8
//	[tcp|udp] [src|dst|…] port N|NAME, portrange N-M
//	ip, ip6, tcp, udp, icmp, icmp6, esp, ah, proto N|NAME
//	less N, greater N             length at most, at least
//	inbound, outbound             seen from what is behind the interface
//	verdict allow|deny|unknown    what the network decided
//	fault [NAME]                  lost by the machinery, not denied
//	reason CODE                   "route-drop", "no-session", …
//	rule NAME                     a rule the packet met; * stands for any text
//	nic NAME                      where it was seen
//	flow N                        one flow
package filter
