// Package cerulean holds the rules of the house as tests: which room may
// import which (layers_test.go) and what every room must have. The program is
// cmd/cerulean; the package for your own Go tests is lab; docs/ARCHITECTURE.md
// is the way in.
package cerulean
