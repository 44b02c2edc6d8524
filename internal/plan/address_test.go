package plan_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/ceruleannet/cerulean/internal/plan"
	"github.com/ceruleannet/cerulean/internal/plan/plantest"
)

// mixedSubnet is a subnet with interfaces that declare their address and
// interfaces that leave it to Azure, which gives the first free one from .4.
const mixedSubnet = `[
{"id":"$/net","location":"westeurope"},
{"id":"$/net@/virtualNetworks/v","location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},
  "subnets":[{"name":"a","properties":{"addressPrefix":"10.0.0.0/24"}},{"name":"b","properties":{"addressPrefix":"10.0.1.0/24"}}]}},
{"id":"$/net@/networkInterfaces/any","location":"westeurope","properties":{"ipConfigurations":[{"name":"i","properties":{
  "subnet":{"id":"$/net@/virtualNetworks/v/subnets/A"}}}]}},
{"id":"$/net@/networkInterfaces/four","location":"westeurope","properties":{"ipConfigurations":[{"name":"i","properties":{
  "privateIPAddress":"10.0.0.4","privateIPAllocationMethod":"Static","subnet":{"id":"$/net@/virtualNetworks/v/subnets/a"}}}]}},
{"id":"$/net@/networkInterfaces/other","location":"westeurope","properties":{"ipConfigurations":[{"name":"i","properties":{
  "privateIPAddress":"10.0.1.4","privateIPAllocationMethod":"Static","subnet":{"id":"$/net@/virtualNetworks/v/subnets/b"}}}]}},
{"id":"$/net@/networkInterfaces/both","location":"westeurope","properties":{"ipConfigurations":[{"name":"i","properties":{
  "privateIPAddress":"10.0.0.9","subnet":{"id":"$/net@/virtualNetworks/v/subnets/a"}}},{"name":"j","properties":{
  "subnet":{"id":"$/net@/virtualNetworks/v/subnets/a"}}}]}},
{"id":"$/net@/networkInterfaces/both2","location":"westeurope","properties":{"ipConfigurations":[{"name":"i","properties":{
  "privateIPAddress":"10.0.0.8","subnet":{"id":"$/net@/virtualNetworks/v/subnets/a"}}},{"name":"j","properties":{
  "subnet":{"id":"$/net@/virtualNetworks/v/subnets/a"}}}]}}
]`

// An address that Azure chooses is chosen when the declared ones of its subnet
// are taken (PrivateIPAddressIsAllocated otherwise).
func TestDeclaredAddressesComeFirst(t *testing.T) {
	p := compute(t, parseResources(t, mixedSubnet), &plantest.Cloud{})
	steps := p.Steps()
	for _, s := range steps {
		if s.ID.Name() != "any" {
			continue
		}
		var needs []string
		for _, n := range s.Needs {
			needs = append(needs, steps[n].ID.Name())
		}
		if got := strings.Join(needs, " "); got != "net v both both2 four" {
			t.Errorf("the interface waits for %s", got)
		}
		return
	}
	t.Fatal("no step for the interface")
}

// An address that an unchanged interface has is refused before anything is
// changed; one that is given up is not.
func TestTakenAddress(t *testing.T) {
	declared := parseResources(t, mixedSubnet)
	cloud := &plantest.Cloud{}
	apply(t, without(declared, "/four"), cloud)
	for _, r := range cloud.Observe() {
		if r.ID.Name() == "any" { // what Azure has chosen
			list := r.Properties()["ipConfigurations"].([]any)
			list[0].(map[string]any)["properties"].(map[string]any)["privateIPAddress"] = "10.0.0.4"
			cloud.Set(r)
		}
	}
	_, err := plan.Compute(declared, cloud.Observe(), plan.Options{Network: network})
	want := "net.yaml:4:3: 10.0.0.4 of four is the address of any already; give it another address of a"
	if err == nil || err.Error() != want {
		t.Errorf("error %v\nwant  %s", err, want)
	}
	compute(t, without(declared, "/any"), cloud)
}

// A security group goes after the subnet that refers to it
// (InUseNetworkSecurityGroupCannotBeDeleted), also where the subnet has to wait
// for its interface and its network changes otherwise, too.
func TestSubnetGoesBeforeItsSecurityGroup(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/subnet_and_its_nsg.txtar")
	if err != nil {
		t.Fatal(err)
	}
	desired, observed := parseResources(t, string(archive.Files[0].Data)), parseResources(t, string(archive.Files[1].Data))
	for _, changed := range []bool{false, true} {
		if changed {
			desired[1].Doc["tags"] = map[string]any{"a": "b"}
		}
		p, err := plan.Compute(desired, observed, plan.Options{Network: network})
		if err != nil {
			t.Fatal(err)
		}
		steps := p.Steps()
		trim := -1
		for i, s := range steps {
			if s.ID.Name() == "v" {
				trim = i // the last of the two
			}
		}
		for _, s := range steps {
			if n := s.ID.Name(); (n == "g" || n == "r") && !slices.Contains(s.Needs, trim) {
				t.Errorf("changed %t: the delete of %s does not wait for the subnet: %v", changed, n, s.Needs)
			}
		}
	}
}
