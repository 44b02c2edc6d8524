// Package ref is the reference evaluator: the definition of what an image does
// to a packet. It is written to be read, not to be fast; every other
// interpreter is tested against it, verdict and reason alike.
//
// The functions stand in the order a packet meets them.
package ref
