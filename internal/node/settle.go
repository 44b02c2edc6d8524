package node

import (
	"strings"

	"github.com/ceruleannet/cerulean/internal/sql"
	"github.com/ceruleannet/cerulean/model"
)

// settle returns the declared resources with the addresses that the cloud chose
// where the declaration leaves the choice to it (dynamic interfaces, firewalls,
// public IPs), and with the roles that failover groups have there by now; and
// whether there were any. Declared places stay.
func settle(declared, cloud []*model.Resource) ([]*model.Resource, bool) {
	observed := make(map[string]*model.Resource, len(cloud))
	for _, r := range cloud {
		observed[r.ID.Key()] = r
	}
	out := make([]*model.Resource, len(declared))
	some := false
	for i, r := range declared {
		out[i] = r
		there := observed[r.ID.Key()]
		if there == nil {
			continue
		}
		c := r.Clone()
		var chosen bool
		switch {
		case r.ID.Is(model.TypePublicIP):
			chosen = choose(c.Properties(), there.Properties(), "ipAddress")
		case r.ID.Is(model.TypeNIC), r.ID.Is(model.TypeFirewall), r.ID.Is(model.TypePrivateLinkService):
			chosen = chooseConfigurations(c.Properties(), there.Properties(), "ipConfigurations")
		case r.ID.Is(model.TypeLoadBalancer), r.ID.Is(model.TypeAppGateway):
			chosen = chooseConfigurations(c.Properties(), there.Properties(), "frontendIPConfigurations")
		}
		if chosen {
			out[i], some = c, true
		}
	}
	for _, there := range sql.Groups(cloud) {
		for _, here := range sql.Groups(out) {
			if strings.EqualFold(here.Name, there.Name) && !here.Servers[0].Equal(there.Servers[0]) {
				out, some = sql.WithPrimary(out, here.Name, there.Servers[0]), true
			}
		}
	}
	return out, some
}

// chooseConfigurations settles the private addresses of a list of IP
// configurations, which go by name.
func chooseConfigurations(declared, observed map[string]any, list string) bool {
	named := map[string]map[string]any{}
	there, _ := observed[list].([]any)
	for _, e := range there {
		if m, ok := e.(map[string]any); ok {
			name, _ := m["name"].(string)
			named[name], _ = m["properties"].(map[string]any)
		}
	}
	chosen := false
	here, _ := declared[list].([]any)
	for _, e := range here {
		m, _ := e.(map[string]any)
		name, _ := m["name"].(string)
		properties, _ := m["properties"].(map[string]any)
		if properties != nil && choose(properties, named[name], "privateIPAddress") {
			chosen = true
		}
	}
	return chosen
}

// choose copies a property that only the cloud has.
func choose(declared, observed map[string]any, key string) bool {
	if have, _ := declared[key].(string); have != "" {
		return false
	}
	v, _ := observed[key].(string)
	if v == "" || declared == nil {
		return false
	}
	declared[key] = v
	return true
}
