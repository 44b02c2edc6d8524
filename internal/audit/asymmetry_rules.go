package audit

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
)

// Rules of asymmetric paths.
const (
	RuleAsymmetricSpokes    = "asymmetric-spokes"           // one of two networks bypasses the appliance of the other
	RuleAsymmetricGateway   = "asymmetric-gateway-subnet"   // the gateway's subnet and the spoke disagree
	RuleAsymmetricInbound   = "asymmetric-public-inbound"   // in by a public address, out by an appliance
	RuleAsymmetricPair      = "asymmetric-appliance-pair"   // one appliance there, another back
	RuleAsymmetricEndpoint  = "asymmetric-private-endpoint" // private endpoints answer past the appliance
	RuleAsymmetricNextHops  = "asymmetric-equal-next-hops"  // learned appliances of equal cost
	RuleAsymmetricPaths     = "asymmetric-equal-paths"      // circuits or tunnels of equal cost
	RuleAsymmetricLearned   = "asymmetric-propagation"      // learned routes switched off on one side
	RuleAsymmetrySearch     = "asymmetry-search-incomplete" // not every pair was tried
	documentTrafficRouting  = `"Virtual network traffic routing"`
	documentEndpointInspect = `"Use Azure Firewall to inspect traffic destined to a private endpoint"`
)

// asymmetry says what a rule finds.
type asymmetry struct {
	rule, what, fix string
	routers         bool // harmless without a stateful device on the way
}

var (
	bySpokes = asymmetry{
		rule: RuleAsymmetricSpokes, what: "one direction passes an appliance that the other bypasses",
		fix: "give this subnet a route through the same appliance, or remove the other's (" + documentTrafficRouting + ")",
	}
	byGateway = asymmetry{
		rule: RuleAsymmetricGateway, what: "on-premises traffic passes an appliance in one direction only",
		fix: "route the spokes' prefixes to the appliance in the table of GatewaySubnet, and the on-premises ones in the spokes (" + documentTrafficRouting + ")",
	}
	byInbound = asymmetry{
		rule: RuleAsymmetricInbound, what: "what comes in by a public address is answered through an appliance",
		fix: "let the appliance take the inbound traffic (destination NAT), or route the clients' prefixes to Internet in this subnet",
	}
	byPair = asymmetry{
		rule: RuleAsymmetricPair, what: "the two directions pass different appliances",
		fix: "lead both directions to one internal load balancer with an HA-ports rule, or translate sources at the appliances",
	}
	byEndpoint = asymmetry{
		rule: RuleAsymmetricEndpoint, what: "a private endpoint answers past the appliance",
		fix: "translate sources at the appliance for private endpoints (" + documentEndpointInspect + ")",
	}
	byNextHops = asymmetry{
		rule: RuleAsymmetricNextHops, what: "appliances of equal cost: each direction takes its own",
		fix: "announce one internal load balancer as the next hop, prefer one appliance by a shorter AS path, or translate sources at the appliances",
	}
	byPaths = asymmetry{
		rule: RuleAsymmetricPaths, what: "paths of equal cost: each direction takes its own",
		fix: "prefer one path in both directions (routing weight, AS path)", routers: true,
	}
	byPropagation = asymmetry{
		rule: RuleAsymmetricLearned, what: "learned routes are switched off where the other side's traffic arrives",
		fix: "propagate gateway routes in this subnet's table, or route the on-premises prefixes there",
	}
)

// outsider is a host of the internet (RFC 5737).
var outsider = netip.AddrFrom4([4]byte{198, 51, 100, 7})

// judge tells whether a delivered connection is asymmetric, and by which cause:
// the most specific first.
func (s *search) judge(c *fabric.Connection) {
	if c.Reply.Verdict == fabric.VerdictUnknown {
		return // whether it comes back is not known: that is no cause
	}
	there, back := s.way(&c.Forward), s.way(&c.Reply)
	lost := c.Reply.Verdict != fabric.VerdictAllow
	same := slices.Equal(there.appliances, back.appliances)
	from, to := &s.img.Ports[c.Forward.From], &s.img.Ports[c.Forward.End()]
	apart, inspected := s.apart(c)
	hybrid := from.Kind == fabric.PortSite || to.Kind == fabric.PortSite
	switch {
	case same && !lost && !apart:
		return
	case from.Kind == fabric.PortEdge:
		// Whether the appliance takes the reply or no way leads out for it.
		if len(back.appliances) > 0 && !same {
			s.tell(&byInbound, s.img.Segments[to.Segment].Origin, c)
		}
	case to.Kind == fabric.PortEndpoint && !same:
		s.tell(&byEndpoint, to.Origin, c)
	case apart && inspected:
		s.tell(&byNextHops, s.redirecting(c), c)
	case apart:
		s.tell(&byPaths, s.redirecting(c), c)
	case hybrid && s.unlearned(c, lost):
		s.tell(&byPropagation, s.table(s.azure(from, to)), c)
	case same:
		return // lost for another reason than its way
	case hybrid:
		s.tell(&byGateway, s.unsteered(c, there, back), c)
	case len(there.appliances) > 0 && len(back.appliances) > 0:
		s.tell(&byPair, s.first(there, back), c)
	default:
		s.tell(&bySpokes, s.unsteered(c, there, back), c)
	}
}

// azure returns the end of a hybrid connection that is in Azure.
func (s *search) azure(from, to *fabric.Port) *fabric.Port {
	if from.Kind == fabric.PortSite {
		return to
	}
	return from
}

// table returns the origin of a port's route table.
func (s *search) table(p *fabric.Port) fabric.Origin { return s.img.Tables[p.Routes].Origin }

// apart reports whether the connection met a redirect where each direction
// chooses for itself and the directions can differ: two appliances were chosen,
// or there is more than one router to choose from. What is behind routers of
// equal cost is not known to remember its flows. It also reports whether the
// targets are appliances.
func (s *search) apart(c *fabric.Connection) (differs, appliances bool) {
	for _, t := range []*fabric.Trace{&c.Forward, &c.Reply} {
		for _, x := range t.Choices {
			r := &s.img.Ports[x.Port].Inward.Redirects[x.Redirect]
			if !r.Apart || len(r.Targets) < 2 {
				continue
			}
			p := &s.img.Ports[r.Targets[x.Target].Port]
			if p.Kind == fabric.PortHost && !hasKind(p, model.LabelGateway) {
				appliances = true
			} else {
				differs = true
			}
		}
	}
	if appliances {
		a, b := s.way(&c.Forward), s.way(&c.Reply)
		differs = !slices.Equal(a.appliances, b.appliances)
	}
	return differs, appliances
}

// redirecting returns the origin of the first redirect that chose apart.
func (s *search) redirecting(c *fabric.Connection) fabric.Origin {
	for _, t := range []*fabric.Trace{&c.Forward, &c.Reply} {
		for _, x := range t.Choices {
			if r := &s.img.Ports[x.Port].Inward.Redirects[x.Redirect]; r.Apart {
				return r.Origin
			}
		}
	}
	return fabric.Origin{}
}

// unlearned reports whether the end in Azure does not know the way that the
// gateway's other networks know: its table has no learned route, a sibling of
// its space has one for the same site.
func (s *search) unlearned(c *fabric.Connection, lost bool) bool {
	from, to := &s.img.Ports[c.Forward.From], &s.img.Ports[c.Forward.End()]
	if from.Kind != fabric.PortSite || !lost {
		return false
	}
	switch c.Reply.Reason.Code {
	case fabric.CodeRouteDrop, fabric.CodeNoRoute, fabric.CodeNoOutbound, fabric.CodePrivateAtEdge:
	default:
		return false
	}
	if c.Reply.End() != c.Forward.End() {
		return false // the appliance on the way does not know it
	}
	peer := c.Forward.Packet.Src
	if learns(&s.img.Tables[to.Routes], peer) {
		return false
	}
	for i := range s.img.Ports {
		p := &s.img.Ports[i]
		if p.Kind != fabric.PortEdge && p.Space == to.Space && p.Routes != to.Routes && p.Forward == nil && learns(&s.img.Tables[p.Routes], peer) {
			return true
		}
	}
	return false
}

// learns reports whether a table has a learned route that leads to an address.
func learns(t *fabric.Table, a netip.Addr) bool {
	i, ok := t.Lookup(a)
	return ok && t.Routes[i].Source == "VirtualNetworkGateway"
}

// first returns the origin of the appliance with the lowest position on two
// ways, whichever of them comes first.
func (s *search) first(there, back way) fabric.Origin {
	return s.img.Ports[slices.Min(slices.Concat(there.ports, back.ports))].Origin
}

// unsteered returns where the route is missing: the table of the port that sent
// the direction with fewer appliances. Behind a site that is its gateway's.
func (s *search) unsteered(c *fabric.Connection, there, back way) fabric.Origin {
	trace, w := &c.Reply, back
	if len(there.appliances) < len(back.appliances) {
		trace, w = &c.Forward, there
	}
	p := &s.img.Ports[trace.From]
	if p.Kind == fabric.PortSite {
		for _, id := range w.ports {
			if g := &s.img.Ports[id]; hasKind(g, model.LabelGateway) {
				return s.img.Segments[g.Segment].Origin
			}
		}
	}
	return s.img.Segments[p.Segment].Origin
}

// reserved reports whether a subnet is one of the platform's own.
func reserved(subnet string) bool {
	_, ok := catalog.ReservedSubnet(subnet[strings.LastIndexByte(subnet, '/')+1:])
	return ok
}

// machines maps interfaces to the machines they belong to.
func machines(resources []*model.Resource) map[string]string {
	out := map[string]string{}
	for _, r := range resources {
		if !r.ID.Is(model.TypeVM) {
			continue
		}
		named := map[string]bool{}
		mentions(r.Doc, r.ID.Key(), named)
		for id := range named {
			out[id] = r.ID.Key()
		}
	}
	return out
}

// asymmetries are all causes.
func asymmetries() []*asymmetry {
	return []*asymmetry{&bySpokes, &byGateway, &byInbound, &byPair, &byEndpoint, &byNextHops, &byPaths, &byPropagation}
}
