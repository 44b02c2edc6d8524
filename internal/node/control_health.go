package node

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ceruleannet/cerulean/internal/live"
	"github.com/ceruleannet/cerulean/internal/traffic/trafficmanager"
)

// MemberHealth is what health probes found of one member of a load balancer, or of
// an application gateway.
type MemberHealth struct {
	Balancer  string         `json:"balancer"`
	Probe     string         `json:"probe"`
	Protocol  string         `json:"protocol"`
	Port      uint16         `json:"port"`
	Path      string         `json:"path,omitempty"`
	Interval  float64        `json:"intervalSeconds"` // as declared
	Threshold int            `json:"threshold"`
	Member    string         `json:"member"`
	Host      string         `json:"host,omitempty"`
	Address   string         `json:"address"`
	Up        bool           `json:"up"`
	Why       string         `json:"why,omitempty"`
	Measured  bool           `json:"measured"` // false: only the compiled network speaks
	Since     time.Time      `json:"since"`
	Sent      uint64         `json:"sent"`
	Failed    uint64         `json:"failed"`
	Answers   []HealthAnswer `json:"answers,omitempty"` // the last, oldest first
}

// HealthAnswer is one answer to a health probe.
type HealthAnswer struct {
	Time time.Time `json:"time"`
	MS   float64   `json:"ms"`
	Why  string    `json:"why,omitempty"` // of one that was not well
}

// Health is what health probes found.
type Health struct {
	Network string         `json:"network"`
	Pace    float64        `json:"pace"` // how much faster than declared they are sent
	Members []MemberHealth `json:"members"`
	// Managers are the Traffic Manager profiles.
	Managers []ManagerHealth `json:"trafficManagers,omitempty"`
}

// Health returns what health probes found: of the load balancer of that name,
// or of all.
func (s *System) Health(balancer string) *Health {
	out := &Health{Network: s.Design.Network().Name, Pace: s.Net.Pace(), Members: []MemberHealth{}}
	for _, m := range s.Net.Health() {
		if balancer != "" && !strings.EqualFold(balancer, m.Balancer) {
			continue
		}
		out.Members = append(out.Members, memberHealth(&m))
	}
	out.Members = append(out.Members, s.gateways.health(balancer)...)
	for _, m := range s.Net.Managers() {
		if balancer == "" || strings.EqualFold(balancer, m.Profile.Name) {
			out.Managers = append(out.Managers, managerHealth(&m))
		}
	}
	return out
}

func memberHealth(m *live.MemberHealth) MemberHealth {
	out := MemberHealth{
		Balancer: m.Balancer, Probe: m.Probe.Name, Protocol: m.Probe.Kind.String(), Port: m.Probe.Port, Path: m.Probe.Path,
		Interval: m.Probe.Interval.Seconds(), Threshold: m.Probe.Threshold, Member: m.Member, Host: m.Host, Address: m.Addr.String(),
		Up: m.Up, Why: m.Why, Measured: m.Measured, Since: m.Since, Sent: m.Sent, Failed: m.Failed,
	}
	for _, a := range m.Answers {
		out.Answers = append(out.Answers, HealthAnswer{Time: a.Time, MS: ms(a.Took), Why: a.Why})
	}
	return out
}

// health answers what health probes found, once every member was heard of.
func (s *System) health(w http.ResponseWriter, r *http.Request) {
	if err := s.Net.Probed(r.Context()); err != nil {
		refuse(w, http.StatusServiceUnavailable, err)
		return
	}
	answer(w, s.Health(r.URL.Query().Get("balancer")))
}

// Health asks a running network what health probes found.
func (r *Remote) Health(ctx context.Context, balancer string) (*Health, error) {
	out := &Health{}
	err := r.Get(ctx, "/v1/health"+query("balancer", balancer), out)
	return out, err
}

// Failed reports whether a member is down or an endpoint degraded.
func (h *Health) Failed() bool {
	for i := range h.Members {
		if !h.Members[i].Up {
			return true
		}
	}
	for i := range h.Managers {
		if slices.ContainsFunc(h.Managers[i].Endpoints, func(e ManagerEndpointHealth) bool {
			return e.Status == string(trafficmanager.Degraded)
		}) {
			return true
		}
	}
	return false
}

// WriteText writes the health for people.
func (h *Health) WriteText(w io.Writer, now time.Time) error {
	if len(h.Managers) > 0 {
		if err := writeManagers(w, h.Managers, now); err != nil || len(h.Members) == 0 {
			return err
		}
		fmt.Fprintln(w)
	}
	if len(h.Members) == 0 {
		_, err := fmt.Fprintln(w, "no load balancer probes a member")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "BALANCER\tPROBE\tMEMBER\tSTATE\tFOR\tSENT\tFAILED\tLATENCY\tWHY")
	for i := range h.Members {
		m := &h.Members[i]
		state, latency := "up", "-"
		if !m.Up {
			state = "down"
		}
		if !m.Measured {
			state += " (not measured)"
		}
		if n := len(m.Answers); n > 0 && m.Answers[n-1].Why == "" {
			latency = fmt.Sprintf("%.2fms", m.Answers[n-1].MS)
		}
		fmt.Fprintf(t, "%s\t%s %s/%d%s\t%s\t%s\t%s\t%d\t%d\t%s\t%s\n", m.Balancer, m.Probe, strings.ToLower(m.Protocol), m.Port, m.Path,
			m.Member, state, now.Sub(m.Since).Round(time.Second), m.Sent, m.Failed, latency, m.Why)
	}
	return t.Flush()
}
