package live

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/buffer"

	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
)

// EdgeSite is a place on the internet that answers at an address which it shares
// with others: an edge of a front door.
type EdgeSite struct {
	Name   string // unique in the network
	Region string
	Addr   netip.Addr // its own, from which it connects
}

// Anycast is an address of the internet with the edges that share it.
type Anycast struct {
	Addr  netip.Addr
	Sites []EdgeSite
	// Nearest returns the number of the site that packets of a region reach; -1 is
	// none.
	Nearest func(region string) int
}

// Edge is a running edge: a host of the internet. What answers there is up to who
// asks for it.
type Edge struct {
	host   *Host
	site   EdgeSite
	shared netip.Addr
}

// Name returns the edge's name.
func (e *Edge) Name() string { return e.site.Name }

// Listen announces at a port of the shared address, for the clients that are
// nearest to this edge.
func (e *Edge) Listen(port uint16) (net.Listener, error) {
	return e.host.Listen("tcp", netip.AddrPortFrom(e.shared, port).String())
}

// DialContext connects from the edge's own address to an address of the internet.
func (e *Edge) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return e.host.DialContext(ctx, network, address)
}

// edges are the edges of a network. What the wire reads is never changed in place.
type edges struct {
	mu      sync.Mutex // one change at a time
	now     atomic.Pointer[edgeTable]
	regions atomic.Pointer[publicRegions]
}

type edgeTable struct {
	list   []*Edge
	own    map[netip.Addr]*Edge
	shared map[netip.Addr]anycast
}

type anycast struct {
	list    []*Edge
	nearest func(string) int
}

// publicRegions says where the public addresses of an image are.
type publicRegions struct {
	img *fabric.Image
	of  map[netip.Addr]string
}

// SetEdges makes the edges of the network those that are given. One that stays as
// it is keeps its connections; those of one that goes are reset.
func (n *Network) SetEdges(list []Anycast) error {
	img := n.Image()
	n.edges.mu.Lock()
	defer n.edges.mu.Unlock()
	old := n.edges.table()
	next := &edgeTable{own: map[netip.Addr]*Edge{}, shared: map[netip.Addr]anycast{}}
	for _, a := range list {
		if _, taken := next.shared[a.Addr]; taken {
			return fmt.Errorf("address %s is of two groups of edges", a.Addr)
		}
		x := anycast{nearest: a.Nearest}
		for _, s := range a.Sites {
			for _, addr := range []netip.Addr{s.Addr, a.Addr} {
				if img.Edge == fabric.None || !img.Sets[img.Ports[img.Edge].Addrs].Contains(fabric.AddrValue(addr)) {
					return fmt.Errorf("edge %s: %s is not on the internet of this network", s.Name, addr)
				}
			}
			if next.own[s.Addr] != nil {
				return fmt.Errorf("address %s is of two edges", s.Addr)
			}
			e := old.same(s, a.Addr)
			if e == nil {
				e = &Edge{site: s, shared: a.Addr, host: n.edgeHost(s, a.Addr, img.Edge)}
			}
			next.own[s.Addr] = e
			next.list = append(next.list, e)
			x.list = append(x.list, e)
		}
		next.shared[a.Addr] = x
	}
	n.edges.now.Store(next)
	for _, e := range old.list {
		if !slices.Contains(next.list, e) {
			e.host.close()
		}
	}
	return nil
}

// edgeHost makes the host of an edge, behind the internet's port as the declared
// hosts there are.
func (n *Network) edgeHost(s EdgeSite, shared netip.Addr, port fabric.PortID) *Host {
	h := &Host{net: n, Name: s.Name, public: []netip.Addr{s.Addr, shared}}
	h.links = []*link{{wire: n.wire, host: h, port: port}}
	h.addrs, h.floats = [][]netip.Addr{{s.Addr, shared}}, make([][]netip.Addr, 1)
	return h
}

func (e *edges) table() *edgeTable {
	if t := e.now.Load(); t != nil {
		return t
	}
	return &edgeTable{}
}

func (t *edgeTable) same(s EdgeSite, shared netip.Addr) *Edge {
	for _, e := range t.list {
		if e.site == s && e.shared == shared {
			return e
		}
	}
	return nil
}

// Edge returns the edge of a name.
func (n *Network) Edge(name string) (*Edge, bool) {
	for _, e := range n.edges.table().list {
		if strings.EqualFold(e.site.Name, name) {
			return e, true
		}
	}
	return nil, false
}

// rejoin puts the edges behind the internet's port of another image. The caller
// holds wire.mu.
func (e *edges) rejoin(edge fabric.PortID) {
	for _, x := range e.table().list {
		x.host.links[0].port = edge
	}
}

// close ends all edges.
func (e *edges) close() {
	for _, x := range e.table().list {
		x.host.close()
	}
}

// atEdge hands a packet on the internet to the edge that it reaches, and reports
// whether there is one; then it owns the view.
func (n *Network) atEdge(p *fabric.Packet, v *buffer.View, o engine.Offload) bool {
	t := n.edges.now.Load()
	if t == nil {
		return false
	}
	e := t.own[p.Dst]
	if e == nil {
		x, ok := t.shared[p.Dst]
		if !ok {
			return false
		}
		if i := x.nearest(n.RegionOf(p.Src)); i >= 0 && i < len(x.list) {
			e = x.list[i]
		}
	}
	if e == nil {
		return false
	}
	e.host.receive(e.host.links[0], v, o)
	return true
}

// RegionOf returns the region that a public address is in: of what it leads to, of
// who sends with it, or of the declared host of the internet that has it. An
// address that nobody knows counts as in the network's first region.
func (n *Network) RegionOf(a netip.Addr) string {
	if h := n.public.byAddr[a]; h != nil && h.region != "" {
		return h.region
	}
	img := n.Image()
	r := n.edges.regions.Load()
	if r == nil || r.img != img {
		r = &publicRegions{img, regionsOf(img)}
		n.edges.regions.Store(r)
	}
	if region, ok := r.of[a]; ok {
		return region
	}
	if len(img.Regions) > 0 {
		return img.Regions[0]
	}
	return ""
}

func regionsOf(img *fabric.Image) map[netip.Addr]string {
	out := map[netip.Addr]string{}
	put := func(a netip.Addr, at fabric.PortID) {
		if at == fabric.None || img.Ports[at].Region == fabric.None {
			return
		}
		if _, known := out[a]; !known {
			out[a] = img.Regions[img.Ports[at].Region]
		}
	}
	for i := range img.Publics {
		put(img.Publics[i].Addr, img.Publics[i].Port)
	}
	for i := range img.Ports {
		if o := img.Ports[i].Outbound; o != nil {
			for _, a := range o.Pool {
				put(a, fabric.PortID(i))
			}
		}
	}
	return out
}
