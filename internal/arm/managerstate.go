package arm

import (
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// ManagerState is what probes found of a Traffic Manager profile, in Azure's
// spelling ("Traffic Manager endpoint monitoring").
type ManagerState struct {
	Profile   string            // profileMonitorStatus
	Endpoints map[string]string // endpointMonitorStatus, by lower-case name
}

// Monitoring is a [Running] that probes the endpoints of Traffic Manager profiles,
// too.
type Monitoring interface {
	// ManagerState returns the state of a profile; false if it does not run.
	ManagerState(profile model.ID) (ManagerState, bool)
}

// managerState returns what the running network found of a profile.
func (s *Server) managerState(profile model.ID) (ManagerState, bool) {
	r := s.running.Load()
	if r == nil {
		return ManagerState{}, false
	}
	m, ok := (*r).(Monitoring)
	if !ok {
		return ManagerState{}, false
	}
	return m.ManagerState(profile)
}

// managerBody is a profile with the states of a running network, which no document
// holds; as it was written where none runs.
func (c *call) managerBody(r *model.Resource) map[string]any {
	state, ok := c.s.managerState(r.ID)
	if !ok {
		return r.Doc
	}
	doc := shallow(r.Doc)
	p := shallow(object(doc, "properties"))
	doc["properties"] = p
	monitor := shallow(object(p, "monitorConfig"))
	monitor["profileMonitorStatus"] = state.Profile
	p["monitorConfig"] = monitor
	var endpoints []any
	for _, e := range objects(p, "endpoints") {
		endpoints = append(endpoints, withMonitorStatus(e, &state))
	}
	if endpoints != nil {
		p["endpoints"] = endpoints
	}
	return doc
}

// managerEndpointBody is the same of one endpoint.
func (c *call) managerEndpointBody(r *model.Resource) map[string]any {
	state, ok := c.s.managerState(r.ID.Parent())
	if !ok {
		return r.Doc
	}
	return withMonitorStatus(r.Doc, &state)
}

func withMonitorStatus(endpoint map[string]any, state *ManagerState) map[string]any {
	status, ok := state.Endpoints[strings.ToLower(text(endpoint, "name"))]
	if !ok {
		return endpoint
	}
	endpoint = shallow(endpoint)
	p := shallow(object(endpoint, "properties"))
	p["endpointMonitorStatus"] = status
	endpoint["properties"] = p
	return endpoint
}
