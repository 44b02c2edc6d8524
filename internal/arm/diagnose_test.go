package arm_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ceruleannet/cerulean/model"
)

// ask asks for an action and, if it is accepted, fetches the answer as clients
// do: from the Location, once the operation has succeeded.
func (c *cloud) ask(path, body string) answer {
	c.t.Helper()
	a := c.must("POST", path, body)
	if a.status != 202 {
		return a
	}
	if s := str(c.get(a.header.Get("Azure-AsyncOperation")), "status"); s != "Succeeded" {
		c.t.Errorf("%s: operation %s", path, s)
	}
	return c.must("GET", a.header.Get("Location"), "")
}

// written are the resources that clients wrote: all but the network watchers
// that the cloud makes by itself.
func (c *cloud) written() []*model.Resource {
	return slices.DeleteFunc(c.server.Snapshot(), func(r *model.Resource) bool { return r.ID.ResourceGroup() == "NetworkWatcherRG" })
}

const watcher = subscription + "/resourceGroups/NetworkWatcherRG/providers/Microsoft.Network/networkWatchers/NetworkWatcher_westeurope"

// withMachine makes a virtual network with a security group and a machine.
func (c *cloud) withMachine() *cloud {
	c.withGroup()
	c.must("PUT", network+"/networkSecurityGroups/nsg", `{"location":"westeurope","properties":{"securityRules":[
		{"name":"web","properties":{"priority":100,"direction":"Inbound","access":"Allow","protocol":"Tcp","sourceAddressPrefix":"Internet","sourcePortRange":"*","destinationAddressPrefix":"*","destinationPortRanges":["80","443"]}},
		{"name":"no-smtp","properties":{"priority":200,"direction":"Outbound","access":"Deny","protocol":"Tcp","sourceAddressPrefix":"*","sourcePortRange":"*","destinationAddressPrefix":"*","destinationPortRange":"25"}}]}}`)
	c.must("PUT", network+"/routeTables/rt", `{"location":"westeurope","properties":{"routes":[{"name":"fw","properties":{"addressPrefix":"10.9.0.0/16","nextHopType":"VirtualAppliance","nextHopIpAddress":"10.0.1.200"}}]}}`)
	c.must("PUT", network+"/virtualNetworks/v", `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"subnets":[
		{"name":"s","properties":{"addressPrefix":"10.0.1.0/24","networkSecurityGroup":{"id":"`+network+`/networkSecurityGroups/nsg"},"routeTable":{"id":"`+network+`/routeTables/rt"}}}]}}`)
	c.must("PUT", network+"/networkInterfaces/n", nicBody(network+"/virtualNetworks/v/subnets/s", ""))
	c.must("PUT", group+"/providers/Microsoft.Compute/virtualMachines/vm", `{"location":"westeurope","properties":{"networkProfile":{"networkInterfaces":[{"id":"`+network+`/networkInterfaces/n"}]}}}`)
	return c
}

const machine = group + "/providers/Microsoft.Compute/virtualMachines/vm"

// TestFlowAndHop: ipFlowVerify names the rule that decides, nextHop the route,
// in the words of "Quickstart: Diagnose a virtual machine network traffic filter
// problem" and "Next hop overview".
func TestFlowAndHop(t *testing.T) {
	c := newCloud(t).withMachine()
	flow := func(direction, local, remote, port string) string {
		return `{"targetResourceId":"` + machine + `","direction":"` + direction + `","protocol":"TCP","localIPAddress":"10.0.1.4","localPort":"` + local + `","remoteIPAddress":"` + remote + `","remotePort":"` + port + `"}`
	}
	for _, tt := range []struct{ name, body, access, rule string }{
		{"allowed by a rule", flow("Inbound", "443", "9.9.9.9", "50000"), "Allow", "securityRules/web"},
		{"denied by default", flow("Inbound", "22", "9.9.9.9", "50000"), "Deny", "defaultSecurityRules/DenyAllInBound"},
		{"denied by a rule", flow("Outbound", "50000", "9.9.9.9", "25"), "Deny", "securityRules/no-smtp"},
		{"allowed by default", flow("Outbound", "50000", "9.9.9.9", "443"), "Allow", "defaultSecurityRules/AllowInternetOutBound"},
		{"any local port", flow("Outbound", "*", "10.0.1.9", "443"), "Allow", "defaultSecurityRules/AllowVnetOutBound"},
		{"some of the ports", flow("Inbound", "*", "9.9.9.9", "*"), "Deny", "defaultSecurityRules/DenyAllInBound"},
	} {
		got := c.ask(watcher+"/ipFlowVerify", tt.body).body
		if str(got, "access") != tt.access || str(got, "ruleName") != tt.rule {
			t.Errorf("%s: %v, want %s by %s", tt.name, got, tt.access, tt.rule)
		}
	}
	hop := func(dst string) string {
		return `{"targetResourceId":"` + machine + `","sourceIPAddress":"10.0.1.4","destinationIPAddress":"` + dst + `"}`
	}
	for _, tt := range []struct{ dst, kind, address, table string }{
		{"10.0.1.9", "VnetLocal", "", "System Route"},
		{"10.9.1.1", "VirtualAppliance", "10.0.1.200", network + "/routeTables/rt"},
		{"9.9.9.9", "Internet", "", "System Route"},
		{"192.168.1.1", "None", "", "System Route"},
	} {
		got := c.ask(watcher+"/nextHop", hop(tt.dst)).body
		if str(got, "nextHopType") != tt.kind || str(got, "nextHopIpAddress") != tt.address || str(got, "routeTableId") != tt.table {
			t.Errorf("%s: %v", tt.dst, got)
		}
	}
}

// TestBadQuestions: what is wrong with a request is said with a code.
func TestBadQuestions(t *testing.T) {
	c := newCloud(t).withMachine()
	flow := func(target, local, extra string) string {
		return `{"targetResourceId":"` + target + `","direction":"Inbound","protocol":"TCP","localIPAddress":"` + local + `","localPort":"80","remoteIPAddress":"9.9.9.9","remotePort":"50000"` + extra + `}`
	}
	c.must("PUT", network+"/networkWatchers/far", `{"location":"northeurope"}`)
	for _, tt := range []struct {
		name, path, body string
		status           int
		code             string
	}{
		{"no body", watcher + "/ipFlowVerify", "", 400, "MissingRequestBody"},
		{"no target", watcher + "/ipFlowVerify", flow("", "10.0.1.4", ""), 400, "MissingJsonProperty"},
		{"missing target", watcher + "/ipFlowVerify", flow(machine+"x", "10.0.1.4", ""), 404, "ResourceNotFound"},
		{"malformed target", watcher + "/ipFlowVerify", flow("vm", "10.0.1.4", ""), 400, "LinkedInvalidPropertyId"},
		{"target of another type", watcher + "/ipFlowVerify", flow(network+"/virtualNetworks/v", "10.0.1.4", ""), 400, "InvalidTargetResourceType"},
		{"address of another", watcher + "/ipFlowVerify", flow(machine, "10.0.1.5", ""), 400, "IpAddressNotFoundOnTarget"},
		{"interface of another", watcher + "/ipFlowVerify", flow(machine, "10.0.1.4", `,"targetNicResourceId":"`+network+`/networkInterfaces/x"`), 400, "NicNotAttachedToTargetResource"},
		{"no address", watcher + "/ipFlowVerify", flow(machine, "10.0.1", ""), 400, "InvalidRequestFormat"},
		{"another region", network + "/networkWatchers/far/ipFlowVerify", flow(machine, "10.0.1.4", ""), 400, "TargetResourceNotInNetworkWatcherArea"},
		{"unknown verb", watcher + "/ipFlowVerifies", "{}", 404, "InvalidResourceAction"},
		{"unknown watcher", network + "/networkWatchers/x/ipFlowVerify", "{}", 404, "ResourceNotFound"},
		{"hop without a source", watcher + "/nextHop", `{"targetResourceId":"` + machine + `","destinationIPAddress":"9.9.9.9"}`, 400, "MissingJsonProperty"},
	} {
		t.Run(tt.name, func(t *testing.T) { c.refused(tt.status, tt.code, "POST", tt.path, tt.body) })
	}
}

// TestWatcherOfARegion: the first virtual network of a region makes its network
// watcher; a client's own takes its place, and a second is refused.
func TestWatcherOfARegion(t *testing.T) {
	c := newCloud(t).withGroup()
	c.refused(404, "ResourceGroupNotFound", "GET", watcher, "")
	c.must("PUT", network+"/virtualNetworks/v", vnetBody)
	if got := c.get(watcher); str(got, "properties", "provisioningState") != "Succeeded" || str(got, "location") != "westeurope" {
		t.Errorf("%v", got)
	}
	c.must("PUT", network+"/networkWatchers/mine", `{"location":"westeurope"}`)
	c.refused(404, "ResourceNotFound", "GET", watcher, "")
	c.must("PUT", network+"/networkWatchers/mine", `{"location":"westeurope","tags":{"a":"b"}}`)
	c.refused(400, "NetworkWatcherCountLimitReached", "PUT", network+"/networkWatchers/other", `{"location":"westeurope"}`)
	c.must("PUT", network+"/virtualNetworks/w", vnetBody)
	c.refused(404, "ResourceNotFound", "GET", watcher, "")
}

// TestEffectiveGroups: the rules at an interface with what their tags mean
// there.
func TestEffectiveGroups(t *testing.T) {
	c := newCloud(t).withMachine()
	got := c.ask(network+"/networkInterfaces/n/effectiveNetworkSecurityGroups", "").body
	group := at(got, "value", 0)
	if str(group, "networkSecurityGroup", "id") != network+"/networkSecurityGroups/nsg" || str(group, "association", "subnet", "id") != network+"/virtualNetworks/v/subnets/s" || at(group, "association", "networkInterface") != nil {
		t.Errorf("%v", group)
	}
	rules := at(group, "effectiveSecurityRules").([]any)
	if len(rules) != 8 {
		t.Fatalf("%d rules: %v", len(rules), rules)
	}
	for _, tt := range []struct {
		rule     int
		property []any
		want     any
	}{
		{0, []any{"name"}, "securityRules/web"},
		{0, []any{"protocol"}, "Tcp"},
		{0, []any{"sourceAddressPrefix"}, "Internet"},
		{0, []any{"destinationAddressPrefix"}, "0.0.0.0/0"},
		{0, []any{"destinationPortRanges", 1}, "443-443"},
		{0, []any{"sourcePortRange"}, "0-65535"},
		{2, []any{"name"}, "defaultSecurityRules/AllowVnetInBound"},
		{2, []any{"expandedSourceAddressPrefix", 0}, "10.0.0.0/16"},
		{2, []any{"protocol"}, "All"},
		{4, []any{"priority"}, 65500.0},
	} {
		if got := at(rules[tt.rule], tt.property...); got != tt.want {
			t.Errorf("rule %d %v: %v, want %v", tt.rule, tt.property, got, tt.want)
		}
	}
	if str(group, "tagMap") == "" {
		t.Error("no tag map")
	}
}

// TestDoesNotCompile: in a network that makes no sense, a diagnosis says what is
// wrong and where; it answers again once that is put right, and what does not
// need the network is answered all along.
func TestDoesNotCompile(t *testing.T) {
	c := newCloud(t).withMachine()
	lb := network + "/loadBalancers/lb"
	balancer := func(end string) string {
		return `{"location":"westeurope","sku":{"name":"Standard"},"properties":{"frontendIPConfigurations":[{"name":"f","properties":{"subnet":{"id":"` + network + `/virtualNetworks/v/subnets/s"}}}],
			"backendAddressPools":[{"name":"pool"}],"inboundNatRules":[{"name":"ssh","properties":{"protocol":"Tcp","frontendPortRangeStart":500,"frontendPortRangeEnd":` + end + `,"backendPort":22,
			"frontendIPConfiguration":{"id":"` + lb + `/frontendIPConfigurations/f"},"backendAddressPool":{"id":"` + lb + `/backendAddressPools/pool"}}}]}}`
	}
	c.must("PUT", lb, balancer("500"))
	for _, n := range []string{"n", "m"} {
		c.must("PUT", network+"/networkInterfaces/"+n, nicBody(network+"/virtualNetworks/v/subnets/s", `,"loadBalancerBackendAddressPools":[{"id":"`+lb+`/backendAddressPools/pool"}]`))
	}
	a := c.refused(409, "NetworkNotCompiled", "POST", network+"/networkInterfaces/n/effectiveRouteTable", "")
	if !strings.Contains(a.message(), `rule "ssh" has no port for`) || !strings.Contains(a.message(), lb) {
		t.Errorf("%s", a.message())
	}
	// Networks that have nothing to do with it are answered for; a peered one is
	// not: what a packet to the other side meets is not known.
	for i, name := range []string{"far", "near"} {
		c.must("PUT", network+"/virtualNetworks/"+name, fmt.Sprintf(`{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.%d.0.0/16"]},"subnets":[{"name":"s","properties":{"addressPrefix":"10.%d.0.0/24"}}]}}`, 50+i, 50+i))
		c.must("PUT", network+"/networkInterfaces/"+name, nicBody(network+"/virtualNetworks/"+name+"/subnets/s", ""))
		c.must("PUT", group+"/providers/Microsoft.Compute/virtualMachines/"+name, `{"location":"westeurope","properties":{"networkProfile":{"networkInterfaces":[{"id":"`+network+`/networkInterfaces/`+name+`"}]}}}`)
	}
	c.must("PUT", network+"/virtualNetworks/near/virtualNetworkPeerings/p", `{"properties":{"remoteVirtualNetwork":{"id":"`+network+`/virtualNetworks/v"}}}`)
	c.ask(network+"/networkInterfaces/far/effectiveRouteTable", "")
	c.refused(409, "NetworkNotCompiled", "POST", network+"/networkInterfaces/near/effectiveRouteTable", "")
	hop := func(name string) string {
		return `{"targetResourceId":"` + group + `/providers/Microsoft.Compute/virtualMachines/` + name + `","sourceIPAddress":"10.50.0.4","destinationIPAddress":"10.50.0.5"}`
	}
	c.ask(watcher+"/nextHop", hop("far"))
	c.refused(409, "NetworkNotCompiled", "POST", watcher+"/nextHop", hop("near"))
	c.must("POST", watcher+"/topology", `{"targetResourceGroupName":"Net"}`)
	c.must("PUT", lb, balancer("510"))
	c.ask(network+"/networkInterfaces/n/effectiveRouteTable", "")
}

// FuzzAsk sends any body to every verb that takes one: the answer is an answer
// or a refusal, never the server's failure.
func FuzzAsk(f *testing.F) {
	c := newCloud(f).withMachine()
	nm := network + "/networkManagers/nm"
	c.must("PUT", nm, managerBody)
	c.must("PUT", nm+"/verifierWorkspaces/w", `{"location":"westeurope"}`)
	c.must("PUT", nm+"/verifierWorkspaces/w/reachabilityAnalysisIntents/i", `{"properties":{"sourceResourceId":"`+machine+`","destinationResourceId":"`+machine+`","ipTraffic":{"sourceIps":["*"],"destinationIps":["10.0.0.0/8"],"sourcePorts":["*"],"destinationPorts":["1-5"],"protocols":["Any"]}}}`)
	c.must("PUT", network+"/loadBalancers/lb", `{"location":"westeurope","sku":{"name":"Standard"},"properties":{"frontendIPConfigurations":[{"name":"f","properties":{"subnet":{"id":"`+network+`/virtualNetworks/v/subnets/s"}}}],"backendAddressPools":[{"name":"p"}]}}`)
	verbs := []string{
		watcher + "/ipFlowVerify", watcher + "/nextHop", watcher + "/securityGroupView", watcher + "/connectivityCheck", watcher + "/networkConfigurationDiagnostic",
		watcher + "/topology", nm + "/listActiveConnectivityConfigurations", nm + "/listActiveSecurityAdminRules", nm + "/listDeploymentStatus",
		network + "/virtualNetworks/v/listNetworkManagerEffectiveSecurityAdminRules", network + "/loadBalancers/lb/backendAddressPools/p/queryInboundNatRulePortMapping",
		nm + "/verifierWorkspaces/w/reachabilityAnalysisRuns/r", nm + "/verifierWorkspaces/w/reachabilityAnalysisIntents/j",
	}
	target := `"targetResourceId":"` + machine + `"`
	for i, body := range []string{
		`{` + target + `,"direction":"Inbound","protocol":"TCP","localIPAddress":"10.0.1.4","localPort":"*","remoteIPAddress":"::1","remotePort":7}`,
		`{` + target + `,"sourceIPAddress":"::ffff:10.0.1.4","destinationIPAddress":"fe80::1%eth0"}`,
		`{"targetResourceId":["x"]}`,
		`{"source":{"resourceId":"` + machine + `","port":99999},"destination":{"address":"https://10.0.1.9:0/x","port":-1},"protocol":"Icmp","preferredIPVersion":"IPv6"}`,
		`{` + target + `,"profiles":[{"direction":"Outbound","protocol":"*","source":"VirtualNetwork","destination":"Storage.WestEurope","destinationPort":"*"},null,{}]}`,
		`{"targetSubnet":{"id":"` + network + `/virtualNetworks/v/subnets/zz"}}`,
		`{"regions":["westeurope"],"skipToken":"LTE"}`, `{"regions":{}}`, `{}`, `{"skipToken":"OTk5OTk5OTk5OTk5OTk5OTk5OTk"}`, `{"ipAddress":"10.0.1.4"}`,
		`{"properties":{"intentId":"` + nm + `/verifierWorkspaces/w/reachabilityAnalysisIntents/i"}}`,
		`{"properties":{"sourceResourceId":"x","destinationResourceId":"/","ipTraffic":{"sourceIps":[""],"destinationIps":["10.0.0.0/99"],"sourcePorts":["5-1"],"destinationPorts":["99999"],"protocols":["Esp"]}}}`,
	} {
		f.Add(uint8(i), []byte(body))
	}
	f.Fuzz(func(t *testing.T, verb uint8, body []byte) {
		path := verbs[int(verb)%len(verbs)]
		method := "POST"
		if strings.Contains(path, "/verifierWorkspaces/") {
			method = "PUT"
		}
		mine := *c
		mine.t = t
		if a := mine.do(method, path, string(body)); a.status >= 500 {
			t.Errorf("%s: %d %s", path, a.status, a.raw)
		}
	})
}

// TestAskWhileWriting: a question asked while others write is answered from one
// state: the rule named is the one that decides.
func TestAskWhileWriting(t *testing.T) {
	c := newCloud(t).withMachine()
	write := func(access string) {
		for path, body := range map[string]string{
			"/networkSecurityGroups/nsg/securityRules/flip": `{"properties":{"priority":101,"direction":"Inbound","access":"` + access + `","protocol":"*","sourceAddressPrefix":"*","sourcePortRange":"*","destinationAddressPrefix":"*","destinationPortRange":"*"}}`,
			"/publicIPAddresses/p" + access:                 `{"location":"westeurope","sku":{"name":"Standard"}}`,
		} {
			if a := c.do("PUT", network+path, body); a.status >= 300 {
				t.Errorf("%s: %d %s", path, a.status, a.raw)
			}
		}
	}
	write("Deny")
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for i := range 20 {
				write([]string{"Allow", "Deny"}[i%2])
			}
		})
	}
	for range 30 {
		got := c.ask(watcher+"/ipFlowVerify", `{"targetResourceId":"`+machine+`","direction":"Inbound","protocol":"TCP","localIPAddress":"10.0.1.4","localPort":"22","remoteIPAddress":"9.9.9.9","remotePort":"50000"}`).body
		if a := str(got, "access"); a != "Allow" && a != "Deny" || str(got, "ruleName") != "securityRules/flip" {
			t.Errorf("%v", got)
		}
	}
	wg.Wait()
}
