package node_test

import (
	"net"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/node"
)

// A port that leads from a host which is not there is an error when it is opened,
// not when somebody connects.
func TestForwardFromNobody(t *testing.T) {
	_, r := running(t, "../../examples/three-tier", node.UpOptions{})
	b := r.Bridge(func(err error) { t.Error(err) })
	defer b.Close()
	for name, open := range map[string]func() (net.Addr, error){
		"forward":      func() (net.Addr, error) { return b.Forward(node.Forward{Host: "nobody", Port: 80}, "") },
		"forward from": func() (net.Addr, error) { return b.Forward(node.Forward{Host: "app-1", Port: 80}, "nobody") },
		"SOCKS":        func() (net.Addr, error) { return b.SOCKS("127.0.0.1:0", "nobody") },
	} {
		if a, err := open(); err == nil || !strings.Contains(err.Error(), `no host "nobody"`) {
			t.Errorf("%s: %v, %v", name, a, err)
		}
	}
	if _, err := b.Forward(node.Forward{Host: "app-1", Port: 8080}, ""); err != nil {
		t.Error(err)
	}
}
