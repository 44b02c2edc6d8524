package datapath

import (
	"encoding/binary"
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// dhcpServer is the address that DHCP answers come from: the platform's
// ("What is IP address 168.63.129.16?").
var dhcpServer = netip.AddrFrom4([4]byte{168, 63, 129, 16})

// dhcpLease is how long a lease lasts: for ever (RFC 2131 section 3.3), as in
// Azure, where an interface keeps its address.
const dhcpLease = time.Duration(0xffffffff) * time.Second

// isDHCP reports whether an IPv4 packet is from a DHCP client (RFC 2131).
func isDHCP(pkt []byte) bool {
	at, proto, ok := transport(pkt)
	return ok && proto == protoUDP && at+8 <= len(pkt) &&
		binary.BigEndian.Uint16(pkt[at:]) == dhcpv4.ClientPort && binary.BigEndian.Uint16(pkt[at+2:]) == dhcpv4.ServerPort
}

// answerDHCP answers a frame of a DHCP client with the interface's primary
// address. It appends the frame of the answer to dst, or nothing.
func answerDHCP(dst, frame []byte, nic *Interface) []byte {
	pkt := frame[etherLen:]
	at, _, ok := transport(pkt)
	if !ok || at+8 > len(pkt) {
		return dst
	}
	end := at + int(binary.BigEndian.Uint16(pkt[at+4:]))
	if end < at+8 || end > len(pkt) {
		return dst
	}
	ask, err := dhcpv4.FromBytes(pkt[at+8 : end])
	if err != nil || ask.OpCode != dhcpv4.OpcodeBootRequest {
		return dst
	}
	answer, ok := leaseFor(ask, nic)
	if !ok {
		return dst
	}
	// A client without an address yet hears only what is sent to all (RFC 2131
	// section 4.1).
	to := netip.AddrFrom4([4]byte{255, 255, 255, 255})
	if a, ok := netip.AddrFromSlice(ask.ClientIPAddr.To4()); ok && !a.IsUnspecified() {
		to = a
	}
	return appendUDP(dst, ask.ClientHWAddr, netip.AddrPortFrom(dhcpServer, dhcpv4.ServerPort), netip.AddrPortFrom(to, dhcpv4.ClientPort), answer.ToBytes())
}

// leaseFor returns the answer to a client's message; false if it has none.
func leaseFor(ask *dhcpv4.DHCPv4, nic *Interface) (*dhcpv4.DHCPv4, bool) {
	var own netip.Prefix
	for _, p := range nic.Addrs {
		if p.Addr().Is4() {
			own = p
			break
		}
	}
	if !own.IsValid() || len(ask.ClientHWAddr) != 6 {
		return nil, false
	}
	ip := net.IP(own.Addr().AsSlice())
	var kind dhcpv4.MessageType
	switch ask.MessageType() {
	case dhcpv4.MessageTypeDiscover:
		kind = dhcpv4.MessageTypeOffer
	case dhcpv4.MessageTypeRequest:
		kind = dhcpv4.MessageTypeAck
		wanted := ask.RequestedIPAddress()
		if wanted == nil {
			wanted = ask.ClientIPAddr
		}
		if !wanted.IsUnspecified() && !wanted.Equal(ip) {
			kind = dhcpv4.MessageTypeNak
		}
	case dhcpv4.MessageTypeInform:
		kind = dhcpv4.MessageTypeAck
	default:
		return nil, false
	}
	server := net.IP(dhcpServer.AsSlice())
	r, err := dhcpv4.NewReplyFromRequest(ask, dhcpv4.WithMessageType(kind), dhcpv4.WithServerIP(server), dhcpv4.WithOption(dhcpv4.OptServerIdentifier(server)))
	if err != nil || kind == dhcpv4.MessageTypeNak {
		return r, err == nil
	}
	if ask.MessageType() != dhcpv4.MessageTypeInform {
		r.YourIPAddr = ip
		r.UpdateOption(dhcpv4.OptIPAddressLeaseTime(dhcpLease))
	}
	r.UpdateOption(dhcpv4.OptSubnetMask(net.CIDRMask(own.Bits(), 32)))
	r.UpdateOption(dhcpv4.Option{Code: dhcpv4.OptionInterfaceMTU, Value: dhcpv4.Uint16(MTU)})
	for _, g := range nic.Gateways {
		if g.Is4() {
			r.UpdateOption(dhcpv4.OptRouter(net.IP(g.AsSlice())))
		}
	}
	if nic.DNS.Is4() {
		r.UpdateOption(dhcpv4.OptDNS(net.IP(nic.DNS.AsSlice())))
	}
	return r, true
}

// appendUDP appends the frame of an IPv4 datagram from the gateway.
func appendUDP(dst []byte, to net.HardwareAddr, from, dest netip.AddrPort, payload []byte) []byte {
	b := make([]byte, etherLen+28+len(payload))
	putEther(b, to, etherIPv4)
	ip := b[etherLen:]
	ip[0], ip[8], ip[9] = 4<<4|5, 64, protoUDP
	binary.BigEndian.PutUint16(ip[2:], uint16(28+len(payload)))
	copy(ip[12:], from.Addr().AsSlice())
	copy(ip[16:], dest.Addr().AsSlice())
	binary.BigEndian.PutUint16(ip[10:], fold(sum(0, ip[:20])))
	udp := ip[20:]
	binary.BigEndian.PutUint16(udp, from.Port())
	binary.BigEndian.PutUint16(udp[2:], dest.Port())
	binary.BigEndian.PutUint16(udp[4:], uint16(8+len(payload)))
	copy(udp[8:], payload)
	binary.BigEndian.PutUint16(udp[6:], checksumUDP(ip[12:20], udp))
	return append(dst, b...)
}

// checksumUDP returns a datagram's checksum; 0 is sent as its complement
// (RFC 768).
func checksumUDP(addrs, udp []byte) uint16 {
	c := fold(sum(sum(uint64(len(udp))+protoUDP, addrs), udp))
	if c == 0 {
		return 0xffff
	}
	return c
}
