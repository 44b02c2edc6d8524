package compile

import (
	"fmt"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// Tags of an interface that forwards. Azure has no property for what the
// appliance behind it does.
const (
	tagPolicy   = "cerulean-policy"   // resource ID of the firewall policy it follows
	tagSNAT     = "cerulean-snat"     // "true": what it forwards leaves with its own address
	tagStateful = "cerulean-stateful" // "false": replies are judged like any packet
)

// appliances says what hosts with IP forwarding do with packets of others
// ("Network virtual appliances": they forward by their own rules).
func (r *policyReader) appliances() {
	for _, p := range r.ports {
		switch out := &r.img.Ports[p.id]; {
		case p.nic == nil:
		case out.Forward != nil:
			out.Forward = r.appliance(p)
		default:
			r.idleTags(p)
		}
	}
}

func (r *policyReader) appliance(p *port) *fabric.Forward {
	out := &fabric.Forward{Stateful: r.flag(p, tagStateful, appliancesAreStateful), Private: r.sets.empty}
	if id := p.nic.view.Tags[tagPolicy]; id != "" {
		if policy, ok := r.docs.policies.get(id); ok {
			out.Policy = []fabric.FilterID{r.filter(policy, p.subnet.vnet, true)}
		} else {
			r.dangling(p.nic.res, "/tags/"+tagPolicy, "firewall policy", id)
		}
	}
	if !r.flag(p, tagSNAT, false) {
		return out
	}
	families := map[bool]bool{}
	for _, a := range append([]portAddr{p.primary()}, p.addrs...) {
		if !families[a.addr.Is4()] {
			families[a.addr.Is4()] = true
			out.Own = append(out.Own, a.addr)
		}
	}
	// What leaves with the interface's address also leaves by its public IP,
	// whoever sent it.
	port := &r.img.Ports[p.id]
	if way := port.Outbound; way != nil && len(way.Pairs) > 0 {
		own := *way
		for _, a := range out.Own {
			for _, pair := range own.Pairs {
				if pair.Private == a {
					own.Pool = append(own.Pool[:len(own.Pool):len(own.Pool)], pair.Public)
				}
			}
		}
		port.Outbound = &own
	}
	return out
}

// idleTags notes the tags of appliances at an interface that does not forward:
// what they say never happens, which is seldom what was meant.
func (r *policyReader) idleTags(p *port) {
	for _, tag := range []string{tagPolicy, tagSNAT, tagStateful} {
		if p.nic.view.Tags[tag] != "" {
			r.note(p.nic.res, "/tags/"+tag, p.nic.res.ID.Name(), "tag "+tag+" is of no effect: the interface has no IP forwarding")
		}
	}
}

// flag reads a tag that is "true" or "false".
func (r *policyReader) flag(p *port, tag string, otherwise bool) bool {
	switch text := p.nic.view.Tags[tag]; strings.ToLower(text) {
	case "":
		return otherwise
	case "true":
		return true
	case "false":
		return false
	default:
		r.problem(p.nic.res, "/tags/"+tag, fmt.Sprintf("tag %s of %q is %q", tag, p.nic.res.ID.Name(), text), `write "true" or "false"`)
		return otherwise
	}
}
