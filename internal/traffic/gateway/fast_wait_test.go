package gateway

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"
)

// hangingMember says when it was asked and when the connection it was asked by ended.
func hangingMember(t *testing.T) (m Member, asked chan string, ended chan struct{}) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	asked, ended = make(chan string, 10), make(chan struct{}, 10)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				r := bufio.NewReader(c)
				req, err := http.ReadRequest(r)
				if err != nil || req.URL.Path == "/" { // a probe's
					return
				}
				if req.URL.Path == "/stream" {
					_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
				}
				asked <- req.URL.Path
				_, _ = r.ReadByte()
				ended <- struct{}{}
			}()
		}
	}()
	a := netip.MustParseAddrPort(l.Addr().String())
	return Member{Host: a.Addr().String(), Port: a.Port()}, asked, ended
}

// A client that leaves while its answer is awaited is noticed, and the member's
// request ends with it: before the answer, and in the middle of it; with TLS too.
func TestClientLeaves(t *testing.T) {
	for name, secure := range map[string]bool{"plain": false, "TLS": true} {
		for _, path := range []string{"/wait", "/stream"} {
			t.Run(name+path, func(t *testing.T) {
				m, asked, ended := hangingMember(t)
				c := unprobed(m)
				if secure {
					cert, _ := certificate(t, "127.0.0.1")
					c.Listeners[0].Protocol, c.Listeners[0].Certificates = HTTPS, []tls.Certificate{cert}
				}
				g := startWith(t, c, func(*Options) {})
				conn, err := net.Dial("tcp", g.real("0.0.0.0:80"))
				if err != nil {
					t.Fatal(err)
				}
				if secure {
					conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
				}
				if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
					t.Fatal(err)
				}
				<-asked
				conn.Close()
				<-ended
				<-g.told
				g.mu.Lock()
				defer g.mu.Unlock()
				if r := g.records[0]; path == "/wait" && r.HTTPStatus != clientClosed {
					t.Errorf("%+v", r)
				}
			})
		}
	}
}

// unprobed is simple with members that are asked for their health only once.
func unprobed(m Member) *Config {
	c := simple(m)
	c.Probes = []Probe{{Name: "p", Protocol: HTTP, Path: "/", Host: "x", Interval: time.Hour, Threshold: 20}}
	c.Settings[0].Probe = "p"
	return c
}

// What a client sends while its answer is awaited is its next request.
func TestPipelinedWhileAwaited(t *testing.T) {
	go1 := make(chan struct{})
	m := backendServer(t, "one", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/1" {
			<-go1
		}
		_, _ = io.WriteString(w, r.URL.Path)
	})
	g := startWith(t, simple(m), func(o *Options) { o.OnRequest = nil })
	conn, err := net.Dial("tcp", g.real("0.0.0.0:80"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r := bufio.NewReader(conn)
	for _, send := range []string{"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n", "GET /2 HTTP/1.1\r\n", "Host: a\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n"} {
		_, _ = io.WriteString(conn, send)
		runtime.Gosched()
	}
	close(go1)
	for _, want := range []string{"/1", "/2", "/3"} {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(resp.Body); err != nil || string(b) != want {
			t.Fatal(string(b), err)
		}
	}
}

// pausing is a connection whose deadlines for reading are over when the test says so,
// once as much was read as there will be.
type pausing struct {
	net.Conn
	lapse chan struct{}
	left  int
}

func (p *pausing) Read(b []byte) (int, error) {
	type got struct {
		n   int
		err error
	}
	c := make(chan got, 1)
	go func() {
		n, err := p.Conn.Read(b)
		c <- got{n, err}
	}()
	lapse := p.lapse
	if p.left > 0 {
		lapse = nil
	}
	select {
	case x := <-c:
		p.left -= x.n
		return x.n, x.err
	case <-lapse:
		_ = p.Conn.SetReadDeadline(past)
		x := <-c
		return x.n, x.err
	}
}

type pausingListener struct {
	net.Listener
	lapse chan struct{}
	size  int
}

func (l *pausingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &pausing{c, l.lapse, l.size}, nil
}

// A request that does not come in time gets 408 ("HTTP response codes in Application
// Gateway"): its head, or its body, short or long.
func TestSlowRequests(t *testing.T) {
	for name, send := range map[string]string{
		"head":         "GET / HTTP/1.1\r\nHost: a\r\n",
		"short body":   "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf",
		"long body":    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nhalf",
		"chunked body": "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
	} {
		if longWay && name == "head" {
			continue // net/http closes without a word
		}
		t.Run(name, func(t *testing.T) {
			m := backendServer(t, "one", func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
			lapse := make(chan struct{})
			g := startWith(t, simple(m), func(o *Options) {
				listen := o.Listen
				o.Listen = func(ctx context.Context, network, address string) (net.Listener, error) {
					l, err := listen(ctx, network, address)
					return &pausingListener{l, lapse, len(send)}, err
				}
			})
			conn, err := net.Dial("tcp", g.real("0.0.0.0:80"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, send); err != nil {
				t.Fatal(err)
			}
			read := make(chan struct{})
			var b []byte
			go func() {
				defer close(read)
				b, err = io.ReadAll(conn)
			}()
			for waiting := true; waiting; {
				select {
				case lapse <- struct{}{}:
				case <-read:
					waiting = false
				}
			}
			if !strings.HasPrefix(string(b), "HTTP/1.1 408 ") || !strings.Contains(string(b), "Connection: close") {
				t.Errorf("%q, %v", b, err)
			}
			<-g.told
			g.mu.Lock()
			defer g.mu.Unlock()
			if r := g.records[0]; r.HTTPStatus != http.StatusRequestTimeout {
				t.Errorf("%+v", r)
			}
		})
	}
}
