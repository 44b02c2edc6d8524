package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"

	"github.com/ceruleannet/cerulean/internal/live"
)

// A connection from inside the network to outside: the control connection of the
// request becomes it.

// dialProtocol is the name of that connection (RFC 9110 section 7.8).
const dialProtocol = "cerulean-stream"

// dialTimeout is how long a connection inside may take to be made.
const dialTimeout = 20 * time.Second

// dial handles a request for a connection from a host to an address.
func (s *System) dial(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	from, address := q.Get("from"), q.Get("address")
	h, err := s.Net.Host(from)
	if err != nil {
		refuse(w, http.StatusNotFound, err)
		return
	}
	end, err := s.begin()
	if err != nil {
		refuse(w, http.StatusServiceUnavailable, err)
		return
	}
	defer end()
	ctx, cancel := context.WithTimeout(r.Context(), dialTimeout)
	defer cancel()
	inside, err := h.DialContext(ctx, "tcp", s.located(h, address))
	if err != nil {
		refuse(w, dialStatus(err), err)
		return
	}
	defer inside.Close()
	outside, early, err := upgrade(w, dialProtocol)
	if err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	defer outside.Close()
	stop := context.AfterFunc(s.running, func() { outside.Close(); inside.Close() })
	defer stop()
	if _, err := inside.Write(early); err != nil {
		return
	}
	splice(inside, outside)
}

// located puts a declared host's address in the place of its bare name, which
// names of the network may lack; other names are left to them.
func (s *System) located(from *live.Host, address string) string {
	name, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	h, err := s.Net.Host(name)
	if err != nil || !h.Declared() {
		return address
	}
	for _, a := range h.Addrs() {
		for _, own := range from.Addrs() {
			if a.Is4() == own.Is4() {
				return net.JoinHostPort(a.String(), port)
			}
		}
	}
	return address
}

// The ways in which a connection cannot be made, as statuses of HTTP.
const (
	statusDenied      = http.StatusForbidden
	statusRefused     = http.StatusBadGateway
	statusTimeout     = http.StatusGatewayTimeout
	statusUnreachable = http.StatusServiceUnavailable
)

func dialStatus(err error) int {
	var denied *live.DeniedError
	var timeout net.Error
	switch {
	case errors.As(err, &denied):
		return statusDenied
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return statusTimeout
	case errors.Is(err, syscall.ECONNREFUSED):
		return statusRefused
	}
	return statusUnreachable
}

// DialError is a connection inside the network that could not be made.
type DialError struct {
	From, Address string
	status        int
	text          string
}

// Error says what failed.
func (e *DialError) Error() string {
	return fmt.Sprintf("from %s to %s: %s", e.From, e.Address, e.text)
}

// Dial makes a TCP connection from a host of the running network to an address
// there; names are the network's.
func (r *Remote) Dial(ctx context.Context, from, address string) (net.Conn, error) {
	q := url.Values{"from": {from}, "address": {address}}
	c, err := r.Upgrade(ctx, "/v1/dial?"+q.Encode(), dialProtocol)
	var refused *refusedError
	if errors.As(err, &refused) {
		return nil, &DialError{From: from, Address: address, status: refused.status, text: refused.text}
	}
	return c, err
}

// at handles the question whether connections can be made from a host.
func (s *System) at(w http.ResponseWriter, r *http.Request) {
	if _, err := s.Net.Host(r.URL.Query().Get("host")); err != nil {
		refuse(w, http.StatusNotFound, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// wait handles a request that is answered when the network ends.
func (s *System) wait(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush()
	select {
	case <-s.running.Done():
	case <-r.Context().Done():
	}
}

// Has fails if the running network has no host of a name, and says which it has.
func (r *Remote) Has(ctx context.Context, host string) error {
	body, err := r.Stream(ctx, http.MethodGet, "/v1/host?"+url.Values{"host": {host}}.Encode(), nil)
	if err != nil {
		return err
	}
	return body.Close()
}

// Wait returns when ctx ends, or with [ErrNetworkEnded] when the running network
// does.
func (r *Remote) Wait(ctx context.Context) error {
	body, err := r.Stream(ctx, http.MethodGet, "/v1/wait", nil)
	if err == nil {
		_, _ = io.Copy(io.Discard, body)
		body.Close()
		err = ErrNetworkEnded
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// splice copies both ways until both have ended, passing on the end of each.
func splice(a, b net.Conn) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		flow(a, b)
	}()
	flow(b, a)
	<-done
}

// flow copies one way. An error ends both ways, the end of what is read only the
// one.
func flow(to, from net.Conn) {
	_, err := io.Copy(to, from)
	if half, ok := to.(interface{ CloseWrite() error }); ok && err == nil {
		if half.CloseWrite() == nil {
			return
		}
	}
	to.Close()
	from.Close()
}
