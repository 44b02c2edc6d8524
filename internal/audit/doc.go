// Package audit finds what is legal in a network and still likely to hurt:
// published limits that it approaches or breaks ([Limits]), and groups and
// tables without effect ([Unattached]).
//
// [Limits] reads every resource once and counts what it uses of each limit of
// model/catalog (count.go); the counts are then held against the limits
// (limits.go) and become findings (finding.go). What cannot be read or counted
// is a finding too, never a silent pass.
package audit
