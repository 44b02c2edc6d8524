// Package certificate checks proofs without trusting the prover. A certificate
// says, for every claim that nothing is delivered, into which boxes the packets
// of the claim fall apart and what stops each box. Verify follows the boxes
// through the image by the plainest means: it knows no classes of ports, joins
// no boxes, remembers nothing, and shares no code with package proof but the
// image and its sets. It is meant to be read in one sitting.
//
// certificate.go has the document, verify.go the cover (the boxes are the whole
// question) and follow.go the way of one box.
package certificate
