package live

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"

	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// resolver is the platform's DNS server, the same address in every Azure
// virtual network ("What is IP address 168.63.129.16?", Microsoft).
var resolver = netip.AddrPortFrom(netip.AddrFrom4([4]byte{168, 63, 129, 16}), 53)

// dnsTimeout is how long a query waits before it is sent again, dnsTries how
// often it is sent.
const (
	dnsTimeout = 2 * time.Second
	dnsTries   = 3
)

// metadataServer is where the platform tells machines about themselves, the
// same address in every Azure virtual network ("Azure Instance Metadata
// Service").
var metadataServer = netip.AddrPortFrom(netip.AddrFrom4([4]byte{169, 254, 169, 254}), 80)

// Services are the platform's services over HTTP. Its methods are called by
// several goroutines.
type Services interface {
	// Metadata answers what the program behind an interface of a virtual machine
	// asks of the metadata server; nil is silence.
	Metadata(vm model.ID) http.Handler
	// Names returns the DNS names of a platform service's data planes, empty if
	// it has none here.
	Names(resource model.ID) []string
	// Plane returns the data plane of a service as it answers a connection from
	// an address. refused says that the service's own firewall does not let the
	// address in: the answers are then its refusals.
	Plane(resource model.ID, from netip.Addr, refused bool) http.Handler
}

// platform answers packets to the platform's own addresses, and those that a
// service refuses.
type platform struct {
	net       *Network
	presences presences
}

func newPlatform(n *Network) *platform {
	p := &platform{net: n}
	p.presences.accept = p.accept
	p.presences.run = n.labelled
	p.presences.own = func(a netip.Addr) bool { return a == resolver.Addr() || a == metadataServer.Addr() }
	return p
}

// take is a packet to the platform from a link; at is the port where it left
// the network. Names are answered at once, connections by the platform's stack
// at the link.
func (p *platform) take(img *fabric.Image, from *link, at fabric.PortID, f *engine.Frame) {
	if proto, _ := engine.LocalPort(f.Packet); proto == fabric.ProtoTCP {
		p.presences.deliver(from, f)
		return
	}
	if v := p.net.answer(img, at, f.Packet); v != nil {
		from.wire.enqueue(sent{from: from, view: v, platform: true})
	}
}

// accept serves a connection that a program opened to the platform, or to a
// service that refuses it. What is silent in Azure is silent: there are no
// answers at the wire server's own ports.
func (p *platform) accept(c caller) func(net.Conn) {
	switch {
	case c.local == resolver:
		return func(conn net.Conn) { p.serveNames(c, conn) }
	case c.local == metadataServer:
		return p.metadata(c)
	case c.local == DiscoveryAddr():
		return p.discovery(c)
	case (c.local.Port() == httpsPort || c.local.Port() == sqlPort) && !p.presences.own(c.local.Addr()):
		return p.refusal(c)
	}
	return nil
}

// metadata serves the instance metadata, to virtual machines only.
func (p *platform) metadata(c caller) func(net.Conn) {
	vm := c.link.host.declared.VM
	if p.net.opts.Services == nil || vm.IsZero() {
		return nil
	}
	h := p.net.opts.Services.Metadata(vm)
	if h == nil {
		return nil
	}
	return func(conn net.Conn) { serveHTTP(conn, h) }
}

// serveHTTP serves one connection.
func serveHTTP(c net.Conn, h http.Handler) {
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: idlePresence, MaxHeaderBytes: 64 << 10,
		ErrorLog: log.New(io.Discard, "", 0), // a client that hangs up is no event
	}
	_ = server.Serve(newOneConn(c))
}

// ErrNoSuchName is the error of a name that a zone says does not exist.
var ErrNoSuchName = errors.New("no such name")

// ErrUnknownName is the error of a name outside every zone the host can see.
var ErrUnknownName = errors.New("no zone of the network has this name")

// LookupHost resolves a name by DNS packets through the network.
func (h *Host) LookupHost(ctx context.Context, name string) ([]netip.Addr, error) {
	return h.lookup(ctx, name, 0)
}

func (h *Host) lookup(ctx context.Context, name string, family int) ([]netip.Addr, error) {
	var out []netip.Addr
	types := []uint16{dns.TypeA, dns.TypeAAAA}
	switch family {
	case 4:
		types = types[:1]
	case 6:
		types = types[1:]
	}
	for _, t := range types {
		addrs, err := h.query(ctx, name, t)
		if err != nil {
			return nil, fmt.Errorf("look up %s from %s: %w", name, h.Name, err)
		}
		out = append(out, addrs...)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("look up %s from %s: %w: it has no addresses", name, h.Name, ErrNoSuchName)
	}
	return out, nil
}

// servers returns whom the host asks for names: the servers of its first
// interface, else of its network, else the platform.
func (h *Host) servers() []netip.AddrPort {
	img, at := h.net.place(h.links[0])
	list := []netip.Addr{resolver.Addr()}
	if view := viewAt(img, at); view != nil && len(view.Servers) > 0 {
		list = view.Servers
	}
	if at != fabric.None && len(img.Ports[at].Servers) > 0 {
		list = img.Ports[at].Servers
	}
	out := make([]netip.AddrPort, len(list))
	for i, a := range list {
		out[i] = netip.AddrPortFrom(a, resolver.Port())
	}
	return out
}

// query asks the host's servers for records, the next where one does not
// answer.
func (h *Host) query(ctx context.Context, name string, kind uint16) ([]netip.Addr, error) {
	q := new(dns.Msg).SetQuestion(dns.Fqdn(name), kind)
	q.SetEdns0(maxDNSUDP, false)
	b, err := q.Pack()
	if err != nil {
		return nil, err
	}
	servers := h.servers()
	var last error
	for try := range dnsTries {
		server := servers[try%len(servers)]
		in, err := h.exchangeDNS(ctx, server, b)
		if err == nil {
			var r dns.Msg
			if err = r.Unpack(in); err == nil {
				return addresses(&r)
			}
		}
		last = err
		if ctx.Err() != nil || !isTimeout(err) && try+1 >= len(servers) {
			break
		}
	}
	return nil, orContext(ctx, last)
}

// exchangeDNS sends a query to a server and returns its answer: over UDP, and
// over TCP where that does not fit (RFC 7766).
func (h *Host) exchangeDNS(ctx context.Context, server netip.AddrPort, query []byte) ([]byte, error) {
	c, err := h.dialUDP(server)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { c.Close() })
	in, err := askDatagram(c, query)
	stop()
	c.Close()
	if err != nil || len(in) < 4 || in[2]&truncated == 0 {
		return in, err
	}
	return h.askStream(ctx, server, query)
}

// truncated is the bit TC of a message's third byte (RFC 1035 section 4.1.1).
const truncated = 1 << 1

// askDatagram sends a query and waits for a message with its identifier.
func askDatagram(c net.Conn, query []byte) ([]byte, error) {
	if _, err := c.Write(query); err != nil {
		return nil, err
	}
	_ = c.SetReadDeadline(time.Now().Add(dnsTimeout))
	in := make([]byte, dns.MaxMsgSize)
	for {
		n, err := c.Read(in)
		if err != nil {
			return nil, err
		}
		if n >= 12 && in[0] == query[0] && in[1] == query[1] && in[2]&0x80 != 0 {
			return in[:n], nil
		}
	}
}

func addresses(r *dns.Msg) ([]netip.Addr, error) {
	switch r.Rcode {
	case dns.RcodeSuccess:
	case dns.RcodeNameError:
		return nil, ErrNoSuchName
	case dns.RcodeRefused:
		return nil, ErrUnknownName
	default:
		return nil, errors.New("the resolver answered " + dns.RcodeToString[r.Rcode])
	}
	var out []netip.Addr
	for _, rr := range r.Answer {
		var ip []byte
		switch rr := rr.(type) {
		case *dns.A:
			ip = rr.A
		case *dns.AAAA:
			ip = rr.AAAA
		}
		if a, ok := netip.AddrFromSlice(ip); ok && !slices.Contains(out, a.Unmap()) {
			out = append(out, a.Unmap())
		}
	}
	return out, nil
}

func orContext(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, io.EOF) {
		return ErrClosed
	}
	return err
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}
