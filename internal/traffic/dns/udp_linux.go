package dns

import (
	"context"
	"net"
	"net/netip"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// batch is how many datagrams one call takes.
const batch = 64

// queryLen is the longest query taken by UDP; longer ones are cut, and then
// malformed.
const queryLen = 1472

// socketBuffer is what is asked of the system for each socket, in bytes.
const socketBuffer = 4 << 20

// controlLen holds one message with the address that a datagram came to.
const controlLen = 64

// listenUDP opens sockets that share an address: the system spreads the clients
// over them.
func listenUDP(at netip.AddrPort, sockets int) ([]*net.UDPConn, error) {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		if e := c.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
			if err != nil || !at.Addr().IsUnspecified() {
				return
			}
			// Answers must leave from the address that was asked.
			if at.Addr().Is4() {
				err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
			} else {
				err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
			}
		}); e != nil {
			return e
		}
		return err
	}}
	// One without sharing first: SO_REUSEPORT would join another server of the
	// same user silently.
	first, err := net.ListenUDP(network6("udp", at.Addr()), net.UDPAddrFromAddrPort(at))
	if err != nil {
		return nil, err
	}
	at = netip.AddrPortFrom(at.Addr(), first.LocalAddr().(*net.UDPAddr).AddrPort().Port())
	_ = first.Close()
	var out []*net.UDPConn
	for range sockets {
		c, err := config.ListenPacket(context.Background(), network6("udp", at.Addr()), at.String())
		if err != nil {
			for _, c := range out {
				_ = c.Close()
			}
			return nil, err
		}
		udp := c.(*net.UDPConn)
		_ = udp.SetReadBuffer(socketBuffer) // as much as the system allows
		_ = udp.SetWriteBuffer(socketBuffer)
		out = append(out, udp)
	}
	return out, nil
}

// message is struct mmsghdr (recvmmsg(2)).
type message struct {
	header unix.Msghdr
	len    uint32
}

// datagrams is the memory of a batch: what came, who sent it, and the answers.
// Addresses and control messages are handed back as they came.
type datagrams struct {
	in, out   [batch]message
	inVec     [batch]unix.Iovec
	outVec    [batch]unix.Iovec
	names     [batch]unix.RawSockaddrInet6
	control   [batch][controlLen]byte
	inBuffer  [batch][queryLen]byte
	outBuffer [batch][bufferLen + 64]byte
	pinned    bool // control messages are asked for
}

func newDatagrams(pinned bool) *datagrams {
	d := &datagrams{pinned: pinned}
	for i := range batch {
		d.inVec[i].Base = &d.inBuffer[i][0]
		d.inVec[i].SetLen(queryLen)
		d.outVec[i].Base = &d.outBuffer[i][0]
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

// reply makes the k-th answer of what is in out's buffer k, to the i-th datagram.
func (d *datagrams) reply(k, i, n int) {
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

// serveUDP answers datagrams, as many with one call as there are.
func (srv *Server) serveUDP(c *net.UDPConn, count *counters) {
	raw, err := c.SyscallConn()
	if err != nil {
		srv.serveOneByOne(c, count)
		return
	}
	w := srv.worker()
	local := c.LocalAddr().(*net.UDPAddr).AddrPort().Addr()
	d := newDatagrams(local.IsUnspecified())
	var got, sent int
	var errno syscall.Errno
	receive := func(fd uintptr) bool {
		got, errno = call(unix.SYS_RECVMMSG, fd, d.in[:])
		return errno != unix.EAGAIN
	}
	var pending []message
	transmit := func(fd uintptr) bool {
		sent, errno = call(unix.SYS_SENDMMSG, fd, pending)
		return errno != unix.EAGAIN
	}
	for {
		if err := raw.Read(receive); err != nil {
			return // closed
		}
		if errno != 0 {
			if srv.ending.Err() != nil {
				return
			}
			continue // a message of ICMP about an earlier answer, or an interrupt
		}
		snapshot, second := srv.snapshot.Load(), srv.second()
		answers := 0
		for i := range got {
			out := w.answer(snapshot, d.outBuffer[answers][:0], d.inBuffer[i][:d.in[i].len], d.from(i), second)
			if len(out) > 0 {
				d.reply(answers, i, len(out))
				answers++
			}
		}
		w.tell(count) // before anybody has an answer and looks
		for pending = d.out[:answers]; len(pending) > 0; {
			if err := raw.Write(transmit); err != nil {
				return
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

// call receives or sends messages without waiting.
func call(trap, fd uintptr, list []message) (int, syscall.Errno) {
	n, _, errno := unix.Syscall6(trap, fd, uintptr(unsafe.Pointer(&list[0])), uintptr(len(list)), unix.MSG_DONTWAIT, 0, 0)
	runtime.KeepAlive(list)
	return int(n), errno
}
