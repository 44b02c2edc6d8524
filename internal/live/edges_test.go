package live

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/model"
)

// greetAtEdge answers every connection of an edge with its name and where it comes from.
func greetAtEdge(t *testing.T, n *Network, name string, port uint16) net.Listener {
	t.Helper()
	e, ok := n.Edge(name)
	if !ok {
		t.Fatalf("no edge %s", name)
	}
	l, err := e.Listen(port)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprintf(c, "%s %s", e.Name(), c.RemoteAddr())
			c.Close()
		}
	}()
	return l
}

func helloFrom(t *testing.T, h *Host, to string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c, err := h.DialContext(ctx, "tcp", to)
	if err != nil {
		return "", err
	}
	defer c.Close()
	b, err := io.ReadAll(c)
	return string(b), err
}

// Anycast: the edge nearest to where a client's packets leave answers at the shared
// address; edges connect from addresses of their own.
func TestEdges(t *testing.T) {
	addr := netip.MustParseAddr
	n, err := Start(testImage(), []model.Host{{Name: "web"}, {Name: "db"}}, Options{
		Internet: []model.PublicHost{{Name: "far.example", Addrs: []netip.Addr{addr("198.51.100.80")}, Region: "west", Services: []model.Service{{Kind: model.ServiceWhoAmI, Port: 80}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	door := func(sites ...EdgeSite) []Anycast {
		return []Anycast{{Addr: addr("198.51.100.1"), Sites: sites, Nearest: func(region string) int {
			for i, s := range sites {
				if s.Region == region {
					return i
				}
			}
			return -1
		}}}
	}
	east, west := EdgeSite{"e", "east", addr("198.51.100.11")}, EdgeSite{"w", "west", addr("198.51.100.12")}
	if err := n.SetEdges(door(east, west)); err != nil {
		t.Fatal(err)
	}
	defer greetAtEdge(t, n, "E", 80).Close()
	last := greetAtEdge(t, n, "w", 80)
	web, _ := n.Host("web")
	far, _ := n.Host("far.example")
	for host, want := range map[*Host]string{web: "e 203.0.113.1:", far: "w 198.51.100.80:", n.Internet(): "e "} {
		got, err := helloFrom(t, host, "198.51.100.1:80")
		if err != nil || !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q %v, want %s", host.Name, got, err, want)
		}
	}
	e, _ := n.Edge("w")
	c, err := e.DialContext(t.Context(), "tcp", "198.51.100.80:80")
	if err != nil {
		t.Fatal(err)
	}
	if a := c.LocalAddr().(*net.TCPAddr).AddrPort().Addr().Unmap(); a != west.Addr {
		t.Errorf("it connects from %s", a)
	}
	c.Close()
	for name, wrong := range map[string][]Anycast{
		"is not on the internet": door(EdgeSite{"x", "east", addr("10.1.0.9")}), "of two edges": door(east, EdgeSite{"x", "east", east.Addr}), "of two groups": append(door(east), door(west)...),
	} {
		if err := n.SetEdges(wrong); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// One that stays goes on; one that goes is gone, with what listened there.
	if err := n.SetEdges(door(east)); err != nil {
		t.Fatal(err)
	}
	if got, err := helloFrom(t, web, "198.51.100.1:80"); err != nil || !strings.HasPrefix(got, "e ") {
		t.Errorf("%q %v", got, err)
	}
	if _, ok := n.Edge("w"); ok {
		t.Error("it is still there")
	}
	if _, err := e.DialContext(t.Context(), "tcp", "198.51.100.80:80"); !errors.Is(err, ErrClosed) {
		t.Errorf("an edge that is gone connects: %v", err)
	}
	last.Close()
	n.Swap(testImage())
	if got, err := helloFrom(t, web, "198.51.100.1:80"); err != nil || !strings.HasPrefix(got, "e ") {
		t.Errorf("with another image: %q %v", got, err)
	}
	n.Close()
	if left := n.Leaked(); left != "" {
		t.Error(left)
	}
}
