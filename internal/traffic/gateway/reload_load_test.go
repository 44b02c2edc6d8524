package gateway

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"
)

// countedConn is a connection to a member, as long as it is open.
type countedConn struct {
	*net.TCPConn
	open *atomic.Int64
	once sync.Once
}

func (c *countedConn) Close() error {
	c.once.Do(func() { c.open.Add(-1) })
	return c.TCPConn.Close()
}

// echoing is a member that echoes what comes: bodies as they come, messages of
// WebSocket, also over HTTP/2 without TLS.
func echoing(t testing.TB, name string) Member {
	up := gorilla.Upgrader{}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			c, err := up.Upgrade(w, r, nil)
			if err != nil {
				return
			}
			defer c.Close()
			for {
				kind, b, err := c.ReadMessage()
				if err != nil || c.WriteMessage(kind, b) != nil {
					return
				}
			}
		}
		w.Header().Set("X-Server", name)
		control := http.NewResponseController(w)
		_ = control.EnableFullDuplex()
		if strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
			_ = control.Flush() // the head comes first
		}
		b := make([]byte, 1024)
		for {
			n, err := r.Body.Read(b)
			if _, werr := w.Write(b[:n]); werr != nil || err != nil {
				return
			}
			_ = control.Flush()
		}
	}))
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP1(true)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	t.Cleanup(s.Close)
	a := netip.MustParseAddrPort(s.Listener.Addr().String())
	return Member{Host: a.Addr().String(), Port: a.Port()}
}

// Reloads of every kind under load of every protocol cost nobody a request, a message
// or a stream, and leave nothing behind. RELOADS says how many.
func TestReloadUnderLoad(t *testing.T) {
	reloads := 16
	if n, err := strconv.Atoi(os.Getenv("RELOADS")); err == nil {
		reloads = n
	}
	members := []Member{echoing(t, "one"), echoing(t, "two"), echoing(t, "three")}
	c, secure := everywhere(t, members[0])
	first := c.Listeners[1].Certificates
	other, _ := certificate(t, "shop.example")
	secure.RootCAs.AddCert(other.Leaf)
	c.Probes = []Probe{{Name: "p", Protocol: HTTP, Path: "/", Host: "a", Interval: 20 * time.Second}}
	c.Settings[0].Probe = "p"

	var open atomic.Int64
	g := anywhere(t, c, func(o *Options) {
		o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			open.Add(1)
			return &countedConn{TCPConn: c.(*net.TCPConn), open: &open}, nil
		}
	})

	var stop atomic.Bool
	var all sync.WaitGroup
	var done atomic.Int64
	load := func(name string, once func() error) {
		all.Go(func() {
			for !stop.Load() {
				if err := once(); err != nil {
					t.Errorf("%s: %v", name, err)
					return
				}
				done.Add(1)
			}
		})
	}
	for name, tr := range g.speakers(t, secure) {
		load(name, func() error {
			resp, err := tr.RoundTrip(g.request(t.Context(), name, "GET", "x", nil))
			return is(resp, err, "")
		})
		load(name+" with a body", func() error {
			resp, err := tr.RoundTrip(g.request(t.Context(), name, "POST", "y", strings.NewReader("hello")))
			return is(resp, err, "hello")
		})
	}
	fresh := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		g.mu.Lock()
		at := g.at["0.0.0.0:80"]
		g.mu.Unlock()
		return new(net.Dialer).DialContext(ctx, network, at)
	}, DisableKeepAlives: true}
	load("a connection for each request", func() error {
		resp, err := fresh.RoundTrip(g.request(t.Context(), "HTTP/1.1", "PUT", "z", strings.NewReader("z")))
		return is(resp, err, "z")
	})
	g.mu.Lock()
	plain := g.at["0.0.0.0:80"]
	g.mu.Unlock()
	talk, _, err := gorilla.DefaultDialer.Dial("ws://"+plain+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	load("WebSocket", func() error {
		if err := talk.WriteMessage(gorilla.TextMessage, []byte("hi")); err != nil {
			return err
		}
		_, b, err := talk.ReadMessage()
		if err == nil && string(b) != "hi" {
			err = fmt.Errorf("an echo of %q", b)
		}
		return err
	})
	// A stream as gRPC has it: both directions at once, as long as the test.
	say, said := io.Pipe()
	streamed := g.request(t.Context(), "HTTP/2", "POST", "stream", say)
	streamed.Header.Set("Content-Type", "application/grpc")
	streamed.Header.Set("Te", "trailers")
	stream, err := g.speakers(t, secure)["HTTP/2"].RoundTrip(streamed)
	if err != nil || stream.StatusCode != 200 {
		t.Fatal(stream, err)
	}
	lines := bufio.NewReader(stream.Body)
	load("stream", func() error {
		fmt.Fprintln(said, "line")
		s, err := lines.ReadString('\n')
		if err == nil && s != "line\n" {
			err = fmt.Errorf("an echo of %q", s)
		}
		return err
	})

	port := uint16(8000)
	for i := range reloads {
		for n := done.Load(); done.Load() < n+10 && !t.Failed(); { // some in each
			runtime.Gosched()
		}
		next := *c
		next.Listeners = append([]Listener(nil), c.Listeners...)
		next.Rules = append([]Rule(nil), c.Rules...)
		next.Settings = append([]Settings(nil), c.Settings...)
		next.Probes = append([]Probe(nil), c.Probes...)
		next.Pools = append([]Pool(nil), c.Pools...)
		switch i % 8 {
		case 0: // a certificate
			if next.Listeners[1].Certificates = first; i%16 == 0 {
				next.Listeners[1].Certificates = []tls.Certificate{other}
			}
		case 1: // the members of a pool
			next.Pools[0].Members = []Member{members[i/8%3]}
			next.Settings[0].Drain = 0
		case 2: // a policy
			next.Rules[0].Default.Policy.RateLimit = &RateLimit{Requests: 1000000, Per: time.Second, Burst: 1000000, By: "all"}
		case 3: // settings: another backend
			next.Settings[0].Timeout += time.Second
		case 4: // a probe
			next.Probes[0].Interval += time.Second
		case 5: // a listener is added
			extra := next.Listeners[1]
			extra.Name, extra.Address = "extra", netip.MustParseAddrPort("0.0.0.0:444")
			next.Listeners = append(next.Listeners, extra)
			next.Rules = append(next.Rules, Rule{Name: "extra", Priority: 3, Listener: "extra", Default: c.Rules[0].Default})
		case 6: // and moved
			port++
			next.Listeners[2].Address = netip.AddrPortFrom(netip.IPv4Unspecified(), port)
		case 7: // and removed
			next.Listeners, next.Rules = next.Listeners[:2], next.Rules[:2]
		}
		if err := g.Load(&next); err != nil {
			t.Fatal(err)
		}
		c = &next
	}
	stop.Store(true)
	all.Wait()
	said.Close()
	_, _ = io.Copy(io.Discard, stream.Body)
	talk.Close()
	t.Log(done.Load(), "requests and messages,", reloads, "reloads")
	for left := 1; left > 0; runtime.Gosched() { // what the reloads ended has ended
		g.Server.mu.Lock()
		left = len(g.retired) + len(g.sockets) - 1
		g.Server.mu.Unlock()
	}
	g.Close(time.Millisecond)
	ended(t)
	for open.Load() > 0 {
		runtime.Gosched()
	}
}

// is says in what an answer is not an echo.
func is(resp *http.Response, err error, want string) error {
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && (resp.StatusCode != 200 || string(b) != want) {
		err = fmt.Errorf("%s %q, want %q", resp.Status, b, want)
	}
	return err
}

// A listener that moves to another port answers what is under way at the old one, of
// every protocol, and HTTP/3 that is turned off and on again does as well.
func TestReloadMoves(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	m := backendServer(t, "slow", func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/slow") {
			begun <- struct{}{}
			<-release
		}
		fmt.Fprint(w, "answered")
	})
	moved := func(c *Config) *Config {
		next := *c
		next.Listeners = append([]Listener(nil), c.Listeners...)
		next.Listeners[0].Address = netip.MustParseAddrPort("0.0.0.0:8080")
		next.Listeners[1].Address = netip.MustParseAddrPort("0.0.0.0:8443")
		return &next
	}
	without := func(c *Config) *Config {
		next := *c
		next.Listeners = append([]Listener(nil), c.Listeners...)
		next.Listeners[1].HTTP3 = false
		return &next
	}
	back := func(c *Config) *Config { return c }
	for name, steps := range map[string][]func(*Config) *Config{
		"port": {moved}, "port and back": {moved, back}, "HTTP/3 off": {without}, "HTTP/3 off and on": {without, back},
	} {
		t.Run(name, func(t *testing.T) {
			c, secure := everywhere(t, m)
			g := anywhere(t, c, func(*Options) {})
			defer g.Close(time.Millisecond)
			speakers := g.speakers(t, secure)
			answers := make(chan error)
			for name, tr := range speakers {
				req := g.request(t.Context(), name, "GET", "slow", nil)
				go func() {
					resp, err := tr.RoundTrip(req)
					if err = is(resp, err, "answered"); err != nil {
						err = fmt.Errorf("%s: %w", name, err)
					}
					answers <- err
				}()
				<-begun
			}
			for _, step := range steps {
				if err := g.Load(step(c)); err != nil {
					t.Fatal(err)
				}
			}
			for range speakers {
				release <- struct{}{}
			}
			for range speakers {
				if err := <-answers; err != nil {
					t.Error(err)
				}
			}
			if g.Router().config != c {
				return
			}
			// As before: for clients that come now.
			for name, tr := range g.speakers(t, secure) {
				resp, err := tr.RoundTrip(g.request(t.Context(), name, "GET", "again", nil))
				if err := is(resp, err, "answered"); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
}
