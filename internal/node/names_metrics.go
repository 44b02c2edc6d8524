package node

import (
	"slices"
	"time"

	"github.com/ceruleannet/cerulean/discovery"
	"github.com/ceruleannet/cerulean/internal/observe"
	"github.com/ceruleannet/cerulean/internal/traffic/trafficmanager"
)

// nameMetrics shows the network's names to Prometheus.
func (s *System) nameMetrics() *observe.NameMeter {
	return observe.NewNameMeter(s.Design.Network().Name, observe.NameSources{
		Resolver: func() observe.NameCounts { return observe.NameCounts(s.Net.NameStats()) },
		Managers: s.managed,
		Services: s.registered,
	})
}

// managed are the Traffic Manager profiles as they are now.
func (s *System) managed() []observe.ManagedProfile {
	var out []observe.ManagedProfile
	for _, m := range s.Net.Managers() {
		p := observe.ManagedProfile{Profile: m.Profile.Name, Status: string(m.Status)}
		for i := range m.Endpoints {
			e := &m.Endpoints[i]
			up := []trafficmanager.Status{trafficmanager.Online, trafficmanager.Checking, trafficmanager.Unmonitored}
			p.Endpoints = append(p.Endpoints, observe.ManagedEndpoint{
				Profile: p.Profile, Endpoint: e.Endpoint.Name, Status: string(e.Status), Up: slices.Contains(up, e.Status), Sent: e.Sent, Failed: e.Failed,
			})
		}
		out = append(out, p)
	}
	return out
}

// registered are the services of discovery as they are now.
func (s *System) registered() (out []observe.Registered, version uint64) {
	list := s.discovery.registry.List(time.Now(), "")
	for _, i := range list.Instances { // sorted by service
		if n := len(out); n == 0 || out[n-1].Service != i.Service {
			out = append(out, observe.Registered{Service: i.Service})
		}
		last := &out[len(out)-1]
		if i.Health == discovery.Passing {
			last.Passing++
		} else {
			last.Critical++
		}
	}
	return out, list.Version
}
