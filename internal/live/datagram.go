package live

import (
	"net"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/waiter"
)

// datagrams is a connected datagram socket whose reads fail when the network
// denies what was written, or the destination refuses it.
type datagrams struct {
	*gonet.UDPConn
	socket  *socket
	watch   *watcher
	refusal waiter.Entry

	mu       sync.Mutex
	deadline time.Time // the caller's, for reads
	refused  bool
	closed   bool
}

func newDatagrams(x *socket) *datagrams {
	d := &datagrams{UDPConn: gonet.NewUDPConn(&x.queue, x.ep), socket: x}
	d.watch = x.host.net.wire.watchFlow(x.link, x.packet, d.interrupt)
	// The adapter wakes a read for data only, not for an ICMP error.
	d.refusal = waiter.NewFunctionEntry(waiter.EventErr, func(waiter.EventMask) {
		d.mu.Lock()
		d.refused = true
		d.mu.Unlock()
		d.interrupt()
	})
	x.queue.EventRegister(&d.refusal)
	return d
}

// interrupt wakes a waiting read.
func (d *datagrams) interrupt() { _ = d.UDPConn.SetReadDeadline(time.Unix(1, 0)) }

// Write sends one datagram.
func (d *datagrams) Write(b []byte) (int, error) {
	if err := d.news(); err != nil {
		return 0, err
	}
	return d.UDPConn.Write(b)
}

// Read returns the next datagram, a *[DeniedError], or [ErrRefused].
func (d *datagrams) Read(b []byte) (int, error) {
	if err := d.news(); err != nil {
		return 0, err
	}
	n, err := d.UDPConn.Read(b)
	if err != nil {
		if news := d.news(); news != nil {
			return n, news
		}
	}
	return n, err
}

// news returns the denial, which stays, or a refusal, which is told once.
func (d *datagrams) news() error {
	if !d.socket.host.net.opts.SilentDrops {
		select {
		case <-d.watch.told:
			return d.watch.err
		default:
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.refused {
		return nil
	}
	d.refused = false
	_ = d.socket.ep.LastError() // told here
	_ = d.UDPConn.SetReadDeadline(d.deadline)
	return ErrRefused
}

// SetReadDeadline implements [net.Conn].
func (d *datagrams) SetReadDeadline(t time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.deadline = t
	return d.UDPConn.SetReadDeadline(t)
}

// SetDeadline implements [net.Conn].
func (d *datagrams) SetDeadline(t time.Time) error {
	if err := d.SetReadDeadline(t); err != nil {
		return err
	}
	return d.SetWriteDeadline(t)
}

// Close closes the socket.
func (d *datagrams) Close() error {
	d.mu.Lock()
	closed := d.closed
	d.closed = true
	d.mu.Unlock()
	if closed {
		return net.ErrClosed
	}
	d.socket.queue.EventUnregister(&d.refusal)
	d.socket.host.net.wire.unwatch(d.watch)
	return d.UDPConn.Close()
}
