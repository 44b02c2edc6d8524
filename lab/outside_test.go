package lab_test

import (
	"bufio"
	"io"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/sql/tds"
	"github.com/ceruleannet/cerulean/lab"
)

// branch is a shop with an office behind a VPN and a database of the platform.
const branch = `
network: branch
regions: [westeurope]
networks:
  - name: branch
    address: 10.0.0.0/16
    subnets:
      GatewaySubnet: {length: 27}
      app:
        nsg: app
        hosts:
          app-1: {serves: https/443}
      links: {private-endpoint-policies: nsg, nsg: links}
nsgs:
  app:
    inbound:
      - {name: office-web, allow: office -> any https}
      - {name: nothing-else, deny: any -> any}
  links:
    inbound:
      - {name: orders, allow: app -> any sqlserver}
      - {name: only-orders, deny: any -> any}
gateways: [{name: vpn, kind: vpn, vnet: branch}]
sites: [{name: office, prefixes: [192.168.0.0/24], gateways: vpn, address: 198.51.100.10}]
services: [{name: branch-orders, kind: sql, public: false}]
private-endpoints: [{name: orders, service: branch-orders, subnet: links, zones: privatelink.database.windows.net}]
dns: {privatelink.database.windows.net: {link: all}}
expectations:
  - {allow: office -> app https}
  - {deny: office -> app ssh}
  - {allow: app -> orders sqlserver}
`

// A site dials, is denied by a rule with its name and place, and listens.
func TestSite(t *testing.T) {
	l := lab.Declare(t, branch)
	office, app := l.Host("office"), l.Host("app-1")
	if got := office.Addrs(); len(got) != 1 || got[0].String() != "192.168.0.1" {
		t.Errorf("the office speaks from %v", got)
	}
	res, err := office.HTTPClient().Get("https://" + app.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil || string(body) != "app-1\n" {
		t.Errorf("%q, %v", body, err)
	}
	_, err = office.DialContext(t.Context(), "tcp", app.Addrs()[0].String()+":22")
	d, ok := lab.Denied(err)
	if !ok || d.Code != "rule" || !strings.Contains(d.Text, "nothing-else") || !strings.Contains(d.Text, "network.yaml:18") || !strings.Contains(err.Error(), "nothing-else") {
		t.Errorf("%+v, %v", d, err)
	}
	listener, err := office.Listen("tcp", ":9100")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	c, err := app.DialContext(t.Context(), "tcp", "192.168.0.9:9100")
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

// A service listens where its kind does, and is found by name through its
// private endpoint; a test may listen in its place.
func TestService(t *testing.T) {
	l := lab.Declare(t, branch)
	const name = "branch-orders.privatelink.database.windows.net:1433"
	c, err := l.Host("app-1").DialContext(t.Context(), "tcp", name)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	hello := tds.Prelogin{Encryption: tds.EncryptAll}
	if err := tds.WriteMessage(c, tds.KindPrelogin, tds.DefaultPacket, hello.Bytes()); err != nil {
		t.Fatal(err)
	}
	if m, err := tds.ReadMessage(c, tds.MaxPacket); err != nil || m.Kind != tds.KindReply {
		t.Errorf("%+v, %v", m, err)
	}
	_, err = l.Host("office").DialContext(t.Context(), "tcp", l.Host("orders").Addrs()[0].String()+":1433")
	if d, ok := lab.Denied(err); !ok || !strings.Contains(d.Text, "only-orders") {
		t.Errorf("%+v, %v", d, err)
	}

	l = lab.Declare(t, branch, lab.WithoutServices())
	listener, err := l.Host("Orders").Listen("tcp", ":1433")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		if c, err := listener.Accept(); err == nil {
			io.WriteString(c, "mine\n")
			c.Close()
		}
	}()
	if c, err = l.Host("app-1").DialContext(t.Context(), "tcp", name); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || line != "mine\n" {
		t.Errorf("%q, %v", line, err)
	}
}

func TestExpectationsOfTheOutside(t *testing.T) {
	l := lab.Declare(t, branch)
	l.Check()
	for _, p := range l.Probe(t.Context()) {
		if p.Tried == 0 {
			t.Errorf("%s: nothing was tried", p.Text)
		}
	}
}
