package lab_test

import (
	"bufio"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/lab"
)

// dualStack is two hosts with both families, and a group that closes one port
// of one family. IPv6 is declared in Resource Manager shape.
const dualStack = `
network: six
regions: [westeurope]
resources:
  - type: Microsoft.Network/networkSecurityGroups
    name: g
    location: westeurope
    properties:
      securityRules:
        - {name: six-only, properties: {priority: 100, direction: Inbound, access: Deny, protocol: "*", sourceAddressPrefix: "*", sourcePortRange: "*", destinationAddressPrefix: "fd00:1::/64", destinationPortRange: "81"}}
  - type: Microsoft.Network/virtualNetworks
    name: v
    location: westeurope
    properties:
      addressSpace: {addressPrefixes: [10.1.0.0/16, "fd00:1::/48"]}
      subnets:
        - {name: app, properties: {addressPrefixes: [10.1.0.0/24, "fd00:1::/64"], networkSecurityGroup: {id: Microsoft.Network/networkSecurityGroups/g}}}
  - type: Microsoft.Network/networkInterfaces
    name: a-nic
    location: westeurope
    properties:
      ipConfigurations:
        - {name: v4, properties: {primary: true, privateIPAddress: 10.1.0.4, privateIPAllocationMethod: Static, subnet: {id: Microsoft.Network/virtualNetworks/v/subnets/app}}}
        - {name: v6, properties: {privateIPAddressVersion: IPv6, privateIPAddress: "fd00:1::4", privateIPAllocationMethod: Static, subnet: {id: Microsoft.Network/virtualNetworks/v/subnets/app}}}
  - type: Microsoft.Network/networkInterfaces
    name: b-nic
    location: westeurope
    properties:
      ipConfigurations:
        - {name: v4, properties: {primary: true, privateIPAddress: 10.1.0.5, privateIPAllocationMethod: Static, subnet: {id: Microsoft.Network/virtualNetworks/v/subnets/app}}}
        - {name: v6, properties: {privateIPAddressVersion: IPv6, privateIPAddress: "fd00:1::5", privateIPAllocationMethod: Static, subnet: {id: Microsoft.Network/virtualNetworks/v/subnets/app}}}
  - {type: Microsoft.Compute/virtualMachines, name: a, location: westeurope, properties: {networkProfile: {networkInterfaces: [{id: Microsoft.Network/networkInterfaces/a-nic}]}}}
  - {type: Microsoft.Compute/virtualMachines, name: b, location: westeurope, properties: {networkProfile: {networkInterfaces: [{id: Microsoft.Network/networkInterfaces/b-nic}]}}}
expectations:
  - allow: fd00:1::4 -> fd00:1::5 tcp/443
  - deny: fd00:1::4 -> fd00:1::5 tcp/81
  - allow: 10.1.0.4 -> 10.1.0.5 tcp/81
`

func TestIPv6(t *testing.T) {
	l := lab.Declare(t, dualStack)
	l.Check()
	listen(t, l.Host("b"), ":443")
	listen(t, l.Host("b"), ":81")
	for _, to := range []string{"[fd00:1::5]:443", "10.1.0.5:81"} {
		if got, err := greeting(t, l.Host("a"), to); err != nil || got != "hello\n" {
			t.Errorf("%s: %q, %v", to, got, err)
		}
	}
	_, err := greeting(t, l.Host("a"), "[fd00:1::5]:81")
	if d, ok := lab.Denied(err); !ok || !strings.Contains(d.Text, "six-only") {
		t.Errorf("port 81 over IPv6: %v", err)
	}
}

// appliance sends traffic between two subnets through a host, both ways.
const appliance = `
network: nva
regions: [westeurope]
spokes:
  - name: v
    subnets:
      app: {route-table: to-data, hosts: {a: {}}}
      data: {route-table: to-app, hosts: {b: {}}}
      mid: {hosts: {fw: {ip-forwarding: true}}}
route-tables:
  to-data: [{to: b, via: fw}]
  to-app: [{to: a, via: fw}]
`

// An appliance passes on what is not its own ("Virtual network traffic
// routing"); one without forwarding is refused when the network is declared.
func TestAppliance(t *testing.T) {
	l := lab.Declare(t, appliance)
	listen(t, l.Host("b"), ":5432")
	if got, err := greeting(t, l.Host("a"), l.Host("b").Addrs()[0].String()+":5432"); err != nil || got != "hello\n" {
		t.Errorf("%q, %v", got, err)
	}
}

// listen greets everybody who connects, until the lab closes.
func listen(t *testing.T, h *lab.Host, address string) {
	t.Helper()
	listener, err := h.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("hello\n"))
			c.Close()
		}
	}()
}

func greeting(t *testing.T, h *lab.Host, to string) (string, error) {
	t.Helper()
	c, err := h.DialContext(t.Context(), "tcp", to)
	if err != nil {
		return "", err
	}
	defer c.Close()
	return bufio.NewReader(c).ReadString('\n')
}
