package dns

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// batch is how many datagrams one call takes.
const batch = 64

// queryLen is the longest query taken by UDP; longer ones are cut, and then
// malformed. An answer is never longer ([maxUDP]).
const queryLen = 1472

// socketBuffer is what is asked of the system for each socket, in bytes.
const socketBuffer = 4 << 20

// controlLen holds one message with the address that a datagram came to.
const controlLen = 64

// udpSocket is one socket of the server's address. It is not the runtime's: whoever
// serves it waits in the call that receives, which is one call and one switch for a
// batch, where the runtime's poller takes four.
type udpSocket struct {
	fd   int
	addr netip.AddrPort
}

// listenUDP opens sockets that share an address: the system spreads the clients
// over them.
func listenUDP(at netip.AddrPort, sockets int) ([]*udpSocket, error) {
	// One without sharing first: SO_REUSEPORT would join another server of the
	// same user silently.
	first, err := net.ListenUDP(network6("udp", at.Addr()), net.UDPAddrFromAddrPort(at))
	if err != nil {
		return nil, err
	}
	at = netip.AddrPortFrom(at.Addr(), first.LocalAddr().(*net.UDPAddr).AddrPort().Port())
	_ = first.Close()
	var out []*udpSocket
	for range sockets {
		s, err := openUDP(at)
		if err != nil {
			for _, s := range out {
				s.close()
			}
			return nil, fmt.Errorf("listen udp %s: %w", at, err)
		}
		out = append(out, s)
	}
	return out, nil
}

// openUDP opens a socket that shares its address.
func openUDP(at netip.AddrPort) (*udpSocket, error) {
	family, level, pin := unix.AF_INET, unix.IPPROTO_IP, unix.IP_PKTINFO
	var name unix.Sockaddr
	if at.Addr().Is4() {
		name = &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}
	} else {
		family, level, pin = unix.AF_INET6, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO
		six := &unix.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16()}
		if zone := at.Addr().Zone(); zone != "" {
			link, err := net.InterfaceByName(zone)
			if err != nil {
				return nil, err
			}
			six.ZoneId = uint32(link.Index)
		}
		name = six
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	set := func(level, option, value int) {
		if err == nil {
			err = os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, level, option, value))
		}
	}
	if family == unix.AF_INET6 {
		set(unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1)
	}
	set(unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	if at.Addr().IsUnspecified() {
		set(level, pin, 1) // answers must leave from the address that was asked
	}
	if err == nil {
		err = os.NewSyscallError("bind", unix.Bind(fd, name))
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	for _, option := range []int{unix.SO_RCVBUF, unix.SO_SNDBUF} {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, option, socketBuffer) // as much as the system allows
	}
	return &udpSocket{fd, at}, nil
}

// wake ends the waiting of whoever serves the socket.
func (s *udpSocket) wake() {
	_ = unix.Shutdown(s.fd, unix.SHUT_RDWR) // of a socket that is not connected it is an error, and works
}

func (s *udpSocket) close() { _ = unix.Close(s.fd) }

// message is struct mmsghdr (recvmmsg(2)).
type message struct {
	header unix.Msghdr
	len    uint32
}

// datagrams is the memory of a batch: what came, who sent it, and the answers.
// Addresses and control messages are handed back as they came.
type datagrams struct {
	in, out [batch]message
	inVec   [batch]unix.Iovec
	outVec  [batch]unix.Iovec
	names   [batch]unix.RawSockaddrInet6
	control [batch][controlLen]byte
	buffer  [batch][queryLen]byte // of a query, and then of its answer
	pinned  bool                  // control messages are asked for
}

func newDatagrams(pinned bool) *datagrams {
	d := &datagrams{pinned: pinned}
	for i := range batch {
		d.inVec[i].Base = &d.buffer[i][0]
		d.inVec[i].SetLen(queryLen)
		d.in[i].header.Iov = &d.inVec[i]
		d.in[i].header.SetIovlen(1)
		d.in[i].header.Name = (*byte)(unsafe.Pointer(&d.names[i]))
		d.out[i].header.SetIovlen(1)
	}
	d.ready(batch)
	return d
}

// ready makes the first n messages ready to receive again.
func (d *datagrams) ready(n int) {
	for i := range n {
		d.in[i].header.Namelen = unix.SizeofSockaddrInet6
		if d.pinned {
			d.in[i].header.Control = &d.control[i][0]
			d.in[i].header.SetControllen(controlLen)
		}
	}
}

// from returns who sent a datagram.
func (d *datagrams) from(i int) netip.Addr {
	name := &d.names[i]
	if name.Family == unix.AF_INET {
		return netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(name)).Addr)
	}
	return netip.AddrFrom16(name.Addr).Unmap()
}

// reply makes the k-th answer of the first n bytes of the i-th datagram's buffer.
func (d *datagrams) reply(k, i, n int) {
	d.outVec[k].Base = &d.buffer[i][0]
	d.outVec[k].SetLen(n)
	h := &d.out[k].header
	h.Iov = &d.outVec[k]
	h.Name, h.Namelen = d.in[i].header.Name, d.in[i].header.Namelen
	if !d.pinned || d.in[i].header.Controllen == 0 {
		h.Control = nil
		h.SetControllen(0)
		return
	}
	// From the address that was asked, by whichever interface leads back: the
	// index of the interface, first in IPv4's message and last in IPv6's, is
	// cleared.
	data := d.control[i][unix.CmsgLen(0):]
	if d.names[i].Family == unix.AF_INET {
		clear(data[:4])
	} else {
		clear(data[16:20])
	}
	h.Control = &d.control[i][0]
	h.Controllen = d.in[i].header.Controllen
}

// reading is a batch of queries that were read before the first is answered. On a big
// zone a query waits for memory most of its time: what all of them need is asked for
// at once.
type reading struct {
	queries [batch]struct {
		query query
		rcode int
		ok    bool
		at    uint32 // where its answer may be in the table
	}
	touched byte // so that nobody leaves the touching out
}

// read reads the first n datagrams.
func (b *reading) read(t *table, d *datagrams, n int) {
	for i := range n {
		q := &b.queries[i]
		q.at = 0 // of another table
		if q.rcode, q.ok = q.query.read(d.buffer[i][:d.in[i].len]); q.ok && q.rcode == rcodeSuccess {
			q.at = t.place(q.query.name[:q.query.len], q.query.kind)
		}
	}
	for i := range n {
		b.touched += t.data[b.queries[i].at]
	}
}

// serveUDP answers datagrams, as many with one call as there are.
func (srv *Server) serveUDP(c *udpSocket, count *counters) {
	w := srv.worker()
	d, b := newDatagrams(c.addr.Addr().IsUnspecified()), &reading{}
	for {
		got, errno := call(unix.SYS_RECVMMSG, c.fd, d.in[:], unix.MSG_WAITFORONE)
		if srv.ending.Err() != nil {
			return
		}
		if errno != 0 {
			continue // a message of ICMP about an earlier answer, or an interrupt
		}
		snapshot, second := srv.snapshot.Load(), srv.second()
		answers := 0
		b.read(snapshot.fixed, d, got)
		for i := range got {
			in, q := d.buffer[i][:], &b.queries[i]
			w.query = &q.query
			out := w.answerRead(snapshot, in[:0], in[:d.in[i].len], d.from(i), second, q.rcode, q.ok) // it begins as the query does
			if len(out) > 0 {
				d.reply(answers, i, len(out))
				answers++
			}
		}
		w.tell(count) // before anybody has an answer and looks
		for pending := d.out[:answers]; len(pending) > 0; {
			sent, errno := call(unix.SYS_SENDMMSG, c.fd, pending, 0)
			if errno == unix.EINTR {
				continue
			}
			if errno != 0 { // of the first: who asked cannot be reached
				w.local.unsent++
				sent = 1
			}
			pending = pending[sent:]
		}
		d.ready(got)
	}
}

// call receives or sends messages, and waits until it can.
func call(trap uintptr, fd int, list []message, flags uintptr) (int, syscall.Errno) {
	n, _, errno := unix.Syscall6(trap, uintptr(fd), uintptr(unsafe.Pointer(&list[0])), uintptr(len(list)), flags, 0, 0)
	runtime.KeepAlive(list)
	return int(n), errno
}
