// Package trafficmanager decides what the name of a Traffic Manager profile
// means to whom: the data plane of Microsoft.Network/trafficManagerProfiles. It
// has no I/O and no clock.
//
// The data flow:
//
//  1. profile.go says what a profile is; [Check] finds everything wrong with a
//     set of profiles.
//  2. document.go reads profiles from Azure's documents.
//  3. monitor.go takes what probes found, says when an endpoint becomes degraded
//     and when it is asked next.
//  4. status.go computes the state of every endpoint and profile from that,
//     through nested profiles: a [Directory].
//  5. decide.go chooses an endpoint for a client, by the profile's method, and
//     says why the others were not chosen.
//  6. geography.go knows which regions lie within which.
//
// The rules are those of "Traffic Manager routing methods", "Traffic Manager
// endpoint monitoring" and "Nested Traffic Manager profiles" (Microsoft).
package trafficmanager
