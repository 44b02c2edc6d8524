package live

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/ceruleannet/cerulean/model"
)

// greeting is what a TCP service says first.
func greeting(host string, port uint16) string {
	return fmt.Sprintf("%s tcp %d\n", host, port)
}

// serve starts the declared services. The caller holds h.mu; the stack is up.
func (h *Host) serve() error {
	for _, s := range h.declared.Services {
		if err := h.serveOne(s); err != nil {
			return fmt.Errorf("%sservice %s/%d: %w", at(s.Pos), s.Kind, s.Port, err)
		}
	}
	return nil
}

func (h *Host) serveOne(s model.Service) error {
	local := netip.AddrPortFrom(netip.Addr{}, s.Port)
	if s.Kind == model.ServiceDNS {
		return h.serveForwarder(local)
	}
	if s.Kind == model.ServiceUDP {
		c, err := listenPacket(h.stack, local, 0)
		if err != nil {
			return err
		}
		h.goServe(func() { echoDatagrams(c) }, func() { c.Close() })
		return nil
	}
	l, err := listen(h.stack, local, 0)
	if err != nil {
		return err
	}
	switch s.Kind {
	case model.ServiceTCP:
		hello := greeting(h.Name, s.Port)
		h.goServe(func() { h.acceptTCP(l, hello) }, func() { l.Close() })
	case serviceStream:
		h.goServe(func() { h.serveStreams(l) }, func() { l.Close() })
	case model.ServiceHTTP, model.ServiceHTTPS, model.ServiceWhoAmI:
		if s.Kind == model.ServiceHTTPS {
			l = tls.NewListener(l, h.net.authority.serverConfig(h))
		}
		server := &http.Server{
			Handler:           h.handler(s),
			ReadHeaderTimeout: 10 * time.Second,
			ErrorLog:          log.New(io.Discard, "", 0), // a client that hangs up is no event
		}
		// Closing the server does not wait for its connections; the host does.
		server.ConnState = func(_ net.Conn, s http.ConnState) {
			switch s {
			case http.StateNew:
				h.services.Add(1)
			case http.StateClosed, http.StateHijacked:
				h.services.Done()
			}
		}
		h.goServe(func() { _ = server.Serve(l) }, func() { server.Close() })
	default:
		l.Close()
		return fmt.Errorf("unknown kind; use tcp, udp, http, https, whoami or dns")
	}
	return nil
}

// goServe runs a service until its closer is called.
func (h *Host) goServe(run, stop func()) {
	h.closers = append(h.closers, stop)
	h.services.Go(run)
}

// acceptTCP greets every connection with one line and echoes what it reads.
func (h *Host) acceptTCP(l net.Listener, hello string) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		// The stack aborts open connections when the host closes.
		h.services.Go(func() {
			defer c.Close()
			if _, err := io.WriteString(c, hello); err == nil {
				_, _ = io.Copy(c, c)
			}
		})
	}
}

func echoDatagrams(c net.PacketConn) {
	b := make([]byte, mtu)
	for {
		n, from, err := c.ReadFrom(b)
		if err != nil {
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				continue
			}
			return
		}
		_, _ = c.WriteTo(b[:n], from)
	}
}

// handler returns what answers the requests to a web service.
func (h *Host) handler(s model.Service) http.Handler {
	switch {
	case s.Kind == model.ServiceWhoAmI:
		return http.HandlerFunc(whoAmI)
	case s.Port == httpsPort && !h.resource.IsZero():
		return h.dataPlane(false, netip.Addr{})
	}
	return h.page()
}

// whoAmI answers every request with the address that it comes from.
func whoAmI(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		http.Error(w, "the sender has no address", http.StatusInternalServerError)
		return
	}
	fmt.Fprintf(w, "%s\n", from.Addr().Unmap())
}

// page answers every request with the host's name.
func (h *Host) page() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintf(w, "%s\n", h.Name)
	})
}
