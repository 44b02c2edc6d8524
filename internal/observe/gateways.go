package observe

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// maxGatewaySeries bounds the series of requests: beyond it they are counted as
// "other".
const maxGatewaySeries = 500

// requestBuckets are those of the time that requests take, in seconds.
var requestBuckets = []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30}

// GatewayRequest is a request that an application gateway has answered.
type GatewayRequest struct {
	Gateway, Listener, Rule, Pool string // empty where nothing took it
	Status                        int
	Sent, Received                int64 // bytes
	Took                          time.Duration
}

// GatewayMember is a member of a gateway's pool as its probes find it.
type GatewayMember struct {
	Gateway, Pool, Settings, Member string
	Up                              bool
}

// Gateways counts what application gateways do. The labels are names of the
// configuration and classes of statuses, so that they are few.
type Gateways struct {
	network string
	members func() []GatewayMember

	mu       sync.Mutex
	requests map[gatewaySeries]uint64
	bytes    map[[2]string]uint64 // by gateway and direction
	took     map[string]*requestTimes
}

type gatewaySeries struct{ gateway, listener, rule, pool, status string }

type requestTimes struct {
	counts map[float64]uint64
	count  uint64
	sum    float64
}

// NewGateways returns counters for the gateways of a network.
func NewGateways(network string, members func() []GatewayMember) *Gateways {
	return &Gateways{network: network, members: members, requests: map[gatewaySeries]uint64{}, bytes: map[[2]string]uint64{}, took: map[string]*requestTimes{}}
}

// Count counts a request.
func (g *Gateways) Count(r GatewayRequest) {
	s := gatewaySeries{r.Gateway, r.Listener, r.Rule, r.Pool, strconv.Itoa(r.Status/100) + "xx"}
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.requests[s]; !ok && len(g.requests) >= maxGatewaySeries {
		s = gatewaySeries{"other", "other", "other", "other", s.status}
	}
	g.requests[s]++
	g.bytes[[2]string{r.Gateway, "sent"}] += uint64(max(r.Sent, 0))
	g.bytes[[2]string{r.Gateway, "received"}] += uint64(max(r.Received, 0))
	h := g.took[r.Gateway]
	if h == nil {
		h = &requestTimes{counts: map[float64]uint64{}}
		g.took[r.Gateway] = h
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
func (g *Gateways) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (g *Gateways) Collect(ch chan<- prometheus.Metric) {
	requests := desc("gateway_requests_total", "Requests that an application gateway answered.", "gateway", "listener", "rule", "pool", "status")
	bytes := desc("gateway_bytes_total", "Bytes of bodies between clients and an application gateway.", "gateway", "direction")
	took := desc("gateway_request_seconds", "Time from a request's first byte to its answer's last.", "gateway")
	up := desc("gateway_member_up", "1 if an application gateway takes its member for healthy.", "gateway", "pool", "settings", "member")
	g.mu.Lock()
	for s, n := range g.requests {
		ch <- prometheus.MustNewConstMetric(requests, prometheus.CounterValue, float64(n), g.network, s.gateway, s.listener, s.rule, s.pool, s.status)
	}
	for k, n := range g.bytes {
		ch <- prometheus.MustNewConstMetric(bytes, prometheus.CounterValue, float64(n), g.network, k[0], k[1])
	}
	for name, h := range g.took {
		counts := make(map[float64]uint64, len(h.counts))
		for le, n := range h.counts {
			counts[le] = n
		}
		ch <- prometheus.MustNewConstHistogram(took, h.count, h.sum, counts, g.network, name)
	}
	g.mu.Unlock()
	for i, m := range g.members() {
		if i == maxGatewaySeries {
			break
		}
		v := 0.0
		if m.Up {
			v = 1
		}
		ch <- prometheus.MustNewConstMetric(up, prometheus.GaugeValue, v, g.network, m.Gateway, m.Pool, m.Settings, m.Member)
	}
}
