package live

import (
	"fmt"
	"net/netip"
	"strings"

	"gvisor.dev/gvisor/pkg/buffer"

	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// publicHosts are the declared hosts of the internet. Each has a stack of its
// own behind the internet's port, which they all share.
type publicHosts struct {
	list   []*Host
	byName map[string]*Host // by lower-case name
	byAddr map[netip.Addr]*Host
}

// joinInternet makes the declared hosts of the internet.
func (n *Network) joinInternet(img *fabric.Image, declared []model.PublicHost) error {
	n.public = publicHosts{byName: map[string]*Host{}, byAddr: map[netip.Addr]*Host{}}
	for i := range declared {
		d := &declared[i]
		if img.Edge == fabric.None {
			return fmt.Errorf("%s%s is on the internet, which nothing of the network touches", at(d.Pos), d.Name)
		}
		for _, a := range d.Addrs {
			if !img.Sets[img.Ports[img.Edge].Addrs].Contains(fabric.AddrValue(a)) {
				return fmt.Errorf("%saddress %s of %s is not on the internet: it is the network's own, the platform's, or one that nobody routes", at(d.Pos), a, d.Name)
			}
		}
		h := &Host{net: n, Name: d.Name, public: d.Addrs, region: d.Region, declared: model.Host{Name: d.Name, Services: d.Services, Pos: d.Pos}}
		h.links = []*link{{wire: n.wire, host: h, port: img.Edge}}
		h.addrs, h.floats = [][]netip.Addr{d.Addrs}, make([][]netip.Addr, 1)
		for _, name := range append([]string{d.Name}, d.Names...) {
			if key := strings.ToLower(name); n.public.byName[key] == nil {
				n.public.byName[key] = h
			}
		}
		for _, a := range d.Addrs {
			n.public.byAddr[a] = h
		}
		n.public.list = append(n.public.list, h)
	}
	return nil
}

// rejoin puts the hosts behind the internet's port of another image.
func (p *publicHosts) rejoin(edge fabric.PortID) {
	for _, h := range p.list {
		h.links[0].port = edge
	}
}

// outside hands a packet that leaves for the internet to the declared host, or the
// edge, that has its destination, and reports whether there is one; then it owns the
// view.
func (n *Network) outside(v *buffer.View, o engine.Offload) bool {
	if len(n.public.byAddr) == 0 && n.edges.now.Load() == nil {
		return false
	}
	p, fault := engine.Tuple(v.AsSlice())
	if fault != fabric.FaultNone && !p.Dst.IsValid() {
		return false
	}
	if n.atEdge(&p, v, o) {
		return true
	}
	h := n.public.byAddr[p.Dst]
	if h == nil {
		return false
	}
	h.receive(h.links[0], v, o)
	return true
}
