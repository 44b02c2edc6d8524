package observe

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// NameServer is what a DNS server did since it started.
type NameServer struct {
	Queries, Truncated, Limited, Silent, Unsent, Connections uint64
	Answers                                                  map[int]uint64 // by response code
	Names                                                    int
}

// NameMetrics shows a DNS server to Prometheus.
func NameMetrics(read func() NameServer) (http.Handler, error) {
	r := prometheus.NewRegistry()
	if err := r.Register(nameCollector(read)); err != nil {
		return nil, err
	}
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 2}), nil
}

type nameCollector func() NameServer

// Describe implements [prometheus.Collector] as unchecked: the response codes
// that occur are not known before.
func (nameCollector) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (read nameCollector) Collect(ch chan<- prometheus.Metric) {
	s := read()
	count := func(name, help string, v uint64) {
		ch <- prometheus.MustNewConstMetric(prometheus.NewDesc("cerulean_dns_"+name, help, nil, nil), prometheus.CounterValue, float64(v))
	}
	count("queries_total", "Messages received.", s.Queries)
	count("truncated_total", "Answers sent truncated.", s.Truncated)
	count("limited_total", "Answers held back by the rate limit, sent truncated or not at all.", s.Limited)
	count("silent_total", "Messages that were no queries.", s.Silent)
	count("unsent_total", "Answers that the system did not take.", s.Unsent)
	count("connections_total", "TCP connections.", s.Connections)
	answers := prometheus.NewDesc("cerulean_dns_answers_total", "Answers sent, by response code.", []string{"rcode"}, nil)
	for code, n := range s.Answers {
		ch <- prometheus.MustNewConstMetric(answers, prometheus.CounterValue, float64(n), strconv.Itoa(code))
	}
	names := prometheus.NewDesc("cerulean_dns_names", "Names with records.", nil, nil)
	ch <- prometheus.MustNewConstMetric(names, prometheus.GaugeValue, float64(s.Names))
}
