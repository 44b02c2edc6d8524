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
	id := reached(img, p)
	n.streams(id, h)
	if n.opts.Services == nil || id.IsZero() || len(n.opts.Services.Names(id)) == 0 {
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

// isPlane reports whether what is behind the host speaks HTTP.
func (h *Host) isPlane() bool {
	return h.net.opts.Services != nil && len(h.net.opts.Services.Names(h.resource)) > 0
}

// isPlaneName reports whether a name is of the data planes behind the host.
func (h *Host) isPlaneName(name string) bool {
	name = strings.ToLower(name)
	return h.isStreamName(name) || !h.resource.IsZero() && h.net.opts.Services != nil && slices.Contains(h.net.opts.Services.Names(h.resource), name)
}

// refuses reports whether a packet was denied by the own firewall of a platform
// service that says so itself, over its protocol. The caller holds wire.mu.
func (n *Network) refuses(img *fabric.Image, f *engine.Frame, r *engine.Result) bool {
	if r.Verdict != fabric.VerdictDeny || r.Reason.Port == fabric.None || img.Ports[r.Reason.Port].Kind != fabric.PortService {
		return false
	}
	proto, port := engine.LocalPort(f.Packet)
	if proto != fabric.ProtoTCP || (port != httpsPort || n.opts.Services == nil) && (port != sqlPort || n.opts.Streams == nil) {
		return false
	}
	to := n.wire.links[r.Reason.Port]
	return to != nil && !to.host.resource.IsZero() && (port == httpsPort) == to.host.isPlane()
}

// refusal serves a connection to a service that refuses it.
func (p *platform) refusal(c caller) func(net.Conn) {
	host, from := p.refusedAt(c)
	if host == nil {
		return nil
	}
	if c.local.Port() == sqlPort {
		return func(conn net.Conn) {
			p.net.opts.Streams.Stream(conn, host.resource, from, true, p.net.authority.serverConfig(host))
		}
	}
	return func(conn net.Conn) {
		serveHTTP(tls.Server(conn, p.net.authority.serverConfig(host)), host.dataPlane(true, from))
	}
}
