package gateway

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"testing"
	"time"
)

// Connections that wait keep no goroutine, answer when they are asked again, and end
// with the gateway.
func TestParked(t *testing.T) {
	if longWay {
		t.Skip("of the short way")
	}
	m := backendServer(t, "one", nil)
	cert, _ := certificate(t, "127.0.0.1")
	for name, secure := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			c := simple(m)
			if secure {
				c.Listeners[0].Protocol, c.Listeners[0].Certificates = HTTPS, []tls.Certificate{cert}
			}
			g := startWith(t, c, func(o *Options) { o.OnRequest = nil })
			front := g.fronts[front80].fast
			var conns []net.Conn
			ask := func(conn net.Conn) {
				t.Helper()
				if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
					t.Fatal(err)
				}
				resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 200 {
					t.Fatal(resp.Status, err)
				}
			}
			for range 20 {
				conn, err := net.Dial("tcp", g.real("0.0.0.0:80"))
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				if secure {
					conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
				}
				ask(conn)
				conns = append(conns, conn)
			}
			parked := func() int {
				front.lot.mu.Lock()
				defer front.lot.mu.Unlock()
				return len(front.lot.waiting)
			}
			for parked() < len(conns) {
				runtime.Gosched()
			}
			// None has a goroutine then: the test would not end otherwise.
			running := func() int {
				front.mu.Lock()
				defer front.mu.Unlock()
				return len(front.conns)
			}
			for running() > 0 {
				runtime.Gosched()
			}
			for _, conn := range conns {
				ask(conn)
			}
			for parked() < len(conns) {
				runtime.Gosched()
			}
			conns[0].Close() // who leaves is let go
			for parked() == len(conns) {
				runtime.Gosched()
			}
			front.lot.most = 0
			front.lot.sweep()
			if n := parked(); n != 0 {
				t.Error(n, "wait beyond their time")
			}
			for _, conn := range conns[1:] {
				_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
				if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatal(err)
				}
			}
		})
	}
}
