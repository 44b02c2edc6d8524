package gateway

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

const followFile = `gateway: shop
discovery: {url: "http://127.0.0.1:8500", tokenFile: token}
listeners:
  - {name: web, port: 8080}
pools:
  - {name: orders, discovery: orders}
settings:
  - {name: plain}
rules:
  - {name: web, priority: 100, listener: web, pool: orders, settings: plain}
`

func TestFollowedPools(t *testing.T) {
	c, err := Parse("/etc/gw.yaml", []byte(followFile))
	if err != nil {
		t.Fatal(err)
	}
	if c.Discovery.URL != "http://127.0.0.1:8500" || c.Discovery.TokenFile != "/etc/token" || c.Pools[0].Discovery != "orders" {
		t.Errorf("%+v %+v", c.Discovery, c.Pools[0])
	}
	for _, tt := range []struct{ name, from, to, want string }{
		{"members too", "discovery: orders}", "discovery: orders, members: [10.0.0.4]}", "gw.yaml:6:6: pool orders: members and discovery exclude each other"},
		{"no DNS label", "discovery: orders}", "discovery: Orders_1}", `gw.yaml:6:6: pool orders: service "Orders_1": use 1 to 63 lower-case letters`},
		{"no registry", `discovery: {url: "http://127.0.0.1:8500", tokenFile: token}`, "", "pool orders names a service and no registry is named"},
		{"no address", "http://127.0.0.1:8500", "127.0.0.1:8500", `gw.yaml:2:13: discovery: "127.0.0.1:8500" is no address of a registry`},
		{"unknown field", "tokenFile", "token", "unknown field"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse("gw.yaml", []byte(strings.Replace(followFile, tt.from, tt.to, 1)))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v\nwant %s", err, tt.want)
			}
		})
	}
}

// memberNamed is a web server that answers with its name.
func memberNamed(t *testing.T, name string) Member {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(name)) }))
	t.Cleanup(s.Close)
	a := netip.MustParseAddrPort(s.Listener.Addr().String())
	return Member{Host: a.Addr().String(), Port: a.Port()}
}

// Members come and go with the registry's; a configuration that keeps the service
// keeps its members, and one without it ends the following.
func TestMembersFollowed(t *testing.T) {
	tell := make(chan func([]Member))
	ended := make(chan string, 4)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(Options{
		Listen: func(context.Context, string, string) (net.Listener, error) { return l, nil },
		Discover: func(ctx context.Context, from Registry, service string, on func([]Member)) {
			select {
			case tell <- on:
			case <-ctx.Done():
			}
			<-ctx.Done()
			ended <- from.URL + "/" + service
		},
	})
	defer s.Close(0)
	load := func(file string) {
		t.Helper()
		c, err := Parse("gw.yaml", []byte(file))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Load(c); err != nil {
			t.Fatal(err)
		}
	}
	ask := func() string {
		t.Helper()
		res, err := http.Get("http://" + l.Addr().String() + "/")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return res.Status
		}
		b := make([]byte, 16)
		n, _ := res.Body.Read(b)
		return string(b[:n])
	}
	load(followFile)
	on := <-tell
	if got := ask(); !strings.HasPrefix(got, "502") && !strings.HasPrefix(got, "503") {
		t.Errorf("without an instance: %s", got)
	}
	a, b := memberNamed(t, "a"), memberNamed(t, "b")
	on([]Member{a})
	if got := ask(); got != "a" {
		t.Errorf("%s, want a", got)
	}
	on([]Member{b})
	if got := ask(); got != "b" {
		t.Errorf("%s, want b", got)
	}
	load(strings.Replace(followFile, "{name: plain}", "{name: plain, timeout: 5s}", 1))
	if got := ask(); got != "b" {
		t.Errorf("after a reload: %s, want b", got)
	}
	load(strings.Replace(followFile, "discovery: orders}", fmt.Sprintf("members: [%q]}", netip.AddrPortFrom(netip.MustParseAddr(a.Host), a.Port)), 1))
	if got := <-ended; got != "http://127.0.0.1:8500/orders" {
		t.Errorf("ended %s", got)
	}
	on(nil) // too late: nobody listens
	if got := ask(); got != "a" {
		t.Errorf("of its own members: %s, want a", got)
	}
}
