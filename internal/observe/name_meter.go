package observe

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// maxServiceSeries bounds the services of discovery that have series of their own:
// those beyond are counted as "other".
const maxServiceSeries = 500

// NameCounts is what the platform's resolver did since the network started.
type NameCounts struct {
	UDP, TCP uint64         // queries that were answered
	Silent   uint64         // messages that were no queries
	Answers  map[int]uint64 // by response code
}

// ManagedEndpoint is an endpoint of a Traffic Manager profile as its probes find
// it.
type ManagedEndpoint struct {
	Profile, Endpoint string
	Status            string // Azure's endpointMonitorStatus
	Up                bool   // the name may lead to it
	Sent, Failed      uint64
}

// ManagedProfile is a Traffic Manager profile.
type ManagedProfile struct {
	Profile, Status string // Azure's profileMonitorStatus
	Endpoints       []ManagedEndpoint
}

// Registered counts the instances of a service in discovery.
type Registered struct {
	Service           string
	Passing, Critical int
}

// NameSources are where the metrics of names come from. They are asked for each
// scrape.
type NameSources struct {
	Resolver func() NameCounts
	Managers func() []ManagedProfile
	// Services returns the services by name, and the registry's version.
	Services func() (list []Registered, version uint64)
}

// NameMeter shows the names of a running network to Prometheus: the resolver, Traffic
// Manager and discovery.
type NameMeter struct {
	network string
	from    NameSources
}

// NewNameMeter returns the metrics of a network's names.
func NewNameMeter(network string, from NameSources) *NameMeter { return &NameMeter{network, from} }

// Describe implements [prometheus.Collector] as unchecked: profiles and services
// come and go.
func (*NameMeter) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (n *NameMeter) Collect(ch chan<- prometheus.Metric) {
	metric := func(kind prometheus.ValueType, name, help string, v float64, pairs ...string) {
		labels, values := []string(nil), []string{n.network}
		for i := 0; i < len(pairs); i += 2 {
			labels, values = append(labels, pairs[i]), append(values, pairs[i+1])
		}
		ch <- prometheus.MustNewConstMetric(desc(name, help, labels...), kind, v, values...)
	}
	const counter, gauge = prometheus.CounterValue, prometheus.GaugeValue
	c := n.from.Resolver()
	const queries = "Queries that the platform's resolver answered."
	metric(counter, "names_queries_total", queries, float64(c.UDP), "protocol", "udp")
	metric(counter, "names_queries_total", queries, float64(c.TCP), "protocol", "tcp")
	metric(counter, "names_silent_total", "Messages to the platform's resolver that were no queries.", float64(c.Silent))
	for code, count := range c.Answers {
		metric(counter, "names_answers_total", "Answers of the platform's resolver, by response code.", float64(count), "rcode", strconv.Itoa(code))
	}
	for _, p := range n.from.Managers() {
		metric(gauge, "traffic_manager_profile", "Always 1; the label says the state of a profile.", 1, "profile", p.Profile, "status", p.Status)
		for _, e := range p.Endpoints {
			up := 0.0
			if e.Up {
				up = 1
			}
			at := []string{"profile", e.Profile, "endpoint", e.Endpoint}
			metric(gauge, "traffic_manager_endpoint_up", "Whether a profile's name may lead to an endpoint.", up, at...)
			metric(gauge, "traffic_manager_endpoint", "Always 1; the label says the state of an endpoint.", 1, append(at, "status", e.Status)...)
			const probes = "Questions to endpoints of profiles, by how they were answered."
			metric(counter, "traffic_manager_probes_total", probes, float64(e.Sent-e.Failed), append(at, "result", "well")...)
			metric(counter, "traffic_manager_probes_total", probes, float64(e.Failed), append(at, "result", "failed")...)
		}
	}
	list, version := n.from.Services()
	metric(counter, "discovery_changes_total", "Changes in the registry of services.", float64(version))
	if len(list) > maxServiceSeries {
		other := Registered{Service: "other"}
		for _, s := range list[maxServiceSeries:] {
			other.Passing, other.Critical = other.Passing+s.Passing, other.Critical+s.Critical
		}
		list = append(list[:maxServiceSeries:maxServiceSeries], other)
	}
	for _, s := range list {
		const instances = "Instances in the registry of services."
		metric(gauge, "discovery_instances", instances, float64(s.Passing), "service", s.Service, "health", "passing")
		metric(gauge, "discovery_instances", instances, float64(s.Critical), "service", s.Service, "health", "critical")
	}
}
