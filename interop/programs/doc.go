// Package programs runs real programs on hosts of a running network, as users do:
// nginx, curl, iperf3, PostgreSQL, dig and Azure's SDK behind interfaces of their
// own, and the program's commands beside them.
//
//  1. main_test.go builds the program, and is one of the programs itself.
//  2. network_test.go starts a network, runs commands in it, and finds what it
//     left behind: processes, namespaces, interfaces, files.
//  3. programs_test.go is what must work, and what must not.
//  4. killed_test.go brings networks up and down, and kills what runs at random
//     moments.
package programs
