package live

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// AppGateway is where an application gateway runs: the stack of its instances,
// which takes what its frontends hand over. What answers there is up to who asks
// for it.
type AppGateway struct {
	net  *Network
	host *Host
	name string
}

// isAppGateway reports whether a port is the instances of an application gateway,
// and returns the gateway's name.
func isAppGateway(p *fabric.Port) (string, bool) {
	if p.Kind != fabric.PortHost || !p.Behind {
		return "", false
	}
	for _, l := range p.Labels {
		if l.Kind == string(model.LabelAppGateway) {
			return l.Name, true
		}
	}
	return "", false
}

// AppGateway returns the application gateway of a resource, if the image in
// force has it.
func (n *Network) AppGateway(id model.ID) (*AppGateway, bool) {
	for _, o := range n.others.all() {
		if o.kind == fabric.PortHost && strings.EqualFold(o.resource, id.String()) && o.host.Port() != fabric.None {
			return &AppGateway{net: n, host: o.host, name: id.Name()}, true
		}
	}
	return nil, false
}

// Host returns the instances as a host: it dials members as the gateway does.
func (g *AppGateway) Host() *Host { return g.host }

// Instances returns the addresses of the instances.
func (g *AppGateway) Instances() []netip.Addr { return g.host.Addrs() }

// DialContext connects from an instance, through the network.
func (g *AppGateway) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return g.host.DialContext(ctx, network, address)
}

// Listen announces at a frontend's address: a private one is the instances' own
// here, and what comes to a public one has the address of an instance.
func (g *AppGateway) Listen(address netip.AddrPort) (net.Listener, error) {
	at := []netip.Addr{address.Addr()}
	if g.isPublic(address.Addr()) {
		at = nil
		for _, a := range g.host.Addrs() {
			if a.Is4() == address.Addr().Is4() {
				at = append(at, a)
			}
		}
	}
	if len(at) == 0 {
		return nil, fmt.Errorf("application gateway %s has no instance for %s", g.name, address)
	}
	m := &listeners{address: net.TCPAddrFromAddrPort(address), accepted: make(chan net.Conn), ended: make(chan struct{})}
	for _, a := range at {
		l, err := g.host.Listen("tcp", netip.AddrPortFrom(a, address.Port()).String())
		if err != nil {
			_ = m.Close()
			return nil, err
		}
		m.list = append(m.list, l)
	}
	for _, l := range m.list {
		m.accepting.Go(func() { m.accept(l) })
	}
	return m, nil
}

// isPublic reports whether an address is one of the network's public ones.
func (g *AppGateway) isPublic(a netip.Addr) bool {
	_, ok := g.net.Image().PublicAt(a)
	return ok
}

// listeners are several as one.
type listeners struct {
	address   net.Addr
	list      []net.Listener
	accepted  chan net.Conn
	ended     chan struct{}
	once      sync.Once
	accepting sync.WaitGroup
}

func (m *listeners) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		select {
		case m.accepted <- c:
		case <-m.ended:
			c.Close()
			return
		}
	}
}

// Accept implements [net.Listener].
func (m *listeners) Accept() (net.Conn, error) {
	select {
	case c := <-m.accepted:
		return c, nil
	case <-m.ended:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener]; it waits until nobody accepts.
func (m *listeners) Close() error {
	m.once.Do(func() { close(m.ended) })
	var errs []error
	for _, l := range m.list {
		errs = append(errs, l.Close())
	}
	m.accepting.Wait()
	return errors.Join(errs...)
}

// Addr implements [net.Listener]: the frontend's.
func (m *listeners) Addr() net.Addr { return m.address }

// Certificate makes one of the network's own authority for a server of some
// names and addresses, or a client.
func (n *Network) Certificate(subject string, names []string, addrs []netip.Addr) (tls.Certificate, error) {
	c, err := n.authority.issue(subject, slices.Clone(names), addrs)
	if err != nil {
		return tls.Certificate{}, err
	}
	return *c, nil
}

// ClientTLS returns how a host speaks TLS with servers: it trusts the network's
// authority and, if it is a declared one, has a certificate of it.
func (h *Host) ClientTLS() *tls.Config {
	config := h.net.authority.clientConfig()
	config.MinVersion = tls.VersionTLS12
	if h.Declared() || len(h.public) > 0 {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return h.net.authority.leaf(h, "")
		}
	}
	return config
}
