package arm

import (
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// BackendMember is a member of an application gateway's pool as one of its
// settings asks it.
type BackendMember struct {
	Pool, Settings string // by name
	Address        string // an address or a name
	Health         string // Up, Down, Partial, Draining or Unknown
	Log            string // of the last probe
}

// Running is what runs the cloud's application gateways.
type Running interface {
	// BackendHealth returns the members of a gateway; false if it does not run.
	BackendHealth(gateway model.ID) ([]BackendMember, bool)
}

// Run says what runs the cloud's application gateways, nil for nothing: the
// health of all members is then Unknown.
func (s *Server) Run(r Running) {
	if r == nil {
		s.running.Store(nil)
		return
	}
	s.running.Store(&r)
}

// Superseded returns a channel that is closed when the cloud holds something else
// than now.
func (s *Server) Superseded() <-chan struct{} { return s.store.View().Superseded() }

// backendHealth answers how the members of a gateway's pools are
// (ApplicationGateways_BackendHealth).
func backendHealth(q *question) (any, *Fault) {
	p := q.on.Properties()
	var found []BackendMember
	runs := false
	if r := q.s.running.Load(); r != nil {
		found, runs = (*r).BackendHealth(q.on.ID)
	}
	type pair struct{ pool, settings string }
	asked := map[pair]bool{}
	use := func(o map[string]any, prefix string) {
		key := func(s string) string {
			if prefix == "" {
				return s
			}
			return prefix + strings.ToUpper(s[:1]) + s[1:]
		}
		pool, settings := refID(o, key("backendAddressPool")), refID(o, key("backendHttpSettings"))
		if pool != "" && settings != "" {
			asked[pair{strings.ToLower(pool), strings.ToLower(settings)}] = true
		}
	}
	for _, r := range objects(p, "requestRoutingRules") {
		use(object(r, "properties"), "")
	}
	for _, m := range objects(p, "urlPathMaps") {
		use(object(m, "properties"), "default")
		for _, r := range objects(object(m, "properties"), "pathRules") {
			use(object(r, "properties"), "")
		}
	}
	pools := []any{}
	for _, b := range objects(p, "backendAddressPools") {
		settings := []any{}
		for _, s := range objects(p, "backendHttpSettingsCollection") {
			if !asked[pair{strings.ToLower(text(b, "id")), strings.ToLower(text(s, "id"))}] {
				continue
			}
			settings = append(settings, map[string]any{"backendHttpSettings": map[string]any{"id": text(s, "id")}, "servers": serversHealth(b, s, found, runs)})
		}
		pools = append(pools, map[string]any{"backendAddressPool": map[string]any{"id": text(b, "id")}, "backendHttpSettingsCollection": settings})
	}
	return map[string]any{"backendAddressPools": pools}, nil
}

// backendHealthOnDemand answers how the members of one pool are when one of the
// gateway's settings asks them (ApplicationGateways_BackendHealthOnDemand). It
// tells what the probes of the settings found last.
func backendHealthOnDemand(q *question) (any, *Fault) {
	p := q.on.Properties()
	pool, f := q.gatewayPart(p, "backendAddressPool", "backendAddressPools")
	if f != nil {
		return nil, f
	}
	settings, f := q.gatewayPart(p, "backendHttpSettings", "backendHttpSettingsCollection")
	if f != nil {
		return nil, f
	}
	var found []BackendMember
	runs := false
	if r := q.s.running.Load(); r != nil {
		found, runs = (*r).BackendHealth(q.on.ID)
	}
	return map[string]any{
		"backendAddressPool": map[string]any{"id": text(pool, "id")},
		"backendHealthHttpSettings": map[string]any{
			"backendHttpSettings": map[string]any{"id": text(settings, "id")}, "servers": serversHealth(pool, settings, found, runs),
		},
	}, nil
}

// gatewayPart finds the part of a gateway that a property of the request names.
func (q *question) gatewayPart(p map[string]any, property, list string) (map[string]any, *Fault) {
	id := refID(q.body, property)
	for _, o := range objects(p, list) {
		if id != "" && strings.EqualFold(text(o, "id"), id) {
			return o, nil
		}
	}
	if id == "" {
		return nil, invalidProperty(q.on.ID, property+".id", nil, "it must be the ID of one of the gateway's "+list)
	}
	return nil, invalidReference(q.on.ID, id)
}

// serversHealth is what is known of the members of a pool.
func serversHealth(pool, settings map[string]any, found []BackendMember, runs bool) []any {
	servers := []any{}
	for _, a := range objects(object(pool, "properties"), "backendAddresses") {
		address := text(a, "ipAddress")
		if address == "" {
			address = text(a, "fqdn")
		}
		servers = append(servers, serverHealth(address, text(pool, "name"), text(settings, "name"), found, runs))
	}
	return servers
}

// serverHealth is what is known of one member.
func serverHealth(address, pool, settings string, found []BackendMember, runs bool) map[string]any {
	out := map[string]any{"address": address, "health": "Unknown", "healthProbeLog": "No network runs that could ask the server."}
	if runs {
		out["healthProbeLog"] = "The server was not asked yet."
	}
	for _, m := range found {
		if strings.EqualFold(m.Pool, pool) && strings.EqualFold(m.Settings, settings) && strings.EqualFold(m.Address, address) {
			out["health"], out["healthProbeLog"] = m.Health, m.Log
		}
	}
	return out
}
