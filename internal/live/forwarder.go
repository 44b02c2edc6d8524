package live

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// maxForwarded bounds the queries that a forwarder has under way; more are
// dropped, and their senders ask again.
const maxForwarded = 256

// serveForwarder starts a DNS server that asks the platform: what a virtual
// network has where others, on premises for one, are to see its private zones.
// The caller holds h.mu; the stack is up.
func (h *Host) serveForwarder(local netip.AddrPort) error {
	c, err := listenPacket(h.stack, local, 0)
	if err != nil {
		return err
	}
	l, err := listen(h.stack, local, 0)
	if err != nil {
		c.Close()
		return fmt.Errorf("over TCP: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	h.goServe(func() { h.forwardDatagrams(ctx, c) }, func() { cancel(); c.Close() })
	h.goServe(func() { h.forwardStreams(ctx, l) }, func() { l.Close() })
	return nil
}

func (h *Host) forwardDatagrams(ctx context.Context, c net.PacketConn) {
	slots := make(chan struct{}, maxForwarded)
	b := make([]byte, mtu)
	for {
		n, from, err := c.ReadFrom(b)
		if err != nil {
			return
		}
		if n < 12 {
			continue
		}
		query := append([]byte(nil), b[:n]...)
		select {
		case slots <- struct{}{}:
		default:
			continue
		}
		h.services.Go(func() {
			defer func() { <-slots }()
			up, err := h.dialUDP(resolver)
			if err != nil {
				return
			}
			defer up.Close()
			defer context.AfterFunc(ctx, func() { up.Close() })()
			if in, err := askDatagram(up, query); err == nil {
				_, _ = c.WriteTo(in, from)
			}
		})
	}
}

func (h *Host) forwardStreams(ctx context.Context, l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		h.services.Go(func() {
			defer c.Close()
			defer context.AfterFunc(ctx, func() { c.Close() })()
			for {
				_ = c.SetReadDeadline(time.Now().Add(idleConnection))
				query, err := readMessage(c)
				if err != nil {
					return
				}
				in, err := h.askStream(ctx, resolver, query)
				if err != nil || writeMessage(c, in) != nil {
					return
				}
			}
		})
	}
}

// askStream sends a query over TCP and returns the answer.
func (h *Host) askStream(ctx context.Context, server netip.AddrPort, query []byte) ([]byte, error) {
	c, err := h.dialTCP(ctx, netip.AddrPort{}, server)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	_ = c.SetDeadline(time.Now().Add(dnsTimeout))
	if err := writeMessage(c, query); err != nil {
		return nil, err
	}
	return readMessage(c)
}
