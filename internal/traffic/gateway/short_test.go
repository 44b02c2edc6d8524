package gateway

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Over HTTP/2, what members answer comes back the same, whichever way the request
// goes to them.
func TestHTTP2Answers(t *testing.T) {
	m := backendServer(t, "one", func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		switch r.URL.Path {
		case "/fields":
			h["X-Two"] = []string{"a", "b"}
			h.Set("Connection", "X-Hop")
			h.Set("X-Hop", "1")
			_, _ = io.WriteString(w, strings.Join(r.Header["X-Odd"], "|")+"|"+strings.Join(r.Header["Cookie"], "|")+"|"+r.Host+"|"+r.Header.Get("X-Forwarded-Proto")+"|"+r.RequestURI)
		case "/trailers":
			h.Set("Trailer", "X-Sum")
			_, _ = io.WriteString(w, "body")
			h.Set("X-Sum", "42")
		case "/long":
			for range 100 {
				_, _ = io.WriteString(w, strings.Repeat("x", 4096))
			}
		case "/sized":
			h.Set("Content-Length", "300000")
			_, _ = io.WriteString(w, strings.Repeat("y", 300000))
		case "/early":
			h.Set("Link", "</a>")
			w.WriteHeader(http.StatusEarlyHints)
			h.Del("Link")
			_, _ = io.WriteString(w, "late")
		case "/none":
			w.WriteHeader(http.StatusNoContent)
		case "/same":
			h.Set("Etag", `"x"`)
			w.WriteHeader(http.StatusNotModified)
		case "/echo":
			b, _ := io.ReadAll(r.Body)
			_, _ = w.Write(b)
		case "/broken":
			h.Set("Content-Length", "10")
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		case "/close":
			c, b, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_, _ = b.WriteString("HTTP/1.1 200 OK\r\n\r\nto the end")
				_ = b.Flush()
				c.Close()
			}
		}
	})
	cert, roots := certificate(t, "shop.example")
	c := simple(m)
	c.Listeners[0].Protocol, c.Listeners[0].Certificates = HTTPS, []tls.Certificate{cert}
	g := startWith(t, c, func(o *Options) { o.OnRequest = nil })
	client := g.client("0.0.0.0:80", &tls.Config{RootCAs: roots, ServerName: "shop.example"})
	client.Transport.(*http.Transport).DisableKeepAlives = false
	for range 3 { // the member's connections are used again
		for _, x := range []struct{ method, path, body, want string }{
			{"GET", "/fields?a=%20b", "", "200 1|2|a=1; b=2|shop.example|https|/fields?a=%20b two=a,b"},
			{"GET", "/trailers", "", "200 body sum=42"},
			{"GET", "/long", "", "200 " + strings.Repeat("x", 409600)},
			{"GET", "/sized", "", "200 " + strings.Repeat("y", 300000)},
			{"HEAD", "/sized", "", "200 length=300000"},
			{"GET", "/early", "", "200 late"},
			{"GET", "/none", "", "204 "},
			{"GET", "/same", "", `304 etag="x"`},
			{"POST", "/echo", "hello", "200 hello"},
			{"PUT", "/echo", strings.Repeat("z", 100000), "200 " + strings.Repeat("z", 100000)},
			{"POST", "/echo", "", "200 "},
			{"GET", "/broken", "", "broken"},
			{"GET", "/close", "", "200 to the end"},
		} {
			req, err := http.NewRequestWithContext(t.Context(), x.method, "https://shop.example"+x.path, strings.NewReader(x.body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header["X-Odd"] = []string{"1", "2"}
			req.Header["Cookie"] = []string{"a=1", "b=2"}
			resp, err := client.Do(req)
			if err != nil && x.want == "broken" {
				continue // before the head went out
			}
			if err != nil {
				t.Fatal(x.path, err)
			}
			b, err := io.ReadAll(resp.Body)
			got := resp.Status[:3] + " " + string(b)
			if err != nil {
				got = "broken"
			}
			if resp.ProtoMajor != 2 || resp.Header.Get("X-Hop") != "" || resp.Header.Get("Connection") != "" {
				t.Error(resp.Proto, resp.Header)
			}
			if two := resp.Header["X-Two"]; two != nil {
				got += " two=" + strings.Join(two, ",")
			}
			if x.method == "HEAD" {
				got += "length=" + resp.Header.Get("Content-Length")
			}
			if e := resp.Header.Get("Etag"); e != "" {
				got += "etag=" + e
			}
			if s := resp.Trailer.Get("X-Sum"); s != "" {
				got += " sum=" + s
			}
			if got != x.want {
				t.Errorf("%s %s: %.200s, want %.200s", x.method, x.path, got, x.want)
			}
			resp.Body.Close()
		}
	}
}

// A client that resets its stream ends what was begun at the member.
func TestHTTP2ClientLeaves(t *testing.T) {
	m, asked, ended := hangingMember(t)
	cert, roots := certificate(t, "shop.example")
	c := unprobed(m)
	c.Listeners[0].Protocol, c.Listeners[0].Certificates = HTTPS, []tls.Certificate{cert}
	g := startWith(t, c, func(*Options) {})
	client := g.client("0.0.0.0:80", &tls.Config{RootCAs: roots, ServerName: "shop.example"})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", "https://shop.example/wait", nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		<-asked
		cancel()
	}()
	if resp, err := client.Do(req); err == nil {
		resp.Body.Close()
		t.Fatal(resp.Status)
	}
	<-ended
	<-g.told
	g.mu.Lock()
	defer g.mu.Unlock()
	if r := g.records[0]; r.HTTPStatus != clientClosed {
		t.Errorf("%+v", r)
	}
}

// enableHttp2 false: clients that would like HTTP/2 get HTTP/1.1, with TLS and without.
func TestNoHTTP2(t *testing.T) {
	cert, roots := certificate(t, "shop.example")
	for name, secure := range map[string]bool{"plain": false, "TLS": true} {
		c := simple(backendServer(t, "one", nil))
		c.NoHTTP2 = true
		scheme := "http"
		if secure {
			scheme = "https"
			c.Listeners[0].Protocol, c.Listeners[0].Certificates = HTTPS, []tls.Certificate{cert}
		}
		g := startWith(t, c, func(o *Options) { o.OnRequest = nil })
		client := g.client("0.0.0.0:80", &tls.Config{RootCAs: roots, ServerName: "shop.example"})
		resp, _ := get(t, client, scheme+"://shop.example/")
		if resp.ProtoMajor != 1 || resp.StatusCode != 200 {
			t.Error(name, resp.Proto, resp.Status)
		}
		tr := client.Transport.(*http.Transport).Clone()
		tr.Protocols = new(http.Protocols)
		tr.Protocols.SetHTTP2(true)
		tr.Protocols.SetUnencryptedHTTP2(true)
		if resp, err := (&http.Client{Transport: tr}).Get(scheme + "://shop.example/"); err == nil {
			t.Error(name, resp.Proto, resp.Status)
			resp.Body.Close()
		}
	}
}

// A client gets around neither certificates of clients nor versions of TLS by naming
// another listener when it connects (RFC 9110, 15.5.20).
func TestMisdirected(t *testing.T) {
	cert, roots := certificate(t, "open.example", "closed.example", "new.example")
	c := simple(backendServer(t, "one", nil))
	c.Listeners, c.Rules = nil, nil
	for i, name := range []string{"open", "closed", "new"} {
		l := Listener{Name: name, Protocol: HTTPS, Address: front80, Hosts: []string{name + ".example"}, Certificates: []tls.Certificate{cert}}
		switch name {
		case "closed":
			l.ClientCAs = roots
		case "new":
			l.MinTLS = tls.VersionTLS13
		}
		c.Listeners = append(c.Listeners, l)
		c.Rules = append(c.Rules, Rule{Name: name, Priority: i + 1, Listener: name, Default: Action{Pool: "web", Settings: "http"}})
	}
	g := startWith(t, c, func(o *Options) { o.OnRequest = nil })
	for _, proto := range []string{"h2", "http/1.1"} {
		for _, x := range []struct {
			name, host string
			version    uint16
			want       int
		}{
			{"open.example", "open.example", tls.VersionTLS12, 200},
			{"open.example", "closed.example", tls.VersionTLS13, 421},
			{"open.example", "new.example", tls.VersionTLS13, 200},
			{"open.example", "new.example", tls.VersionTLS12, 421},
			{"new.example", "open.example", tls.VersionTLS13, 200},
		} {
			client := g.client("0.0.0.0:80", &tls.Config{RootCAs: roots, ServerName: x.name, MaxVersion: x.version, NextProtos: []string{proto}})
			client.Transport.(*http.Transport).ForceAttemptHTTP2 = proto == "h2"
			if proto != "h2" {
				client.Transport.(*http.Transport).Protocols = new(http.Protocols)
				client.Transport.(*http.Transport).Protocols.SetHTTP1(true)
			}
			resp, _ := get(t, client, "https://"+x.host+"/")
			if resp.StatusCode != x.want {
				t.Errorf("%s: a connection to %s asks for %s: %d, want %d", proto, x.name, x.host, resp.StatusCode, x.want)
			}
		}
	}
	client := g.client("0.0.0.0:80", &tls.Config{RootCAs: roots, ServerName: "closed.example"})
	if resp, err := client.Get("https://closed.example/"); err == nil {
		resp.Body.Close()
		t.Error("no certificate was asked for:", resp.Status)
	}
}
