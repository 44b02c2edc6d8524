package node

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// Sizes of the traffic benchmark.
const (
	trafficBody     = 1024  // bytes of an answer
	trafficConns    = 64    // that clients keep
	trafficRequests = 20000 // of a round
	trafficIdle     = 10000 // connections that do nothing
	trafficSettle   = 3 * time.Second
)

// ServeReverseProxy runs httputil.ReverseProxy with a tuned transport in front of a
// member, to be measured beside the gateway. It never returns but with an error.
func ServeReverseProxy(at, member string) error {
	u, err := url.Parse("http://" + member)
	if err != nil {
		return err
	}
	p := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(u); r.SetXForwarded() },
		Transport: &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true},
		ErrorLog:  log.New(io.Discard, "", 0),
	}
	return http.ListenAndServe(at, p)
}

// trafficMember answers every request with the same bytes, as cheaply as can be.
func trafficMember(l net.Listener) {
	answer := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nContent-Type: text/plain\r\n\r\n%s", trafficBody, bytes.Repeat([]byte("x"), trafficBody))
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			buf, have := make([]byte, 16<<10), 0
			for {
				n, err := c.Read(buf[have:])
				if have += n; n == 0 && err != nil || have == len(buf) {
					return
				}
				for {
					i := bytes.Index(buf[:have], []byte("\r\n\r\n"))
					if i < 0 {
						break
					}
					have = copy(buf, buf[i+4:have])
					if _, err := c.Write(answer); err != nil {
						return
					}
				}
			}
		}()
	}
}

// loadPlain sends requests over kept connections of HTTP/1.1, and returns once all
// were answered well.
func loadPlain(at string, secure *tls.Config, requests int) error {
	request := []byte("GET /catalogue/shoes?size=42 HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n")
	var left atomic.Int64
	left.Store(int64(requests))
	var all sync.WaitGroup
	failed := make(chan error, trafficConns)
	for range trafficConns {
		all.Go(func() {
			c, err := net.Dial("tcp", at)
			if err == nil && secure != nil {
				c = tls.Client(c, secure)
			}
			if err != nil {
				failed <- err
				return
			}
			defer c.Close()
			buf := make([]byte, 8<<10)
			for left.Add(-1) >= 0 {
				if _, err := c.Write(request); err != nil {
					failed <- err
					return
				}
				if err := readAnswer(c, buf); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	all.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// readAnswer reads one answer of the benchmark's size.
func readAnswer(c net.Conn, buf []byte) error {
	have, need := 0, -1
	for need < 0 || have < need {
		n, err := c.Read(buf[have:])
		if have += n; n == 0 && err != nil {
			return err
		}
		if i := bytes.Index(buf[:have], []byte("\r\n\r\n")); need < 0 && i >= 0 {
			need = i + 4 + trafficBody
		}
	}
	if !bytes.HasPrefix(buf, []byte("HTTP/1.1 200 ")) || have != need {
		return fmt.Errorf("an answer that is not the member's: %.60q", buf[:have])
	}
	return nil
}

// loadHTTP2 sends requests over one connection of HTTP/2, many at a time.
func loadHTTP2(at string, secure *tls.Config, requests int) error {
	t := &http.Transport{TLSClientConfig: secure.Clone(), Protocols: new(http.Protocols), DisableCompression: true}
	t.Protocols.SetHTTP2(true)
	defer t.CloseIdleConnections()
	client := &http.Client{Transport: t}
	var left atomic.Int64
	left.Store(int64(requests))
	var all sync.WaitGroup
	failed := make(chan error, trafficConns)
	for range trafficConns {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				resp, err := client.Get("https://" + at + "/catalogue/shoes?size=42")
				if err != nil {
					failed <- err
					return
				}
				n, err := io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if err == nil && (n != trafficBody || resp.StatusCode != http.StatusOK) {
					err = fmt.Errorf("%s, %d bytes", resp.Status, n)
				}
				if err != nil {
					failed <- err
					return
				}
			}
		})
	}
	all.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// errNoPeers means that there is nothing to be measured beside.
var errNoPeers = errors.New("neither haproxy nor nginx is installed; install them with your system's packages")
