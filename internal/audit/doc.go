// Package audit finds what is legal in a network and still likely to hurt:
// published limits that it approaches or breaks ([Limits]), full subnets
// ([Subnets]), application gateways that Azure cannot run ([AppGateways]),
// connections whose two directions take different ways
// ([Asymmetry]), routes that lead nowhere or are never used ([Routes]), loops and
// black holes ([Lost]), and groups and tables without effect ([Unattached]).
//
// [Limits] reads every resource once and counts what it uses of each limit of
// model/catalog (count.go, balance.go, walls.go, hybrid.go); what is in force and
// nobody declared as such it counts in the image (effective.go). The counts are
// then held against the limits (limits.go) and become findings (finding.go).
// Source ports have limits that depend on how many share them (snat.go,
// outbound.go), and subnets of the platform's have sizes (sizes.go). What cannot
// be read or counted is a finding too, never a silent pass.
//
// [Asymmetry] follows connections between ends that stand for all others like
// them (alike.go, asymmetry.go), with the reference evaluator, and names the
// cause of what differs (asymmetry_rules.go) and what was not tried (left.go). [Routes] reads the image's route
// tables (lints.go). [Lost] words what the proof found (lost.go).
package audit
