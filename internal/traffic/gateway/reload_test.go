package gateway

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// Another configuration takes over without a request lost; a wrong one changes
// nothing.
func TestReload(t *testing.T) {
	hold, release := make(chan struct{}), make(chan struct{})
	slow := backendServer(t, "slow", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(hold)
			<-release
		}
		fmt.Fprint(w, "slow")
	})
	g := start(t, simple(slow))
	client := g.client("0.0.0.0:80", nil)
	answer := make(chan string, 1)
	go func() {
		_, body := get(t, client, "http://a/slow")
		answer <- body
	}()
	<-hold
	wrong := simple(slow)
	wrong.Rules[0].Default.Pool = "x"
	if err := g.Load(wrong); err == nil {
		t.Error("a wrong configuration is taken")
	}
	var stop atomic.Bool
	var failed atomic.Int64
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			for !stop.Load() {
				resp, err := client.Get("http://a/")
				if err != nil || resp.StatusCode != 200 {
					failed.Add(1)
				}
				if err == nil {
					io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
			}
		})
	}
	for i := range 20 {
		c := simple(backendServer(t, fmt.Sprint("new", i), nil))
		if i%2 == 0 {
			c.Listeners = append(c.Listeners, Listener{Name: "more", Protocol: HTTP, Address: netip.MustParseAddrPort("0.0.0.0:81")})
			c.Rules = append(c.Rules, Rule{Name: "more", Priority: 2, Listener: "more", Default: c.Rules[0].Default})
		}
		if err := g.Load(c); err != nil {
			t.Fatal(err)
		}
	}
	stop.Store(true)
	all.Wait()
	if n := failed.Load(); n > 0 {
		t.Errorf("%d requests failed during reloads", n)
	}
	close(release)
	if body := <-answer; body != "slow" {
		t.Error("the request under way:", body)
	}
	if _, body := get(t, client, "http://a/"); !strings.HasPrefix(body, "new19") {
		t.Error(body)
	}
}

// A listener that changes its protocol at the same port speaks the other from then on.
// A connection from before does not get around TLS.
func TestReloadProtocol(t *testing.T) {
	plain := simple(backendServer(t, "one", nil))
	g := start(t, plain)
	at := g.real("0.0.0.0:80")
	cert, roots := certificate(t, "shop.example")
	secure := *plain
	secure.Listeners = []Listener{{Name: "all", Protocol: HTTPS, Address: front80, Certificates: []tls.Certificate{cert}}}
	newClient := func() *http.Client {
		tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "shop.example"}, ForceAttemptHTTP2: true}
		t.Cleanup(tr.CloseIdleConnections)
		return &http.Client{Transport: tr}
	}
	asks := func(c *http.Client, url string, want int) {
		t.Helper()
		resp, err := c.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", url, resp.StatusCode, want)
		}
	}
	kept, strange := newClient(), newClient() // of which one takes the short way, the other net/http's
	odd := "http://" + at + "/%61"
	for range 2 {
		asks(kept, "http://"+at+"/", 200)
		asks(strange, odd, 200)
		if err := g.Load(&secure); err != nil {
			t.Fatal(err)
		}
		asks(kept, "http://"+at+"/", 421)
		asks(strange, odd, 421)
		asks(newClient(), "http://"+at+"/", 400) // RFC 9110 has no word for it; as nginx
		after := newClient()
		asks(after, "https://"+at+"/", 200)
		if err := g.Load(plain); err != nil {
			t.Fatal(err)
		}
		asks(after, "https://"+at+"/", 200) // a connection that is better than asked for
		asks(newClient(), "http://"+at+"/", 200)
	}
}
