package gateway

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// breakingMember reads requests and ends the connection instead of answering; on
// every connection it answers as many before as given. It counts what it left without
// an answer.
func breakingMember(t *testing.T, answers int) (Member, *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	broken := &atomic.Int64{}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				in := bufio.NewReader(c)
				for n := 0; ; n++ {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, r.Body)
					if n >= answers && r.Header.Get("User-Agent") != "cerulean-probe" {
						broken.Add(1)
						return
					}
					fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
				}
			}()
		}
	}()
	at := netip.MustParseAddrPort(l.Addr().String())
	return Member{Host: at.Addr().String(), Port: at.Port()}, broken
}

// ways are targets that take the short way and net/http's.
var ways = map[string]string{"short": "http://a/x", "long": "http://a/%78"}

// One that does not answer in time leaves the request to a second member, no third;
// 504 if that does not answer either ("Troubleshoot bad gateway errors", version 2). What
// may not be sent twice is not (RFC 9110, 9.2.2).
func TestLate(t *testing.T) {
	for way, url := range ways {
		for _, tt := range []struct {
			method       string
			silent       int64 // requests without an answer, of the first
			status, asks int
		}{
			{"GET", 9, 504, 2},
			{"POST", 9, 504, 1},
			{"GET", 1, 200, 2},
			{"PUT", 1, 200, 2},
		} {
			t.Run(fmt.Sprintf("%s %s %d", way, tt.method, tt.silent), func(t *testing.T) {
				t.Parallel()
				var asked atomic.Int64
				var members []Member
				for range 3 {
					members = append(members, backendServer(t, "m", func(w http.ResponseWriter, r *http.Request) {
						if r.Header.Get("User-Agent") == "cerulean-probe" {
							return
						}
						_, _ = io.Copy(io.Discard, r.Body)
						if asked.Add(1) <= tt.silent {
							<-r.Context().Done()
						}
					}))
				}
				c := simple(members...)
				c.Settings[0].Timeout = time.Second
				if tt.status == 200 {
					c.Settings[0].Timeout = 3 * time.Second // enough for an answer
				}
				g := start(t, c)
				req, err := http.NewRequest(tt.method, url, strings.NewReader(map[bool]string{true: "body"}[tt.method != "GET"]))
				if err != nil {
					t.Fatal(err)
				}
				resp, err := g.client("0.0.0.0:80", nil).Do(req)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if resp.StatusCode != tt.status || asked.Load() != int64(tt.asks) {
					t.Errorf("%s, %d members asked; want %d, %d", resp.Status, asked.Load(), tt.status, tt.asks)
				}
			})
		}
	}
}

// A connection that is lost without an answer costs no request that may be sent twice
// (RFC 9110, 9.2.2): another member is asked, one only.
func TestLostConnection(t *testing.T) {
	for way, url := range ways {
		for _, tt := range []struct {
			method, body string
			status       int
		}{
			{"GET", "", 200},
			{"HEAD", "", 200},
			{"DELETE", "", 200},
			{"PUT", "", 200},
			{"PUT", "x", 200},
			{"POST", "", 502},
			{"PATCH", "x", 502},
			{"POST", "x", 502},
		} {
			breaks, _ := breakingMember(t, 0)
			g := start(t, simple(breaks, backendServer(t, "one", nil)))
			seen := 200
			for range 2 { // each member's turn
				req, _ := http.NewRequest(tt.method, url, strings.NewReader(tt.body))
				resp, err := g.client("0.0.0.0:80", nil).Do(req)
				if err != nil {
					t.Fatal(way, tt.method, err)
				}
				resp.Body.Close()
				seen = max(seen, resp.StatusCode)
			}
			if seen != tt.status {
				t.Errorf("%s way: %s: %d, want %d", way, tt.method, seen, tt.status)
			}
		}
		var members []Member
		var broken []*atomic.Int64
		for range 4 {
			m, n := breakingMember(t, 0)
			members, broken = append(members, m), append(broken, n)
		}
		g := start(t, simple(members...))
		if resp, _ := get(t, g.client("0.0.0.0:80", nil), url); resp.StatusCode != 502 {
			t.Errorf("%s way: %s", way, resp.Status)
		}
		sum := int64(0)
		for _, n := range broken {
			sum += n.Load()
		}
		if sum != 2 {
			t.Errorf("%s way: %d members were asked, want 2", way, sum)
		}
	}
}

// A connection that ended while it waited costs no such request either, even if there
// is no other member.
func TestWaitedConnection(t *testing.T) {
	for way, url := range ways {
		m, broken := breakingMember(t, 1)
		g := start(t, simple(m))
		client := g.client("0.0.0.0:80", nil)
		for range 20 {
			for _, method := range []string{"GET", "PUT", "DELETE", "HEAD"} {
				body := ""
				if method == "PUT" {
					body = "x"
				}
				req, _ := http.NewRequest(method, url, strings.NewReader(body))
				resp, err := client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if resp.StatusCode != 200 {
					t.Errorf("%s way: %s: %d", way, method, resp.StatusCode)
				}
			}
		}
		if broken.Load() == 0 {
			t.Errorf("%s way: no connection was used again", way)
		}
	}
}

// A member that cannot be reached costs nobody a request, whatever its body: the next
// one gets all of it.
func TestBodyForTheNext(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := netip.MustParseAddrPort(l.Addr().String())
	l.Close()
	echo := backendServer(t, "echo", func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		_, _ = w.Write(b)
	})
	g := start(t, simple(Member{Host: dead.Addr().String(), Port: dead.Port()}, echo))
	large := strings.Repeat("x", 2*fastBody)
	for range 4 {
		for name, body := range map[string]io.Reader{"a length": strings.NewReader(large), "chunks": io.MultiReader(strings.NewReader(large))} {
			resp, err := g.client("0.0.0.0:80", nil).Post("http://a/", "text/plain", body)
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != 200 || string(b) != large {
				t.Errorf("%s: %d, %d bytes", name, resp.StatusCode, len(b))
			}
		}
	}
}
