package gateway

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"testing"
	"time"
)

// A gateway that ends closes what waits: clients' connections and those to members.
func TestCloseEndsWhatWaits(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ended, probed := make(chan error, 10), make(chan struct{}, 10)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				r := bufio.NewReader(c)
				for {
					req, err := http.ReadRequest(r)
					if err != nil {
						// A probe may go without having read what came.
						if err == io.EOF || errors.Is(err, syscall.ECONNRESET) {
							err = nil
						}
						ended <- err
						return
					}
					if req.Host == "x" {
						probed <- struct{}{}
					}
					_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
				}
			}()
		}
	}()
	a := netip.MustParseAddrPort(l.Addr().String())
	c := simple(Member{Host: a.Addr().String(), Port: a.Port()})
	c.Probes = []Probe{{Name: "p", Protocol: HTTP, Path: "/", Host: "x", Interval: time.Hour}}
	c.Settings[0].Probe = "p"
	g := startWith(t, c, func(o *Options) { o.OnRequest = nil })
	conn, err := net.Dial("tcp", g.real("0.0.0.0:80"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r := bufio.NewReader(conn)
	for range 3 {
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(resp.Body); string(b) != "ok" || err != nil {
			t.Fatal(string(b), err)
		}
	}
	<-probed
	g.Close(10 * time.Second)
	if _, err := r.ReadByte(); err != io.EOF {
		t.Error("the client's connection:", err)
	}
	for range 2 { // the probe's and the requests'
		if err := <-ended; err != nil {
			t.Error("the member's connection:", err)
		}
	}
}

// A member that breaks off its answer, or speaks something else, is not trusted: the
// client sees a broken connection or a 502.
func TestBrokenMember(t *testing.T) {
	for name, test := range map[string]struct{ answer, want string }{
		"no HTTP":            {"SSH-2.0-x\r\n\r\n", "502"},
		"smuggling":          {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nokx", "502"},
		"closes":             {"", "502"},
		"half a head":        {"HTTP/1.1 200 OK\r\nContent-", "502"},
		"half a body":        {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "broken"},
		"half a chunk":       {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal", "broken"},
		"until it closes":    {"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nall", "200 all"},
		"switches protocols": {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", "502"},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					go func() {
						defer c.Close()
						if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
							_, _ = io.WriteString(c, test.answer)
						}
					}()
				}
			}()
			a := netip.MustParseAddrPort(l.Addr().String())
			c := simple(Member{Host: a.Addr().String(), Port: a.Port()})
			c.Probes = []Probe{{Name: "p", Protocol: HTTP, Path: "/", Host: "x", Interval: time.Hour, Threshold: 20}}
			c.Settings[0].Probe = "p"
			g := startWith(t, c, func(o *Options) { o.OnRequest = nil })
			resp, err := g.client("0.0.0.0:80", nil).Get("http://shop.example/x")
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			got := resp.Status[:3]
			switch {
			case err != nil:
				got = "broken"
			case resp.StatusCode == 200:
				got += " " + string(b)
			}
			if got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

// A gateway whose addresses lead elsewhere listens again.
func TestRebind(t *testing.T) {
	g := startWith(t, simple(backendServer(t, "one", nil)), func(o *Options) { o.OnRequest = nil })
	ask := func(conn net.Conn) error {
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			return err
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	}
	before := g.real("0.0.0.0:80")
	if err := g.Rebind(); err != nil {
		t.Fatal(err)
	}
	after := g.real("0.0.0.0:80")
	if before == after {
		t.Fatal("it listens where it did")
	}
	if _, err := net.Dial("tcp", before); err == nil {
		t.Error("it still listens where it did")
	}
	conn, err := net.Dial("tcp", after)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := ask(conn); err != nil {
		t.Error(err)
	}
}
