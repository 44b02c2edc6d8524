package node

import (
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/ceruleannet/cerulean/internal/observe"
	"github.com/ceruleannet/cerulean/internal/traffic/dns"
)

// serveDNSMetrics lets Prometheus scrape a DNS server until close is called.
func serveDNSMetrics(addr string, server *dns.Server) (closing func(), err error) {
	handler, err := observe.NameMetrics(func() observe.NameServer {
		s := server.Stats()
		return observe.NameServer{
			Queries: s.Queries, Truncated: s.Truncated, Limited: s.Limited, Silent: s.Silent, Unsent: s.Unsent,
			Connections: s.TCP, Answers: s.Answers, Names: server.Snapshot().Names(),
		}
	})
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", handler)
	web := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = web.Serve(l)
	}()
	return func() { _ = web.Close(); <-done }, nil
}
