package frontdoor

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// silence waits until no edge serves any more. Goroutines are there until they have left
// their last function.
func silence() {
	b := make([]byte, 16<<20)
	for {
		left := false
		for g := range strings.SplitSeq(string(b[:runtime.Stack(b, true)]), "\n\n") {
			left = left || strings.Contains(g, "frontdoor.(*")
		}
		if !left {
			return
		}
		runtime.Gosched()
	}
}

// Closing leaves nothing: neither requests that never end, nor conversations, nor those
// of an edge that a reload took away. Nobody is told anything after it.
func TestCloseEnds(t *testing.T) {
	for _, reloaded := range []bool{false, true} {
		t.Run(fmt.Sprintf("reloaded=%v", reloaded), func(t *testing.T) {
			begun := make(chan bool, 10)
			host, port := answering(t, func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case "/talk":
					c, rw, err := http.NewResponseController(w).Hijack()
					if err != nil {
						t.Error(err)
						return
					}
					defer c.Close()
					fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
					_ = rw.Flush()
					begun <- true
					_, _ = io.Copy(io.Discard, c)
					return
				case "/stream":
					w.WriteHeader(200)
					_ = http.NewResponseController(w).Flush()
				}
				begun <- true
				<-r.Context().Done()
			})
			text := func(more string) string {
				return fmt.Sprintf(`frontDoor: r
edges: [{name: dublin, region: northeurope, port: 1}%s]
originGroups: [{name: web, origins: [{name: o, host: %s, port: %s}]}]
routes: [{name: all, originGroup: web}]
`, more, host, port)
			}
			var closed, late atomic.Bool
			s := serveDoor(t, text(", {name: paris, region: francecentral, port: 2}"), Options{OnRequest: func(*Record) {
				if closed.Load() {
					late.Store(true)
				}
			}})
			var conns []*bufio.Reader
			for _, at := range s.Addresses() {
				for _, head := range []string{
					"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n",
					"GET /stream HTTP/1.1\r\nHost: a\r\n\r\nGET /more HTTP/1.1\r\n",
					"GET /talk HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n",
				} {
					c, err := net.Dial("tcp", at)
					if err != nil {
						t.Fatal(err)
					}
					defer c.Close()
					fmt.Fprint(c, head)
					<-begun
					r := bufio.NewReader(c)
					if strings.HasPrefix(head, "GET /talk") {
						if line, err := r.ReadString('\n'); err != nil || !strings.Contains(line, " 101 ") {
							t.Fatal(line, err)
						}
					}
					conns = append(conns, r)
				}
			}
			if reloaded {
				next, err := Parse("p.yaml", []byte(text("")))
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Load(next); err != nil {
					t.Fatal(err)
				}
			}
			s.Close(time.Millisecond)
			closed.Store(true)
			silence()
			if late.Load() {
				t.Error("a request is told of after Close")
			}
			for _, r := range conns {
				_, _ = io.Copy(io.Discard, r) // until it ends
			}
		})
	}
}
