package live

import (
	"errors"
	"net/netip"

	"golang.org/x/time/rate"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"

	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
)

// newStack starts a TCP/IP stack on links, the first of which is the default
// way out.
func newStack(links []*link, addrs [][]netip.Addr, edge bool) (*stack.Stack, error) {
	s := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol, ipv6.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol, icmp.NewProtocol4, icmp.NewProtocol6},
		// A host talks to itself inside; the internet is many hosts.
		HandleLocal: !edge,
	})
	// Hosts answer every stray packet: probes count on it.
	s.SetICMPLimit(rate.Inf)
	sack := tcpip.TCPSACKEnabled(true)
	if err := s.SetTransportProtocolOption(tcp.ProtocolNumber, &sack); err != nil {
		return nil, stackError(err)
	}
	for i, l := range links {
		id := nicID(i)
		if err := s.CreateNIC(id, l); err != nil {
			return nil, stackError(err)
		}
		if edge {
			if err := s.SetPromiscuousMode(id, true); err != nil {
				return nil, stackError(err)
			}
			if err := s.SetSpoofing(id, true); err != nil {
				return nil, stackError(err)
			}
			s.SetTransportProtocolHandler(udp.ProtocolNumber, l.refuse)
		}
		for _, a := range addrs[i] {
			if err := addAddr(s, id, a); err != nil {
				return nil, err
			}
		}
	}
	s.SetRouteTable([]tcpip.Route{
		{Destination: header.IPv4EmptySubnet, NIC: nicID(0)},
		{Destination: header.IPv6EmptySubnet, NIC: nicID(0)},
	})
	return s, nil
}

// refuse answers a datagram to a port of the internet where nobody listens: the
// stack itself does so for its own addresses only.
func (l *link) refuse(_ stack.TransportEndpointID, pkt *stack.PacketBuffer) bool {
	v := pkt.ToView()
	defer v.Release()
	if b := engine.Unreachable(v.AsSlice()); b != nil {
		l.wire.send(l, buffer.NewViewWithData(b))
	}
	return true
}

func nicID(i int) tcpip.NICID { return tcpip.NICID(i + 1) }

func addAddr(s *stack.Stack, id tcpip.NICID, a netip.Addr) error {
	return stackError(s.AddProtocolAddress(id, tcpip.ProtocolAddress{
		Protocol: protocolOf(a), AddressWithPrefix: tcpipAddr(a).WithPrefix(),
	}, stack.AddressProperties{}))
}

func protocolOf(a netip.Addr) tcpip.NetworkProtocolNumber {
	if a.Is4() {
		return ipv4.ProtocolNumber
	}
	return ipv6.ProtocolNumber
}

func tcpipAddr(a netip.Addr) tcpip.Address { return tcpip.AddrFromSlice(a.AsSlice()) }

func fullAddr(a netip.AddrPort) tcpip.FullAddress {
	f := tcpip.FullAddress{Port: a.Port()}
	if a.Addr().IsValid() {
		f.Addr = tcpipAddr(a.Addr())
	}
	return f
}

func stackError(err tcpip.Error) error {
	if err == nil {
		return nil
	}
	return errors.New(err.String())
}

// edgeAddr returns the address the internet speaks from: one that documents
// and benchmarks may use (RFC 5737, RFC 9637, RFC 2544) if the edge owns it,
// else the edge's first of the family.
func edgeAddr(own fabric.Set, v4 bool) (netip.Addr, bool) {
	candidates := []string{"3fff::10", "2001:2::10"}
	if v4 {
		candidates = []string{"203.0.113.10", "198.51.100.10", "192.0.2.10", "198.18.0.10"}
	}
	for _, c := range candidates {
		if a := netip.MustParseAddr(c); own.Contains(fabric.AddrValue(a)) {
			return a, true
		}
	}
	family := fabric.PrefixSet(netip.MustParsePrefix("2000::/3"))
	if v4 {
		family = fabric.PrefixSet(netip.MustParsePrefix("0.0.0.0/0"))
	}
	if in := own.Intersect(family); !in.IsEmpty() {
		return in.Min().Addr(), true
	}
	return netip.Addr{}, false
}
