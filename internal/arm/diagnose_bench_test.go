package arm_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/model"
)

// planet is a cloud of n virtual networks, each with a security group, a route
// table, an interface and a machine, in a star of peerings around the first.
func planet(b *testing.B, n int) *cloud {
	c := newCloud(b).withGroup()
	var all []*model.Resource
	add := func(id, doc string) {
		d, err := model.ParseJSON([]byte(strings.ReplaceAll(doc, "~", network)))
		if err != nil {
			b.Fatal(err)
		}
		parsed := model.MustParseID(id)
		d["id"], d["name"], d["type"], d["location"] = id, parsed.Name(), parsed.Type(), "westeurope"
		all = append(all, &model.Resource{ID: parsed, Doc: d})
	}
	for i := range n {
		net := fmt.Sprintf("10.%d.%d", i/256, i%256)
		add(fmt.Sprintf("%s/networkSecurityGroups/g%d", network, i), `{"properties":{"securityRules":[{"name":"web","properties":{"priority":100,"direction":"Inbound","access":"Allow","protocol":"Tcp","sourceAddressPrefix":"*","sourcePortRange":"*","destinationAddressPrefix":"*","destinationPortRange":"443"}}]}}`)
		add(fmt.Sprintf("%s/routeTables/t%d", network, i), `{"properties":{"routes":[{"name":"out","properties":{"addressPrefix":"0.0.0.0/0","nextHopType":"VirtualAppliance","nextHopIpAddress":"10.0.0.4"}}]}}`)
		peering := func(from, to int) string {
			return fmt.Sprintf(`{"name":"p%d","properties":{"peeringState":"Connected","allowVirtualNetworkAccess":true,"allowForwardedTraffic":true,"remoteVirtualNetwork":{"id":"~/virtualNetworks/v%d"}}}`, to, to)
		}
		var peerings []string
		if i == 0 {
			for j := 1; j < n; j++ {
				peerings = append(peerings, peering(0, j))
			}
		} else {
			peerings = append(peerings, peering(i, 0))
		}
		add(fmt.Sprintf("%s/virtualNetworks/v%d", network, i), fmt.Sprintf(`{"properties":{"addressSpace":{"addressPrefixes":["%s.0/24"]},"subnets":[{"name":"s","properties":{"addressPrefix":"%s.0/26","networkSecurityGroup":{"id":"~/networkSecurityGroups/g%d"},"routeTable":{"id":"~/routeTables/t%d"}}}],"virtualNetworkPeerings":[%s]}}`, net, net, i, i, strings.Join(peerings, ",")))
		add(fmt.Sprintf("%s/networkInterfaces/n%d", network, i), fmt.Sprintf(`{"properties":{"enableIPForwarding":%v,"ipConfigurations":[{"name":"a","properties":{"privateIPAddress":"%s.4","privateIPAddressVersion":"IPv4","privateIPAllocationMethod":"Static","primary":true,"subnet":{"id":"~/virtualNetworks/v%d/subnets/s"}}}]}}`, i == 0, net, i))
		add(fmt.Sprintf("%s/providers/Microsoft.Compute/virtualMachines/m%d", group, i), fmt.Sprintf(`{"properties":{"networkProfile":{"networkInterfaces":[{"id":"~/networkInterfaces/n%d"}]}}}`, i))
	}
	add(network+"/networkWatchers/w", `{"properties":{"provisioningState":"Succeeded"}}`)
	if _, err := c.store.Update(state.Actor{}, func(tx *state.Tx) error {
		for _, r := range all {
			if err := tx.Put(r); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		b.Fatal(err)
	}
	return c
}

// BenchmarkDiagnose is the time of a question with its answer over TLS, in a
// cloud of 1,000 virtual networks: with nothing changed since the last, and
// right after a write.
func BenchmarkDiagnose(b *testing.B) {
	c := planet(b, 1000)
	target := `"targetResourceId":"` + group + `/providers/Microsoft.Compute/virtualMachines/m7"`
	questions := []struct{ name, path, body string }{
		{"nextHop", network + "/networkWatchers/w/nextHop", `{` + target + `,"sourceIPAddress":"10.0.7.4","destinationIPAddress":"10.1.1.4"}`},
		{"ipFlowVerify", network + "/networkWatchers/w/ipFlowVerify", `{` + target + `,"direction":"Inbound","protocol":"TCP","localIPAddress":"10.0.7.4","localPort":"443","remoteIPAddress":"10.0.0.4","remotePort":"50000"}`},
	}
	c.ask(questions[0].path, questions[0].body)
	writes := []struct {
		name  string
		write func(i int)
	}{
		{"nothing", func(int) {}},
		{"tags", func(i int) {
			c.must("PATCH", network+"/networkInterfaces/n9", fmt.Sprintf(`{"tags":{"n":"%d"}}`, i))
		}},
		{"rule", func(i int) {
			c.must("PUT", network+"/networkSecurityGroups/g7/securityRules/more", fmt.Sprintf(`{"properties":{"priority":200,"direction":"Inbound","access":"Allow","protocol":"Tcp","sourceAddressPrefix":"*","sourcePortRange":"*","destinationAddressPrefix":"*","destinationPortRange":"%d"}}`, 1000+i))
		}},
		{"route", func(i int) {
			c.must("PUT", network+"/routeTables/t7/routes/more", fmt.Sprintf(`{"properties":{"addressPrefix":"11.%d.%d.0/24","nextHopType":"None"}}`, i/256%256, i%256))
		}},
		{"network", func(i int) {
			c.must("PUT", network+"/virtualNetworks/v7/subnets/more", fmt.Sprintf(`{"properties":{"addressPrefix":"10.0.7.%d/28"}}`, 64+16*(i%8)))
		}},
	}
	for _, w := range writes {
		for _, q := range questions {
			b.Run("after="+w.name+"/"+q.name, func(b *testing.B) {
				i := 0
				for b.Loop() {
					b.StopTimer()
					w.write(i)
					i++
					b.StartTimer()
					a := c.must("POST", q.path, q.body)
					b.StopTimer()
					if a.status != 202 {
						b.Fatal(a.status)
					}
					b.StartTimer()
				}
			})
		}
	}
}
