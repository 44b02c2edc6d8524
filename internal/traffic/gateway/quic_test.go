package gateway

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"
)

// A listener that asks for HTTP/3 says so and serves it at its port; a reload that
// does not ask any more ends it, and the other protocols do not notice.
func TestHTTP3(t *testing.T) {
	m := backendServer(t, "one", func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		w.Header().Set("Trailer", "X-End")
		fmt.Fprintf(w, "%s %s %s proto=%s", r.Method, r.URL, b, r.Header.Get("X-Forwarded-Proto"))
		if r.Method == "GET" && len(b) == 0 && r.ContentLength != 0 {
			fmt.Fprint(w, " with a body")
		}
		w.Header().Set("X-End", "yes")
	})
	cert, roots := certificate(t, "shop.example")
	c := simple(m)
	c.Listeners[0].Protocol, c.Listeners[0].Certificates, c.Listeners[0].HTTP3 = HTTPS, []tls.Certificate{cert}, true
	udp := ""
	g := startWith(t, c, func(o *Options) {
		o.ListenPacket = func(_ context.Context, network, _ string) (net.PacketConn, error) {
			p, err := net.ListenPacket(network, "127.0.0.1:0")
			if err == nil {
				udp = p.LocalAddr().String()
			}
			return p, err
		}
	})
	client := g.client("0.0.0.0:80", &tls.Config{RootCAs: roots})
	resp, _ := get(t, client, "https://shop.example/")
	_, port, _ := net.SplitHostPort(udp)
	if offer := resp.Header.Get("Alt-Svc"); offer != `h3=":`+port+`"; ma=86400` {
		t.Fatal(offer)
	}
	tr := &http3.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "shop.example"}}
	defer tr.Close()
	method := "POST"
	ask := func(body string) (*http.Response, string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		req, _ := http.NewRequestWithContext(ctx, method, "https://"+udp+"/a?b", strings.NewReader(body))
		req.Host = "shop.example"
		resp, err := tr.RoundTrip(req)
		if err != nil {
			return nil, "", err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		return resp, string(b), err
	}
	resp, body, err := ask("hello")
	if err != nil || body != "POST /a?b hello proto=https" || resp.Trailer.Get("X-End") != "yes" || resp.Header.Get("Alt-Svc") != "" {
		t.Fatal(body, resp, err)
	}
	large := strings.Repeat("x", 1<<20)
	if _, body, err := ask(large); err != nil || !strings.Contains(body, large) {
		t.Error(len(body), err)
	}
	// A request without a body reaches the member as one, with a body also if it is a
	// GET: HTTP/3 does not need a length.
	method = "GET"
	for body, want := range map[string]string{"": "GET /a?b  proto=https", "x": "GET /a?b x proto=https"} {
		if _, got, err := ask(body); err != nil || got != want {
			t.Errorf("%q: %q, %v", body, got, err)
		}
		<-g.told
	}
	method = "POST"
	<-g.told
	<-g.told
	g.mu.Lock()
	if r := g.records[len(g.records)-1]; r.HTTPVersion != "HTTP/3.0" || r.SslProtocol != "TLS 1.3" {
		t.Errorf("%+v", r)
	}
	g.mu.Unlock()
	without := *c
	without.Listeners = []Listener{c.Listeners[0]}
	without.Listeners[0].HTTP3 = false
	before := g.fronts[c.Listeners[0].Address].quic
	if err := g.Load(&without); err != nil {
		t.Fatal(err)
	}
	tr.Close()
	<-before.done
	if resp, _ := get(t, client, "https://shop.example/"); resp.Header.Get("Alt-Svc") != "" {
		t.Error("still offered")
	}
	if err := g.Load(c); err != nil {
		t.Fatal(err)
	}
	tr2 := &http3.Transport{TLSClientConfig: tr.TLSClientConfig}
	defer tr2.Close()
	tr = tr2
	if _, body, err := ask("again"); err != nil || !strings.Contains(body, "again") {
		t.Error(body, err)
	}
}
