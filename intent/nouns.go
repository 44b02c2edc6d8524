package intent

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
)

// object and list are the parts of a Resource Manager document that no typed
// view has: views hold what is read, documents also what Azure demands.
type (
	object = map[string]any
	list   = []any
)

// head is what the declared lists of regional things have in common.
type head struct {
	what               string // "a load balancer", for messages
	each, name, region Text
	pos                model.Pos
}

// placed is one thing of such a list, each: region already followed.
type placed[T any] struct {
	spec   T
	region string // "" if it was not given and there are several
}

// place follows each: region and fills in the placeholders.
func place[T any](b *builder, spec T, h head) []placed[T] {
	if !h.name.IsSet() {
		b.problem(h.pos, "add name: NAME", "%s has no name", h.what)
		return nil
	}
	var regions []string
	switch {
	case h.each.IsSet() && h.each.Value != "region":
		b.problem(h.each.Pos, "write each: region", "cannot repeat for each %q", h.each.Value)
		return nil
	case h.each.IsSet() && h.region.IsSet():
		b.problem(h.region.Pos, "remove one of them", "%s has both each and region", h.name.Value)
		return nil
	case h.each.IsSet() && !strings.Contains(h.name.Value, "{region}") && len(b.regions) > 1:
		b.problem(h.name.Pos, fmt.Sprintf("write %s-{region}", h.name.Value), "the name %q would be the same in every region", h.name.Value)
		return nil
	case h.each.IsSet():
		regions = b.regions
	case h.region.IsSet():
		region, ok := b.region(h.region)
		if !ok {
			return nil
		}
		regions = []string{region}
	case len(b.regions) == 1:
		regions = b.regions
	default:
		regions = []string{""}
	}
	var out []placed[T]
	for _, region := range regions {
		with := map[string]string{}
		if region != "" {
			with["region"] = region
		}
		before := len(*b.problems)
		one := substitute(b, spec, with)
		name := Text{strings.ReplaceAll(h.name.Value, "{region}", region), h.name.Pos}
		if len(*b.problems) == before && b.checkName(name, h.what) {
			out = append(out, placed[T]{one, region})
		}
	}
	return out
}

// regionOf returns the region of something that must have one.
func (b *builder) regionOf(region string, name Text, what string) bool {
	if region == "" {
		b.problem(name.Pos, "add region: NAME, or each: region", "%s %s has no region", what, name.Value)
	}
	return region != ""
}

// declareNouns makes what stands in the virtual networks besides hosts and
// firewalls: it adds subnets and holders of addresses to them.
func (b *builder) declareNouns() {
	b.declareNATGateways()
	b.declareGateways()
	b.declareRouteServers()
	b.declareBalancers()
	b.declareServices()
	b.declareAppGateways()
	b.declareEndpoints()
	b.declareSites()
	b.declareManagers()
	b.declareFrontDoors()
}

// emitNouns makes their resources.
func (b *builder) emitNouns() {
	b.emitNATGateways()
	b.emitGateways()
	b.emitRouteServers()
	b.emitBalancers()
	b.emitServices()
	b.emitFailoverGroups()
	b.emitAppGateways()
	b.emitEndpoints()
	b.emitSites()
}

// subnetNamed resolves NAME or NAME in VIRTUAL NETWORK to one subnet. Of several
// with the name the one in a region is meant, if one is given.
func (b *builder) subnetNamed(t Text, region string) (*subnet, bool) {
	words := strings.Fields(t.Value)
	if len(words) != 1 && (len(words) != 3 || !strings.EqualFold(words[1], "in")) {
		b.problem(t.Pos, "write NAME, or NAME in VIRTUAL NETWORK", "%q does not name a subnet", t.Value)
		return nil, false
	}
	var found, near []*subnet
	var known []string
	for _, v := range b.vnets {
		if len(words) == 3 && !strings.EqualFold(v.name, words[2]) {
			continue
		}
		for _, s := range v.subnets {
			known = append(known, s.name)
			if strings.EqualFold(s.name, words[0]) {
				found = append(found, s)
				if v.region == region {
					near = append(near, s)
				}
			}
		}
	}
	if len(near) == 1 {
		found = near
	}
	switch {
	case len(found) == 1:
		return found[0], true
	case len(found) > 1:
		b.problem(t.Pos, fmt.Sprintf("write %s in %s, or another", found[0].name, found[0].vnet.name), "there are %d subnets %q", len(found), words[0])
	case len(words) == 3 && b.vnetNamed[strings.ToLower(words[2])] == nil:
		b.problem(t.Pos, suggestion(words[2], b.vnetNames(), "name a virtual network of the network"), "there is no virtual network %q", words[2])
	default:
		b.problem(t.Pos, suggestion(words[0], slices.Compact(sortedCopy(known)), "declare it in a virtual network"), "there is no subnet %q", t.Value)
	}
	return nil, false
}

// vnetCalled resolves the name of one virtual network.
func (b *builder) vnetCalled(t Text, owner string, pos model.Pos) (*vnet, bool) {
	if !t.IsSet() {
		b.problem(pos, "add vnet: NAME", "%s has no virtual network", owner)
		return nil, false
	}
	v, ok := b.vnetNamed[strings.ToLower(t.Value)]
	if !ok {
		b.problem(t.Pos, suggestion(t.Value, b.vnetNames(), "name a virtual network of the network"), "there is no virtual network %q", t.Value)
	}
	return v, ok
}

// hostCalled resolves the name of one host.
func (b *builder) hostCalled(t Text) (*host, bool) {
	h, ok := b.hostNamed[strings.ToLower(t.Value)]
	if !ok {
		b.problem(t.Pos, suggestion(t.Value, b.hostNames(), "name a host of the network"), "there is no host %q", t.Value)
	}
	return h, ok
}

func (b *builder) hostNames() []string {
	var out []string
	for _, h := range b.hosts {
		out = append(out, h.name)
	}
	return out
}

// reservedFor returns the subnet of a reserved name in a virtual network,
// declared there or made now.
func (b *builder) reservedFor(v *vnet, name string, bits int, address Text, pos model.Pos) (*subnet, bool) {
	for _, s := range v.subnets {
		if !strings.EqualFold(s.name, name) {
			continue
		}
		if address.IsSet() {
			b.problem(address.Pos, "remove it", "%s of %s is declared at %s", name, v.name, s.pos)
		}
		return s, true
	}
	if v.raw {
		b.problem(pos, "add it to the document", "virtual network %s has no subnet %s", v.name, name)
		return nil, false
	}
	s := &subnet{
		vnet: v, name: name, id: v.id.Child("subnets", name), pos: pos,
		spec: Subnet{Address: address, Length: Int{bits, pos}, Pos: pos},
	}
	v.subnets = append(v.subnets, s)
	return s, true
}

// oneOf checks a word against those that a key takes, by their Azure names.
func (b *builder) oneOf(key string, t Text, def string, azure map[string]string) string {
	if !t.IsSet() {
		return azure[def]
	}
	if v, ok := azure[t.Value]; ok {
		return v
	}
	var words []string
	for w := range azure {
		words = append(words, w)
	}
	b.problem(t.Pos, suggestion(t.Value, sortedCopy(words), ""), "%s cannot be %q", key, t.Value)
	return azure[def]
}

// inRange returns a number that must be within bounds, or its default.
func (b *builder) inRange(i Int, def, lo, hi int, what string) int {
	n := i.Or(def)
	if i.IsSet() && (n < lo || n > hi) {
		b.problem(i.Pos, fmt.Sprintf("use %d to %d", lo, hi), "%d is not %s", n, what)
		return def
	}
	return n
}

// Minutes after which silent flows are forgotten ("Azure Load Balancer TCP
// reset and idle timeout", "Design virtual networks with Azure NAT Gateway").
const (
	idleDefault     = 4
	idleMaxInbound  = 100
	idleMaxOutbound = 120
)

func ref(id model.ID) object       { return object{"id": id.String()} }
func wireRef(id model.ID) wire.Ref { return wire.Ref{ID: id.String()} }
