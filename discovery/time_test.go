package discovery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// bubble is a registry and its client over connections in memory, within a bubble
// whose time is its own.
type bubble struct {
	*Client
	registry *Registry
	began    time.Time

	mu     sync.Mutex
	down   bool // connections cannot be made
	conns  []net.Conn
	served chan net.Conn
}

func newBubble(t *testing.T, history int) *bubble {
	b := &bubble{registry: New(history), began: time.Now(), served: make(chan net.Conn)}
	server := &http.Server{Handler: Handler(b.registry, Options{}), ErrorLog: log.New(io.Discard, "", 0)}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(b) }()
	transport := &http.Transport{DialContext: b.dial}
	b.Client = &Client{URL: "http://registry", HTTP: &http.Client{Transport: transport}}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
		<-done
	})
	return b
}

func (b *bubble) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.down {
		return nil, errors.New("nobody is there")
	}
	client, server := net.Pipe()
	select {
	case b.served <- server:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	b.conns = append(b.conns, server)
	return client, nil
}

// cut ends all connections; none are made until the network is whole again.
func (b *bubble) cut(down bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.down = down
	for _, c := range b.conns {
		_ = c.Close()
	}
	b.conns = nil
}

// Accept implements [net.Listener].
func (b *bubble) Accept() (net.Conn, error) {
	c, ok := <-b.served
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

// Close implements [net.Listener].
func (b *bubble) Close() error { close(b.served); return nil }

// Addr implements [net.Listener].
func (b *bubble) Addr() net.Addr { return &net.UnixAddr{Name: "bubble"} }

// heard notes what a follower hears and when.
type heard struct {
	mu    sync.Mutex
	lines []string
}

func (h *heard) follow(ctx context.Context, b *bubble) {
	_ = b.Follow(ctx, "web", func(list []Instance) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.lines = append(h.lines, fmt.Sprintf("%s: %s", time.Since(b.began), ids(list)))
	})
}

func (h *heard) want(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.lines) != len(want) {
		t.Fatalf("heard %q\nwant %q", h.lines, want)
	}
	for i := range want {
		if h.lines[i] != want[i] {
			t.Errorf("heard %q\nwant %q", h.lines, want)
		}
	}
}

// A lease that nobody renews ends at its time, for those who watch, too.
func TestLeaseEndsForWatchers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, h := newBubble(t, 0), &heard{}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go h.follow(ctx, b)
		synctest.Wait()
		if _, _, err := b.registry.Register(time.Now(), web("a"), 7*time.Second, ""); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		h.want(t, "0s: ", "0s: a", "7s: ")
	})
}

// One who registers keeps its lease by renewing it, says how it is, and goes when
// its program ends.
func TestRegistrationKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, h := newBubble(t, 0), &heard{}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go h.follow(ctx, b)
		synctest.Wait()
		own, end := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- b.Register(own, web("a"), 9*time.Second, func() Health {
				if time.Since(b.began) < 11*time.Second {
					return Passing
				}
				return Critical
			})
		}()
		time.Sleep(10 * time.Second)
		if list := b.registry.List(time.Now(), "web").Instances; len(list) != 1 || list[0].Health != Passing {
			t.Fatalf("%+v", list)
		}
		time.Sleep(3 * time.Second)
		if list := b.registry.List(time.Now(), "web").Instances; len(list) != 1 || list[0].Health != Critical {
			t.Fatalf("%+v", list)
		}
		end()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		h.want(t, "0s: ", "0s: a", "12s: a", "13s: ")
	})
}

// A follower that was cut off hears of the newest state when it is back, and goes
// on from the version it had; what happened meanwhile is not lost.
func TestWatchResumes(t *testing.T) {
	for _, history := range []int{0, 1} { // kept, and forgotten meanwhile
		synctest.Test(t, func(t *testing.T) {
			b, h := newBubble(t, history), &heard{}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			lease, _, err := b.registry.Register(time.Now(), web("a"), time.Hour, "")
			if err != nil {
				t.Fatal(err)
			}
			go h.follow(ctx, b)
			synctest.Wait()
			b.cut(true)
			time.Sleep(10 * time.Second)
			for _, id := range []string{"b", "c"} {
				if _, _, err := b.registry.Register(time.Now(), web(id), time.Hour, ""); err != nil {
					t.Fatal(err)
				}
			}
			if err := b.registry.Deregister(time.Now(), "web", "a", lease); err != nil {
				t.Fatal(err)
			}
			b.cut(false)
			time.Sleep(time.Second)
			synctest.Wait()
			h.mu.Lock()
			defer h.mu.Unlock()
			if h.lines[0] != "0s: a" || !strings.HasSuffix(h.lines[len(h.lines)-1], ": b c") {
				t.Errorf("with %d changes kept: heard %q", history, h.lines)
			}
		})
	}
}
