package model

import "time"

// Underlay is what lies beneath a declared network: what is known of the links
// between its places beyond the distances of the catalogue. The zero value
// declares nothing.
type Underlay struct {
	// Seed makes jitter and loss repeatable: the same packets at the same links
	// meet the same fate.
	Seed  uint64
	Links []UnderlayLink
}

// UnderlayLink is a link between two places, both ways: everything that goes
// from a port at the one to a port at the other crosses it.
type UnderlayLink struct {
	Between [2]Place
	// RTT is the round-trip time in place of the catalogue's; 0 keeps that.
	RTT time.Duration
	// HollowCore means fibre with an air core: light is half as fast again in
	// it, so propagation takes a third less.
	HollowCore bool
	// Jitter is the most that a packet is later, one way; evenly spread.
	Jitter time.Duration
	// Loss is the share of packets lost, one way: 0 to 1.
	Loss float64
	// Bandwidth is in bits per second, each way; 0 is unbounded.
	Bandwidth int64
	// Queue is how many bytes wait for their turn on a link with a bandwidth;
	// more are lost.
	Queue int64
	// MTU is the longest IP packet in bytes; 0 is as long as any.
	MTU int
	Pos Pos
}

// PlaceKind says what a place is.
type PlaceKind string

// The kinds of place.
const (
	PlaceRegion   PlaceKind = "region"
	PlaceZone     PlaceKind = "zone" // "eastus/1"
	PlaceHost     PlaceKind = "host"
	PlaceSite     PlaceKind = "site"
	PlaceInternet PlaceKind = "internet"
)

// Place is where a port is; the name is in lower case.
type Place struct {
	Kind PlaceKind
	Name string
}
