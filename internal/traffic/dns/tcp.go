package dns

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"time"
)

// acceptPause is how long accepting rests when the system has no descriptors
// left.
const acceptPause = 50 * time.Millisecond

// acceptTCP takes connections until the server ends.
func (srv *Server) acceptTCP(l net.Listener, count *counters) {
	for {
		c, err := l.Accept()
		if err != nil {
			if srv.ending.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			select {
			case <-time.After(acceptPause):
			case <-srv.ending.Done():
				return
			}
			continue
		}
		select {
		case srv.conns <- struct{}{}:
		default:
			_ = c.Close()
			continue
		}
		count.conns.Add(1)
		srv.group.Go(func() {
			defer func() { <-srv.conns }()
			srv.serveTCP(c, count)
		})
	}
}

// serveTCP answers the queries of a connection in their order, one after the
// other, also if they come at once (RFC 7766 section 6.2.1).
func (srv *Server) serveTCP(c net.Conn, count *counters) {
	defer c.Close()
	stop := context.AfterFunc(srv.ending, func() { _ = c.Close() })
	defer stop()
	remote, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return
	}
	from := remote.Addr().Unmap().WithZone("")
	w := srv.worker()
	r, out := bufio.NewReader(c), make([]byte, 0, 2048)
	var in []byte
	for {
		_ = c.SetDeadline(time.Now().Add(srv.opts.IdleTimeout))
		var head [2]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return
		}
		n := int(binary.BigEndian.Uint16(head[:]))
		if n < headerLen {
			return
		}
		if n > cap(in) {
			in = make([]byte, n)
		}
		in = in[:n]
		if _, err := io.ReadFull(r, in); err != nil {
			return
		}
		w.local.queries++
		reply, o := w.respond(srv.snapshot.Load(), out[2:2], &Request{Message: in, From: from, TCP: true, Random: w.random.Uint64()})
		if o.Silent {
			w.local.silent++
			w.tell(count)
			return // not a client of DNS
		}
		w.local.answers[o.Rcode&0xf]++
		w.tell(count)
		full := append(binary.BigEndian.AppendUint16(out[:0], uint16(len(reply))), reply...)
		if _, err := c.Write(full); err != nil {
			return
		}
	}
}
