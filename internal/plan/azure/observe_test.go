package azure

import (
	"crypto/tls"
	"errors"
	"sort"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ceruleannet/cerulean/model"
)

func observedDouble(t *testing.T) *double {
	d := newDouble(t)
	d.put(
		`{"id":"$/net","tags":{"cerulean-network":"globo"}}`,
		`{"id":"$/net2","tags":{"cerulean-network":"globo"}}`,
		`{"id":"$/theirs"}`,
		`{"id":"$/other","tags":{"cerulean-network":"other"}}`,
		`{"id":"$/net@/virtualNetworks/v1","properties":{"virtualNetworkPeerings":[{"name":"p","properties":{"peeringState":"Connected"}}]}}`,
		`{"id":"$/net2@/virtualNetworks/v2"}`,
		`{"id":"$/net2@/virtualNetworks/v2/virtualNetworkPeerings/q"}`,
		`{"id":"$/theirs@/virtualNetworks/v3"}`,
		`{"id":"$/theirs@/networkSecurityGroups/wanted"}`,
		`{"id":"$/theirs@/networkSecurityGroups/unwanted"}`,
		`{"id":"$/net@/firewallPolicies/fp","properties":{"ruleCollectionGroups":[]}}`,
		`{"id":"$/net@/privateDnsZones/z"}`,
		`{"id":"$/net@/privateDnsZones/z/A/db"}`,
		`{"id":"$/net@/privateDnsZones/z/virtualNetworkLinks/v1"}`,
		`{"id":"$/net@/networkManagers/m"}`,
		`{"id":"$/net@/networkManagers/m/networkGroups/g"}`,
		`{"id":"$/net@/networkManagers/m/networkGroups/g/staticMembers/v1"}`,
		`{"id":"$/net@/networkManagers/m/securityAdminConfigurations/c"}`,
		`{"id":"$/net@/networkManagers/m/securityAdminConfigurations/c/ruleCollections/rc"}`,
		`{"id":"$/net@/networkManagers/m/securityAdminConfigurations/c/ruleCollections/rc/rules/r"}`,
		`{"id":"$/net/providers/Contoso.Things/things/t"}`,
		`{"id":"/subscriptions/s/providers/Microsoft.Authorization/policyDefinitions/d"}`,
		`{"id":"/subscriptions/s/providers/Microsoft.Authorization/policyAssignments/a"}`,
	)
	d.deployed = []map[string]any{{
		"region": "West Europe", "deploymentType": "SecurityAdmin", "deploymentStatus": "Deployed",
		"configurationIds": []any{"/subscriptions/s/resourceGroups/net/providers/Microsoft.Network/networkManagers/m/securityAdminConfigurations/c"},
	}}
	return d
}

func TestObserve(t *testing.T) {
	want := strings.Fields(`
		/policyassignments/a /policydefinitions/d
		net net/firewallpolicies/fp net/networkmanagers/m net/networkmanagers/m/commits/securityadmin.westeurope
		net/networkmanagers/m/networkgroups/g net/networkmanagers/m/networkgroups/g/staticmembers/v1
		net/networkmanagers/m/securityadminconfigurations/c
		net/networkmanagers/m/securityadminconfigurations/c/rulecollections/rc
		net/networkmanagers/m/securityadminconfigurations/c/rulecollections/rc/rules/r
		net/privatednszones/z net/privatednszones/z/a/db net/privatednszones/z/virtualnetworklinks/v1
		net/virtualnetworks/v1 net/virtualnetworks/v1/virtualnetworkpeerings/p
		net2 net2/virtualnetworks/v2 net2/virtualnetworks/v2/virtualnetworkpeerings/q
		theirs/networksecuritygroups/wanted`)
	for _, page := range []int{1000, 1, 2} {
		d := observedDouble(t)
		d.page = page
		desired := []*model.Resource{
			{ID: model.GroupID("s", "theirs").Resource(model.TypeNSG, "wanted")},
			{ID: model.GroupID("s", "theirs").Resource(model.TypeNSG, "absent")},
			{ID: model.GroupID("s", "new")},
			{ID: model.GroupID("s", "new").Resource(model.TypeVirtualNetwork, "v")},
			{ID: model.GroupID("s", "new").Resource(model.TypeVirtualNetwork, "v").Child("virtualNetworkPeerings", "p")},
			{ID: model.GroupID("s", "net").Resource(model.TypePrivateZone, "z").Child("A", "absent")},
		}
		rs, err := d.client().Observe(t.Context(), desired, "globo")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range rs {
			key := strings.TrimPrefix(r.ID.Key(), "/subscriptions/s")
			key = strings.TrimPrefix(key, "/resourcegroups/")
			key = strings.Replace(key, "/providers/microsoft.network", "", 1)
			key = strings.Replace(key, "/providers/microsoft.authorization", "", 1)
			got = append(got, key)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("pages of %d (-want +got):\n%s", page, diff)
		}
	}
}

// What does not exist is known from the lists: nothing is asked for one by one.
func TestObserveRequests(t *testing.T) {
	d := observedDouble(t)
	var desired []*model.Resource
	for _, name := range []string{"a", "b", "c"} {
		desired = append(desired,
			&model.Resource{ID: model.GroupID("s", "net").Resource(model.TypeNSG, name)},
			&model.Resource{ID: model.GroupID("s", "net2").Resource(model.TypeNSG, name)},
			&model.Resource{ID: model.GroupID("s", "net").Resource(model.TypeVirtualNetwork, name).Child("subnets", "x")})
	}
	if _, err := d.client().Observe(t.Context(), desired, "globo"); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"GET /subscriptions/s/providers/microsoft.authorization/policyassignments",
		"GET /subscriptions/s/providers/microsoft.authorization/policydefinitions",
		"GET /subscriptions/s/providers/microsoft.network/networksecuritygroups",
		"GET /subscriptions/s/providers/microsoft.network/virtualnetworks",
		"GET /subscriptions/s/resourcegroups",
		"GET net/firewallpolicies", "GET net/networkmanagers",
		"GET net/networkmanagers/m/connectivityconfigurations",
		"GET net/networkmanagers/m/networkgroups",
		"GET net/networkmanagers/m/networkgroups/g/staticmembers",
		"GET net/networkmanagers/m/routingconfigurations",
		"GET net/networkmanagers/m/securityadminconfigurations",
		"GET net/networkmanagers/m/securityadminconfigurations/c/rulecollections",
		"GET net/networkmanagers/m/securityadminconfigurations/c/rulecollections/rc/rules",
		"GET net/privatednszones", "GET net/privatednszones/z/all", "GET net/privatednszones/z/virtualnetworklinks",
		"GET net/resources", "GET net2/resources", "GET net2/virtualnetworks/v2/virtualnetworkpeerings",
		"POST net/networkmanagers/m/listdeploymentstatus",
	}
	var got []string
	for _, line := range d.log() {
		line = strings.Replace(line, "/subscriptions/s/resourcegroups/", "", 1)
		if !strings.Contains(line, "subscriptions") {
			line = strings.Replace(line, "/providers/microsoft.network", "", 1)
		}
		got = append(got, line)
	}
	sort.Strings(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A link to another host would carry the token there.
func TestNextLinkElsewhere(t *testing.T) {
	d, elsewhere := observedDouble(t), newDouble(t)
	d.page, d.next = 1, elsewhere.server.URL
	_, err := d.client().list(t.Context(), "/subscriptions/s/resourcegroups", "2021-04-01")
	if err == nil || !strings.Contains(err.Error(), "outside of") {
		t.Errorf("got %v", err)
	}
	if got := elsewhere.log(); len(got) > 0 {
		t.Errorf("asked another host: %v", got)
	}
}

// What cannot get better is reported at once, not after a minute of retries.
func TestUnreachable(t *testing.T) {
	d := newDouble(t)
	c, err := New(Config{Endpoint: d.server.URL, Credential: fixedToken{}, Subscription: "s"})
	if err != nil {
		t.Fatal(err)
	}
	var untrusted *tls.CertificateVerificationError
	if err := c.Put(t.Context(), resource("a")); !errors.As(err, &untrusted) {
		t.Errorf("a certificate nobody trusts gives %v", err)
	}
	closed := d.client()
	d.server.Close()
	if err := closed.Put(t.Context(), resource("a")); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a closed port gives %v", err)
	}
}
