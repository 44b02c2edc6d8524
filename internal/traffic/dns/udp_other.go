//go:build !linux

package dns

import (
	"errors"
	"net"
	"net/netip"
)

// udpSocket is one socket of the server's address.
type udpSocket struct {
	conn *net.UDPConn
	addr netip.AddrPort
}

// listenUDP opens one socket: other systems share an address among sockets in
// ways of their own.
func listenUDP(at netip.AddrPort, _ int) ([]*udpSocket, error) {
	c, err := net.ListenUDP(network6("udp", at.Addr()), net.UDPAddrFromAddrPort(at))
	if err != nil {
		return nil, err
	}
	return []*udpSocket{{c, c.LocalAddr().(*net.UDPAddr).AddrPort()}}, nil
}

// wake ends the waiting of whoever serves the socket.
func (s *udpSocket) wake() { _ = s.conn.Close() }

func (s *udpSocket) close() { _ = s.conn.Close() }

// serveUDP answers datagrams with a call for each.
func (srv *Server) serveUDP(s *udpSocket, count *counters) {
	c := s.conn
	w := srv.worker()
	in, out := make([]byte, maxTCP), make([]byte, 0, bufferLen)
	for {
		n, from, err := c.ReadFromUDPAddrPort(in)
		if err != nil {
			if srv.ending.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			continue // a message of ICMP about an earlier answer
		}
		out = w.answer(srv.snapshot.Load(), out, in[:n], from.Addr().Unmap(), srv.second())
		w.tell(count) // before anybody has the answer and looks
		if len(out) > 0 {
			if _, err := c.WriteToUDPAddrPort(out, from); err != nil {
				w.local.unsent++
			}
		}
	}
}
