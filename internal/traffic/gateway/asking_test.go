package gateway

import (
	"net"
	"net/netip"
	"testing"
	"time"
)

// A member that cannot be reached costs nobody a request, whomever the balancer names
// next: each member is tried once.
func TestEachMemberOnce(t *testing.T) {
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := netip.MustParseAddrPort(gone.Addr().String())
	gone.Close()
	c := simple(Member{Host: a.Addr().String(), Port: a.Port(), Weight: 100}, backendServer(t, "one", nil))
	c.Probes = []Probe{{Name: "p", Protocol: HTTP, Path: "/", Host: "x", Interval: time.Hour, Threshold: 20}}
	c.Settings[0].Probe = "p"
	for name, rewrites := range map[string][]Rewrite{"short way": nil, "long way": {{Name: "r", Response: []Header{{"X-A", "b"}}}}} {
		c.Rules[0].Default.Rewrites = rewrites
		g := startWith(t, c, func(o *Options) { o.OnRequest = nil })
		client := g.client("0.0.0.0:80", nil)
		for range 20 {
			if resp, _ := get(t, client, "http://shop.example/"); resp.StatusCode != 200 {
				t.Fatal(name, resp.Status)
			}
		}
	}
}
