package node

import (
	"strings"

	"github.com/ceruleannet/cerulean/internal/arm"
	"github.com/ceruleannet/cerulean/internal/fabric/compile"
	"github.com/ceruleannet/cerulean/model"
)

// cloudRun is the running network as its cloud sees it.
type cloudRun struct {
	*appGateways
	system *System
}

// ManagerState implements [arm.Monitoring].
func (r cloudRun) ManagerState(profile model.ID) (arm.ManagerState, bool) {
	for _, m := range r.system.Net.Managers() {
		if !strings.EqualFold(m.Profile.ID, profile.String()) {
			continue
		}
		out := arm.ManagerState{Profile: string(m.Status), Endpoints: map[string]string{}}
		for i := range m.Endpoints {
			e := &m.Endpoints[i]
			out.Endpoints[strings.ToLower(e.Endpoint.Name)] = string(e.Status)
		}
		return out, true
	}
	return arm.ManagerState{}, false
}

// followManagers puts the Traffic Manager profiles among resources into force. Those
// that are wrong change nothing: the cloud's clients hear of it from the compiler.
func (s *System) followManagers(resources []*model.Resource) {
	profiles, err := compile.TrafficManagers(resources, compile.Options{Internet: s.Design.Network().Internet})
	if err == nil {
		s.Net.Direct(profiles)
	}
}
