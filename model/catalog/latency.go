package catalog

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"
)

// LatencySource says where the round-trip times come from.
const LatencySource = `Microsoft Learn, "Azure network round-trip latency statistics", P50 over 30 days, 2026-07-30`

// IntraRegionRTT is the round-trip time within a region. Azure states only
// that zones of a region are less than about 2 ms apart ("Azure regions and
// availability zones"); measurements of virtual machines in one region lie
// between 0.8 and 1.7 ms. Unconfirmed as a single number.
const IntraRegionRTT = time.Millisecond

// ZoneRTT is the round-trip time between two availability zones of a region:
// below the 2 ms that Azure states ("Azure regions and availability zones"), as
// measured between virtual machines in UK South. Unconfirmed as a single number.
const ZoneRTT = 1550 * time.Microsecond

//go:embed data/latency.csv
var latencyCSV string

type pair struct{ from, to string }

var latencyData = sync.OnceValue(func() map[pair]time.Duration {
	rows, err := csv.NewReader(strings.NewReader(latencyCSV)).ReadAll()
	if err != nil {
		panic(fmt.Sprintf("catalog: latency.csv: %v", err))
	}
	header := rows[0]
	m := make(map[pair]time.Duration, len(header)*len(header))
	for _, row := range rows[1:] {
		for i, cell := range row[1:] {
			if cell != "" {
				m[pair{row[0], header[i+1]}] = time.Duration(number(cell)) * time.Millisecond
			}
		}
	}
	return m
})

// RTT returns the median round-trip time from one region to another, as
// published; the two directions may differ by a few milliseconds. Within a
// region it is [IntraRegionRTT]. It reports false for an unknown region and for
// pairs without a published value; see [EstimateRTT].
func RTT(from, to string) (time.Duration, bool) {
	a, okA := Region(from)
	b, okB := Region(to)
	if !okA || !okB {
		return 0, false
	}
	if a.Name == b.Name {
		return IntraRegionRTT, true
	}
	d, ok := latencyData()[pair{a.Name, b.Name}]
	return d, ok
}

// fibreKmPerMs is how far a round trip reaches per millisecond on the great
// circle: light in glass goes about 200 km/ms, hence 100 km of distance per
// millisecond of round trip, and cables are longer than the great circle. The
// factor is the median over all published pairs (TestEstimateIsCalibrated).
const fibreKmPerMs = 59

// EstimateRTT returns a round-trip time computed from the distance of two
// regions, for pairs without a published value. It is our estimate, not
// Azure's. It reports false for an unknown region.
func EstimateRTT(from, to string) (time.Duration, bool) {
	a, okA := Region(from)
	b, okB := Region(to)
	if !okA || !okB {
		return 0, false
	}
	ms := distanceKm(a, b) / fibreKmPerMs
	return IntraRegionRTT + time.Duration(ms*float64(time.Millisecond)).Round(time.Millisecond), true
}

// distanceKm is the great-circle distance by the haversine formula.
func distanceKm(a, b RegionInfo) float64 {
	const earthRadiusKm = 6371
	rad := func(deg float64) float64 { return deg * math.Pi / 180 }
	dLat, dLon := rad(b.Latitude-a.Latitude), rad(b.Longitude-a.Longitude)
	h := math.Pow(math.Sin(dLat/2), 2) + math.Cos(rad(a.Latitude))*math.Cos(rad(b.Latitude))*math.Pow(math.Sin(dLon/2), 2)
	return 2 * earthRadiusKm * math.Asin(math.Sqrt(min(1, h)))
}
