package datapath

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// socketBuffer is how many bytes of frames may wait in a packet socket. Long
// segments count with what the kernel spends on them, about 1.3 times theirs.
const socketBuffer = 8 << 20

// build makes a layout in the calling thread's network namespace and returns the
// files of its interfaces. The thread must be locked to its goroutine; afterwards
// it is in the namespace where it began.
func build(l *Layout, tap bool) (files []*os.File, note string, err error) {
	defer func() {
		if err != nil {
			closeAll(files)
			files = nil
		}
	}()
	if tap {
		if files, err = buildTAP(l); err != nil {
			return nil, "", err
		}
		return files, "", configure(l)
	}
	inner, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, "", err
	}
	defer inner.Close()
	if files, err = buildVeth(l, inner); err != nil {
		var tapErr error
		if files, tapErr = buildTAP(l); tapErr != nil {
			return nil, "", fmt.Errorf("%w; and without veth: %w", err, tapErr)
		}
		note = fmt.Sprintf("using TAP interfaces: %v", err)
	}
	return files, note, configure(l)
}

// buildVeth makes veth pairs: one end in the calling thread's namespace, the
// other in a namespace that the packet sockets alone keep.
func buildVeth(l *Layout, inner *os.File) (files []*os.File, err error) {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return nil, fmt.Errorf("a second network namespace: %w", err)
	}
	defer func() {
		if e := unix.Setns(int(inner.Fd()), unix.CLONE_NEWNET); e != nil && err == nil {
			err = fmt.Errorf("returning to the network namespace: %w", e)
		}
		if err != nil {
			closeAll(files)
			files = nil
		}
	}()
	for i := range l.Interfaces {
		f, err := vethSocket(&l.Interfaces[i], i, int(inner.Fd()))
		if err != nil {
			return files, fmt.Errorf("network interface %s: %w", l.Interfaces[i].Name, err)
		}
		files = append(files, f)
	}
	return files, nil
}

// vethSocket makes one pair and returns the packet socket at its outer end.
func vethSocket(nic *Interface, i, inner int) (*os.File, error) {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "wire" + strconv.Itoa(i)
	attrs.MTU = MTU
	outer := &netlink.Veth{
		LinkAttrs: attrs, PeerName: nic.Name, PeerHardwareAddr: nic.MAC, PeerMTU: MTU, PeerNamespace: netlink.NsFd(inner),
	}
	if err := netlink.LinkAdd(outer); err != nil {
		return nil, fmt.Errorf("a veth pair: %w", err)
	}
	// The kernel has nothing to say at this end.
	_ = sysctl("net/ipv6/conf/"+attrs.Name+"/disable_ipv6", "1")
	link, err := netlink.LinkByName(attrs.Name)
	if err != nil {
		return nil, err
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return nil, err
	}
	return packetSocket(link.Attrs().Index)
}

// packetSocket returns a socket that has all frames of an interface and sends
// frames as they are, both with a virtio network header (packet(7)).
func packetSocket(index int) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("a packet socket: %w", err)
	}
	f := os.NewFile(uintptr(fd), "packet")
	for _, o := range []struct {
		what  string
		name  int
		value int
	}{
		{"PACKET_VNET_HDR", unix.PACKET_VNET_HDR, 1},
		{"PACKET_IGNORE_OUTGOING", unix.PACKET_IGNORE_OUTGOING, 1},
		{"PACKET_QDISC_BYPASS", unix.PACKET_QDISC_BYPASS, 1},
	} {
		if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, o.name, o.value); err != nil {
			f.Close()
			return nil, fmt.Errorf("a packet socket with %s (Linux 4.20): %w", o.what, err)
		}
	}
	for _, o := range [][2]int{{unix.SO_RCVBUFFORCE, unix.SO_RCVBUF}, {unix.SO_SNDBUFFORCE, unix.SO_SNDBUF}} {
		// Only the system's own root may pass the system's limit.
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, o[0], socketBuffer) != nil {
			_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, o[1], socketBuffer)
		}
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: htons(unix.ETH_P_ALL), Ifindex: index}); err != nil {
		f.Close()
		return nil, fmt.Errorf("a packet socket: %w", err)
	}
	return f, nil
}

func htons(v uint16) uint16 { return v<<8 | v>>8 }

// buildTAP makes TAP interfaces in the calling thread's namespace.
func buildTAP(l *Layout) (files []*os.File, err error) {
	for i := range l.Interfaces {
		f, err := tapFile(&l.Interfaces[i])
		if err != nil {
			closeAll(files)
			return nil, fmt.Errorf("network interface %s: %w", l.Interfaces[i].Name, err)
		}
		files = append(files, f)
	}
	return files, nil
}

// The offloads of a TAP (linux/if_tun.h): partial checksums, long TCP segments
// with and without ECN, and since Linux 6.2 long datagrams.
const (
	tapOffloads    = unix.TUN_F_CSUM | unix.TUN_F_TSO4 | unix.TUN_F_TSO6 | unix.TUN_F_TSO_ECN
	tapOffloadsUSO = tapOffloads | unix.TUN_F_USO4 | unix.TUN_F_USO6
)

func tapFile(nic *Interface) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("a TAP: /dev/net/tun: %w", err)
	}
	f := os.NewFile(uintptr(fd), "/dev/net/tun")
	err = func() error {
		req, err := unix.NewIfreq(nic.Name)
		if err != nil {
			return err
		}
		req.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
		if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
			return fmt.Errorf("a TAP: TUNSETIFF: %w", err)
		}
		if unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, tapOffloadsUSO) != nil {
			if err := unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, tapOffloads); err != nil {
				return fmt.Errorf("a TAP: TUNSETOFFLOAD: %w", err)
			}
		}
		link, err := netlink.LinkByName(nic.Name)
		if err != nil {
			return err
		}
		return errors.Join(netlink.LinkSetHardwareAddr(link, nic.MAC), netlink.LinkSetMTU(link, MTU))
	}()
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// configure gives the interfaces of the calling thread's namespace their
// addresses and routes.
func configure(l *Layout) error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return fmt.Errorf("network interface lo: %w", err)
	}
	for _, a := range l.Loopback {
		if err := netlink.AddrAdd(lo, address(netip.PrefixFrom(a, a.BitLen()))); err != nil {
			return fmt.Errorf("network interface lo: address %s: %w", a, err)
		}
	}
	tune(l)
	for i := range l.Interfaces {
		if err := l.Interfaces[i].configure(); err != nil {
			return fmt.Errorf("network interface %s: %w", l.Interfaces[i].Name, err)
		}
	}
	return nil
}

func (i *Interface) configure() error {
	link, err := netlink.LinkByName(i.Name)
	if err != nil {
		return err
	}
	v6 := false
	for _, a := range i.Addrs {
		v6 = v6 || a.Addr().Is6()
	}
	conf := "net/ipv6/conf/" + i.Name + "/"
	if v6 {
		_ = errors.Join(sysctl(conf+"accept_ra", "0"), sysctl(conf+"accept_dad", "0"), sysctl(conf+"router_solicitations", "0"))
	} else {
		_ = sysctl(conf+"disable_ipv6", "1") // no neighbour would answer
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return err
	}
	for _, a := range i.Addrs {
		if err := netlink.AddrAdd(link, address(a)); err != nil {
			return fmt.Errorf("address %s: %w", a, err)
		}
	}
	for _, g := range i.Gateways {
		bits := 128
		if g.Is4() {
			bits = 32
		}
		route := &netlink.Route{
			LinkIndex: link.Attrs().Index, Gw: net.IP(g.AsSlice()), Flags: int(netlink.FLAG_ONLINK),
			Dst: &net.IPNet{IP: make(net.IP, bits/8), Mask: net.CIDRMask(0, bits)},
		}
		if err := netlink.RouteAdd(route); err != nil {
			return fmt.Errorf("default route by %s: %w", g, err)
		}
	}
	return nil
}

func address(p netip.Prefix) *netlink.Addr {
	a := &netlink.Addr{IPNet: &net.IPNet{IP: net.IP(p.Addr().AsSlice()), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}}
	if p.Addr().Is6() {
		a.Flags = unix.IFA_F_NODAD // every neighbour answers for every address
	}
	return a
}

// tune sets what belongs to the namespace as a whole, where the system lets us.
func tune(l *Layout) {
	group := strconv.Itoa(os.Getegid())
	settings := map[string]string{
		"net/ipv4/ip_unprivileged_port_start": "0",
		"net/ipv4/ping_group_range":           group + " " + group,
	}
	if l.Forward {
		settings["net/ipv4/ip_forward"] = "1"
		settings["net/ipv6/conf/all/forwarding"] = "1"
	}
	for name, value := range settings {
		_ = sysctl(name, value)
	}
}

func sysctl(name, value string) error {
	return os.WriteFile("/proc/sys/"+name, []byte(value), 0o644)
}
