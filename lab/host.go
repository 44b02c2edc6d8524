package lab

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/ceruleannet/cerulean/internal/live"
)

// Host is something that runs in the network, with a TCP/IP stack of its own.
// Its methods are safe for concurrent use.
type Host struct {
	name string
	host *live.Host
	err  error
}

// Name returns the host's name.
func (h *Host) Name() string { return h.name }

// Addrs returns the host's addresses, IPv4 first.
func (h *Host) Addrs() []netip.Addr {
	if h.err != nil {
		return nil
	}
	return h.host.Addrs()
}

// DialContext connects from the host, like [net.Dialer.DialContext]: network is
// "tcp" or "udp", with "4" or "6" for one family; names in the address are
// resolved by DNS packets through the network.
func (h *Host) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if h.err != nil {
		return nil, h.err
	}
	return h.host.DialContext(ctx, network, address)
}

// Listen announces on a TCP address of the host, like [net.Listen]: ":443" is
// port 443 of all its addresses.
func (h *Host) Listen(network, address string) (net.Listener, error) {
	if h.err != nil {
		return nil, h.err
	}
	return h.host.Listen(network, address)
}

// ListenPacket announces on a UDP address of the host, like [net.ListenPacket].
func (h *Host) ListenPacket(network, address string) (net.PacketConn, error) {
	if h.err != nil {
		return nil, h.err
	}
	return h.host.ListenPacket(network, address)
}

// Ping sends an ICMP echo request and returns the time until its reply.
func (h *Host) Ping(ctx context.Context, addr netip.Addr) (time.Duration, error) {
	if h.err != nil {
		return 0, h.err
	}
	return h.host.Ping(ctx, addr)
}

// LookupHost resolves a name as the host sees it, by a DNS query through the
// network.
func (h *Host) LookupHost(ctx context.Context, name string) ([]netip.Addr, error) {
	if h.err != nil {
		return nil, h.err
	}
	return h.host.LookupHost(ctx, name)
}

// HTTPClient returns a client that works from the host and trusts the
// certificates of the declared https services.
func (h *Host) HTTPClient() *http.Client {
	if h.err != nil {
		err := h.err
		return &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) { return nil, err })}
	}
	return h.host.HTTPClient()
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Denial is why the network did not deliver a packet.
type Denial struct {
	Packet string // the flow's first packet: "tcp 10.0.0.4:50000 > 10.1.0.4:443"
	// Unknown means the network depends on something that is not modelled;
	// otherwise it denies the packet.
	Unknown bool
	// Reply means the first packet arrived and the reply to it was stopped, as
	// where routes are asymmetric.
	Reply bool
	Code  string // the kind of reason: "rule", "filter-default", "no-route" and so on
	Text  string // the rule or route, its resource and where it was declared
}

// Denied reports whether an error means that the network did not deliver a
// packet, and why.
func Denied(err error) (Denial, bool) {
	var d *live.DeniedError
	if !errors.As(err, &d) {
		return Denial{}, false
	}
	return Denial{
		Packet: d.Packet.String(), Unknown: d.Verdict.String() == "unknown",
		Reply: d.Reply, Code: d.Reason.Code.String(), Text: d.Text,
	}, true
}
