// Package policy says everything that can be said about one first-match list
// of five-field rules, over all packets: whether some packet is allowed, which
// rules nothing reaches, which could be removed, what differs between two
// lists. Nothing here knows ports, routes or the rest of an image; package
// proof asks about those.
//
// The order of the package:
//
//  1. [New] and [FromFilter] prepare a list once (policy.go). The values of
//     each field are cut into atoms, the classes of values that no rule tells
//     apart (atoms.go); a rule becomes a rectangle of atom numbers, packed so
//     that two rectangles are compared in a dozen instructions (rect.go,
//     space.go).
//  2. A question is a [Box] of packets; query.go turns it into rectangles and
//     an answer's rectangle into one canonical packet.
//  3. [Policy.Classify] decides one packet (classify.go).
//  4. [Search.Find] asks of each rule with a wanted action whether the rules
//     before it leave anything of it (search.go); cover.go cuts them away.
//     [Search.Leaves] follows a question through the list in order and says
//     which rule decides which part of it (leaves.go).
//  5. [Search.Review] finds shadowed and redundant rules by the same means
//     (review.go).
//  6. [Diff] compares two lists (diff.go): the edit between them (edits.go) says
//     which rules can matter. A decision diagram (diagram.go) and questions rule
//     by rule (compare.go) take turns at deciding.
//  7. [Merge] and [Box.String] put boxes into few words (text.go).
//
// All packets means all real ones: both addresses of one family, ports 0 to
// 65535, protocols 0 to 255, and both ports zero where the protocol has none
// (fabric.Packet says so). A rule that only an impossible packet could reach
// counts as never reached.
//
// [fabric.Unknown] is neither allow nor deny. Where it could change an answer,
// the answer is Undecided. So it is when the budget of a search runs out.
//
// A Policy is immutable and safe for concurrent use; a [Search] belongs to one
// goroutine.
package policy
