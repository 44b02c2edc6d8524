package gateway

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// rawMember is a member that notes the bytes it gets, and answers each request
// with 200.
type rawMember struct {
	at net.Listener

	mu  sync.Mutex
	got []string
}

func newRawMember(t testing.TB) *rawMember {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &rawMember{at: l}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go m.serve(c)
		}
	}()
	return m
}

func (m *rawMember) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	var head bytes.Buffer
	for !bytes.HasSuffix(head.Bytes(), []byte("\r\n\r\n")) {
		b, err := r.ReadByte()
		if err != nil {
			return
		}
		head.WriteByte(b)
	}
	body, ok := readRaw(r, head.String())
	if strings.Contains(head.String(), "cerulean-probe") {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		return
	}
	if !ok {
		return // no request: it broke off
	}
	m.note(head.String(), body)
	answer := "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
	switch {
	case strings.HasPrefix(head.String(), "HEAD "):
		answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n"
	case strings.Contains(head.String(), " /early "):
		answer = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + answer
	}
	_, _ = io.WriteString(c, answer)
}

// readRaw reads a body by its head's framing, as plainly as can be.
func readRaw(r *bufio.Reader, head string) (body string, ok bool) {
	lower := strings.ToLower(head)
	if regexp.MustCompile(`\r\ntransfer-encoding:.*chunked`).MatchString(lower) {
		var b strings.Builder
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return b.String(), false
			}
			n, err := strconv.ParseInt(strings.TrimSpace(strings.SplitN(line, ";", 2)[0]), 16, 32)
			if err != nil {
				return b.String(), false
			}
			if n == 0 {
				for { // trailers
					line, err := r.ReadString('\n')
					if err != nil {
						return b.String(), false
					}
					if strings.TrimSpace(line) == "" {
						return b.String(), true
					}
					fmt.Fprintf(&b, "+%s", strings.TrimSpace(line))
				}
			}
			chunk := make([]byte, n+2)
			if _, err := io.ReadFull(r, chunk); err != nil {
				return b.String(), false
			}
			b.Write(chunk[:n])
		}
	}
	if m := regexp.MustCompile(`\r\ncontent-length: *(\d+)\r\n`).FindStringSubmatch(lower); m != nil {
		n, _ := strconv.Atoi(m[1])
		b := make([]byte, n)
		got, err := io.ReadFull(r, b)
		return string(b[:got]), err == nil
	}
	return "", true
}

var hostLine = regexp.MustCompile(`(?i)\r\nhost: *([^\r\n]*)\r\n`)

// note keeps what came in a form that can be compared: the request line, the host,
// the body, and the fields that tests look at.
func (m *rawMember) note(head, body string) {
	line, _, _ := strings.Cut(head, " HTTP/")
	host := ""
	if h := hostLine.FindStringSubmatch(head); h != nil {
		host = h[1]
	}
	s := fmt.Sprintf("%s host=%s", line, host)
	for l := range strings.SplitSeq(head, "\r\n") {
		if name, value, _ := strings.Cut(l, ":"); strings.HasPrefix(strings.ToLower(name), "x-odd") {
			s += fmt.Sprintf(" %s=%q", strings.ToLower(name), strings.Trim(value, " \t"))
		}
	}
	if body != "" {
		s += fmt.Sprintf(" body=%q", body)
	}
	m.mu.Lock()
	m.got = append(m.got, s)
	m.mu.Unlock()
}

func (m *rawMember) take() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	got := m.got
	m.got = nil
	return got
}

// exchangeRaw sends bytes and returns the statuses that came back, before the other
// side closed or said nothing more; silent: whether it is to say nothing at all.
func exchangeRaw(t testing.TB, at, send string, silent bool) string {
	t.Helper()
	c, err := net.DialTimeout("tcp", at, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	// What is refused early may be refused before all was sent.
	_, _ = io.WriteString(c, send)
	const quiet = 1500 * time.Millisecond
	r := bufio.NewReader(io.LimitReader(c, 1<<20))
	if !silent {
		_ = c.SetReadDeadline(time.Now().Add(time.Minute))
		_, _ = r.Peek(1)
	}
	_ = c.SetReadDeadline(time.Now().Add(quiet))
	b, err := io.ReadAll(r)
	var out []string
	for _, m := range regexp.MustCompile(`(?m)(?:^|ok|>\s*)HTTP/1\.[01] (\d\d\d)`).FindAllStringSubmatch(string(b), -1) {
		out = append(out, m[1])
	}
	if len(out) == 0 {
		if e, ok := err.(net.Error); ok && e.Timeout() {
			return "silent"
		}
		return "closed"
	}
	return strings.Join(out, ",")
}

// oddRequest is a request, and what becomes of it.
type oddRequest struct {
	name, send string
	want       string // statuses, then what the member got
	nginx      string // "" means the same
	haproxy    string
	why        string
}

// odd are requests that are unusual or hostile, what we do with them, and what
// nginx 1.22 and haproxy 2.6 do where that differs; the RFC decides.
var odd = []oddRequest{
	{name: "plain get", send: "GET /a?b=1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", want: `200 | GET /a?b=1 host=a`},
	{name: "head", send: "HEAD /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", want: `200 | HEAD /a host=a`},
	{name: "HTTP/1.0", send: "GET /a HTTP/1.0\r\nHost: a\r\n\r\n", want: `200 | GET /a host=a`},
	{name: "HTTP/1.0 without Host", send: "GET /a HTTP/1.0\r\n\r\n", want: `200 | GET /a host=MEMBER`, nginx: `200 | GET /a host=`, haproxy: `200 | GET /a host=`, why: "RFC 9112, 3.2: a proxy that forwards as HTTP/1.1 sends a Host"},
	{name: "no Host", send: "GET /a HTTP/1.1\r\nConnection: close\r\n\r\n", want: `400`, haproxy: `200 | GET /a host=`, why: "RFC 9112, 3.2: 400"},
	{name: "two Hosts", send: "GET /a HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n", want: `400`},
	{name: "Host with a path", send: "GET /a HTTP/1.1\r\nHost: a/b\r\nConnection: close\r\n\r\n", want: `400`, haproxy: `200 | GET /a host=a/b`, why: "RFC 9112, 3.2: an invalid Host gets 400"},
	{name: "absolute form", send: "GET http://b/a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", want: `200 | GET /a host=b`, nginx: `200 | GET /a host=a`, haproxy: `400`, why: "RFC 9112, 3.2.2: the target's host replaces the field"},
	{name: "asterisk form", send: "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", want: `200`, nginx: `400`, haproxy: `200 | OPTIONS * host=a`, why: "RFC 9110, 9.3.7: it is for the server itself, which answers; haproxy gives it to the member"},
	{name: "authority form", send: "CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\nConnection: close\r\n\r\n", want: `400`, haproxy: `200 | CONNECT b:443 host=b`, why: "a gateway is no tunnel"},
	{name: "body with length", send: "POST /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", want: `200 | POST /a host=a body="hello"`},
	{name: "chunked", send: "POST /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", want: `200 | POST /a host=a body="hello"`},
	{name: "chunk extension", send: "POST /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\n\r\n", want: `200 | POST /a host=a body="hello"`},
	{name: "trailers", send: "POST /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nTrailer: X-Odd\r\n\r\n5\r\nhello\r\n0\r\nX-Odd: 1\r\n\r\n", want: `200 | POST /a host=a body="hello+X-Odd: 1"`, nginx: `200 | POST /a host=a body="hello"`, haproxy: `200 | POST /a host=a body="hello+x-odd: 1"`, why: "RFC 9110, 6.5.1: trailers may be forwarded or dropped; ours go on, as gRPC needs"},
	{name: "CL and TE", send: "POST /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG", want: `200 | POST /a host=a`, nginx: `400`, why: "RFC 9112, 6.3: Transfer-Encoding wins, Content-Length is taken out, and the connection ends; refusing it is allowed too"},
	{name: "TE and CL, smuggled", send: "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n1e\r\nGET /smuggled HTTP/1.1\r\nX: \r\n\r\n0\r\n\r\n", want: `400`, haproxy: `200 | POST /a host=a body="GET /smuggled HTTP/1.1\r\nX: \r\n\r"`, why: "the chunk is shorter than it says: 400; haproxy takes the bytes that follow it"},
	{name: "two lengths, same", send: "POST /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", want: `200 | POST /a host=a body="hello"`, nginx: `400`, why: "RFC 9112, 6.3: a list of the same values may be taken as one"},
	{name: "two lengths", send: "POST /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", want: `400`},
	{name: "a list of lengths", send: "POST /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5, 5\r\n\r\nhello", want: `400`, haproxy: `200 | POST /a host=a body="hello"`, why: "RFC 9112, 6.3: it may be taken as one, or refused"},
	{name: "signed length", send: "POST /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: +5\r\n\r\nhello", want: `400`},
	{name: "negative length", send: "POST /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: -5\r\n\r\nhello", want: `400`},
	{name: "huge length", send: "POST /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 99999999999999999999\r\n\r\nhello", want: `400`},
	{name: "hex length", send: "POST /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0x5\r\n\r\nhello", want: `400`},
	{name: "empty length", send: "POST /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: \r\n\r\nhello", want: `400`},
	{name: "TE identity", send: "POST /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello", want: `501`, haproxy: `400`, why: "RFC 9112, 6.1: a coding that is not understood gets 501"},
	{name: "TE gzip, chunked", send: "POST /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", want: `501`, haproxy: `422`, why: "RFC 9112, 6.1: 501"},
	{name: "TE xchunked", send: "POST /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: xchunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", want: `501`, haproxy: `400`, why: "RFC 9112, 6.1: 501"},
	{name: "TE with a tab", send: "POST /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding:\tchunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", want: `200 | POST /a host=a body="hello"`, nginx: `501`, why: "RFC 9110, 5.6.3: a tab is white space like a space"},
	{name: "TE twice", send: "POST /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", want: `501`, nginx: `400`, haproxy: `400`, why: "RFC 9112, 6.1: chunked must not be applied twice; refused by all"},
	{name: "TE, space before the colon", send: "POST /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding : chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", want: `400`},
	{name: "TE in HTTP/1.0", send: "POST /a HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", want: `200 | POST /a host=a`, nginx: `400`, haproxy: `200 | POST /a host=a body="hello"`, why: "RFC 9112, 6.1: faulty framing: ours forwards no body and ends the connection"},
	{name: "TE, vertical tab", send: "POST /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: \x0bchunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", want: `400`, nginx: `501`, why: "not white space: refused by all"},
	{name: "chunk size too large", send: "POST /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n", want: `400`},
	{name: "chunk size with 0x", send: "POST /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n", want: `400`},
	{name: "bare LF", send: "GET /a HTTP/1.1\nHost: a\nConnection: close\n\n", want: `200 | GET /a host=a`},
	{name: "bare CR in a value", send: "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Odd: a\rb\r\n\r\n", want: `400`},
	{name: "NUL in a value", send: "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Odd: a\x00b\r\n\r\n", want: `400`, haproxy: `200 | GET /a host=a x-odd="a\x00b"`, why: "RFC 9110, 5.5: refused or replaced by a space; haproxy does neither"},
	{name: "a folded line", send: "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Odd: a\r\n b\r\n\r\n", want: `200 | GET /a host=a x-odd="a b"`, nginx: `400`, haproxy: `200 | GET /a host=a x-odd="a   b"`, why: "RFC 9112, 5.2: refused, or spaces in its place"},
	{name: "a folded first line", send: "GET /a HTTP/1.1\r\n Host: b\r\nHost: a\r\nConnection: close\r\n\r\n", want: `400`},
	{name: "space before the colon", send: "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Odd : a\r\n\r\n", want: `400`},
	{name: "a line without a colon", send: "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Odd\r\n\r\n", want: `400`, nginx: `200 | GET /a host=a x-odd=""`, why: "RFC 9112, 5: it is no field"},
	{name: "an empty name", send: "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n: a\r\n\r\n", want: `400`},
	{name: "underscore in a name", send: "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Odd_1: a\r\n\r\n", want: `200 | GET /a host=a x-odd_1="a"`, nginx: `200 | GET /a host=a`, why: "RFC 9110, 5.6.2: it is a letter of a token; nginx drops it unless told otherwise"},
	{name: "high bytes in a value", send: "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Odd: \xe9\r\n\r\n", want: `200 | GET /a host=a x-odd="\xe9"`},
	{name: "space in the target", send: "GET /a b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", want: `400`},
	{name: "NUL in the target", send: "GET /a\x00b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", want: `400`},
	{name: "fragment in the target", send: "GET /a#b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", want: `400`, nginx: `200 | GET /a#b host=a`, why: "RFC 9112, 3.2: a target has no fragment"},
	{name: "dots in the target", send: "GET /a/../b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", want: `200 | GET /a/../b host=a`},
	{name: "an escaped slash", send: "GET /a%2fb HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", want: `200 | GET /a%2fb host=a`},
	{name: "a broken escape", send: "GET /a%zz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", want: `400`, haproxy: `200 | GET /a%zz host=a`, why: "RFC 3986, 2.1: it is no path"},
	{name: "two slashes", send: "GET //a//b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", want: `200 | GET //a//b host=a`},
	{name: "lower case method", send: "get /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", want: `200 | get /a host=a`, nginx: `400`, why: "RFC 9110, 9.1: methods are case-sensitive, and a gateway does not know all of them"},
	{name: "an unknown method", send: "BREW /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", want: `200 | BREW /a host=a`},
	{name: "HTTP/1.2", send: "GET /a HTTP/1.2\r\nHost: a\r\nConnection: close\r\n\r\n", want: `200 | GET /a host=a`},
	{name: "HTTP/2.0", send: "GET /a HTTP/2.0\r\nHost: a\r\nConnection: close\r\n\r\n", want: `505`, haproxy: `200 | GET /a host=a`, why: "RFC 9110, 2.5: a version that is not understood"},
	{name: "HTTP/11", send: "GET /a HTTP/11\r\nHost: a\r\nConnection: close\r\n\r\n", want: `400`, nginx: `505`, why: "RFC 9112, 2.3: it is no version"},
	{name: "HTTP/0.9", send: "GET /a\r\n", want: `silent`, nginx: `closed | GET /a host=`, haproxy: `400`, why: "RFC 9112 has no such request; ours waits for the rest of the head until its time is over"},
	{name: "an empty line first", send: "\r\nGET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", want: `200 | GET /a host=a`},
	{name: "two empty lines first", send: "\r\n\r\nGET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", want: `400`, nginx: `200 | GET /a host=a`, haproxy: `200 | GET /a host=a`, why: "RFC 9112, 2.2: at least one is ignored; ours takes no second"},
	{name: "pipelined", send: "GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", want: `200,200 | GET /a host=a | GET /b host=a`},
	{name: "expect", send: "POST /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello", want: `100,200 | POST /a host=a body="hello"`, haproxy: `200 | POST /a host=a body="hello"`, why: "RFC 9110, 10.1.1: the gateway lets the member say; haproxy's answer shows that the body was read already"},
	{name: "an unknown expectation", send: "POST /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\nExpect: tea\r\n\r\nhello", want: `417`, nginx: `200 | POST /a host=a body="hello"`, haproxy: `200 | POST /a host=a body="hello"`, why: "RFC 9110, 10.1.1: 417 is allowed"},
	{name: "1xx", send: "GET /early HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", want: `103,200 | GET /early host=a`},
	{name: "get with a body", send: "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", want: `200 | GET /a host=a body="hello"`},
	{name: "hop-by-hop by name", send: "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close, X-Odd\r\nX-Odd: a\r\n\r\n", want: `200 | GET /a host=a`, nginx: `200 | GET /a host=a x-odd="a"`, haproxy: `200 | GET /a host=a x-odd="a"`, why: "RFC 9110, 7.6.1: fields that Connection names are of this connection only"},
	{name: "a large header", send: "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Odd: " + strings.Repeat("x", 20<<10) + "\r\n\r\n", want: `200 | GET /a host=a x-odd="LONG"`},
	{name: "a huge header", send: "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Odd: " + strings.Repeat("x", 200<<10) + "\r\n\r\n", want: `431`, nginx: `400`, haproxy: `400`, why: "RFC 6585, 5: 431"},
}

// The same bytes to the gateway, nginx and haproxy: what comes back and what the
// member gets. Every difference is in the table, with its reason.
func TestPeers(t *testing.T) {
	for _, peer := range []string{"ours", "nginx", "haproxy"} {
		t.Run(peer, func(t *testing.T) { testPeer(t, peer, odd, hostile) })
		t.Run(peer+", smuggling", func(t *testing.T) { testPeer(t, peer, smuggling) })
	}
}

func testPeer(t *testing.T, peer string, requests ...[]oddRequest) {
	t.Parallel()
	m := newRawMember(t)
	member := m.at.Addr().String()
	at := startPeer(t, peer, member, "", "")
	for _, x := range slices.Concat(requests...) {
		want := x.want
		if other := map[string]string{"nginx": x.nginx, "haproxy": x.haproxy}[peer]; other != "" {
			want = other
		}
		status := exchangeRaw(t, at, x.send, want == "silent")
		got := strings.Join(append([]string{status}, m.take()...), " | ")
		got = strings.ReplaceAll(strings.ReplaceAll(got, member, "MEMBER"), strings.Repeat("x", 20<<10), "LONG")
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", x.name, got, want)
		}
		if (x.nginx != "" || x.haproxy != "") && x.why == "" {
			t.Errorf("%s: a difference without its reason", x.name)
		}
	}
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// startProgram runs a program until the test ends, and returns once it listens.
func startProgram(t testing.TB, at string, program string, args ...string) {
	t.Helper()
	path := need(t, program)
	var out bytes.Buffer
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		c, err := net.Dial("tcp", at)
		if err == nil {
			c.Close()
			return
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("%s: %v\n%s", program, err, out.String())
		case <-ctx.Done():
			t.Fatalf("%s does not listen: %s", program, out.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// startPeer starts the gateway, nginx or haproxy before a member, with words of the
// peers' listen directive and bind line, and returns where it listens.
func startPeer(t testing.TB, peer, member, listen, bind string) string {
	t.Helper()
	switch peer {
	case "nginx":
		return startNginx(t, member, listen)
	case "haproxy":
		return startHaproxy(t, member, bind)
	}
	a := netip.MustParseAddrPort(member)
	return startWith(t, simple(Member{Host: a.Addr().String(), Port: a.Port()}), func(o *Options) { o.OnRequest = nil }).real("0.0.0.0:80")
}

func startNginx(t testing.TB, member, how string) string {
	t.Helper()
	dir, at := t.TempDir(), freePort(t)
	config := fmt.Sprintf(`daemon off; master_process off; worker_processes 1; pid %[1]s/pid; error_log %[1]s/error crit;
events { worker_connections 1024; }
http { access_log off; client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
  large_client_header_buffers 4 32k;
  server { listen %[2]s %[4]s; location / { proxy_pass http://%[3]s; proxy_http_version 1.1; proxy_set_header Host $http_host; proxy_set_header Connection ""; } } }
`, dir, at, member, how)
	path := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	startProgram(t, at, "nginx", "-p", dir, "-c", path)
	return at
}

func startHaproxy(t testing.TB, member, how string) string {
	t.Helper()
	dir, at := t.TempDir(), freePort(t)
	config := fmt.Sprintf(`global
  maxconn 1000
  tune.bufsize 65536
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend f
  bind %s %s
  default_backend b
backend b
  server s %s
`, at, how, member)
	path := filepath.Join(dir, "haproxy.cfg")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	startProgram(t, at, "haproxy", "-db", "-f", path)
	return at
}
