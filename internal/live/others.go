package live

import (
	"net/netip"
	"slices"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// What stands at the other side of a network beside the internet runs as well:
// platform services and their private endpoints accept connections and say who
// they are, and on-premises networks answer from their first addresses.

// servicePorts are where platform services listen: HTTPS, SQL (TDS), file
// shares (SMB).
var servicePorts = []uint16{443, 1433, 445}

// outsider reports whether something of the platform, or on premises, runs
// behind a kind of port.
func outsider(k fabric.PortKind) bool {
	return k == fabric.PortEndpoint || k == fabric.PortService || k == fabric.PortSite
}

// startOthers makes a host for each such port.
func (n *Network) startOthers(img *fabric.Image) {
	for i := range img.Ports {
		p := &img.Ports[i]
		if !outsider(p.Kind) {
			continue
		}
		h := &Host{net: n, Name: p.Name, wide: true, declared: model.Host{Name: p.Name}}
		if p.Kind != fabric.PortSite {
			for _, port := range servicePorts {
				h.declared.Services = append(h.declared.Services, model.Service{Kind: model.ServiceTCP, Port: port})
			}
		}
		h.join(img, []fabric.PortID{fabric.PortID(i)})
		n.others = append(n.others, other{identityOf(p), h})
	}
}

// other is a host that nobody declared, known by what its port is.
type other struct {
	identity
	host *Host
}

// identity is what a port is, whatever its position.
type identity struct {
	kind     fabric.PortKind
	resource string
	name     string
}

func identityOf(p *fabric.Port) identity { return identity{p.Kind, p.Origin.Resource, p.Name} }

// rejoinOthers attaches them to the ports of a new image.
func (n *Network) rejoinOthers(img *fabric.Image) {
	for _, o := range n.others {
		var ports []fabric.PortID
		for i := range img.Ports {
			if identityOf(&img.Ports[i]) == o.identity {
				ports = []fabric.PortID{fabric.PortID(i)}
			}
		}
		o.host.rejoin(img, ports)
	}
}

// maxRanges bounds how many ranges of a site answer under an address of theirs.
const maxRanges = 8

// wideAddrs returns the addresses that something with many of them speaks from:
// the first usable of each range.
func wideAddrs(img *fabric.Image, at fabric.PortID) []netip.Addr {
	var out []netip.Addr
	for _, r := range img.Sets[img.Ports[at].Addrs] {
		v := r.Lo
		if r.Lo != r.Hi {
			v = v.Next() // the first names the network
		}
		if out = append(out, v.Addr()); len(out) == maxRanges {
			break
		}
	}
	return out
}

// floated returns, by port, the frontend addresses that balancers float to it:
// its system has them on a loopback interface.
func floated(img *fabric.Image) map[fabric.PortID][]netip.Addr {
	out := map[fabric.PortID][]netip.Addr{}
	for i := range img.Ports {
		in := img.Ports[i].Inward
		if in == nil {
			continue
		}
		fronts := img.Sets[img.Ports[i].Addrs]
		for _, p := range img.Publics {
			if p.Port == fabric.PortID(i) {
				fronts = fronts.Union(fabric.AddrSet(p.Addr))
			}
		}
		for _, r := range in.Redirects {
			if !r.Floating {
				continue
			}
			for _, front := range img.Sets[r.Match[fabric.Dst]].Intersect(fronts) {
				for _, t := range r.Targets {
					if a := front.Lo.Addr(); t.Port != fabric.None && !slices.Contains(out[t.Port], a) {
						out[t.Port] = append(out[t.Port], a)
					}
				}
			}
		}
	}
	return out
}

// fronts returns the frontends of load balancers that a selector names: the
// public ones for who comes from outside, else the private ones if there are
// any. Which member answers is the balancer's choice.
func (n *Network) fronts(img *fabric.Image, s *model.Selector, outside bool) []selection {
	if s.Internet || s.Any || s.OnPrem {
		return nil
	}
	var out []selection
	for i := range img.Ports {
		p := &img.Ports[i]
		if p.Kind != fabric.PortBalancer || !carries(p, s.All) {
			continue
		}
		h := &Host{net: n, Name: p.Name, declared: model.Host{Name: p.Name}}
		add := func(a netip.Addr) {
			if within(a, s.Prefixes) {
				out = append(out, selection{h, fabric.PortID(i), a})
			}
		}
		private := addrsOf(img, fabric.PortID(i))
		if !outside {
			for _, a := range private {
				add(a)
			}
		}
		if outside || len(private) == 0 {
			for _, q := range img.Publics {
				if q.Port == fabric.PortID(i) {
					add(q.Addr)
				}
			}
		}
	}
	return out
}
