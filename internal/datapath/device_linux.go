package datapath

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ceruleannet/cerulean/internal/engine"
)

const (
	// maxFrame is the longest frame with its virtio header: a segment of 65,535
	// bytes behind an Ethernet header.
	maxFrame = headLen + 0xffff
	// room is how many bytes of frames one Read returns at most: three of the
	// longest, or many short ones.
	room = 4 * maxFrame
	// loopback is the index of the loopback interface in every network namespace.
	loopback = 1
)

// Device is a virtual network interface of real programs: IP packets from and to
// the file that stands for it. Read is for one goroutine; Write may be called by
// several at a time.
type Device struct {
	nic Interface
	mac [6]byte

	file *os.File
	fd   int
	// packet means a packet socket: Read waits in the kernel, which costs half of
	// what asking first and waiting elsewhere does. A TAP's Read cannot be woken.
	packet bool
	wake   int // an eventfd that ends the waiting Read of a TAP

	// closing guards fd and wake against being closed while in use: a use holds
	// it for reading.
	closing sync.RWMutex
	closed  atomic.Bool

	arena  []byte // where Read puts frames
	answer []byte
	lost   atomic.Uint64
}

// NewDevice returns the device of an interface's file, which it owns from then
// on: a packet socket with PACKET_VNET_HDR, or a TAP with IFF_VNET_HDR.
func NewDevice(f *os.File, nic Interface) (*Device, error) {
	if err := nic.check(); err != nil {
		return nil, fmt.Errorf("network interface %s: %w", nic.Name, err)
	}
	d := &Device{nic: nic, mac: [6]byte(nic.MAC), file: f, fd: int(f.Fd())}
	domain, err := unix.GetsockoptInt(d.fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	d.packet = err == nil && domain == unix.AF_PACKET
	if err := unix.SetNonblock(d.fd, !d.packet); err != nil {
		return nil, fmt.Errorf("network interface %s: %w", nic.Name, err)
	}
	if d.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return nil, fmt.Errorf("network interface %s: %w", nic.Name, err)
	}
	d.arena = make([]byte, room)
	return d, nil
}

// Interface returns how the device looks from behind.
func (d *Device) Interface() Interface { return d.nic }

// Lost returns how many packets the device could not hand to the programs.
func (d *Device) Lost() uint64 { return d.lost.Load() }

// Read waits for packets and fills at most len(frames) of them; they are valid
// until the next Read. Requests for neighbours and of DHCP are answered on the
// way. It fails with [os.ErrClosed] when the device is closed or its interface is
// gone.
func (d *Device) Read(frames []engine.Frame) (int, error) {
	if len(frames) == 0 {
		return 0, nil
	}
	d.closing.RLock()
	defer d.closing.RUnlock()
	for {
		n, err := d.fill(frames)
		if n > 0 || err != nil {
			return n, err
		}
		if d.packet {
			continue // nothing of what came was for the network
		}
		if err := d.wait(); err != nil {
			return 0, err
		}
	}
}

// fill reads what is there.
func (d *Device) fill(frames []engine.Frame) (int, error) {
	n, at := 0, 0
	for n < len(frames) && room-at >= maxFrame {
		if d.closed.Load() {
			return 0, os.ErrClosed
		}
		b := d.arena[at : at+maxFrame]
		size, err := d.read(b, n > 0)
		switch {
		case err == unix.EAGAIN:
			return n, nil
		case err == unix.EINTR || err == unix.EINVAL:
			// EINVAL is a segment that the virtio header has no word for.
			continue
		case err == unix.ENETDOWN && n > 0:
			return n, nil // the next one finds out
		case err == unix.ENETDOWN || err == unix.EBADFD:
			return 0, fmt.Errorf("network interface %s: it is gone: %w", d.nic.Name, os.ErrClosed)
		case err != nil:
			return 0, fmt.Errorf("network interface %s: %w", d.nic.Name, err)
		}
		if d.take(b[:size], &frames[n]) {
			n++
			// The next frame may be cut out of what is left; keep it aligned.
			at += (size + 63) &^ 63
			if size >= maxFrame/4 {
				return n, nil // cutting many small packets short costs; long ones do not
			}
		}
	}
	return n, nil
}

// read reads a frame; more means that others wait to be passed on.
func (d *Device) read(b []byte, more bool) (int, error) {
	if !d.packet {
		return unix.Read(d.fd, b)
	}
	flags := 0
	if more {
		flags = unix.MSG_DONTWAIT
	}
	n, _, errno := unix.Syscall6(unix.SYS_RECVFROM, uintptr(d.fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), uintptr(flags), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// take turns a frame into a packet; false if there is none to pass on.
func (d *Device) take(b []byte, f *engine.Frame) bool {
	if len(b) < headLen {
		return false
	}
	frame := b[virtioLen:]
	pkt := frame[etherLen:]
	switch binary.BigEndian.Uint16(frame[12:]) {
	case etherARP:
		d.reply(answerARP(d.head(), frame))
		return false
	case etherIPv4:
		if len(pkt) < 20 || pkt[0]>>4 != 4 {
			return false
		}
		if frame[0]&1 != 0 || pkt[16] == 255 {
			if isDHCP(pkt) {
				d.reply(answerDHCP(d.head(), frame, &d.nic))
			}
			return false // a virtual network has neither broadcast nor multicast
		}
		if [4]byte(pkt[16:20]) == dhcpServer.As4() && isDHCP(pkt) {
			d.reply(answerDHCP(d.head(), frame, &d.nic))
			return false
		}
	case etherIPv6:
		if len(pkt) < 40 || pkt[0]>>4 != 6 {
			return false
		}
		if pkt[6] == protoICMPv6 {
			if a := answerND(d.head(), frame); len(a) > virtioLen {
				d.reply(a)
				return false
			}
		}
		if frame[0]&1 != 0 {
			return false
		}
	default:
		return false
	}
	o, ok := readVirtio(b, pkt)
	if !ok {
		return false
	}
	f.Packet, f.Offload = pkt, o
	return true
}

// head begins the frame of an answer.
func (d *Device) head() []byte {
	return append(d.answer[:0], make([]byte, virtioLen)...)
}

// reply sends an answer that the device makes itself.
func (d *Device) reply(b []byte) {
	d.answer = b
	if len(b) > virtioLen {
		if _, err := unix.Write(d.fd, b); err != nil {
			d.lost.Add(1)
		}
	}
}

// wait waits until there is something to read.
func (d *Device) wait() error {
	fds := [2]unix.PollFd{{Fd: int32(d.fd), Events: unix.POLLIN}, {Fd: int32(d.wake), Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(fds[:], -1)
		switch {
		case d.closed.Load():
			return os.ErrClosed
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return fmt.Errorf("network interface %s: %w", d.nic.Name, err)
		}
		return nil
	}
}

// Write hands packets to the programs. What the interface cannot take is lost
// and counted.
func (d *Device) Write(frames []engine.Frame) error {
	d.closing.RLock()
	defer d.closing.RUnlock()
	if d.closed.Load() {
		return os.ErrClosed
	}
	for i := range frames {
		d.write(&frames[i])
	}
	return nil
}

func (d *Device) write(f *engine.Frame) {
	var head [headLen]byte
	if len(f.Packet) < 20 || !writeVirtio(head[:], f.Packet, f.Offload) {
		d.lost.Add(1)
		return
	}
	kind := uint16(etherIPv4)
	if f.Packet[0]>>4 == 6 {
		kind = etherIPv6
	}
	putEther(head[virtioLen:], d.mac[:], kind)
	parts := [2]unix.Iovec{{Base: &head[0]}, {Base: &f.Packet[0]}}
	parts[0].SetLen(headLen)
	parts[1].SetLen(len(f.Packet))
	for {
		_, _, errno := unix.Syscall(unix.SYS_WRITEV, uintptr(d.fd), uintptr(unsafe.Pointer(&parts)), 2)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			d.lost.Add(1)
		}
		return
	}
}

// Close ends a waiting Read and releases the file. It may be called twice.
func (d *Device) Close() error {
	if d.closed.Swap(true) {
		return nil
	}
	if d.packet {
		// A packet socket reports the interface that it is moved to as down, to
		// whoever waits (packet(7)); the loopback of the outer namespace is.
		_ = unix.Bind(d.fd, &unix.SockaddrLinklayer{Protocol: htons(unix.ETH_P_ALL), Ifindex: loopback})
	} else {
		one := [8]byte{}
		binary.NativeEndian.PutUint64(one[:], 1)
		_, _ = unix.Write(d.wake, one[:])
	}
	d.closing.Lock() // Read and Write have ended
	defer d.closing.Unlock()
	return errors.Join(d.file.Close(), unix.Close(d.wake))
}
