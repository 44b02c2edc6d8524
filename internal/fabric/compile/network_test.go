package compile

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/ref"
	"github.com/ceruleannet/cerulean/model"
)

// network builds resources from compact ARM JSON. In the JSON a string like
// "~vnet/hub/subnets/app" stands for a whole resource ID.
type network struct {
	t         testing.TB
	resources []*model.Resource
}

var group = model.GroupID("s", "g")

// short names of resource types; the rest of the name follows.
var short = map[string]string{
	"vnet": model.TypeVirtualNetwork, "nsg": model.TypeNSG, "rt": model.TypeRouteTable, "nic": model.TypeNIC,
	"pip": model.TypePublicIP, "nat": model.TypeNATGateway, "fw": model.TypeFirewall, "fwp": model.TypeFirewallPolicy,
	"ipg": model.TypeIPGroup, "asg": model.TypeASG, "zone": model.TypePrivateZone, "vm": model.TypeVM,
	"nm": model.TypeNetworkManager, "policy": model.TypePolicyDefinition, "assign": model.TypePolicyAssignment,
	"lb": model.TypeLoadBalancer, "agw": "Microsoft.Network/applicationGateways", "vmss": "Microsoft.Compute/virtualMachineScaleSets",
	"pls": model.TypePrivateLinkService, "sep": model.TypeEndpointPolicy, "store": model.TypeStorageAccount, "sql": model.TypeSQLServer,
	"kv": model.TypeKeyVault, "vgw": "Microsoft.Network/virtualNetworkGateways", "pe": "Microsoft.Network/privateEndpoints",
	"aks": "Microsoft.ContainerService/managedClusters", "vhub": "Microsoft.Network/virtualHubs", "ruleset": "Microsoft.Network/dnsForwardingRulesets",
	"lng": typeLocalGateway, "prefix": typePublicPrefix, "conn": typeConnection, "circuit": typeCircuit,
	"public": model.TypePublicZone, "tm": model.TypeTrafficManager,
}

// id expands "~kind/name/childType/childName".
func id(t testing.TB, s string) model.ID {
	kind, name, _ := strings.Cut(strings.TrimPrefix(s, "~"), "/")
	full, ok := short[kind]
	if !ok {
		t.Fatalf("no short name %q", kind)
	}
	return model.MustParseID(group.Resource(full, name).String())
}

// add declares a resource: its short ID and its document without the ID. The
// line of its place is its position in the network.
func (n *network) add(at, doc string) *network {
	n.t.Helper()
	d, err := model.ParseJSON([]byte(doc))
	if err != nil {
		n.t.Fatalf("%s: %v", at, err)
	}
	d, _ = n.expand(d).(map[string]any)
	n.resources = append(n.resources, &model.Resource{
		ID: id(n.t, at), Doc: d, Pos: model.Pos{File: "net.yaml", Line: len(n.resources) + 1, Column: 1},
	})
	return n
}

func (n *network) expand(v any) any {
	switch v := v.(type) {
	case string:
		if strings.HasPrefix(v, "~") {
			return id(n.t, v).String()
		}
	case map[string]any:
		for k := range v {
			v[k] = n.expand(v[k])
		}
	case []any:
		for i := range v {
			v[i] = n.expand(v[i])
		}
	}
	return v
}

// vnet declares a virtual network in westeurope with subnets "name prefix
// [extra JSON properties]".
func (n *network) vnet(name, prefix string, subnets ...string) *network {
	return n.vnetIn("westeurope", name, prefix, "{}", subnets...)
}

func (n *network) vnetIn(region, name, prefix, tags string, subnets ...string) *network {
	var list []string
	for _, s := range subnets {
		f := strings.SplitN(s, " ", 3)
		extra := ""
		if len(f) == 3 {
			extra = "," + f[2]
		}
		list = append(list, fmt.Sprintf(`{"name":%q,"properties":{"addressPrefix":%q%s}}`, f[0], f[1], extra))
	}
	return n.add("vnet/"+name, fmt.Sprintf(`{"location":%q,"tags":%s,"properties":{"addressSpace":{"addressPrefixes":[%q]},"subnets":[%s]}}`,
		region, tags, prefix, strings.Join(list, ",")))
}

// nic declares an interface of a machine with the same name in "vnet/subnet".
func (n *network) nic(name, at, addr string, extra ...string) *network {
	vnet, subnet, _ := strings.Cut(at, "/")
	more := ""
	for _, e := range extra {
		more += "," + e
	}
	method := "Dynamic"
	if addr != "" {
		method = "Static"
	}
	n.add("nic/"+name, fmt.Sprintf(`{"location":"westeurope","properties":{"ipConfigurations":[{"name":"ip","properties":{
		"privateIPAddress":%q,"privateIPAllocationMethod":%q,"subnet":{"id":"~vnet/%s/subnets/%s"}}}]%s}}`, addr, method, vnet, subnet, more))
	return n.add("vm/"+name, fmt.Sprintf(`{"location":"westeurope","properties":{"networkProfile":{"networkInterfaces":[{"id":"~nic/%s"}]}}}`, name))
}

// peer declares both halves of a peering.
func (n *network) peer(a, b string) *network {
	for _, p := range [][2]string{{a, b}, {b, a}} {
		n.add("vnet/"+p[0]+"/virtualNetworkPeerings/to-"+p[1], fmt.Sprintf(`{"properties":{"remoteVirtualNetwork":{"id":"~vnet/%s"}}}`, p[1]))
	}
	return n
}

func (n *network) compile() *fabric.Image {
	n.t.Helper()
	img, err := Compile(n.resources, Options{Epoch: 1})
	if err != nil {
		n.t.Fatal(err)
	}
	return img
}

// portOf finds a port by name.
func portOf(t testing.TB, img *fabric.Image, name string) fabric.PortID {
	t.Helper()
	for i := range img.Ports {
		if img.Ports[i].Name == name {
			return fabric.PortID(i)
		}
	}
	t.Fatalf("no port %q", name)
	return fabric.None
}

// flow parses "tcp 10.0.0.4 10.1.0.4:443" and follows it from a port.
func flow(t testing.TB, img *fabric.Image, from, text string) fabric.Connection {
	t.Helper()
	f := strings.Fields(text)
	p := fabric.Packet{Src: netip.MustParseAddr(f[1])}
	switch f[0] {
	case "tcp":
		p.Proto = fabric.ProtoTCP
	case "udp":
		p.Proto = fabric.ProtoUDP
	case "icmp":
		p.Proto = fabric.ProtoICMP
	}
	if p.HasPorts() {
		dst := netip.MustParseAddrPort(f[2])
		p.Dst, p.DstPort, p.SrcPort = dst.Addr(), dst.Port(), 50000
	} else {
		p.Dst = netip.MustParseAddr(f[2])
	}
	return ref.Connect(img, portOf(t, img, from), p)
}

// outcome says in one line what became of a flow: verdict, code and, for rules,
// the name of the rule; then the ports passed.
func outcome(img *fabric.Image, c *fabric.Connection) string {
	v, r := c.Verdict()
	s := v.String() + " " + r.Code.String()
	switch r.Code {
	case fabric.CodeRule:
		s += " " + img.Filters[r.Filter].Rules[r.Rule].Origin.Name
	case fabric.CodeFilterDefault:
		s += " " + img.Filters[r.Filter].Name
	case fabric.CodeNoTarget, fabric.CodeHairpin:
		s += " " + img.Ports[r.Port].Inward.Redirects[r.Rule].Name
	}
	var path []string
	for _, p := range c.Forward.Path {
		path = append(path, img.Ports[p].Name)
	}
	return s + ": " + strings.Join(path, " > ")
}

// expect follows flows "from: proto src dst = outcome".
func expect(t *testing.T, img *fabric.Image, flows ...string) {
	t.Helper()
	for _, line := range flows {
		from, rest, _ := strings.Cut(line, ": ")
		text, want, _ := strings.Cut(rest, " = ")
		c := flow(t, img, from, text)
		if got := outcome(img, &c); got != want {
			t.Errorf("%s: %s\n got %s\nwant %s", from, text, got, want)
		}
	}
}

// routes prints the effective routes of a port, one per line.
func routes(img *fabric.Image, port fabric.PortID) string {
	var b strings.Builder
	for _, r := range img.Tables[img.Ports[port].Routes].Routes {
		state := "Active"
		if r.Inactive {
			state = "Invalid"
		}
		fmt.Fprintf(&b, "%s %s %s %s", r.Source, state, r.Prefix, r.Kind)
		if r.Hop.Via.IsValid() {
			fmt.Fprintf(&b, " %s", r.Hop.Via)
		}
		if r.Hop.Kind == fabric.HopMissing {
			b.WriteString(" (missing)")
		}
		if r.Hop.Kind == fabric.HopUnknown {
			b.WriteString(" (unknown)")
		}
		b.WriteString("\n")
	}
	return b.String()
}
