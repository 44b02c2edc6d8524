package intent

import (
	"net/netip"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// managerDomain ends the DNS names of Traffic Manager profiles.
const managerDomain = ".trafficmanager.net"

// managed is a profile's name as a side of a sentence: the addresses of all its
// endpoints, since it may lead to any of them.
type managed struct {
	prefixes []netip.Prefix
	unknown  string // an endpoint whose address the network does not have
}

// managedNames collects the DNS names of profiles.
func managedNames(resources []*model.Resource) map[string]managed {
	byKey := map[string]*model.Resource{}
	for _, r := range resources {
		if r.ID.Is(model.TypeTrafficManager) || r.ID.Is(model.TypePublicIP) {
			byKey[r.ID.Key()] = r
		}
	}
	out := map[string]managed{}
	for _, r := range byKey {
		if !r.ID.Is(model.TypeTrafficManager) {
			continue
		}
		dns, _ := r.Properties()["dnsConfig"].(map[string]any)
		label, _ := dns["relativeName"].(string)
		var m managed
		m.add(r, byKey, map[string]bool{})
		if label != "" {
			out[strings.ToLower(label)+managerDomain] = m
		}
	}
	return out
}

// add adds the addresses of a profile's endpoints, nested ones' too.
func (m *managed) add(r *model.Resource, byKey map[string]*model.Resource, seen map[string]bool) {
	if seen[r.ID.Key()] {
		return
	}
	seen[r.ID.Key()] = true
	endpoints, _ := r.Properties()["endpoints"].([]any)
	for _, e := range endpoints {
		doc, _ := e.(map[string]any)
		name, _ := doc["name"].(string)
		p, _ := doc["properties"].(map[string]any)
		id, _ := p["targetResourceId"].(string)
		text, _ := p["target"].(string)
		if target := byKey[strings.ToLower(id)]; target != nil {
			if target.ID.Is(model.TypeTrafficManager) {
				m.add(target, byKey, seen)
				continue
			}
			text, _ = target.Properties()["ipAddress"].(string)
		}
		a, err := netip.ParseAddr(text)
		if err != nil {
			m.unknown = name
			continue
		}
		m.prefixes = append(m.prefixes, netip.PrefixFrom(a, a.BitLen()))
	}
}

// managedSide resolves a side that is a profile's DNS name; false if it is none.
func (n *names) managedSide(text string) (model.Selector, *complaint, bool) {
	name := strings.ToLower(strings.TrimSuffix(strings.TrimSpace(text), "."))
	if !strings.HasSuffix(name, managerDomain) {
		return model.Selector{}, nil, false
	}
	m, ok := n.managed[name]
	switch {
	case !ok:
		known := make([]string, 0, len(n.managed))
		for k := range n.managed {
			known = append(known, k)
		}
		return model.Selector{}, complain(suggestion(name, sortedCopy(known), "declare it under traffic-managers"), "no Traffic Manager profile has the name %s", text), true
	case m.unknown != "":
		return model.Selector{}, complain("name the endpoints themselves", "endpoint %s of %s has no address that the network knows", m.unknown, text), true
	case len(m.prefixes) == 0:
		return model.Selector{}, complain("add endpoints", "%s has no endpoints", text), true
	}
	return model.Selector{Text: text, Prefixes: m.prefixes}, nil, true
}
