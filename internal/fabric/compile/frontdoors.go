package compile

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
)

// doorTTL and domainTTL are the lifetimes of the names of front doors' endpoints
// and of custom domains, in seconds. Unconfirmed; the second is their owner's.
const (
	doorTTL   = 60
	domainTTL = 300
)

// FrontDoor is a front door with what leads to it.
type FrontDoor struct {
	Profile *model.Resource
	// Addr is where clients reach every edge.
	Addr netip.Addr
	// Edges are in the order of their regions.
	Edges []DoorEdge
	// Names lead to it: endpoints, then custom domains.
	Names []DoorName
}

// DoorEdge is an edge of a front door.
type DoorEdge struct {
	Region string
	Addr   netip.Addr // from which it asks origins
}

// DoorName is a DNS name that leads to a front door.
type DoorName struct {
	Name  string
	Alias string // of a custom domain: the endpoint's name
	Part  *model.Resource
}

// FrontDoors returns the front doors among resources, in order of their IDs: those
// of the standard and premium tiers. Parts that are wrong are left out; whoever
// runs front doors says why.
func FrontDoors(resources []*model.Resource, opts Options) []FrontDoor {
	otherwise := doorRegions(resources, opts)
	byKey := map[string]*model.Resource{}
	for _, r := range resources {
		byKey[r.ID.Key()] = r
	}
	var out []FrontDoor
	for _, r := range resources {
		if !model.IsFrontDoor(r) {
			continue
		}
		key := r.ID.Key()
		d := FrontDoor{Profile: r, Addr: catalog.FrontDoorAddress(key)}
		for _, region := range model.EdgeRegions(r, otherwise) {
			if info, ok := catalog.Region(region); ok && !slices.ContainsFunc(d.Edges, func(e DoorEdge) bool { return e.Region == info.Name }) {
				d.Edges = append(d.Edges, DoorEdge{info.Name, catalog.FrontDoorEdge(key, info.Name)})
			}
		}
		slices.SortFunc(d.Edges, func(a, b DoorEdge) int { return strings.Compare(a.Region, b.Region) })
		d.Names = doorNames(r, resources, byKey)
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b FrontDoor) int { return strings.Compare(a.Profile.ID.Key(), b.Profile.ID.Key()) })
	return out
}

// doorRegions are where edges are unless a profile says: in the regions of virtual
// networks and of declared hosts of the internet.
func doorRegions(resources []*model.Resource, opts Options) []string {
	var out []string
	add := func(region string) {
		if _, ok := catalog.Region(region); ok && !slices.Contains(out, region) {
			out = append(out, region)
		}
	}
	for _, r := range resources {
		if r.ID.Is(model.TypeVirtualNetwork) {
			add(r.Location())
		}
	}
	for i := range opts.Internet {
		add(opts.Internet[i].Region)
	}
	return out
}

// doorNames are the names of a front door's endpoints, and of the custom domains
// that their routes are for.
func doorNames(profile *model.Resource, resources []*model.Resource, byKey map[string]*model.Resource) []DoorName {
	var out, custom []DoorName
	for _, r := range resources {
		if !r.ID.Is(model.TypeDoorEndpoint) || !r.ID.Parent().Equal(profile.ID) {
			continue
		}
		if state, _ := r.Properties()["enabledState"].(string); strings.EqualFold(state, "Disabled") {
			continue
		}
		host := model.EndpointHost(r.ID)
		out = append(out, DoorName{Name: host, Part: r})
		for _, route := range resources {
			if !route.ID.Is(model.TypeDoorRoute) || !route.ID.Parent().Equal(r.ID) {
				continue
			}
			refs, _ := route.Properties()["customDomains"].([]any)
			for _, e := range refs {
				ref, _ := e.(map[string]any)
				id, _ := ref["id"].(string)
				domain := byKey[strings.ToLower(id)]
				if domain == nil {
					continue
				}
				name, _ := domain.Properties()["hostName"].(string)
				name = strings.ToLower(strings.TrimSuffix(name, "."))
				if name == "" || strings.Contains(name, "*") || slices.ContainsFunc(custom, func(x DoorName) bool { return x.Name == name }) {
					continue // a wildcard is no one name
				}
				custom = append(custom, DoorName{name, host, domain})
			}
		}
	}
	byName := func(a, b DoorName) int { return strings.Compare(a.Name, b.Name) }
	slices.SortFunc(out, byName)
	slices.SortFunc(custom, byName)
	return append(out, custom...)
}

// doorZones are the names of front doors. Custom domains are as their owners have
// to make them: aliases of endpoints.
func (c *compiler) doorZones() []fabric.Zone {
	var out []fabric.Zone
	taken := map[netip.Addr]string{}
	for _, d := range c.doors {
		if other := taken[d.Addr]; other != "" {
			c.problem(d.Profile, "", fmt.Sprintf("the address %s of front door %q is that of %q", d.Addr, d.Profile.ID.Name(), other), "rename one")
		}
		taken[d.Addr] = d.Profile.ID.Name()
		for _, n := range d.Names {
			at := origin(n.Part, "", "")
			rec := fabric.Record{Name: n.Name, Alias: n.Alias, TTL: domainTTL, Origin: at}
			if n.Alias == "" {
				rec.Addrs, rec.TTL = []netip.Addr{d.Addr}, doorTTL
			}
			out = append(out, fabric.Zone{Name: n.Name, Origin: at, Records: []fabric.Record{rec}})
		}
	}
	return out
}

// PublicName is what the internet knows of a name: its addresses, and where they
// are.
type PublicName struct {
	Addrs  []netip.Addr
	Region string // "" if nobody knows
}

// PublicNames returns the names of public addresses, of declared hosts of the
// internet and of front doors, in lower case, and the public addresses themselves as
// names.
func PublicNames(resources []*model.Resource, opts Options) (map[string]PublicName, error) {
	c := &compiler{opts: opts, img: &fabric.Image{}}
	c.decode(resources)
	c.publicAddresses()
	if err := c.sortedProblems().Err(); err != nil {
		return nil, err
	}
	out := map[string]PublicName{}
	for _, p := range c.publicAddrs {
		x := PublicName{[]netip.Addr{p.addr}, p.item.res.Location()}
		out[p.addr.String()] = x
		if name := p.dnsName(); name != "" {
			out[name] = x
		}
	}
	for i := range opts.Internet {
		h := &opts.Internet[i]
		x := PublicName{h.Addrs, h.Region}
		for _, name := range append([]string{h.Name}, h.Names...) {
			out[strings.ToLower(name)] = x
		}
		for _, a := range h.Addrs {
			out[a.String()] = x
		}
	}
	for _, d := range FrontDoors(resources, opts) {
		for _, n := range d.Names {
			out[n.Name] = PublicName{Addrs: []netip.Addr{d.Addr}}
		}
	}
	return out, nil
}
