package gateway

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"
	"github.com/quic-go/quic-go/http3"
)

// ended waits until nothing of a gateway runs any more, and what it asked over has
// ended. Goroutines are there until they have left their last function.
func ended(t *testing.T) {
	t.Helper()
	b := make([]byte, 16<<20)
	for {
		left := false
		for g := range strings.SplitSeq(string(b[:runtime.Stack(b, true)]), "\n\n") {
			ours := strings.Contains(g, "traffic/gateway.(*") || strings.Contains(g, "http3.(*Server)")
			left = left || ours && !strings.Contains(g, "gateway.Test") && !strings.Contains(g, "backendServer")
		}
		if !left {
			return
		}
		runtime.Gosched()
	}
}

// anywhere is a gateway on loopback at ports that are free, which is not closed. HTTP/3
// gets the port again that it had.
func anywhere(t testing.TB, c *Config, change func(*Options)) *running {
	t.Helper()
	g := &running{at: map[string]string{}}
	o := Options{LongWay: longWay}
	o.Listen = func(_ context.Context, network, address string) (net.Listener, error) {
		l, err := net.Listen(network, "127.0.0.1:0")
		if err == nil {
			g.mu.Lock()
			g.at[address] = l.Addr().String()
			g.mu.Unlock()
		}
		return l, err
	}
	o.ListenPacket = func(_ context.Context, network, address string) (net.PacketConn, error) {
		g.mu.Lock()
		at := g.at["udp "+address]
		g.mu.Unlock()
		if at == "" {
			at = "127.0.0.1:0" // afterwards the same, as by a configuration
		}
		p, err := net.ListenPacket(network, at)
		if err == nil {
			g.mu.Lock()
			g.at["udp "+address] = p.LocalAddr().String()
			g.mu.Unlock()
		}
		return p, err
	}
	change(&o)
	g.Server = NewServer(o)
	if err := g.Load(c); err != nil {
		t.Fatal(err)
	}
	return g
}

// everywhere listens for HTTP at 80, and for HTTPS with HTTP/2 and HTTP/3 at 443.
func everywhere(t testing.TB, m ...Member) (*Config, *tls.Config) {
	cert, roots := certificate(t, "shop.example")
	c := simple(m...)
	c.Listeners = append(c.Listeners, Listener{
		Name: "secure", Protocol: HTTPS, Address: netip.MustParseAddrPort("0.0.0.0:443"), Certificates: []tls.Certificate{cert}, HTTP3: true,
	})
	c.Rules = append(c.Rules, Rule{Name: "secure", Priority: 2, Listener: "secure", Default: c.Rules[0].Default})
	return c, &tls.Config{RootCAs: roots, ServerName: "shop.example"}
}

// speakers returns a client of every protocol for "everywhere".
func (g *running) speakers(t testing.TB, secure *tls.Config) map[string]http.RoundTripper {
	dial := func(address string) func(context.Context, string, string) (net.Conn, error) {
		return func(ctx context.Context, network, _ string) (net.Conn, error) {
			g.mu.Lock()
			at := g.at[address]
			g.mu.Unlock()
			return new(net.Dialer).DialContext(ctx, network, at)
		}
	}
	one := secure.Clone()
	one.NextProtos = []string{"http/1.1"}
	out := map[string]http.RoundTripper{
		"HTTP/1.1":          &http.Transport{DialContext: dial("0.0.0.0:80")},
		"HTTP/1.1 over TLS": &http.Transport{DialContext: dial("0.0.0.0:443"), TLSClientConfig: one, TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}},
		"HTTP/2":            &http.Transport{DialContext: dial("0.0.0.0:443"), TLSClientConfig: secure.Clone(), ForceAttemptHTTP2: true},
		"HTTP/3":            &http3.Transport{TLSClientConfig: secure.Clone()},
	}
	t.Cleanup(func() {
		for _, tr := range out {
			(&http.Client{Transport: tr}).CloseIdleConnections()
		}
		out["HTTP/3"].(io.Closer).Close()
	})
	return out
}

// url is where a client of a protocol asks.
func (g *running) url(protocol string) string {
	switch protocol {
	case "HTTP/1.1":
		return "http://shop.example/"
	case "HTTP/3":
		g.mu.Lock()
		defer g.mu.Unlock()
		return "https://" + g.at["udp 0.0.0.0:443"] + "/"
	default:
		return "https://shop.example/"
	}
}

// request is a request of a protocol to a path, with the host that rules know.
func (g *running) request(ctx context.Context, protocol, method, path string, body io.Reader) *http.Request {
	req, err := http.NewRequestWithContext(ctx, method, g.url(protocol)+path, body)
	if err != nil {
		panic(err)
	}
	req.Host = "shop.example"
	return req
}

// Closing leaves nothing: neither requests of any protocol that never end, nor
// conversations, nor what a reload had ended before. Nobody is told anything after it.
func TestCloseEnds(t *testing.T) {
	for _, reloaded := range []bool{false, true} {
		t.Run(fmt.Sprintf("reloaded=%v", reloaded), func(t *testing.T) {
			begun := make(chan struct{}, 10)
			up := gorilla.Upgrader{}
			endless := backendServer(t, "endless", func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Upgrade") != "" {
					c, err := up.Upgrade(w, r, nil)
					if err != nil {
						t.Error(err)
						return
					}
					defer c.Close()
					begun <- struct{}{}
					_, _, _ = c.ReadMessage()
					return
				}
				if r.URL.Path == "/stream" {
					w.WriteHeader(200)
					_ = http.NewResponseController(w).Flush()
				}
				begun <- struct{}{}
				<-r.Context().Done()
			})
			var closed, late atomic.Bool
			c, secure := everywhere(t, endless)
			g := anywhere(t, c, func(o *Options) {
				o.OnRequest = func(*Record) {
					if closed.Load() {
						late.Store(true)
					}
				}
			})
			n := 0
			answers := make(chan struct{}, 20)
			for name, tr := range g.speakers(t, secure) {
				for _, path := range []string{"wait", "stream"} {
					n++
					req := g.request(t.Context(), name, "GET", path, nil)
					go func() {
						if resp, err := tr.RoundTrip(req); err == nil {
							_, _ = io.Copy(io.Discard, resp.Body)
							resp.Body.Close()
						}
						answers <- struct{}{}
					}()
					<-begun
				}
			}
			// A conversation, and a client that sends more while its answer streams.
			g.mu.Lock()
			plain := g.at["0.0.0.0:80"]
			g.mu.Unlock()
			talk, _, err := gorilla.DefaultDialer.Dial("ws://"+plain+"/", nil)
			if err != nil {
				t.Fatal(err)
			}
			defer talk.Close()
			<-begun
			eager, err := net.Dial("tcp", plain)
			if err != nil {
				t.Fatal(err)
			}
			defer eager.Close()
			fmt.Fprint(eager, "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
			<-begun
			head := make([]byte, 1)
			if _, err := io.ReadFull(eager, head); err != nil { // it streams
				t.Fatal(err)
			}
			fmt.Fprint(eager, "GET /more HTTP/1.1\r\nHost: a\r\n\r\n")
			if reloaded { // nothing of that listens any more
				other := simple(backendServer(t, "other", nil))
				other.Listeners[0].Address = netip.MustParseAddrPort("0.0.0.0:81")
				if err := g.Load(other); err != nil {
					t.Fatal(err)
				}
			}
			g.Close(time.Millisecond)
			closed.Store(true)
			ended(t)
			if late.Load() {
				t.Error("a request is told of after Close")
			}
			for range n {
				<-answers
			}
			if _, _, err := talk.ReadMessage(); err == nil {
				t.Error("the conversation goes on")
			}
			if _, err := io.Copy(io.Discard, eager); err != nil {
				t.Log(err) // a reset will do
			}
		})
	}
}
