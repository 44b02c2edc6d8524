package http1

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httputil"
	"strings"
	"testing"
)

func TestParseRequest(t *testing.T) {
	for in, want := range map[string]string{
		"GET /a?b=%20 HTTP/1.1\r\nHost: a:80\r\nX: 1\r\n\r\nrest":                      "plain",
		"POST /a HTTP/1.1\r\nhost:a\r\ncontent-length: 5\r\n\r\n":                      "plain",
		"GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n":                       "plain",
		"GET / HTTP/1.1\r\nHost: a\r\n":                                                "more",
		"GE":                                                                           "more",
		"GET / HTTP/1.1\nHost: a\n\n":                                                  "unusual",
		"GET / HTTP/1.1\r\n\r\n":                                                       "unusual",
		"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n":                                 "unusual",
		"GET / HTTP/1.1\r\nHost: a\r\nX : a\r\n\r\n":                                   "unusual",
		"GET / HTTP/1.1\r\nHost: a\r\n X: a\r\n\r\n":                                   "unusual",
		"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00\r\n\r\n":                                "unusual",
		"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n":                                 "unusual",
		"GET /%41 HTTP/1.1\r\nHost: a\r\n\r\n":                                         "unusual",
		"GET //a HTTP/1.1\r\nHost: a\r\n\r\n":                                          "unusual",
		"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n":                                         "unusual",
		"GET /?a;b HTTP/1.1\r\nHost: a\r\n\r\n":                                        "unusual",
		"GET /?%4 HTTP/1.1\r\nHost: a\r\n\r\n":                                         "unusual",
		"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n":                                    "unusual",
		"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n":                                        "unusual",
		"BREW / HTTP/1.1\r\nHost: a\r\n\r\n":                                           "unusual",
		"GET / HTTP/1.0\r\nHost: a\r\n\r\n":                                            "unusual",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n":                                             "unusual",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n":                     "unusual",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n":                   "unusual",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n": "unusual",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n":             "unusual",
		"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n":                   "unusual",
		"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n":                      "unusual",
		"GET / HTTP/1.1\r\nHost: a\r\nConnection: close, x\r\n\r\n":                    "unusual",
		"GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n":                            "unusual",
		"GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n":                                        "unusual",
		"GET / HTTP/1.1\r\nHost: a b\r\n\r\n":                                          "unusual",
	} {
		var h Head
		n, err := h.ParseRequest([]byte(in))
		got := "plain"
		if err != nil {
			got = "unusual"
		} else if n == 0 {
			got = "more"
		}
		if got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

func TestParseResponse(t *testing.T) {
	for in, ok := range map[string]bool{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n": true,
		"HTTP/1.1 200\r\n\r\n":                         true,
		"HTTP/1.0 200 OK\r\n\r\n":                      true,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: X, close\r\n\r\n": true,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n":    false,
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n":             false,
		"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n":                         false,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n":                   false,
		"HTTP/1.1 99 OK\r\n\r\n":           false,
		"HTTP/2 200 OK\r\n\r\n":            false,
		"HTTP/1.1 2000\r\n\r\n":            false,
		"HTTP/1.1 200 OK\r\nX : a\r\n\r\n": false,
	} {
		var h Head
		n, err := h.ParseResponse([]byte(in))
		if (err == nil && n == len(in)) != ok {
			t.Errorf("%q: %d, %v", in, n, err)
		}
	}
}

// FuzzRequest: what counts as plain here, net/http reads the same way.
func FuzzRequest(f *testing.F) {
	for _, s := range []string{
		"GET /a?b=1 HTTP/1.1\r\nHost: a\r\nX-Y: z\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nabc",
		"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nX: \t a \t\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var h Head
		n, err := h.ParseRequest(b)
		if err != nil || n == 0 {
			return
		}
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(b)))
		if err != nil {
			t.Fatalf("%q: net/http: %v", b, err)
		}
		length := h.Length
		if length < 0 {
			length = 0
		}
		if r.Method != string(h.Method) || r.RequestURI != string(h.Target) || r.Host != string(h.Host) || r.ContentLength != length || len(r.TransferEncoding) > 0 || r.Close != h.Close {
			t.Fatalf("%q: %+v, net/http: %+v", b, h, r)
		}
		p, _, _ := strings.Cut(string(h.Target), "?")
		if r.URL.Path != p || r.URL.EscapedPath() != p {
			t.Fatalf("%q: path %q", b, r.URL.Path)
		}
		want := http.Header{}
		for _, x := range h.Fields {
			if x.Kind != Host {
				want.Add(string(x.Name), string(x.Value))
			}
		}
		for name, values := range want {
			if strings.Join(values, "\n") != strings.Join(r.Header[name], "\n") {
				t.Fatalf("%q: %s: %q, net/http: %q", b, name, values, r.Header[name])
			}
		}
		if len(r.Header) != len(want) {
			t.Fatalf("%q: %v, net/http: %v", b, want, r.Header)
		}
	})
}

// FuzzResponse: what is read here, net/http reads the same way.
func FuzzResponse(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n"))
	f.Add([]byte("HTTP/1.0 404 Not Found\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var h Head
		n, err := h.ParseResponse(b)
		if err != nil || n == 0 {
			return
		}
		r, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(b)), &http.Request{Method: "GET"})
		if err != nil {
			t.Fatalf("%q: net/http: %v", b, err)
		}
		if r.StatusCode != h.Status || (len(r.TransferEncoding) > 0) != h.Chunked && bodied(h.Status) {
			t.Fatalf("%q: %+v, net/http: %+v", b, h, r)
		}
		if bodied(h.Status) && !h.Chunked && r.ContentLength != h.Length {
			t.Fatalf("%q: %d, net/http: %d", b, h.Length, r.ContentLength)
		}
	})
}

func bodied(status int) bool { return status >= 200 && status != 204 && status != 304 }

// FuzzChunks: a body that ends here ends there for net/http, in whatever pieces.
func FuzzChunks(f *testing.F) {
	f.Add([]byte("5\r\nhello\r\n0\r\n\r\nrest"), uint8(3))
	f.Add([]byte("5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n"), uint8(1))
	f.Add([]byte("a \r\n0123456789\r\n00\r\n\r\n"), uint8(200))
	f.Add([]byte("a ||\r\n0123456789\r\n00\r\n\r\n"), uint8(200))
	f.Add([]byte("00000000000000000\r\n\r\n"), uint8(64))
	f.Add([]byte(strings.Repeat("1;"+strings.Repeat("x", 4000)+"\r\na\r\n", 6)+"0\r\n\r\n"), uint8(255))
	f.Add([]byte("a \t; b\r\n0123456789\r\n00\r\n\r\n"), uint8(2))
	f.Fuzz(func(t *testing.T, b []byte, piece uint8) {
		var c Chunks
		at := 0
		for at < len(b) && !c.Done {
			n, err := c.Advance(b[at:min(at+int(piece)+1, len(b))])
			at += n
			if err != nil {
				return
			}
		}
		if !c.Done {
			return
		}
		r := bytes.NewReader(b)
		if _, err := io.ReadAll(httputil.NewChunkedReader(r)); err != nil {
			t.Fatalf("%q: net/http: %v", b[:at], err)
		}
		var whole Chunks
		if n, err := whole.Advance(b); n != at || err != nil || !whole.Done {
			t.Fatalf("%q: %d in pieces, %d at once, %v", b, at, n, err)
		}
	})
}

func BenchmarkParseRequest(b *testing.B) {
	in := []byte("GET /catalogue/shoes?size=42 HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: text/html\r\nAccept-Encoding: gzip, br\r\nCookie: a=b\r\n\r\n")
	var h Head
	b.ReportAllocs()
	for b.Loop() {
		if n, err := h.ParseRequest(in); n == 0 || err != nil {
			b.Fatal(n, err)
		}
	}
}
