// Package plantest has a double of the cloud for tests of plans: strict about
// order the way Azure is, and able to record, fail and hold its calls.
//
// The order of its data flow: a call is recorded, handed to the hook, checked
// against what is stored (references exist, nothing in use is deleted), then
// stored with what a server fills in; [Cloud.Observe] reads it back.
package plantest
