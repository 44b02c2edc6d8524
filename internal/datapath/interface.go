package datapath

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
)

// MTU is the largest IP packet of a virtual network, in bytes ("TCP/IP
// performance tuning for Azure VMs", Azure and VM MTU).
const MTU = 1500

// GatewayMAC is the MAC address that stands for every neighbour of an interface
// in Azure.
func GatewayMAC() net.HardwareAddr { return net.HardwareAddr{0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc} }

// Interface is how a virtual network interface looks to the programs behind it.
type Interface struct {
	// Name in the namespace: eth0, eth1; at most 15 bytes, as Linux has it.
	Name string
	// MAC is the interface's own MAC address, 6 bytes.
	MAC net.HardwareAddr
	// Addrs are its addresses, each with the length of its subnet's prefix.
	Addrs []netip.Prefix
	// Gateways are the default routes, at most one a family; none makes the
	// interface one without a default route.
	Gateways []netip.Addr
	// DNS is what DHCP gives as the resolver, if valid.
	DNS netip.Addr
}

// Layout is what the network namespace of a host contains.
type Layout struct {
	Interfaces []Interface
	// Loopback are further addresses that the host answers to: the frontends
	// that a load balancer hands it unchanged ("Azure Load Balancer Floating IP
	// configuration").
	Loopback []netip.Addr
	// Forward lets its kernel forward packets: a network virtual appliance.
	Forward bool
}

// maxInterfaces bounds the interfaces of a host; Azure's largest virtual
// machines have 8.
const maxInterfaces = 8

// check says what is wrong with a layout.
func (l *Layout) check() error {
	if len(l.Interfaces) == 0 || len(l.Interfaces) > maxInterfaces {
		return fmt.Errorf("%d network interfaces; use 1 to %d", len(l.Interfaces), maxInterfaces)
	}
	for i := range l.Interfaces {
		if err := l.Interfaces[i].check(); err != nil {
			return fmt.Errorf("network interface %d: %w", i, err)
		}
	}
	return nil
}

func (i *Interface) check() error {
	switch {
	case i.Name == "" || len(i.Name) > 15:
		return fmt.Errorf("%q is no name for it; use 1 to 15 bytes", i.Name)
	case len(i.MAC) != 6:
		return fmt.Errorf("MAC address %q has %d bytes, not 6", i.MAC, len(i.MAC))
	case len(i.Addrs) == 0:
		return errors.New("it has no address")
	}
	for _, p := range i.Addrs {
		if !p.IsValid() {
			return errors.New("an address is not valid")
		}
	}
	for _, g := range i.Gateways {
		if !g.IsValid() {
			return errors.New("a gateway is not valid")
		}
	}
	return nil
}

// ErrUnsupported means that this system has no network namespaces.
var ErrUnsupported = errors.New("real processes inside the network need Linux (network namespaces); in-process hosts and `cerulean forward` work everywhere")
