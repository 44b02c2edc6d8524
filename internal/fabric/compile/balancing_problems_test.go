package compile

import (
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/model"
)

// What is wrong with load balancers, endpoints and services is said in one go,
// with its place and what to do.
func TestBalancingProblems(t *testing.T) {
	at := func(n *network) *network {
		return n.vnet("net", "10.0.0.0/16", "s 10.0.0.0/24", "GatewaySubnet 10.0.9.0/27")
	}
	for name, tt := range map[string]struct {
		build func(n *network)
		want  []string // parts of the lines, in order
	}{
		"no such parts": {func(n *network) {
			n.lb("l", "f=a@net/s", "rule=x:b:p:Tcp:80:80", "rule=y:a:p:Tcp:81:81:probe=h", "rule=z:a:p:Icmp:82:82", "rule=w:a:p:Tcp:99999:1")
		}, []string{`backend pool "`, `frontend "`, `port 99999 of rule "w" is out of range`, `probe "`, `protocol "Icmp" of rule "z" is not known`}},
		"two rules for one port": {func(n *network) {
			n.lb("l", "f=a@net/s", "pool=p", "rule=x:a:p:Tcp:80:80", "rule=y:a:p:All:80:81")
		}, []string{`rules "x" and "y" take the same packets`}},
		"floating to another port": {func(n *network) {
			n.lb("l", "f=a@net/s", "pool=p", "rule=x:a:p:Tcp:80:81:float")
		}, []string{`rule "x" floats its address with backend port 81 for frontend port 80`}},
		"a frontend nowhere": {func(n *network) {
			n.add("lb/l", `{"location":"westeurope","properties":{"frontendIPConfigurations":[{"name":"a","properties":{}}]}}`)
		}, []string{`frontend "a" has neither a subnet nor a public IP`}},
		"a reserved subnet": {func(n *network) {
			n.lb("l", "f=a@net/GatewaySubnet").pe("e", "net/GatewaySubnet", "", "~store/x", "blob")
		}, []string{`"GatewaySubnet" takes no load balancers`, `"GatewaySubnet" takes no private endpoints`}},
		"members": {func(n *network) {
			n.lb("l", "f=a@net/s:10.0.0.10", `pool=p:[{"name":"one","properties":{"ipAddress":"ten","virtualNetwork":{"id":"~vnet/net"}}},
				{"name":"two","properties":{"ipAddress":"10.7.0.1","virtualNetwork":{"id":"~vnet/net"}}},{"name":"three","properties":{"ipAddress":"10.0.0.10","virtualNetwork":{"id":"~vnet/net"}}}]`)
		}, []string{`"ten" is not an address`, `address 10.0.0.10 is a frontend of load balancer "l"`, `10.7.0.1 is in no subnet of virtual network "net"`}},
		"a range too short": {func(n *network) {
			n.lb("l", "f=a@net/s:10.0.0.10", "pool=p", "nat=r:a:Tcp:3000:22:pool=p=3000").pooled("v", "net/s", "", "l/p").pooled("w", "net/s", "", "l/p")
		}, []string{`rule "r" has no port for "w"`}},
		"children without parents": {func(n *network) {
			n.add("lb/x/backendAddressPools/p", `{}`).add("lb/x/inboundNatRules/r", `{}`).add("sql/x/firewallRules/r", `{"properties":{"startIpAddress":"1.1.1.1","endIpAddress":"1.1.1.2"}}`).
				add("pe/x/privateDnsZoneGroups/default", `{}`)
		}, []string{
			`"p" belongs to a load balancer that does not exist`, `"r" belongs to a load balancer that does not exist`,
			`"r" belongs to an SQL server that does not exist`, `"default" belongs to a private endpoint that does not exist`,
		}},
		"endpoints": {func(n *network) {
			n.add("pe/a", `{"location":"westeurope","properties":{"privateLinkServiceConnections":[{"properties":{"privateLinkServiceId":"x"}}]}}`)
			n.add("pe/b", `{"location":"westeurope","properties":{"subnet":{"id":"~vnet/net/subnets/s"}}}`)
			n.pe("c", "net/s", "10.0.7.7", "~store/x", "blob").pe("d", "net/none", "", "~store/x", "blob")
		}, []string{`private endpoint "a" has no subnet`, `private endpoint "b" has no connection`, `10.0.7.7 is not in subnet "s"`, `subnet "`}},
		"services": {func(n *network) {
			n.add("store/a", `{"location":"atlantis","properties":{}}`)
			n.account("b", `"networkAcls":{"defaultAction":"Deny","ipRules":[{"value":"here"}]}`)
			n.add("sql/c", `{"location":"westeurope","properties":{}}`).add("sql/c/firewallRules/r", `{"properties":{"startIpAddress":"2.0.0.0","endIpAddress":"1.0.0.0"}}`)
		}, []string{`"atlantis" is not an Azure region`, `"here" is not an address or prefix`, `rule "r" is not a range of IPv4 addresses`}},
		"one public IP for two": {func(n *network) {
			n.pip("p", "52.0.0.1").lb("k", "f=a@pip/p").lb("l", "f=a@pip/p")
		}, []string{`public IP "p" is already used by`}},
	} {
		t.Run(name, func(t *testing.T) {
			n := at(&network{t: t})
			tt.build(n)
			_, err := Compile(n.resources, Options{})
			problems, ok := err.(model.Problems)
			if !ok {
				t.Fatalf("no problems: %v", err)
			}
			for i, p := range problems {
				if i >= len(tt.want) || !strings.Contains(p.Error(), tt.want[i]) {
					t.Errorf("problem %d: %s", i, p.Error())
				}
				if p.Resource == "" || p.Fix == "" || p.Pos.IsZero() {
					t.Errorf("a problem lacks its resource, place or fix: %+v", p)
				}
			}
			if len(problems) < len(tt.want) {
				t.Errorf("%d problems, want %d", len(problems), len(tt.want))
			}
		})
	}
}
