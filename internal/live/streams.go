package live

import (
	"crypto/tls"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/ref"
	"github.com/ceruleannet/cerulean/model"
)

// Streams are the platform's services over protocols of their own: SQL servers.
// Its methods are called by several goroutines.
type Streams interface {
	// Names returns the DNS names of a service that is served here, empty for
	// others.
	Names(resource model.ID) []string
	// Stream answers one connection to a service until it ends, and closes it.
	// refused says that the service's own firewall does not let the address in:
	// the answer is its refusal. config has the service's certificate.
	Stream(c net.Conn, resource model.ID, from netip.Addr, refused bool, config *tls.Config)
}

// sqlPort is where SQL servers listen ("Azure SQL Database connectivity
// architecture").
const sqlPort = 1433

// serviceStream is what a service speaks that [Streams] answer: a client begins,
// and it is no HTTP.
const serviceStream model.ServiceKind = "stream"

// streams gives a service's host, or that of a private endpoint, its own protocol
// in place of a greeting, if the network has one for it.
func (n *Network) streams(id model.ID, h *Host) {
	if n.opts.Streams == nil || id.IsZero() || len(n.opts.Streams.Names(id)) == 0 {
		return
	}
	h.resource = id
	for i := range h.declared.Services {
		if s := &h.declared.Services[i]; s.Port == sqlPort {
			s.Kind = serviceStream
		}
	}
}

// serveStreams answers the connections to a service.
func (h *Host) serveStreams(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		// The stack aborts open connections when the host closes.
		h.services.Go(func() {
			var from netip.Addr
			if a, err := netip.ParseAddrPort(c.RemoteAddr().String()); err == nil {
				from = a.Addr().Unmap()
			}
			h.net.opts.Streams.Stream(c, h.resource, from, false, h.net.authority.serverConfig(h))
		})
	}
}

// isStreamName reports whether a name is of the service behind the host.
func (h *Host) isStreamName(name string) bool {
	return !h.resource.IsZero() && h.net.opts.Streams != nil && slices.Contains(h.net.opts.Streams.Names(h.resource), name)
}

// refusedAt returns the host of the service that refuses a caller, and the
// address that it would see, had it let the packet in.
func (p *platform) refusedAt(c caller) (*Host, netip.Addr) {
	img, at := p.net.place(c.link)
	var host *Host
	for i := range img.Ports {
		q := &img.Ports[i]
		if q.Kind == fabric.PortService && img.Sets[q.Addrs].Contains(fabric.AddrValue(c.local.Addr())) {
			p.net.wire.mu.Lock()
			if l := p.net.wire.links[i]; l != nil {
				host = l.host
			}
			p.net.wire.mu.Unlock()
			break
		}
	}
	if host == nil || host.resource.IsZero() {
		return nil, netip.Addr{}
	}
	from := c.remote.Addr()
	if at != fabric.None {
		t := ref.Trace(img, at, fabric.Packet{Src: c.remote.Addr(), SrcPort: c.remote.Port(), Dst: c.local.Addr(), DstPort: c.local.Port(), Proto: fabric.ProtoTCP})
		from = t.Final.Src
	}
	return host, from
}

// Between returns how long data take from a region to another as the network
// scales latency; false if nothing gets there: a link between the two is cut, or
// the network has no such region.
func (n *Network) Between(from, to string) (time.Duration, bool) {
	n.wire.mu.Lock()
	defer n.wire.mu.Unlock()
	img := n.base
	a, b := slices.Index(img.Regions, from), slices.Index(img.Regions, to)
	if a < 0 || b < 0 {
		return 0, false
	}
	for _, c := range n.failure.Cuts {
		one, other := fabric.Label{Kind: "region", Name: from}, fabric.Label{Kind: "region", Name: to}
		if c.A == one && c.B == other || c.A == other && c.B == one {
			return 0, false
		}
	}
	return time.Duration(float64(img.Delay[a][b]) * n.opts.Latency), true
}

// ServiceUp reports whether a platform service, by its resource ID, is there and
// not out of order.
func (n *Network) ServiceUp(resource string) bool {
	n.wire.mu.Lock()
	defer n.wire.mu.Unlock()
	for i := range n.base.Ports {
		if p := &n.base.Ports[i]; p.Kind == fabric.PortService && strings.EqualFold(p.Origin.Resource, resource) {
			return !slices.Contains(n.failure.Ports, fabric.PortID(i))
		}
	}
	return false
}
