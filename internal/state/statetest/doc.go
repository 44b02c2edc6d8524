// Package statetest is the conformance suite of package state: what every
// store must do, whatever keeps it.
package statetest
