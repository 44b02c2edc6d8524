package observe

import (
	"cmp"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
)

// maxRules is how many rules have counters of their own: those that decided
// most.
const maxRules = 500

// maxPools bounds the pools of source ports that are shown.
const maxPools = 500

// Measured is the network whose metrics are shown.
type Measured interface {
	Stats() engine.Stats
	Hits() (*fabric.Image, [][]uint64)
	Pools() []engine.PoolStats
	Flows
	EachFlow(f func(engine.Flow) bool)
	Uptime() time.Duration
}

// Member is a member of a load balancer as its health probes find it.
type Member struct {
	Balancer, Probe, Member string
	Up                      bool
	Sent, Failed            uint64
}

// Metrics shows a running network to Prometheus. Names and units follow
// "Metric and label naming" of its documentation. The series are bounded: beyond
// the bounds they are summed as "other".
type Metrics struct {
	network string
	version string
	source  Measured
	meter   *Meter
	members func() []Member // may be nil
	handler http.Handler
}

// NewMetrics returns the metrics of a network by its name. members may be nil.
// What more collects, such as gateways and databases, is shown beside them.
func NewMetrics(network, version string, source Measured, meter *Meter, members func() []Member, more ...prometheus.Collector) (*Metrics, error) {
	m := &Metrics{network: network, version: version, source: source, meter: meter, members: members}
	r := prometheus.NewRegistry()
	if err := r.Register(m); err != nil {
		return nil, err
	}
	for _, c := range more {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	m.handler = promhttp.HandlerFor(r, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 2})
	return m, nil
}

// ServeHTTP answers a scrape.
func (m *Metrics) ServeHTTP(w http.ResponseWriter, r *http.Request) { m.handler.ServeHTTP(w, r) }

// desc describes a metric whose first label is always the network.
func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("cerulean_"+name, help, append([]string{"network"}, labels...), nil)
}

// described are the metrics there are.
type described struct {
	build, goroutines, uptime, packets, bytes, delivered, faults, walks, flows, opened, denied, ended,
	rules, portPackets, portBytes, snatPorts, snatUsed, snatFlows, snatExhausted,
	connect, connectOther, quantile, up, probes *prometheus.Desc
}

func describe() described {
	return described{
		build:         desc("build_info", "Always 1; the labels say what runs.", "version", "go_version"),
		goroutines:    desc("goroutines", "Goroutines of the process."),
		uptime:        desc("uptime_seconds", "Time since the network started."),
		packets:       desc("packets_total", "Packets that entered the network."),
		bytes:         desc("bytes_total", "Bytes of the packets that entered the network."),
		delivered:     desc("delivered_packets_total", "Packets that were delivered."),
		faults:        desc("lost_packets_total", "Packets lost to a fault of the machinery rather than denied.", "fault"),
		walks:         desc("evaluations_total", "Times that a packet was followed through the network's rules and routes."),
		flows:         desc("flows", "Flows that the network remembers."),
		opened:        desc("flows_opened_total", "Flows whose first packet was delivered."),
		denied:        desc("flows_denied_total", "Flows whose first packet was not delivered."),
		ended:         desc("flows_ended_total", "Flows that ended, by what ended them.", "end"),
		rules:         desc("rule_flows_total", "Flows that a rule decided about, since the rules came into force.", "stage", "group", "direction", "rule", "action"),
		portPackets:   desc("port_packets_total", "Packets at a port, by direction as seen from what is behind it.", "port", "direction"),
		portBytes:     desc("port_bytes_total", "Bytes at a port, by direction as seen from what is behind it.", "port", "direction"),
		snatPorts:     desc("snat_ports", "Source ports allocated to a pool.", "pool", "kind", "port", "protocol"),
		snatUsed:      desc("snat_ports_used", "Source ports of a pool that some flow holds.", "pool", "kind", "port", "protocol"),
		snatFlows:     desc("snat_flows", "Flows that a pool of source ports translates.", "pool", "kind", "port", "protocol"),
		snatExhausted: desc("snat_exhausted_packets_total", "Packets lost for want of a source port.", "pool", "kind", "port", "protocol"),
		connect:       desc("tcp_connect_seconds", "Time from a TCP flow's first packet to the first of its answer.", "host", "service"),
		connectOther:  desc("tcp_connect_other_total", "TCP connections to services beyond those that have a histogram."),
		quantile:      desc("tcp_connect_quantile_seconds", "Quantiles of tcp_connect_seconds since the start, estimated within its buckets.", "host", "service", "quantile"),
		up:            desc("probe_up", "1 if a load balancer takes its member for healthy.", "balancer", "probe", "member"),
		probes:        desc("probe_attempts_total", "Health probes sent to a member, by result.", "balancer", "probe", "member", "result"),
	}
}

// Describe implements [prometheus.Collector] as unchecked: the series depend on
// the network.
func (m *Metrics) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	d := describe()
	put := func(x *prometheus.Desc, kind prometheus.ValueType, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(x, kind, v, append([]string{m.network}, labels...)...)
	}
	count := func(x *prometheus.Desc, v uint64, labels ...string) {
		put(x, prometheus.CounterValue, float64(v), labels...)
	}
	gauge := func(x *prometheus.Desc, v float64, labels ...string) {
		put(x, prometheus.GaugeValue, v, labels...)
	}
	gauge(d.build, 1, m.version, runtime.Version())
	gauge(d.goroutines, float64(runtime.NumGoroutine()))
	gauge(d.uptime, m.source.Uptime().Seconds())
	s := m.source.Stats()
	count(d.packets, s.Packets)
	count(d.bytes, s.Bytes)
	count(d.delivered, s.Delivered)
	for f, n := range s.Faults {
		if fabric.Fault(f) != fabric.FaultNone {
			count(d.faults, n, fabric.Fault(f).String())
		}
	}
	count(d.walks, s.Walks)
	gauge(d.flows, float64(s.Flows))
	for e, n := range s.Ended {
		count(d.ended, n, engine.End(e).String())
	}
	img, hits := m.source.Hits()
	for _, r := range ruleHits(img, hits) {
		count(d.rules, r.hits, r.labels[:]...)
	}
	for name, t := range m.meter.traffic(img, m.source.EachFlow) {
		count(d.portPackets, t.packetsOut, name, "outbound")
		count(d.portPackets, t.packetsIn, name, "inbound")
		count(d.portBytes, t.bytesOut, name, "outbound")
		count(d.portBytes, t.bytesIn, name, "inbound")
	}
	m.pools(d, img, gauge, count)
	m.connects(d, ch, gauge, count)
	if m.members != nil {
		seen := map[Member]bool{}
		for _, x := range m.members() {
			id := Member{Balancer: x.Balancer, Probe: x.Probe, Member: x.Member}
			if seen[id] || len(seen) >= maxPorts {
				continue
			}
			seen[id] = true
			up := 0.0
			if x.Up {
				up = 1
			}
			gauge(d.up, up, x.Balancer, x.Probe, x.Member)
			count(d.probes, x.Sent-min(x.Failed, x.Sent), x.Balancer, x.Probe, x.Member, "answered")
			count(d.probes, x.Failed, x.Balancer, x.Probe, x.Member, "failed")
		}
	}
}

// pools shows the pools of source ports, the fullest first if there are too
// many.
func (m *Metrics) pools(d described, img *fabric.Image, gauge func(*prometheus.Desc, float64, ...string), count func(*prometheus.Desc, uint64, ...string)) {
	pools := m.source.Pools()
	slices.SortFunc(pools, func(a, b engine.PoolStats) int {
		return cmp.Or(cmp.Compare(b.Used, a.Used), a.Addr.Compare(b.Addr), cmp.Compare(a.Port, b.Port), cmp.Compare(a.Proto, b.Proto))
	})
	seen := map[[4]string]bool{}
	for _, p := range pools {
		port := ""
		if p.Port != fabric.None {
			port = PortName(img, p.Port)
		}
		labels := [4]string{p.Addr.String(), p.What, port, fabric.ProtoName(p.Proto)}
		if seen[labels] || len(seen) >= maxPools {
			continue
		}
		seen[labels] = true
		gauge(d.snatPorts, float64(p.Allocated), labels[:]...)
		gauge(d.snatUsed, float64(p.Used), labels[:]...)
		gauge(d.snatFlows, float64(p.Flows), labels[:]...)
		count(d.snatExhausted, p.Exhausted, labels[:]...)
	}
}

// connects shows what the meter measured.
func (m *Metrics) connects(d described, ch chan<- prometheus.Metric, gauge func(*prometheus.Desc, float64, ...string), count func(*prometheus.Desc, uint64, ...string)) {
	m.meter.mu.Lock()
	defer m.meter.mu.Unlock()
	count(d.opened, m.meter.opened)
	count(d.denied, m.meter.denied)
	count(d.connectOther, m.meter.other)
	for to, h := range m.meter.services {
		name := to.Proto + "/" + strconv.Itoa(int(to.Port))
		buckets, sum := map[float64]uint64{}, uint64(0)
		for i, n := range h.counts {
			sum += n
			buckets[connectBuckets[i]] = sum
		}
		ch <- prometheus.MustNewConstHistogram(d.connect, h.count, h.sum, buckets, m.network, to.Host, name)
		for _, q := range []float64{.5, .9, .99} {
			gauge(d.quantile, h.quantile(q), to.Host, name, strconv.FormatFloat(q, 'g', -1, 64))
		}
	}
}

// ruleHit is how many flows a rule decided about.
type ruleHit struct {
	labels [5]string
	hits   uint64
}

// ruleHits lists the rules that decided anything, the most first, and sums those
// beyond maxRules.
func ruleHits(img *fabric.Image, hits [][]uint64) []ruleHit {
	directions := map[fabric.FilterID]string{}
	for i := range img.Ports {
		p := &img.Ports[i]
		for _, f := range p.Egress {
			directions[f] = fabric.Out.String()
		}
		for _, f := range p.Ingress {
			directions[f] = fabric.In.String()
		}
		if p.Forward != nil {
			for _, f := range p.Forward.Policy {
				directions[f] = fabric.Through.String()
			}
		}
	}
	sums := map[[5]string]uint64{}
	for i := range hits {
		f := &img.Filters[i]
		for j, n := range hits[i] {
			if n == 0 {
				continue
			}
			rule, action := int32(j), f.Default
			if j == len(f.Rules) {
				rule = fabric.None
			} else {
				action = f.Rules[j].Action
			}
			sums[[5]string{f.Stage.String(), f.Name, directions[fabric.FilterID(i)], RuleName(img, fabric.FilterID(i), rule), action.String()}] += n
		}
	}
	out := make([]ruleHit, 0, len(sums))
	for labels, n := range sums {
		out = append(out, ruleHit{labels, n})
	}
	slices.SortFunc(out, func(a, b ruleHit) int {
		return cmp.Or(cmp.Compare(b.hits, a.hits), slices.Compare(a.labels[:], b.labels[:]))
	})
	if len(out) > maxRules {
		rest := ruleHit{labels: [5]string{otherLabel, otherLabel, otherLabel, otherLabel, otherLabel}}
		for _, r := range out[maxRules:] {
			rest.hits += r.hits
		}
		out = append(out[:maxRules], rest)
	}
	return out
}
