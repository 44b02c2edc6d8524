package live

import (
	"encoding/pem"
	"net/netip"
	"slices"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// Interface is what an operating system must know of a host's network interface.
type Interface struct {
	// Port is the interface's in the image in force, None if that has it not.
	Port fabric.PortID
	// Addrs are its addresses, each with the length of its subnet's prefix.
	Addrs []netip.Prefix
	// Floats are frontends that load balancers hand it unchanged.
	Floats []netip.Addr
	// Servers resolve names for it: the virtual network's own, or the platform.
	Servers []netip.Addr
	// Suffix completes short names; empty if the network gives none.
	Suffix string
	// Forwards means that it may send packets of others.
	Forwards bool
}

// Interfaces returns the host's network interfaces as the image in force has
// them, the first being the one with the default route.
func (h *Host) Interfaces() []Interface {
	w := h.net.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	img := w.engine.Image()
	out := make([]Interface, len(h.links))
	for i, l := range h.links {
		o := &out[i]
		o.Port, o.Floats = l.port, slices.Clone(h.floats[i])
		if l.port == fabric.None {
			continue
		}
		port := &img.Ports[l.port]
		o.Forwards = port.Forward != nil
		var prefixes []netip.Prefix
		if port.Segment != fabric.None {
			prefixes = img.Segments[port.Segment].Prefixes
		}
		for _, a := range h.addrs[i] {
			o.Addrs = append(o.Addrs, netip.PrefixFrom(a, prefixLength(a, prefixes)))
		}
		if port.Space != fabric.None {
			view := &img.Spaces[port.Space].View
			o.Servers, o.Suffix = slices.Clone(view.Servers), view.Own.Name
		}
		if len(port.Servers) > 0 {
			o.Servers = slices.Clone(port.Servers)
		}
		if len(o.Servers) == 0 {
			o.Servers = []netip.Addr{resolver.Addr()}
		}
	}
	return out
}

// prefixLength returns the length of the prefix that has an address; without one
// the address is alone.
func prefixLength(a netip.Addr, prefixes []netip.Prefix) int {
	for _, p := range prefixes {
		if p.Contains(a) {
			return p.Bits()
		}
	}
	return a.BitLen()
}

// RootPEM returns the certificate of [Network.RootCAs], for programs that read it
// from a file.
func (n *Network) RootPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: n.authority.cert.Raw})
}
