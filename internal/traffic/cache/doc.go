// Package cache is a shared HTTP cache (RFC 9111) that stands between a proxy and
// those it asks.
//
// A request's way:
//
//  1. key.go says which answers it could be given: the target and its query, as
//     far as that counts.
//  2. directives.go reads Cache-Control; freshness.go says what may be stored, how
//     old an answer is, and how long it is good. It has no I/O and no clock.
//  3. store.go finds the variant whose selecting headers are the request's (Vary),
//     and forgets what was used least when the size is reached.
//  4. cache.go answers from the store; or validates what is there (ETag,
//     Last-Modified); or asks and stores. One request of many alike asks, the
//     others wait for it. record.go keeps a copy of a body that passes, part.go cuts
//     out of one that is stored what a Range asks for.
package cache
