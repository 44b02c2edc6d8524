package live

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// Host is something that runs in the network: a stack behind one or more
// ports. Its stack starts when it is first used.
type Host struct {
	Name     string
	net      *Network
	declared model.Host
	edge     bool
	wide     bool // it has more addresses than a stack can be told
	shared   bool // a device has taken one of its interfaces; guarded by mu
	links    []*link
	public   []netip.Addr // its addresses on the internet, if it is a declared host there
	region   string       // of one that is, if it is known
	resource model.ID     // the platform service whose data plane it is, if any

	mu       sync.Mutex
	addrs    [][]netip.Addr // by link
	floats   [][]netip.Addr // by link: frontends that balancers float to it
	stack    *stack.Stack
	failed   error
	closed   bool
	closers  []func()
	services sync.WaitGroup
}

// ErrClosed is the error of a host of a closed network.
var ErrClosed = errors.New("the network is closed")

// join attaches the host to its ports.
func (h *Host) join(img *fabric.Image, ports []fabric.PortID) {
	for range ports {
		h.links = append(h.links, &link{wire: h.net.wire, host: h})
	}
	h.addrs = make([][]netip.Addr, len(ports))
	h.floats = make([][]netip.Addr, len(ports))
	h.rejoin(img, ports)
}

// rejoin attaches the host's links to the ports of a new image, and gives a
// running stack its new addresses. The caller holds wire.mu or is alone.
func (h *Host) rejoin(img *fabric.Image, ports []fabric.PortID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, l := range h.links {
		l.port = fabric.None
		var addrs []netip.Addr
		if i < len(ports) {
			l.port = ports[i]
			h.net.wire.links[ports[i]] = l
			addrs = h.ownAddrs(img, ports[i])
			h.refloat(i, h.net.floats[ports[i]])
		}
		if h.stack != nil {
			for _, a := range h.addrs[i] {
				if !slices.Contains(addrs, a) {
					_ = h.stack.RemoveAddress(nicID(i), tcpipAddr(a))
				}
			}
			for _, a := range addrs {
				if !slices.Contains(h.addrs[i], a) {
					_ = addAddr(h.stack, nicID(i), a)
				}
			}
		}
		h.addrs[i] = addrs
	}
}

// refloat gives a link the frontends that are floated to it. The caller holds
// mu.
func (h *Host) refloat(i int, floats []netip.Addr) {
	if h.stack != nil {
		for _, a := range h.floats[i] {
			if !slices.Contains(floats, a) {
				_ = h.stack.RemoveAddress(nicID(i), tcpipAddr(a))
			}
		}
		for _, a := range floats {
			if !slices.Contains(h.floats[i], a) {
				_ = addAddr(h.stack, nicID(i), a)
			}
		}
	}
	h.floats[i] = floats
}

func (h *Host) ownAddrs(img *fabric.Image, at fabric.PortID) []netip.Addr {
	switch {
	case h.wide:
		return wideAddrs(img, at)
	case !h.edge:
		return addrsOf(img, at)
	}
	var out []netip.Addr
	for _, v4 := range []bool{true, false} {
		if a, ok := edgeAddr(img.Sets[img.Ports[at].Addrs], v4); ok {
			out = append(out, a)
		}
	}
	return out
}

// Addrs returns the host's addresses, IPv4 before IPv6, the first interface's
// first. The internet's are those it speaks from; it owns many more.
func (h *Host) Addrs() []netip.Addr {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.addrsLocked()
}

func (h *Host) addrsLocked() []netip.Addr {
	var out []netip.Addr
	for _, want4 := range []bool{true, false} {
		for _, addrs := range h.addrs {
			for _, a := range addrs {
				if a.Is4() == want4 {
					out = append(out, a)
				}
			}
		}
	}
	return out
}

// Declared reports whether the host is one of the network's own, and not what
// answers for the internet, a site or a service.
func (h *Host) Declared() bool {
	return !h.edge && !h.wide && h.net.hosts[strings.ToLower(h.Name)] == h
}

// Services returns the declared services.
func (h *Host) Services() []model.Service { return h.declared.Services }

// Port returns the position of the host's first port in the image in force, or
// None if the image does not have the host.
func (h *Host) Port() fabric.PortID {
	h.net.wire.mu.Lock()
	defer h.net.wire.mu.Unlock()
	return h.links[0].port
}

// up returns the host's stack and starts it if need be.
func (h *Host) up() (*stack.Stack, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		return nil, ErrClosed
	case h.failed != nil:
		return nil, h.failed
	case h.stack != nil:
		return h.stack, nil
	}
	h.net.labelled(func() { h.failed = h.start() })
	if h.failed != nil {
		h.failed = fmt.Errorf("host %s: %w", h.Name, h.failed)
		return nil, h.failed
	}
	return h.stack, nil
}

// start starts the stack and the services. The caller holds mu.
func (h *Host) start() error {
	addrs := make([][]netip.Addr, len(h.links))
	for i := range addrs {
		addrs[i] = slices.Concat(h.addrs[i], h.floats[i])
	}
	s, err := newStack(h.links, addrs, h.edge || h.wide)
	if err != nil {
		return err
	}
	h.stack = s // stopped by close, whatever follows
	if h.shared {
		if terr := s.SetPortRange(firstPort, 0xffff); terr != nil {
			return stackError(terr)
		}
	}
	if h.net.opts.NoServices {
		return nil
	}
	return h.serve()
}

// receive takes a packet from the wire; it owns the view.
func (h *Host) receive(l *link, v *buffer.View, o engine.Offload) {
	if h.edge && h.net.outside(v, o) {
		return
	}
	// The stack answers pings to its own addresses only; the internet is every
	// host outside.
	if (h.edge || h.wide) && engine.Echo(v.AsSlice()) {
		h.net.wire.send(l, v)
		return
	}
	if _, err := h.up(); err != nil {
		v.Release()
		return
	}
	l.deliver(v, o)
}

// close stops the host's services and stack.
func (h *Host) close() {
	h.mu.Lock()
	h.closed = true
	s, closers := h.stack, h.closers
	h.mu.Unlock()
	for _, f := range slices.Backward(closers) {
		f()
	}
	if s != nil {
		s.Destroy()
	}
	h.services.Wait()
}

// linkOf returns the link that has an address.
func (h *Host) linkOf(a netip.Addr) *link {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, addrs := range h.addrs {
		if slices.Contains(addrs, a) {
			return h.links[i]
		}
	}
	return h.links[0]
}

// local returns the host's address of the same family as a remote one.
func (h *Host) local(remote netip.Addr) (netip.Addr, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range h.addrsLocked() {
		if a.Is4() == remote.Is4() {
			return a, nil
		}
	}
	family := "IPv6"
	if remote.Is4() {
		family = "IPv4"
	}
	return netip.Addr{}, fmt.Errorf("host %s has no %s address", h.Name, family)
}

// DialContext connects to an address of the virtual network: network is "tcp",
// "tcp4", "tcp6", "udp", "udp4" or "udp6"; names are resolved by DNS packets
// through the network. The error of a denied connection wraps a *[DeniedError].
func (h *Host) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	proto, family, err := splitNetwork(network)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	remotes, err := h.resolve(ctx, family, address)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	var first error
	for _, remote := range remotes {
		var c net.Conn
		var err error
		if proto == "tcp" {
			c, err = h.dialTCP(ctx, netip.AddrPort{}, remote)
		} else {
			c, err = h.dialUDP(remote)
		}
		if err == nil {
			return c, nil
		}
		if first == nil {
			first = &net.OpError{Op: "dial", Net: network, Addr: net.TCPAddrFromAddrPort(remote), Err: err}
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, first
}

// HTTPClient returns a client that reaches the virtual network from the host
// and trusts the certificates of its services.
func (h *Host) HTTPClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext:       h.DialContext,
		TLSClientConfig:   h.net.authority.clientConfig(),
		DisableKeepAlives: true, // no idle connection outlives its request
	}}
}

// resolve turns "host:port" into addresses of the wanted families.
func (h *Host) resolve(ctx context.Context, family int, address string) ([]netip.AddrPort, error) {
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("address %s: %q is not a port number", address, portText)
	}
	var addrs []netip.Addr
	if a, err := netip.ParseAddr(host); err == nil {
		addrs = []netip.Addr{a.Unmap()}
	} else if addrs, err = h.lookup(ctx, host, family); err != nil {
		return nil, err
	}
	var out []netip.AddrPort
	for _, a := range addrs {
		if family == 0 || a.Is4() == (family == 4) {
			out = append(out, netip.AddrPortFrom(a, uint16(port)))
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("address %s: no IPv%d address", address, family)
	}
	return out, nil
}

// splitNetwork reads Go's network names; family is 4, 6 or 0 for both.
func splitNetwork(network string) (proto string, family int, err error) {
	switch network {
	case "tcp", "udp":
		return network, 0, nil
	case "tcp4", "udp4", "tcp6", "udp6":
		return network[:3], int(network[3] - '0'), nil
	default:
		return "", 0, net.UnknownNetworkError(network)
	}
}
