package intent

import (
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// tier is a load balancer's, and its public addresses': Regional or Global.
func (l *balancer) tier() string {
	if l.global {
		return "Global"
	}
	return "Regional"
}

// globalBalancer checks what a load balancer before those of regions cannot
// have: it is public, its health is its members', and each rule keeps its port
// ("Cross-region (Global) Load Balancer", limitations).
func (b *builder) globalBalancer(l *balancer) {
	if l.region == "" {
		l.region = b.home() // a place of its documents only
	}
	without := func(what string, pos model.Pos) {
		b.problem(pos, "remove it, or give it to the load balancers of the regions", "the global load balancer %s has no %s", l.name, what)
	}
	sp := &l.spec
	if sp.SKU.Value == "Basic" {
		b.problem(sp.SKU.Pos, "use sku: Standard", "a global load balancer is not Basic")
	}
	for _, e := range sp.Frontends {
		if e.Value.Subnet.IsSet() {
			b.problem(e.Value.Subnet.Pos, "write public-ip: true", "frontend %s of the global load balancer %s is not public", e.Key.Value, l.name)
		}
	}
	if len(sp.Probes) > 0 {
		without("probes", sp.Probes[0].Key.Pos)
	}
	if sp.Drain.IsSet() {
		without("time to drain", sp.Drain.Pos)
	}
	if sp.HAPorts.Or(false) {
		without("high-availability ports", sp.HAPorts.Pos)
	}
	if len(sp.NATRules) > 0 {
		without("inbound NAT rules", sp.NATRules[0].Pos)
	}
	if len(sp.OutboundRules) > 0 {
		without("outbound rules", sp.OutboundRules[0].Pos)
	}
	for _, r := range sp.Rules {
		if r.ToPort.IsSet() {
			b.problem(r.ToPort.Pos, "remove it; the rules of the members say which port their hosts have", "a rule of the global load balancer %s keeps its port", l.name)
		}
	}
}

// regional returns the members of a global load balancer: the public frontends
// of those that it names.
func (w *balancerWriter) regional() list {
	out := list{}
	seen := map[*balancer]bool{}
	for _, t := range w.l.spec.Members {
		m := w.b.balancerCalled(t)
		switch {
		case m == nil:
			continue
		case seen[m]:
			w.b.problem(t.Pos, "name it once", "load balancer %s is a member of %s twice", m.name, w.l.name)
			continue
		case m.global:
			w.b.problem(t.Pos, "name load balancers of regions", "%s is a global load balancer itself", m.name)
			continue
		case m.spec.SKU.Value == "Basic":
			w.b.problem(t.Pos, "give it sku: Standard", "load balancer %s is Basic, and no member of a global one", m.name)
			continue
		}
		seen[m] = true
		some := false
		for _, f := range m.frontends {
			if f.subnet != nil {
				continue
			}
			some = true
			out = append(out, object{"name": m.name + "-" + f.name, "properties": object{"loadBalancerFrontendIPConfiguration": ref(f.id)}})
		}
		if !some {
			w.b.problem(t.Pos, "give it a frontend with public-ip: true", "load balancer %s has no public frontend for %s", m.name, w.l.name)
		}
	}
	return out
}

// balancerCalled finds a load balancer by its name.
func (b *builder) balancerCalled(t Text) *balancer {
	var names []string
	for _, l := range b.balancers {
		if strings.EqualFold(l.name, t.Value) {
			return l
		}
		names = append(names, l.name)
	}
	b.problem(t.Pos, suggestion(t.Value, names, "declare it under load-balancers"), "there is no load balancer %q", t.Value)
	return nil
}
