package live

import (
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// What stands at the other side of a network beside the internet runs as well:
// platform services and their private endpoints accept connections and say who
// they are, and on-premises networks answer from their first addresses.

// servicePorts are where platform services listen, by resource type: storage
// accounts for HTTPS and file shares (SMB), SQL servers for TDS, key vaults for
// HTTPS ("Azure SQL Database connectivity architecture", "Use Azure Files with
// Windows"). Services of other types listen on all of these.
var servicePorts = []struct {
	kind  string
	ports []uint16
}{
	{"microsoft.storage/storageaccounts", []uint16{443, 445}},
	{"microsoft.sql/servers", []uint16{1433}},
	{"microsoft.keyvault/vaults", []uint16{443}},
	{"", []uint16{443, 445, 1433}},
}

// listens returns where the service behind a port listens: what the port is, or
// what the private endpoint of that name leads to.
func listens(img *fabric.Image, p *fabric.Port) []model.Service {
	var out []model.Service
	add := func(resource string) {
		id := strings.ToLower(resource)
		for _, k := range servicePorts {
			if k.kind != "" && !strings.Contains(id, "/providers/"+k.kind+"/") || k.kind == "" && len(out) > 0 {
				continue
			}
			for _, port := range k.ports {
				if s := (model.Service{Kind: model.ServiceTCP, Port: port}); !slices.Contains(out, s) {
					out = append(out, s)
				}
			}
		}
	}
	if p.Kind == fabric.PortService {
		add(p.Origin.Resource)
		return out
	}
	for _, l := range p.Labels {
		if l.Kind != string(model.LabelService) {
			continue
		}
		for i := range img.Ports {
			if q := &img.Ports[i]; q.Kind == fabric.PortService && q.Has(l) {
				add(q.Origin.Resource)
			}
		}
	}
	if len(out) == 0 {
		add("")
	}
	return out
}

// outsider reports whether something of the platform, or on premises, runs
// behind a port.
func outsider(p *fabric.Port) bool {
	if _, ok := isAppGateway(p); ok {
		return true
	}
	return p.Kind == fabric.PortEndpoint || p.Kind == fabric.PortService || p.Kind == fabric.PortSite
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

// outsiders are the hosts that nobody declared.
type outsiders struct {
	mu   sync.Mutex
	list []other // never changed in place
}

func (o *outsiders) all() []other {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.list
}

// join attaches them to the ports of an image: every port of theirs has a
// host, from the image on where it first appears. The caller holds wire.mu or
// is alone.
func (o *outsiders) join(n *Network, img *fabric.Image) {
	ports := map[identity]fabric.PortID{}
	var order []identity
	for i := range img.Ports {
		p := &img.Ports[i]
		if !outsider(p) {
			continue
		}
		if _, twice := ports[identityOf(p)]; !twice {
			order = append(order, identityOf(p))
		}
		ports[identityOf(p)] = fabric.PortID(i)
	}
	known := map[identity]bool{}
	for _, x := range o.all() {
		known[x.identity] = true
		var at []fabric.PortID
		if id, ok := ports[x.identity]; ok {
			at = []fabric.PortID{id}
		}
		x.host.rejoin(img, at)
	}
	var fresh []other
	for _, k := range order {
		if known[k] {
			continue
		}
		p := &img.Ports[ports[k]]
		h := &Host{net: n, Name: p.Name, wide: true, declared: model.Host{Name: p.Name}}
		if name, ok := isAppGateway(p); ok {
			// Who runs the gateway listens and dials at its instances.
			h.Name, h.wide = name, false
			h.declared.Name = name
		} else if p.Kind != fabric.PortSite {
			h.declared.Services = listens(img, p)
			n.planes(img, p, h)
		}
		h.join(img, []fabric.PortID{ports[k]})
		fresh = append(fresh, other{k, h})
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case <-n.closed:
		for _, x := range fresh {
			x.host.close()
		}
	default:
	}
	o.list = slices.Concat(o.list, fresh)
}

// named returns the host of a site, else of a platform service, else of a
// private endpoint, else of an application gateway, by its name in any case: one that the image in force has,
// if there is one.
func (o *outsiders) named(name string) *Host {
	var found *Host
	for _, kind := range []fabric.PortKind{fabric.PortSite, fabric.PortService, fabric.PortEndpoint, fabric.PortHost} {
		for _, x := range o.all() {
			if x.kind != kind || !strings.EqualFold(x.name, name) && !strings.EqualFold(x.host.Name, name) {
				continue
			}
			if x.host.Port() != fabric.None {
				return x.host
			}
			if found == nil {
				found = x.host
			}
		}
	}
	return found
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
// any. Which member answers is the balancer's choice. A claim that something works
// means a balancer only by its name, or by an address, as to the proof.
func (n *Network) fronts(img *fabric.Image, s *model.Selector, works, outside bool) []selection {
	if s.Internet || s.Any || s.OnPrem {
		return nil
	}
	named := slices.ContainsFunc(s.All, func(l model.Label) bool {
		return l.Kind == model.LabelBalancer || l.Kind == model.LabelAppGateway
	})
	if works && len(s.All) > 0 && !named {
		return nil
	}
	var out []selection
	for i := range img.Ports {
		p := &img.Ports[i]
		if p.Kind != fabric.PortBalancer || !bare(s) && !carries(p, s.All) {
			continue
		}
		h := &Host{net: n, Name: p.Name, declared: model.Host{Name: p.Name}}
		add := func(a netip.Addr) {
			if within(a, s.Prefixes) {
				out = append(out, selection{h, fabric.PortID(i), a})
			}
		}
		private := addrsOf(img, fabric.PortID(i))
		if !outside || bare(s) {
			for _, a := range private {
				add(a)
			}
		}
		if outside || bare(s) || len(private) == 0 {
			for _, q := range img.Publics {
				if q.Port == fabric.PortID(i) {
					add(q.Addr)
				}
			}
		}
	}
	return out
}
