package node

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ceruleannet/cerulean/internal/live"
	"github.com/ceruleannet/cerulean/internal/traffic/trafficmanager"
)

// ManagerHealth is a Traffic Manager profile and what its probes found.
type ManagerHealth struct {
	Profile   string                  `json:"profile"`
	ID        string                  `json:"id"`
	Name      string                  `json:"name"` // its DNS name
	Method    string                  `json:"method"`
	Status    string                  `json:"profileMonitorStatus"`
	Endpoints []ManagerEndpointHealth `json:"endpoints"`
}

// ManagerEndpointHealth is one endpoint of a Traffic Manager profile.
type ManagerEndpointHealth struct {
	Endpoint string         `json:"endpoint"`
	Target   string         `json:"target"`
	Status   string         `json:"endpointMonitorStatus"`
	Why      string         `json:"why,omitempty"`
	Measured bool           `json:"measured"`
	Since    time.Time      `json:"since"`
	Sent     uint64         `json:"sent"`
	Failed   uint64         `json:"failed"`
	Answers  []HealthAnswer `json:"answers,omitempty"`
}

func managerHealth(m *live.Manager) ManagerHealth {
	out := ManagerHealth{Profile: m.Profile.Name, ID: m.Profile.ID, Name: m.Profile.FQDN, Method: string(m.Profile.Method), Status: string(m.Status)}
	for i := range m.Endpoints {
		e := &m.Endpoints[i]
		h := ManagerEndpointHealth{
			Endpoint: e.Endpoint.Name, Target: e.Endpoint.Target, Status: string(e.Status), Why: e.Why,
			Measured: e.Measured, Since: e.Since, Sent: e.Sent, Failed: e.Failed,
		}
		if h.Target == "" {
			h.Target = "profile " + e.Endpoint.Child[strings.LastIndexByte(e.Endpoint.Child, '/')+1:]
		}
		for _, a := range e.Answers {
			h.Answers = append(h.Answers, HealthAnswer{Time: a.Time, MS: ms(a.Took), Why: a.Why})
		}
		out.Endpoints = append(out.Endpoints, h)
	}
	return out
}

// writeManagers writes the profiles for people.
func writeManagers(w io.Writer, list []ManagerHealth, now time.Time) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "PROFILE\tSTATUS\tENDPOINT\tSTATUS\tFOR\tSENT\tFAILED\tLATENCY\tWHY")
	for i := range list {
		m := &list[i]
		for j := range m.Endpoints {
			e := &m.Endpoints[j]
			since, latency := "-", "-"
			if e.Measured {
				since = now.Sub(e.Since).Round(time.Second).String()
			}
			if n := len(e.Answers); n > 0 && e.Answers[n-1].Why == "" {
				latency = fmt.Sprintf("%.2fms", e.Answers[n-1].MS)
			}
			fmt.Fprintf(t, "%s (%s)\t%s\t%s\t%s\t%s\t%d\t%d\t%s\t%s\n", m.Profile, m.Method, m.Status, e.Endpoint, e.Status, since, e.Sent, e.Failed, latency, e.Why)
		}
	}
	return t.Flush()
}

// ManagerStates are what probes found of the endpoints of Traffic Manager
// profiles, for a server of their names.
type ManagerStates struct {
	Version  uint64          `json:"version"`
	Findings []EndpointState `json:"findings"`
}

// EndpointState is what probes found of one endpoint.
type EndpointState struct {
	Profile  string `json:"profile"` // its ID, in lower case
	Endpoint string `json:"endpoint"`
	Status   string `json:"status"`
}

// longPoll is how long a question after a version waits for a newer one.
const longPoll = 20 * time.Second

// managerStates answers what probes found, once it is newer than a version.
func (s *System) managerStates(w http.ResponseWriter, r *http.Request) {
	after, _ := strconv.ParseUint(r.URL.Query().Get("after"), 10, 64)
	ctx, cancel := context.WithTimeout(r.Context(), longPoll)
	defer cancel()
	_, version, changed := s.Net.Directory()
	for version > 0 && version <= after && ctx.Err() == nil {
		select {
		case <-changed:
		case <-ctx.Done():
		}
		_, version, changed = s.Net.Directory()
	}
	answer(w, ManagerStates{Version: version, Findings: s.findings()})
}

// findings are the states of the endpoints that were asked.
func (s *System) findings() []EndpointState {
	out := []EndpointState{}
	for _, m := range s.Net.Managers() {
		for i := range m.Endpoints {
			if e := &m.Endpoints[i]; e.Measured && e.Status != trafficmanager.Checking {
				key := trafficmanager.KeyOf(m.Profile, e.Endpoint)
				out = append(out, EndpointState{key.Profile, key.Endpoint, string(e.Status)})
			}
		}
	}
	return out
}

// ManagerStates asks a running network what probes found, once that is newer than
// a version, or after a while.
func (r *Remote) ManagerStates(ctx context.Context, after uint64) (*ManagerStates, error) {
	out := &ManagerStates{}
	err := r.Get(ctx, "/v1/managers?"+url.Values{"after": {strconv.FormatUint(after, 10)}}.Encode(), out)
	return out, err
}

// known returns the states as the package trafficmanager has them.
func (m *ManagerStates) known() trafficmanager.Findings {
	out := trafficmanager.Findings{}
	for _, f := range m.Findings {
		out[trafficmanager.Key{Profile: f.Profile, Endpoint: f.Endpoint}] = trafficmanager.Status(f.Status)
	}
	return out
}

// NameExplanation says what a Traffic Manager name means to clients, and why.
type NameExplanation struct {
	Name    string       `json:"name"`
	Method  string       `json:"method"`
	TTL     uint32       `json:"ttl"`
	Running bool         `json:"running"` // the states are measured; else nothing is known of them
	Clients []NameClient `json:"clients"`
}

// NameClient is what a name means in a region.
type NameClient struct {
	Region    string      `json:"region"`
	Outcome   string      `json:"outcome"`
	Answer    string      `json:"answer,omitempty"`
	Endpoints []NameReach `json:"endpoints"`
}

// NameReach is one endpoint: whether it is chosen, and why.
type NameReach struct {
	Profile  string `json:"profile"`
	Endpoint string `json:"endpoint"`
	Status   string `json:"status"`
	Chosen   bool   `json:"chosen"`
	Why      string `json:"why"`
}

// IsManagedName reports whether a text is a Traffic Manager name.
func IsManagedName(text string) bool {
	return strings.HasSuffix(strings.ToLower(strings.TrimSuffix(text, ".")), "."+trafficmanager.Zone)
}

// ExplainName says what a Traffic Manager name means in a region, or in all of
// the network's. The states are those of the network if it runs.
func (d *Design) ExplainName(ctx context.Context, path, name, from string) (*NameExplanation, error) {
	out := &NameExplanation{}
	found := trafficmanager.Findings{}
	if r, err := Connect(ctx, path); err == nil {
		states, err := r.ManagerStates(ctx, 0)
		r.Close()
		if err != nil {
			return nil, err
		}
		out.Running, found = true, states.known()
	}
	dir := trafficmanager.New(d.Managers, found)
	p, ok := dir.Profile(name)
	if !ok {
		return nil, fmt.Errorf("no Traffic Manager profile has the name %s; the network has %s", name, orNone(dir.Names()))
	}
	out.Name, out.Method, out.TTL = p.FQDN, string(p.Method), p.TTL
	regions, err := d.regionsFrom(from)
	if err != nil {
		return nil, err
	}
	for _, region := range regions {
		c := trafficmanager.Client{Place: trafficmanager.PlaceOf(region), Random: uint64(time.Now().UnixNano())}
		dec, why := dir.Explain(name, &c)
		x := NameClient{Region: region, Outcome: [...]string{"answered", "no data", "no such name"}[dec.Outcome]}
		if a, ok := dir.Answer(p.FQDN, &c); ok {
			x.Answer = a.Alias
			for _, addr := range a.Addrs {
				x.Answer = strings.TrimSpace(x.Answer + " " + addr.String())
			}
		}
		for _, y := range why {
			x.Endpoints = append(x.Endpoints, NameReach{y.Profile, y.Endpoint, string(y.Status), y.Chosen, y.Text})
		}
		out.Clients = append(out.Clients, x)
	}
	return out, nil
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// regionsFrom returns the region of a place, or all of the network's.
func (d *Design) regionsFrom(from string) ([]string, error) {
	if from == "" {
		return d.Image.Regions, nil
	}
	for _, r := range d.Image.Regions {
		if strings.EqualFold(r, from) {
			return []string{r}, nil
		}
	}
	for i := range d.Image.Ports {
		p := &d.Image.Ports[i]
		for _, l := range p.Labels {
			if l.Name == strings.ToLower(from) && p.Region >= 0 && int(p.Region) < len(d.Image.Regions) {
				return []string{d.Image.Regions[p.Region]}, nil
			}
		}
	}
	return nil, fmt.Errorf("nothing of the network is called %q; name a host or a region, %s", from, orNone(d.Image.Regions))
}

// WriteText writes the explanation for people.
func (x *NameExplanation) WriteText(w io.Writer) error {
	states := "the network runs: the states are what its probes found"
	if !x.Running {
		states = "the network does not run: nothing is known of its endpoints, so all count as well"
	}
	fmt.Fprintf(w, "%s: %s, TTL %d s; %s\n", x.Name, strings.ToLower(x.Method), x.TTL, states)
	for _, c := range x.Clients {
		fmt.Fprintf(w, "\nfrom %s: %s", c.Region, c.Outcome)
		if c.Answer != "" {
			fmt.Fprintf(w, ", %s", c.Answer)
		}
		fmt.Fprintln(w)
		t := tabwriter.NewWriter(w, 2, 0, 2, ' ', 0)
		for _, e := range c.Endpoints {
			mark := " "
			if e.Chosen {
				mark = "*"
			}
			fmt.Fprintf(t, "  %s %s/%s\t%s\t%s\n", mark, e.Profile, e.Endpoint, e.Status, e.Why)
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// WriteJSON writes the explanation as JSON.
func (x *NameExplanation) WriteJSON(w io.Writer) error { return writeJSON(w, x) }
