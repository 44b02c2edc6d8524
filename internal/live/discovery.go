package live

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/miekg/dns"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// discoveryPort is where the registry of services listens at the platform's
// address (168.63.129.16), by HTTP. Azure has nothing there.
const discoveryPort = 8500

// DiscoveryAddr is where hosts reach the registry of services by HTTP.
func DiscoveryAddr() netip.AddrPort { return netip.AddrPortFrom(resolver.Addr(), discoveryPort) }

// Discovery is the network's registry of services as its hosts reach it: at the
// platform's address, and by names. Its methods are called by several goroutines.
type Discovery interface {
	// Zone is the zone of the registry's names, in lower case and without a final
	// dot.
	Zone() string
	// Answer answers a DNS query about the zone, and returns nil for what gets no
	// answer. tcp says how it came.
	Answer(query []byte, from netip.Addr, tcp bool) []byte
	// Handler answers the requests of a host.
	Handler(host *Host) http.Handler
}

// discovery serves the registry to a host; nil if there is none.
func (p *platform) discovery(c caller) func(net.Conn) {
	if p.net.opts.Discovery == nil {
		return nil
	}
	h := p.net.opts.Discovery.Handler(c.link.host)
	return func(conn net.Conn) { serveHTTP(conn, h) }
}

// discovered answers a query about a name of the registry's zone; ok is false
// for other names, and for those that a private zone of the view has.
func (n *Network) discovered(view *fabric.View, query []byte, from netip.Addr, tcp bool) (out []byte, ok bool) {
	d := n.opts.Discovery
	if d == nil || view == nil {
		return nil, false
	}
	var q dns.Msg
	if q.Unpack(query) != nil || q.Response || len(q.Question) != 1 {
		return nil, false
	}
	zone, name := d.Zone(), strings.ToLower(strings.TrimSuffix(q.Question[0].Name, "."))
	if name != zone && !strings.HasSuffix(name, "."+zone) {
		return nil, false
	}
	if apex := view.Apex(name); apex != nil && len(apex.Name) >= len(zone) {
		return nil, false
	}
	return d.Answer(query, from, tcp), true
}
