package fabric

import (
	"fmt"
	"net/netip"
	"sort"
	"time"
)

// Positions in an image. Each indexes the slice of the same name.
type (
	SpaceID   int32 // Image.Spaces
	SegmentID int32 // Image.Segments
	PortID    int32 // Image.Ports
	FilterID  int32 // Image.Filters
	TableID   int32 // Image.Tables
	SetID     int32 // Image.Sets
	RegionID  int32 // Image.Regions
)

// MaxHops is how many ports a packet may pass before it counts as looping.
const MaxHops = 16

// AnySet is the SetID of the set of all values in every image.
const AnySet SetID = 0

// Origin is where a part of the image came from.
type Origin struct {
	Resource string // resource ID
	Name     string // rule, route or configuration name within it
	Place    string // "file:line:column" where it was declared, if it was
}

// Label is a name by which people select ports, for example {"group",
// "all-prod-spokes"}. Names are in lower case.
type Label struct{ Kind, Name string }

// Image is a compiled network.
type Image struct {
	Epoch    uint64
	Spaces   []Space
	Segments []Segment
	Ports    []Port
	Filters  []Filter
	Tables   []Table
	Sets     []Set // Sets[AnySet] is AllValues()
	Publics  []Public
	// Platform holds the addresses the platform itself answers on, reachable
	// from every port past every filter.
	Platform SetID
	// Edge is the port that stands for the internet, or None.
	Edge    PortID
	Regions []string
	// Delay is the one-way delay between two regions, [from][to].
	Delay [][]time.Duration
	// Placed are addresses of the internet whose place is known, sorted.
	Placed []Placed
	// Notes are resources whose meaning is not modelled; what depends on them
	// is unknown.
	Notes []Note
}

// Note names something the image does not model.
type Note struct {
	Origin Origin
	What   string
}

// Space is one address domain: addresses are unique within it.
type Space struct {
	Name   string
	Origin Origin
	Region RegionID
	// Owners are the ports that own addresses of the space, sorted by range,
	// ranges disjoint.
	Owners []Owner
	View   View
}

// Owner says which port owns a range of addresses.
type Owner struct {
	Range Range
	Port  PortID
}

// PortOf returns the port that owns an address of the space.
func (s *Space) PortOf(a netip.Addr) (PortID, bool) {
	v := AddrValue(a)
	i := sort.Search(len(s.Owners), func(i int) bool { return !s.Owners[i].Range.Hi.Less(v) })
	if i < len(s.Owners) && s.Owners[i].Range.Contains(v) {
		return s.Owners[i].Port, true
	}
	return None, false
}

// Segment is a part of a space whose ports share filters and routes.
type Segment struct {
	Name     string
	Origin   Origin
	Space    SpaceID
	Prefixes []netip.Prefix
}

// PortKind says what is behind a port.
type PortKind uint8

// The kinds of port.
const (
	PortHost      PortKind = iota // something that runs
	PortVacant                    // stands for every unassigned address of a segment: what a future host could do
	PortForwarder                 // a device of the platform that forwards
	PortEdge                      // the internet
	PortBalancer                  // hands packets to one of several others
	PortEndpoint                  // a private endpoint: a platform service inside a space
	PortService                   // the public side of a platform service
	PortSite                      // an on-premises network
)

// String returns the kind's name.
func (k PortKind) String() string {
	return [...]string{"host", "vacant", "forwarder", "internet", "balancer", "private endpoint", "service", "site"}[k]
}

// Port is a place where packets enter or leave.
type Port struct {
	Name    string
	Origin  Origin
	Kind    PortKind
	Space   SpaceID   // None for the edge
	Segment SegmentID // None for the edge
	Region  RegionID  // None for the edge
	// Addrs are the addresses the port owns. The edge owns every address that
	// the internet routes and the image does not itself use.
	Addrs  SetID
	Labels []Label
	// Egress and Ingress are the filters met when leaving and entering, in
	// order.
	Egress, Ingress []FilterID
	Routes          TableID
	// Outbound is how packets get a public source address; nil means they have
	// none and cannot reach the internet.
	Outbound *Outbound
	// Forward is what the port does with packets addressed to others; nil means
	// it drops them, and that it may send only from its own addresses.
	Forward *Forward
	// Inward redirects packets that arrive; nil means it redirects none.
	Inward *Inward
	// Admits are the segments whose service endpoints lead past the ingress
	// filters of a service.
	Admits []Admit
	// Servers are the DNS servers that the port asks in place of its space's;
	// empty means the space's.
	Servers []netip.Addr
	// Behind means that a balancer of the same name stands before the port:
	// claims that something works mean that one where something is received.
	Behind bool
	// Silent means the port never starts a flow, only answers: claims that
	// something works do not speak of what it sends. Its egress filters say so
	// to packets.
	Silent bool
}

// Has reports whether the port carries a label.
func (p *Port) Has(l Label) bool {
	for _, x := range p.Labels {
		if x == l {
			return true
		}
	}
	return false
}

// Forward is how a port forwards.
type Forward struct {
	// Policy are the filters that decide what is forwarded, in order.
	Policy []FilterID
	// Stateful means replies pass only if the flow's first packet did, and then
	// without evaluation.
	Stateful bool
	// Own, one address a family, replaces the source of forwarded packets whose
	// destination is not in Private, and of those that a masquerading rule of
	// the policy passes. Packets to the internet take Port.Outbound instead.
	// Empty means sources are kept.
	Own     []netip.Addr
	Private SetID
}

// Source returns the forwarder's own address of a packet's family.
func (f *Forward) Source(p Packet) (netip.Addr, bool) {
	for _, a := range f.Own {
		if a.Is4() == p.Src.Is4() {
			return a, true
		}
	}
	return netip.Addr{}, false
}

// Public is a public address of the image.
type Public struct {
	Addr   netip.Addr
	Origin Origin
	// Port is where packets from the internet to Addr arrive, with Private as
	// their new destination. None means nothing is translated inwards.
	Port    PortID
	Private netip.Addr
	// Unknown means inbound traffic exists but is not modelled.
	Unknown bool
	// Closed means inbound traffic is dropped because no filter at Port lets it
	// in: a Standard public address without a security group.
	Closed bool
}

// PublicAt returns the entry of a public address.
func (img *Image) PublicAt(a netip.Addr) (*Public, bool) {
	i := sort.Search(len(img.Publics), func(i int) bool { return img.Publics[i].Addr.Compare(a) >= 0 })
	if i < len(img.Publics) && img.Publics[i].Addr == a {
		return &img.Publics[i], true
	}
	return nil, false
}

// Stage says which layer of the network a filter belongs to.
type Stage uint8

// The stages of filters.
const (
	StageAdmin   Stage = iota // rules of the whole organisation, before all others
	StageSegment              // rules of the port's segment
	StagePort                 // rules of the port itself
	StagePolicy               // the policy of a forwarder
	StageFailure              // a port that is out of order: established flows meet it, too
)

// String returns the stage's name.
func (s Stage) String() string {
	return [...]string{"admin rules", "subnet rules", "interface rules", "firewall policy", "failure"}[s]
}

// Action is what a matching rule does.
type Action uint8

// The actions. The zero value drops.
const (
	Drop    Action = iota // deny
	Pass                  // leave this filter and go on with the next
	Bypass                // leave this filter and skip the remaining filters of this direction
	Unknown               // whether the rule matches cannot be decided
)

// String returns the action's name.
func (a Action) String() string {
	return [...]string{"deny", "allow", "always-allow", "unknown"}[a]
}

// Filter is an ordered list of rules; the first that matches decides.
type Filter struct {
	Name    string
	Origin  Origin
	Stage   Stage
	Rules   []Rule
	Default Action // when no rule matches: Drop or Pass
}

// Rule matches packets by five sets and says what to do with them.
type Rule struct {
	Match    [NumFields]SetID
	Action   Action
	Priority int32 // for people
	// Masquerade means that what the rule passes leaves with the forwarder's
	// own address, whatever its destination.
	Masquerade bool
	Origin     Origin
}

// Matches reports whether a packet is in all five sets of the rule.
func (img *Image) Matches(r *Rule, p Packet) bool {
	for f := range NumFields {
		id := r.Match[f]
		if id != AnySet && !img.Sets[id].Contains(p.Field(f)) {
			return false
		}
	}
	return true
}

// HopKind says what a route does with packets.
type HopKind uint8

// The kinds of hop.
const (
	HopDrop     HopKind = iota // drops
	HopSpace                   // to the port that owns the destination in Space
	HopPort                    // to the appliance Port
	HopMissing                 // to an appliance address that no port has: drops
	HopInternet                // to the internet, with a public source
	HopUnknown                 // not modelled
	HopService                 // to a platform service, with the private source and known as of Segment
)

// Hop is where a route leads.
type Hop struct {
	Kind    HopKind
	Space   SpaceID    // HopSpace
	Port    PortID     // HopPort
	Via     netip.Addr // HopPort and HopMissing: the appliance's address
	Segment SegmentID  // HopService
}

// Route is one line of an effective route table.
type Route struct {
	Prefix netip.Prefix
	Hop    Hop
	// Source and Kind are for people and diagnostics, in the field's words:
	// "Default" or "User"; "VnetLocal", "VirtualAppliance", "VNetPeering" and so on.
	Source, Kind string
	// Inactive routes are shown but never used: a better source has the same
	// prefix.
	Inactive bool
	Origin   Origin
}

// Table is an effective route table. Routes are sorted by descending prefix
// length, then by address, active before inactive: the first active route that
// holds a destination is the longest match.
type Table struct {
	Name   string
	Origin Origin
	Routes []Route
}

// Lookup returns the index of the active route with the longest prefix that
// holds the destination, by linear search: the definition of the right answer.
func (t *Table) Lookup(dst netip.Addr) (int32, bool) {
	for i := range t.Routes {
		if r := &t.Routes[i]; !r.Inactive && r.Prefix.Contains(dst) {
			return int32(i), true
		}
	}
	return None, false
}

// SortRoutes puts routes into a table's order.
func SortRoutes(routes []Route) {
	sort.SliceStable(routes, func(i, j int) bool {
		a, b := &routes[i], &routes[j]
		if a.Prefix.Bits() != b.Prefix.Bits() {
			return a.Prefix.Bits() > b.Prefix.Bits()
		}
		if c := a.Prefix.Addr().Compare(b.Prefix.Addr()); c != 0 {
			return c < 0
		}
		return !a.Inactive && b.Inactive
	})
}

// Placed is an address of the internet, and how far it is from the regions of an
// image: the one-way delay to each.
type Placed struct {
	Addr  netip.Addr
	Delay []time.Duration
}

// Check reports the first broken invariant of the image: a position out of
// range, an unsorted list. Interpreters rely on it; builders call it.
func (img *Image) Check() error {
	if len(img.Sets) == 0 || !img.Sets[AnySet].IsAll() {
		return fmt.Errorf("set %d is not the set of all values", AnySet)
	}
	set := func(id SetID) bool { return id >= 0 && int(id) < len(img.Sets) }
	port := func(id PortID) bool { return id >= 0 && int(id) < len(img.Ports) }
	if !set(img.Platform) {
		return fmt.Errorf("platform set %d is out of range", img.Platform)
	}
	if img.Edge != None && (!port(img.Edge) || img.Ports[img.Edge].Kind != PortEdge) {
		return fmt.Errorf("edge %d is not an edge port", img.Edge)
	}
	for i := range img.Spaces {
		s := &img.Spaces[i]
		for j, o := range s.Owners {
			if !port(o.Port) || o.Range.Hi.Less(o.Range.Lo) {
				return fmt.Errorf("space %s: owner %d is malformed", s.Name, j)
			}
			if j > 0 && !s.Owners[j-1].Range.Hi.Less(o.Range.Lo) {
				return fmt.Errorf("space %s: owners %d and %d overlap or are out of order", s.Name, j-1, j)
			}
		}
	}
	for i := range img.Ports {
		p := &img.Ports[i]
		if !set(p.Addrs) {
			return fmt.Errorf("port %s: address set %d is out of range", p.Name, p.Addrs)
		}
		filters := append(append([]FilterID(nil), p.Egress...), p.Ingress...)
		if p.Forward != nil {
			filters = append(filters, p.Forward.Policy...)
		}
		for _, f := range filters {
			if f < 0 || int(f) >= len(img.Filters) {
				return fmt.Errorf("port %s: filter %d is out of range", p.Name, f)
			}
		}
		if err := img.checkInward(p); err != nil {
			return err
		}
		if p.Forward != nil && !set(p.Forward.Private) {
			return fmt.Errorf("port %s: address set %d is out of range", p.Name, p.Forward.Private)
		}
		for _, a := range p.Admits {
			if a.Segment < 0 || int(a.Segment) >= len(img.Segments) {
				return fmt.Errorf("port %s: segment %d is out of range", p.Name, a.Segment)
			}
		}
		if p.Kind == PortEdge {
			continue
		}
		if p.Routes < 0 || int(p.Routes) >= len(img.Tables) {
			return fmt.Errorf("port %s: table %d is out of range", p.Name, p.Routes)
		}
		if p.Space < 0 || int(p.Space) >= len(img.Spaces) || p.Segment < 0 || int(p.Segment) >= len(img.Segments) {
			return fmt.Errorf("port %s: space %d or segment %d is out of range", p.Name, p.Space, p.Segment)
		}
		if p.Region != None && (p.Region < 0 || int(p.Region) >= len(img.Regions)) {
			return fmt.Errorf("port %s: region %d is out of range", p.Name, p.Region)
		}
	}
	for i := range img.Filters {
		f := &img.Filters[i]
		if f.Default != Drop && f.Default != Pass {
			return fmt.Errorf("filter %s: default action %s", f.Name, f.Default)
		}
		for j := range f.Rules {
			for _, id := range f.Rules[j].Match {
				if !set(id) {
					return fmt.Errorf("filter %s: rule %d: set %d is out of range", f.Name, j, id)
				}
			}
		}
	}
	for i := range img.Tables {
		t := &img.Tables[i]
		for j := range t.Routes {
			r := &t.Routes[j]
			switch {
			case r.Hop.Kind == HopSpace && (r.Hop.Space < 0 || int(r.Hop.Space) >= len(img.Spaces)):
				return fmt.Errorf("table %s: route %d: space %d is out of range", t.Name, j, r.Hop.Space)
			case r.Hop.Kind == HopPort && !port(r.Hop.Port):
				return fmt.Errorf("table %s: route %d: port %d is out of range", t.Name, j, r.Hop.Port)
			case r.Hop.Kind == HopService && (r.Hop.Segment < 0 || int(r.Hop.Segment) >= len(img.Segments)):
				return fmt.Errorf("table %s: route %d: segment %d is out of range", t.Name, j, r.Hop.Segment)
			case j > 0 && t.Routes[j-1].Prefix.Bits() < r.Prefix.Bits():
				return fmt.Errorf("table %s: routes %d and %d are out of order", t.Name, j-1, j)
			case r.Prefix != r.Prefix.Masked():
				return fmt.Errorf("table %s: route %d: %s has host bits set", t.Name, j, r.Prefix)
			}
		}
	}
	for i := range img.Publics {
		p := &img.Publics[i]
		if p.Port != None && !port(p.Port) {
			return fmt.Errorf("public address %s: port %d is out of range", p.Addr, p.Port)
		}
		if i > 0 && img.Publics[i-1].Addr.Compare(p.Addr) >= 0 {
			return fmt.Errorf("public addresses %d and %d are out of order", i-1, i)
		}
	}
	if len(img.Delay) != len(img.Regions) {
		return fmt.Errorf("delay has %d rows for %d regions", len(img.Delay), len(img.Regions))
	}
	for i := range img.Placed {
		p := &img.Placed[i]
		if len(p.Delay) != len(img.Regions) {
			return fmt.Errorf("address %s outside has %d delays for %d regions", p.Addr, len(p.Delay), len(img.Regions))
		}
		if i > 0 && img.Placed[i-1].Addr.Compare(p.Addr) >= 0 {
			return fmt.Errorf("addresses outside %d and %d are out of order", i-1, i)
		}
	}
	return nil
}
