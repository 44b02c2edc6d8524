package gateway

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A request of HTTP/2 that a gateway has to write down as HTTP/1.1 for its member.
var odd2 = []struct {
	name    string
	fields  []string // after :method GET, :scheme http, :path /a, :authority a, which they replace
	body    string
	want    string // the status, or "refused"; then what the member got
	nginx   string // "" means the same
	haproxy string
	why     string
}{
	{name: "plain", want: `200 | GET /a host=a`},
	{name: "CR LF in a value", fields: []string{"x-odd", "a\r\nX-Smuggled: b"}, want: `refused`},
	{name: "LF in a value", fields: []string{"x-odd", "a\nb"}, want: `refused`},
	{name: "CR in a value", fields: []string{"x-odd", "a\rb"}, want: `refused`},
	{name: "NUL in a value", fields: []string{"x-odd", "a\x00b"}, want: `refused`},
	{name: "a colon in a name", fields: []string{"x-odd: a\r\nx-b", "b"}, want: `refused`},
	{name: "a space in a name", fields: []string{"x-odd b", "b"}, want: `refused`},
	{name: "a capital in a name", fields: []string{"X-Odd", "b"}, want: `refused`},
	{name: "a space in the path", fields: []string{":path", "/a HTTP/1.1\r\nHost: b\r\n\r\nGET /smuggled"}, want: `refused`},
	{name: "only a space in the path", fields: []string{":path", "/a b"}, want: `refused`, nginx: `400`, why: "RFC 9113, 8.3.1: malformed"},
	{name: "a path without a slash", fields: []string{":path", "a"}, want: `refused`, nginx: `400`, why: "RFC 9113, 8.3.1: malformed"},
	{name: "an empty path", fields: []string{":path", ""}, want: `refused`, nginx: `400`, why: "RFC 9113, 8.3.1: malformed"},
	{name: "a space in the method", fields: []string{":method", "GET /smuggled HTTP/1.1\r\nX: "}, want: `refused`},
	{name: "a line end in the authority", fields: []string{":authority", "a\r\nX-Odd: b"}, want: `refused`},
	{name: "a user in the authority", fields: []string{":authority", "u@a"}, want: `refused`, nginx: `200 | GET /a host=u@a`, haproxy: `200 | GET /a host=u@a`, why: "RFC 9113, 8.3.1: no user in the authority"},
	{name: "authority and another host", fields: []string{"host", "b"}, want: `refused`, nginx: `400`, haproxy: `200 | GET /a host=a`, why: "RFC 9113, 8.3.1: malformed"},
	{name: "two authorities", fields: []string{":authority", "a", ":authority", "b"}, want: `refused`, nginx: `400`, why: "RFC 9113, 8.3: malformed"},
	{name: "a pseudo field late", fields: []string{"x-odd", "a", ":path", "/b"}, want: `refused`, nginx: `400`, why: "RFC 9113, 8.3: malformed"},
	{name: "transfer-encoding", fields: []string{"transfer-encoding", "chunked"}, body: "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n", want: `refused`, nginx: `200 | GET /a host=a body="0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"`, why: "RFC 9113, 8.2.2: malformed; the peers drop the field, and so does nothing happen"},
	{name: "connection", fields: []string{"connection", "x-odd", "x-odd", "b"}, want: `refused`, nginx: `200 | GET /a host=a x-odd="b"`, why: "RFC 9113, 8.2.2: malformed; the peers drop the field"},
	{name: "upgrade", fields: []string{"upgrade", "websocket"}, want: `refused`, nginx: `200 | GET /a host=a`, why: "RFC 9113, 8.2.2: malformed; the peers drop the field"},
	{name: "a length that is too short", fields: []string{":method", "POST", "content-length", "2"}, body: "hello", want: `refused`, nginx: `400`, why: "RFC 9113, 8.1.1: malformed"},
	{name: "a length that is too long", fields: []string{":method", "POST", "content-length", "9"}, body: "hello", want: `400`, haproxy: `refused`, why: "RFC 9113, 8.1.1: malformed"},
	{name: "two lengths", fields: []string{":method", "POST", "content-length", "5", "content-length", "0"}, body: "hello", want: `refused`, nginx: `400`, why: "RFC 9110, 8.6: malformed"},
	{name: "a length with a sign", fields: []string{":method", "POST", "content-length", "+5"}, body: "hello", want: `refused`, nginx: `400`, why: "RFC 9110, 8.6: malformed"},
	{name: "a body without a length", fields: []string{":method", "POST"}, body: "hello", want: `200 | POST /a host=a body="hello"`},
	{name: "cookies in pieces", fields: []string{"cookie", "a=1", "cookie", "b=2"}, want: `200 | GET /a host=a`},
}

// ask2 sends one request over a connection of its own and says what came back.
func ask2(t testing.TB, at string, fields []string, body string) string {
	t.Helper()
	c, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	f := http2.NewFramer(c, c)
	_, _ = io.WriteString(c, http2.ClientPreface)
	_ = f.WriteSettings()
	usual := []string{":method", "GET", ":scheme", "http", ":path", "/a", ":authority", "a"}
	replaced := map[string]bool{}
	for i := 0; i < len(fields) && strings.HasPrefix(fields[i], ":"); i += 2 {
		for j := 0; j < len(usual); j += 2 {
			if usual[j] == fields[i] && !replaced[fields[i]] {
				usual[j+1] = fields[i+1]
				replaced[fields[i]] = true
				fields = append(append([]string(nil), fields[:i]...), fields[i+2:]...)
				i -= 2
				break
			}
		}
	}
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	all := append(usual, fields...)
	for i := 0; i < len(all); i += 2 {
		_ = e.WriteField(hpack.HeaderField{Name: all[i], Value: all[i+1]})
	}
	_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: b.Bytes(), EndHeaders: true, EndStream: body == ""})
	if body != "" {
		_ = f.WriteData(1, true, []byte(body))
	}
	status := ""
	d := hpack.NewDecoder(4096, func(h hpack.HeaderField) {
		if h.Name == ":status" {
			status = h.Value
		}
	})
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return "refused"
		}
		switch x := frame.(type) {
		case *http2.HeadersFrame:
			_, _ = d.Write(x.HeaderBlockFragment())
			if x.StreamEnded() {
				return status
			}
		case *http2.DataFrame:
			if x.StreamEnded() {
				return status
			}
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			if status != "" {
				return status
			}
			return "refused"
		case *http2.SettingsFrame:
			if !x.IsAck() {
				_ = f.WriteSettingsAck()
			}
		}
	}
}

// The same requests of HTTP/2 to the gateway, nginx and haproxy: nothing of them may
// become another request at the member.
func TestPeersHTTP2(t *testing.T) {
	for _, peer := range []string{"ours", "nginx", "haproxy"} {
		t.Run(peer, func(t *testing.T) {
			t.Parallel()
			m := newRawMember(t)
			member := m.at.Addr().String()
			at := startPeer(t, peer, member, "http2", "proto h2")
			for _, x := range odd2 {
				want := x.want
				if other := map[string]string{"nginx": x.nginx, "haproxy": x.haproxy}[peer]; other != "" {
					want = other
				}
				got := strings.Join(append([]string{ask2(t, at, x.fields, x.body)}, m.take()...), " | ")
				if got = strings.ReplaceAll(got, member, "MEMBER"); got != want {
					t.Errorf("%s:\n got %s\nwant %s", x.name, got, want)
				}
				if (x.nginx != "" || x.haproxy != "") && x.why == "" {
					t.Errorf("%s: a difference without its reason", x.name)
				}
			}
		})
	}
}
