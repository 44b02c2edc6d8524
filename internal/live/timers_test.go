package live_test

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/live"
)

const balanced = `
network: resets
regions: [eastus]
spokes:
  - name: app
    subnets:
      web: {hosts: {web: {serves: tcp/8080}}}
      clients: {hosts: {client: {}}}
load-balancers:
  - name: inside
    frontends: {front: {subnet: web}}
    members: [web]
    rules:
      - {traffic: tcp/80, to-port: 8080, idle-timeout: 4, tcp-reset: true}
      - {traffic: tcp/81, to-port: 8080, idle-timeout: 4}
`

// A connection through a load balancer that was silent for longer than its rule
// allows is reset at both ends where the rule asks for it, and else forgotten in
// silence ("Load Balancer TCP Reset and Idle Timeout").
func TestIdleReset(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "network.yaml"), []byte(balanced), 0o600); err != nil {
		t.Fatal(err)
	}
	img, network := load(t, dir)
	var front string
	for _, r := range network.Resources {
		if strings.Contains(r.ID.String(), "loadBalancers") {
			for i := range img.Ports {
				if img.Ports[i].Name == "inside" || strings.Contains(img.Ports[i].Name, "inside") {
					front = img.Sets[img.Ports[i].Addrs].Min().Addr().String()
				}
			}
		}
	}
	n, err := live.Start(img, network.Hosts, live.Options{NoServices: true})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	host := func(name string) *live.Host {
		h, err := n.Host(name)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	l, err := host("web").Listen("tcp", ":8080")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	// dial connects, and tells how the reads of both ends end.
	dial := func(port string) <-chan error {
		here, err := host("client").DialContext(t.Context(), "tcp", net.JoinHostPort(front, port))
		if err != nil {
			t.Fatal(err)
		}
		there, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		ends := make(chan error, 2)
		for _, c := range []net.Conn{here, there} {
			t.Cleanup(func() { c.Close() })
			go func() {
				_, err := c.Read(make([]byte, 1))
				ends <- err
			}()
		}
		return ends
	}
	silent, loud := dial("81"), dial("80")
	n.Age(3 * time.Minute)
	select {
	case err := <-loud:
		t.Fatal("before its time:", err)
	default:
	}
	n.Age(2 * time.Minute)
	for range 2 {
		if err := <-loud; err == nil || errors.Is(err, io.EOF) {
			t.Errorf("an end reads %v", err)
		}
	}
	select {
	case err := <-silent:
		t.Error("without tcp-reset an end hears of it:", err)
	default:
	}
}
