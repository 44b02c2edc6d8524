package frontdoor

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// What is odd about a request: what comes back, and what the origin gets.
func TestWellFormed(t *testing.T) {
	got := make(chan string, 10)
	host, port := answering(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got <- fmt.Sprintf("%s %s %s", r.Method, r.RequestURI, b)
		fmt.Fprint(w, "ok")
	})
	s := serveDoor(t, fmt.Sprintf(`frontDoor: odd
edges: [{name: dublin, region: northeurope, port: 1}]
originGroups: [{name: web, origins: [{name: o, host: %s, port: %s}]}]
routes: [{name: all, domains: [a], originGroup: web, forwarding: HttpOnly}]
`, host, port), Options{})
	for _, tt := range []struct{ name, send, want string }{
		{"plain", "GET /a?b=1;c=%zz&d HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "200 | GET /a?b=1;c=%zz&d "},
		{"RFC 9112, 6.3: a coding and a length", "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 100\r\n\r\n0\r\n\r\nGET /behind HTTP/1.1\r\nHost: a\r\n\r\n", "200 | POST /a "},
		{"RFC 9112, 3.2: a fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "400"},
		{"RFC 9110, 4.2.4: a user", "GET http://u@a/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "400"},
		{"RFC 9110, 4.2.1: no host", "GET http:///x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "400"},
		{"another scheme", "GET file:///x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "400"},
		{"a tunnel", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\nConnection: close\r\n\r\n", "405"},
	} {
		c, err := net.Dial("tcp", s.Addresses()[0])
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(time.Minute))
		_, _ = io.WriteString(c, tt.send)
		b, _ := io.ReadAll(c)
		c.Close()
		answer := []string{}
		for part := range strings.SplitSeq(string(b), "HTTP/1.1 ") {
			if len(part) > 3 {
				answer = append(answer, part[:3])
			}
		}
		for len(got) > 0 {
			answer = append(answer, <-got)
		}
		if a := strings.Join(answer, " | "); a != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, a, tt.want)
		}
	}
}
