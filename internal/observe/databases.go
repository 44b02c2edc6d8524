package observe

import "github.com/prometheus/client_golang/prometheus"

// DatabaseCopy is a database of a failover group at one of its servers.
type DatabaseCopy struct {
	Group, Server, Database string
	Primary                 bool
	Commits                 uint64  // number of the last commit there
	Behind                  uint64  // commits that have not arrived
	Lag                     float64 // age of the oldest of them, in seconds
	Acknowledged            uint64  // commits of the database since the start; of the primary only
}

// FailedOver counts the failovers of a group.
type FailedOver struct {
	Group           string
	Planned, Forced uint64
	Lost            uint64 // commits
}

// Databases shows failover groups to Prometheus.
type Databases struct {
	network string
	read    func() ([]DatabaseCopy, []FailedOver)
}

// NewDatabases returns the metrics of a network's failover groups.
func NewDatabases(network string, read func() ([]DatabaseCopy, []FailedOver)) *Databases {
	return &Databases{network, read}
}

// Describe implements [prometheus.Collector] as unchecked: the series depend on
// the network.
func (d *Databases) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (d *Databases) Collect(ch chan<- prometheus.Metric) {
	copies, moved := d.read()
	put := func(x *prometheus.Desc, kind prometheus.ValueType, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(x, kind, v, append([]string{d.network}, labels...)...)
	}
	primary := desc("sql_primary", "1 at the server of a failover group that takes writes.", "group", "server")
	number := desc("sql_commit_number", "Number of the last commit that a server has.", "group", "server", "database")
	behind := desc("sql_replication_behind_commits", "Commits that have not arrived at a secondary.", "group", "server", "database")
	lag := desc("sql_replication_lag_seconds", "Age of the oldest commit that has not arrived at a secondary.", "group", "server", "database")
	commits := desc("sql_commits_total", "Commits acknowledged.", "group", "database")
	failovers := desc("sql_failovers_total", "Changes of a group's roles.", "group", "kind")
	lost := desc("sql_lost_commits_total", "Commits acknowledged and lost by forced failovers.", "group")
	seen := map[[2]string]bool{}
	for _, c := range copies {
		if at := [2]string{c.Group, c.Server}; !seen[at] {
			seen[at] = true
			put(primary, prometheus.GaugeValue, map[bool]float64{true: 1}[c.Primary], c.Group, c.Server)
		}
		put(number, prometheus.GaugeValue, float64(c.Commits), c.Group, c.Server, c.Database)
		if c.Primary {
			put(commits, prometheus.CounterValue, float64(c.Acknowledged), c.Group, c.Database)
			continue
		}
		put(behind, prometheus.GaugeValue, float64(c.Behind), c.Group, c.Server, c.Database)
		put(lag, prometheus.GaugeValue, c.Lag, c.Group, c.Server, c.Database)
	}
	for _, m := range moved {
		put(failovers, prometheus.CounterValue, float64(m.Planned), m.Group, "planned")
		put(failovers, prometheus.CounterValue, float64(m.Forced), m.Group, "forced")
		put(lost, prometheus.CounterValue, float64(m.Lost), m.Group)
	}
}
