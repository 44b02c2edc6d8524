// Package balance chooses a healthy member of a group; any Go program may
// import it.
//
//  1. The names of the members that are well go into a table ([NewMaglev]).
//  2. The hash of a request, or of a flow's addresses and ports, picks one
//     ([Maglev.Pick]): the same one as long as the group stays the same, and
//     mostly the same one when the group changes a little.
//
// It has no clock, no I/O and no goroutine; tables are immutable.
package balance
