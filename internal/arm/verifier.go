package arm

import (
	"strings"

	"github.com/ceruleannet/cerulean/internal/diagnose"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// analysis is what a reachability analysis found.
type analysis struct {
	intent map[string]any // intentContent
	result string
	failed string // why there is no result
}

// prepareRun analyzes the intent of a run before it is stored, on the network as
// it is then.
func prepareRun(c *call, id model.ID, body map[string]any) (any, *Fault) {
	intentID := text(object(body, "properties"), "intentId")
	parsed, err := model.ParseID(intentID)
	if err != nil || !parsed.Is(typeIntent) || !parsed.Parent().Equal(id.Parent()) {
		return nil, invalidReference(id, intentID)
	}
	v, img, missing, f := c.s.compiled.newest(c.s)
	e, ok := v.Get(parsed)
	if !ok {
		return nil, nil // refused as every reference to nothing is
	}
	p := e.Resource.Properties()
	if f == nil {
		f = missing.refuse(id, p)
	}
	out := &analysis{intent: map[string]any{}}
	for _, name := range []string{"description", "sourceResourceId", "destinationResourceId", "ipTraffic"} {
		if v, ok := p[name]; ok {
			out.intent[name] = model.CloneJSON(v)
		}
	}
	if f != nil {
		out.failed = f.Err.Message
		return out, nil
	}
	q := &question{s: c.s, subscription: c.subscription, view: v, img: img, on: e.Resource}
	out.result, out.failed = q.analyze(p)
	return out, nil
}

// analyze answers an intent; failed says why it cannot be answered.
func (q *question) analyze(intent map[string]any) (result, failed string) {
	var ask diagnose.Question
	traffic, f := q.trafficOf(intent)
	if f != nil {
		return "", f.Err.Message
	}
	if err := ask.Read(traffic); err != nil {
		return "", "The intent's ipTraffic cannot be read: " + err.Error() + "."
	}
	for _, end := range []struct {
		property string
		to       *[]fabric.PortID
	}{{"sourceResourceId", &ask.From}, {"destinationResourceId", &ask.To}} {
		list, why := q.ends(text(intent, end.property))
		if why != "" {
			return "", why
		}
		*end.to = list
	}
	out, err := diagnose.Reach(q.img, &ask)
	if err != nil {
		return "", err.Error()
	}
	return out, ""
}

// trafficOf reads the traffic of an intent.
func (q *question) trafficOf(intent map[string]any) (*diagnose.Traffic, *Fault) {
	t := object(intent, "ipTraffic")
	out := &diagnose.Traffic{}
	for _, p := range []struct {
		name string
		to   *[]string
	}{
		{"sourceIps", &out.SourceIPs},
		{"destinationIps", &out.DestinationIPs},
		{"sourcePorts", &out.SourcePorts},
		{"destinationPorts", &out.DestinationPorts},
		{"protocols", &out.Protocols},
	} {
		list, f := stringList(q.on.ID, t, p.name, "properties.ipTraffic.")
		if f != nil {
			return nil, f
		}
		*p.to = list
	}
	return out, nil
}

// ends returns the ports of an end of an intent: a machine's interfaces, the
// machines of a subnet, the internet, or whatever else has a port, a platform
// service for example. why says why there are none.
func (q *question) ends(resource string) (ports []fabric.PortID, why string) {
	if strings.EqualFold(resource[strings.LastIndexByte(resource, '/')+1:], "internet") {
		if q.img.Edge == fabric.None {
			return nil, "The network has no internet."
		}
		return []fabric.PortID{q.img.Edge}, ""
	}
	id, err := model.ParseID(resource)
	if err != nil {
		return nil, "The intent's end '" + resource + "' is no resource ID."
	}
	switch {
	case id.Is(model.TypeVM):
		vm := q.document(resource)
		if vm == nil {
			return nil, "The virtual machine " + resource + " does not exist."
		}
		for _, n := range objects(object(vm.Properties(), "networkProfile"), "networkInterfaces") {
			if at, ok := diagnose.PortOf(q.img, text(n, "id")); ok {
				ports = append(ports, at)
			}
		}
	case id.Is(model.TypeSubnet):
		for i := range q.img.Ports {
			p := &q.img.Ports[i]
			if p.Kind == fabric.PortHost && p.Segment != fabric.None && strings.EqualFold(q.img.Segments[p.Segment].Origin.Resource, resource) {
				ports = append(ports, fabric.PortID(i))
			}
		}
		if len(ports) == 0 {
			return nil, "The subnet " + resource + " has no virtual machine that runs; an analysis needs one."
		}
	default:
		if at, ok := diagnose.PortOf(q.img, resource); ok {
			ports = append(ports, at)
		}
	}
	if len(ports) == 0 {
		return nil, "The resource " + resource + " has no place in the network."
	}
	return ports, ""
}

// fillRun stores what the analysis found.
func fillRun(c *change) *Fault {
	a, ok := c.prepared.(*analysis)
	p := c.props()
	switch {
	case !ok && c.old != nil: // its tags change
		for _, name := range c.kind.Computed {
			if v, ok := c.oldProps()[name]; ok {
				p[name] = v
			}
		}
		p["provisioningState"] = c.oldProps()["provisioningState"]
		return nil
	case !ok:
		a = &analysis{failed: "The run was written along with other resources and not analyzed. Create it by itself."}
	}
	if a.intent != nil {
		p["intentContent"] = a.intent
	}
	if a.failed != "" {
		p["errorMessage"], p["provisioningState"] = a.failed, "Failed"
		return nil
	}
	p["analysisResult"] = a.result
	return nil
}
