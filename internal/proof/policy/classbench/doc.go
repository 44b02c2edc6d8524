// Package classbench makes long lists of rules that look like those of real
// networks, and measures package policy on them.
//
//  1. family.go has the statistics of three families of filter sets: access
//     lists (acl), firewalls (fw) and Linux IP chains (ipc).
//  2. generate.go draws lists from them; the same seed gives the same list.
//  3. smt.go says a question to an SMT solver, the oracle that shares no code
//     with package policy.
//  4. measure.go times both.
//
// The families are those of D. E. Taylor and J. S. Turner, "ClassBench: A
// Packet Classification Benchmark", IEEE/ACM Transactions on Networking 15(3),
// 2007.
package classbench
