// Package state keeps the resources of a cloud: whole documents, versioned,
// with an append-only trail of who wrote what and when.
//
// The order of its data flow:
//
//  1. [Store.Update] runs a function against the newest state, one function at
//     a time. What it puts and deletes becomes one revision, or nothing if it
//     returns an error.
//  2. The revision waits in a queue. Whoever reaches the journal first writes
//     every waiting revision with one sync to disk, so concurrent writers share
//     its price.
//  3. Only then are the revisions published to readers ([Store.View]) and the
//     writers told: an acknowledged write survives a killed process, and nobody
//     reads what a crash could take back.
//
// Updates that were refused are on a trail of their own ([Store.Refuse]): they
// are of no revision.
//
// Two stores share all of this: [Memory], which forgets, and [Open], which
// keeps the journal in a bbolt file. Package statetest is the suite both pass.
//
// Documents handed to a store, and those it hands out, are shared and must not
// be changed.
package state
