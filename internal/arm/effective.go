package arm

import (
	"net/http"

	"github.com/ceruleannet/cerulean/internal/diagnose"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// nicVerbs are the actions of a network interface. The service answers them for
// interfaces of running machines only; here an interface without a machine has
// routes and rules as well.
func nicVerbs() []verb {
	return []verb{
		{name: "effectiveRouteTable", long: true, network: true, answer: effectiveRouteTable},
		{name: "effectiveNetworkSecurityGroups", long: true, network: true, answer: effectiveGroups},
	}
}

// port returns the port of an interface in the compiled network.
func (q *question) port(nic string) (fabric.PortID, *Fault) {
	at, ok := diagnose.PortOf(q.img, nic)
	if !ok {
		return at, fault(http.StatusConflict, "NetworkNotCompiled", "The network interface %s has no port in the compiled network.", nic)
	}
	return at, nil
}

// document returns the document of a resource in the state asked about, or nil.
func (q *question) document(id string) *model.Resource {
	parsed, err := model.ParseID(id)
	if err != nil {
		return nil
	}
	e, ok := q.view.Get(parsed)
	if !ok {
		return nil
	}
	return e.Resource
}

func effectiveRouteTable(q *question) (any, *Fault) {
	at, f := q.port(q.on.ID.String())
	if f != nil {
		return nil, f
	}
	table := &q.img.Tables[q.img.Ports[at].Routes]
	declared := q.document(table.Origin.Resource)
	if declared != nil && !declared.ID.Is(model.TypeRouteTable) {
		declared = nil
	}
	return listed(diagnose.EffectiveRoutes(table, declared))
}

func effectiveGroups(q *question) (any, *Fault) {
	at, f := q.port(q.on.ID.String())
	if f != nil {
		return nil, f
	}
	return listed(diagnose.EffectiveGroups(q.img, at, q.document))
}

// listed makes an answer of a list.
func listed[T any](list []T, err error) (any, *Fault) {
	if err != nil {
		return nil, fault(http.StatusInternalServerError, "InternalServerError", "%v", err)
	}
	return map[string]any{"value": list}, nil
}
