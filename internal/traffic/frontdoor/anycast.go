package frontdoor

import (
	"time"

	"github.com/ceruleannet/cerulean/model/catalog"
)

// Nearest returns the edge that packets from a region reach: the one with the
// shortest round trip by the catalogue, the first of equals. It reports false if
// the region is not known or there is no edge.
func (c *Config) Nearest(region string) (edge *Edge, rtt time.Duration, ok bool) {
	for i := range c.Edges {
		d, known := distance(c.Edges[i].Region, region)
		if known && (edge == nil || d < rtt) {
			edge, rtt = &c.Edges[i], d
		}
	}
	return edge, rtt, edge != nil
}

// distance is the round trip between regions: measured, or by their distance.
func distance(from, to string) (time.Duration, bool) {
	if _, known := catalog.Region(from); !known {
		return 0, false
	}
	if from == to {
		return 0, true
	}
	if d, ok := catalog.RTT(from, to); ok {
		return d, true
	}
	return catalog.EstimateRTT(from, to)
}
