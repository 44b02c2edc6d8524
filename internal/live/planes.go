package live

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/ref"
	"github.com/ceruleannet/cerulean/model"
)

// httpsPort is where data planes of platform services listen.
const httpsPort = 443

// reached returns the ID of the platform service behind a port: what the port
// is, or what the private endpoint leads to. It is zero for other ports.
func reached(img *fabric.Image, p *fabric.Port) model.ID {
	if p.Kind == fabric.PortService {
		id, _ := model.ParseID(p.Origin.Resource)
		return id
	}
	if p.Kind != fabric.PortEndpoint {
		return model.ID{}
	}
	for _, l := range p.Labels {
		if l.Kind != string(model.LabelService) {
			continue
		}
		for i := range img.Ports {
			if q := &img.Ports[i]; q.Kind == fabric.PortService && q.Has(l) {
				id, _ := model.ParseID(q.Origin.Resource)
				return id
			}
		}
	}
	return model.ID{}
}

// planes gives a service's host, or that of a private endpoint, the data plane
// in place of a greeting, if the network has data planes for it.
func (n *Network) planes(img *fabric.Image, p *fabric.Port, h *Host) {
	if n.opts.Services == nil {
		return
	}
	id := reached(img, p)
	if id.IsZero() || len(n.opts.Services.Names(id)) == 0 {
		return
	}
	h.resource = id
	for i := range h.declared.Services {
		if s := &h.declared.Services[i]; s.Port == httpsPort {
			s.Kind = model.ServiceHTTPS
		}
	}
}

// dataPlane answers for the service behind the host: to clients that the
// network let through, and to those that the service refuses.
func (h *Host) dataPlane(refused bool, from netip.Addr) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !from.IsValid() {
			if a, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
				h.net.opts.Services.Plane(h.resource, a.Addr().Unmap(), refused).ServeHTTP(w, r)
				return
			}
		}
		h.net.opts.Services.Plane(h.resource, from, refused).ServeHTTP(w, r)
	})
}

// isPlaneName reports whether a name is of the data planes behind the host.
func (h *Host) isPlaneName(name string) bool {
	return !h.resource.IsZero() && slices.Contains(h.net.opts.Services.Names(h.resource), strings.ToLower(name))
}

// refuses reports whether a packet was denied by the own firewall of a platform
// service that says so itself, over HTTP. The caller holds wire.mu.
func (n *Network) refuses(img *fabric.Image, f *engine.Frame, r *engine.Result) bool {
	if n.opts.Services == nil || r.Verdict != fabric.VerdictDeny || r.Reason.Port == fabric.None || img.Ports[r.Reason.Port].Kind != fabric.PortService {
		return false
	}
	proto, port := engine.LocalPort(f.Packet)
	if proto != fabric.ProtoTCP || port != httpsPort {
		return false
	}
	to := n.wire.links[r.Reason.Port]
	return to != nil && !to.host.resource.IsZero()
}

// refusal serves a connection to a service that refuses it.
func (p *platform) refusal(c caller) func(net.Conn) {
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
		return nil
	}
	from := c.remote.Addr()
	if at != fabric.None {
		// What the service would see, had it let the packet in.
		t := ref.Trace(img, at, fabric.Packet{Src: c.remote.Addr(), SrcPort: c.remote.Port(), Dst: c.local.Addr(), DstPort: c.local.Port(), Proto: fabric.ProtoTCP})
		from = t.Final.Src
	}
	return func(conn net.Conn) {
		serveHTTP(tls.Server(conn, p.net.authority.serverConfig(host)), host.dataPlane(true, from))
	}
}
