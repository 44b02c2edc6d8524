package node

import (
	"context"
	"net/http"
	"strings"

	"github.com/ceruleannet/cerulean/internal/traffic/gateway"
)

// gatewaying adds what the application gateways of a running network are asked.
func (s *System) gatewaying(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/gateways", func(w http.ResponseWriter, _ *http.Request) { answer(w, s.Gateways()) })
}

// Gateways returns the application gateways of the network.
func (s *System) Gateways() []GatewayStatus {
	out := []GatewayStatus{}
	for _, run := range s.gateways.all() {
		out = append(out, run.status(s))
	}
	return out
}

// Gateways asks a running network for its application gateways.
func (r *Remote) Gateways(ctx context.Context) ([]GatewayStatus, error) {
	var out []GatewayStatus
	err := r.Get(ctx, "/v1/gateways", &out)
	return out, err
}

// health returns what the probes of application gateways found: of the one of
// that name, or of all.
func (g *appGateways) health(name string) []MemberHealth {
	var out []MemberHealth
	for _, run := range g.all() {
		if name != "" && !strings.EqualFold(name, run.id.Name()) {
			continue
		}
		run.mu.Lock()
		config := run.config
		run.mu.Unlock()
		if config == nil {
			continue
		}
		for _, c := range run.server.Health() {
			out = append(out, gatewayMemberHealth(run.id.Name(), config, &c))
		}
	}
	return out
}

func gatewayMemberHealth(name string, config *gateway.Config, c *gateway.Check) MemberHealth {
	m := MemberHealth{
		Balancer: name, Probe: "default", Member: c.Pool + "/" + c.Member, Address: c.Member, Path: "/", Interval: 30, Threshold: 3,
		Up: c.Healthy, Measured: !c.Checked.IsZero(), Since: c.Since, Sent: c.Sent, Failed: c.Failed,
	}
	if !c.Healthy {
		m.Why = c.Said
	}
	answer := HealthAnswer{Time: c.Checked, MS: ms(c.Took)}
	if c.Failures > 0 {
		answer.Why = c.Said
	}
	if m.Measured {
		m.Answers = []HealthAnswer{answer}
	}
	for i := range config.Settings {
		s := &config.Settings[i]
		if s.Name != c.Settings {
			continue
		}
		m.Protocol, m.Port = string(s.Protocol), s.Port
		for j := range config.Probes {
			p := &config.Probes[j]
			if p.Name != s.Probe {
				continue
			}
			m.Probe, m.Path, m.Protocol = p.Name, p.Path, string(p.Protocol)
			if p.Port != 0 {
				m.Port = p.Port
			}
			if p.Interval != 0 {
				m.Interval = p.Interval.Seconds()
			}
			if p.Threshold != 0 {
				m.Threshold = p.Threshold
			}
		}
	}
	return m
}
