package arm

import (
	"net/http"

	"github.com/ceruleannet/cerulean/internal/diagnose"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// nicVerbs are the actions of a network interface.
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

// runningPort returns the port of the interface asked about. The service answers
// for interfaces of running virtual machines only; what is missing else is what
// the error's code ends with.
func (q *question) runningPort(missing, text string) (fabric.PortID, *Fault) {
	if q.machineOf(q.on.ID.String()) == q.on.ID.String() {
		return fabric.None, badRequest("NicMustBeAttachedToRunningVmToGet"+missing,
			"A network interface must be attached to a running virtual machine to get %s. The network interface %s is not attached to a running virtual machine.", text, q.on.ID)
	}
	return q.port(q.on.ID.String())
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
	at, f := q.runningPort("EffectiveRoutes", "effective routes")
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
	at, f := q.runningPort("EffectiveSecurityGroups", "effective security groups")
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
