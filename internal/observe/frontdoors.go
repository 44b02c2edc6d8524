package observe

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// FrontDoorRequest is a request that an edge of a front door has answered.
type FrontDoorRequest struct {
	FrontDoor, Edge, Route, Group, Cache string // route and group are empty where nothing took it
	Status                               int
	Sent, Received                       int64 // bytes
	Took                                 time.Duration
}

// FrontDoorOrigin is an origin as an edge's probes find it.
type FrontDoorOrigin struct {
	FrontDoor, Edge, Group, Origin string
	Up                             bool
	Latency                        time.Duration
}

// FrontDoors counts what the edges of front doors do. The labels are names of the
// configuration and classes of statuses, so that they are few.
type FrontDoors struct {
	network string
	origins func() []FrontDoorOrigin

	mu       sync.Mutex
	requests map[doorSeries]uint64
	bytes    map[[3]string]uint64 // by front door, edge and direction
	took     map[[2]string]*requestTimes
}

type doorSeries struct{ door, edge, route, group, cache, status string }

// NewFrontDoors returns counters for the front doors of a network.
func NewFrontDoors(network string, origins func() []FrontDoorOrigin) *FrontDoors {
	return &FrontDoors{network: network, origins: origins, requests: map[doorSeries]uint64{}, bytes: map[[3]string]uint64{}, took: map[[2]string]*requestTimes{}}
}

// Count counts a request.
func (f *FrontDoors) Count(r FrontDoorRequest) {
	s := doorSeries{r.FrontDoor, r.Edge, r.Route, r.Group, r.Cache, strconv.Itoa(r.Status/100) + "xx"}
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.requests[s]; !ok && len(f.requests) >= maxGatewaySeries {
		s = doorSeries{"other", "other", "other", "other", "other", s.status}
	}
	f.requests[s]++
	f.bytes[[3]string{r.FrontDoor, r.Edge, "sent"}] += uint64(max(r.Sent, 0))
	f.bytes[[3]string{r.FrontDoor, r.Edge, "received"}] += uint64(max(r.Received, 0))
	h := f.took[[2]string{r.FrontDoor, r.Edge}]
	if h == nil {
		h = &requestTimes{counts: map[float64]uint64{}}
		f.took[[2]string{r.FrontDoor, r.Edge}] = h
	}
	h.count++
	h.sum += r.Took.Seconds()
	for _, le := range requestBuckets {
		if r.Took.Seconds() <= le {
			h.counts[le]++
		}
	}
}

// Describe implements [prometheus.Collector] as unchecked.
func (f *FrontDoors) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (f *FrontDoors) Collect(ch chan<- prometheus.Metric) {
	requests := desc("frontdoor_requests_total", "Requests that an edge of a front door answered.", "frontdoor", "edge", "route", "origin_group", "cache", "status")
	bytes := desc("frontdoor_bytes_total", "Bytes of bodies between clients and an edge of a front door.", "frontdoor", "edge", "direction")
	took := desc("frontdoor_request_seconds", "Time from a request's first byte to its answer's last.", "frontdoor", "edge")
	up := desc("frontdoor_origin_up", "1 if an edge of a front door takes the origin for healthy.", "frontdoor", "edge", "origin_group", "origin")
	latency := desc("frontdoor_origin_latency_seconds", "What an edge of a front door goes by when it looks for the fastest origin.", "frontdoor", "edge", "origin_group", "origin")
	f.mu.Lock()
	for s, n := range f.requests {
		ch <- prometheus.MustNewConstMetric(requests, prometheus.CounterValue, float64(n), f.network, s.door, s.edge, s.route, s.group, s.cache, s.status)
	}
	for k, n := range f.bytes {
		ch <- prometheus.MustNewConstMetric(bytes, prometheus.CounterValue, float64(n), f.network, k[0], k[1], k[2])
	}
	for k, h := range f.took {
		counts := make(map[float64]uint64, len(h.counts))
		for le, n := range h.counts {
			counts[le] = n
		}
		ch <- prometheus.MustNewConstHistogram(took, h.count, h.sum, counts, f.network, k[0], k[1])
	}
	f.mu.Unlock()
	for i, o := range f.origins() {
		if i == maxGatewaySeries {
			break
		}
		v := 0.0
		if o.Up {
			v = 1
		}
		ch <- prometheus.MustNewConstMetric(up, prometheus.GaugeValue, v, f.network, o.FrontDoor, o.Edge, o.Group, o.Origin)
		ch <- prometheus.MustNewConstMetric(latency, prometheus.GaugeValue, o.Latency.Seconds(), f.network, o.FrontDoor, o.Edge, o.Group, o.Origin)
	}
}
