package model

import (
	"strings"
	"testing"
)

const (
	testGroup  = "/subscriptions/S/resourceGroups/G"
	testVNet   = testGroup + "/providers/Microsoft.Network/virtualNetworks/V"
	testSubnet = testVNet + "/subnets/A"
	testPolicy = "/subscriptions/S/providers/Microsoft.Authorization/policyDefinitions/P"
	testExtra  = testVNet + "/providers/Microsoft.Authorization/locks/L"

	testManagement = "/providers/Microsoft.Management/managementGroups/M"
)

func TestID(t *testing.T) {
	for _, tt := range []struct{ id, name, kind, group, parent string }{
		{"/subscriptions/S", "S", "Microsoft.Resources/subscriptions", "", ""},
		{testGroup, "G", TypeResourceGroup, "G", "/subscriptions/S"},
		{testVNet, "V", TypeVirtualNetwork, "G", testGroup},
		{testSubnet, "A", TypeSubnet, "G", testVNet},
		{testPolicy, "P", TypePolicyDefinition, "", "/subscriptions/S"},
		{testExtra, "L", "Microsoft.Authorization/locks", "G", testVNet},
		{testManagement, "M", TypeManagementGroup, "", ""},
		{testManagement + "/subscriptions/S", "S", TypeManagementGroup + "/subscriptions", "", testManagement},
		{testManagement + "/providers/Microsoft.Network/networkManagerConnections/C", "C", "Microsoft.Network/networkManagerConnections", "", testManagement},
		{"/providers/Microsoft.X/subscriptions/S/resourceGroups/G", "G", "Microsoft.X/subscriptions/resourceGroups", "", "/providers/Microsoft.X/subscriptions/S"},
	} {
		id, err := ParseID(tt.id)
		if err != nil {
			t.Errorf("%s: %v", tt.id, err)
			continue
		}
		if id.Name() != tt.name || id.Type() != tt.kind || id.ResourceGroup() != tt.group || id.Parent().String() != tt.parent {
			t.Errorf("%s: name %q type %q group %q parent %q", tt.id, id.Name(), id.Type(), id.ResourceGroup(), id.Parent())
		}
		if want := map[bool]string{true: "S"}[strings.HasPrefix(tt.id, "/subscriptions")]; id.Subscription() != want {
			t.Errorf("%s: subscription %q", tt.id, id.Subscription())
		}
		if !id.Equal(MustParseID(strings.ToUpper(tt.id))) || id.Key() != strings.ToLower(tt.id) {
			t.Errorf("%s: case matters", tt.id)
		}
	}
	vnet := GroupID("S", "G").Resource(TypeVirtualNetwork, "V")
	if vnet.String() != testVNet || vnet.Child("subnets", "A").String() != testSubnet {
		t.Errorf("built %s", vnet)
	}
}

func TestParseIDErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                         "must start with",
		"subscriptions/S":          "must start with",
		"/tenants/T":               "must start with",
		"/subscriptions":           "must start with",
		"/subscriptions//x":        "empty segment",
		"/subscriptions/S/":        "empty segment",
		testGroup + "/x/y":         "expected \"providers\"",
		testGroup + "/providers/N": "must be followed by",
		"/subscriptions/S/providers/a/providers/b/c/d": "must be followed by",
		testGroup + "\x00":                   "control character",
		testVNet + "/subnets":                "has no name",
		"/subscriptions/S/resourceGroups":    "lacks the resource group's name",
		"/" + strings.Repeat("x", 5000):      "longer than",
		testGroup + "/providers/N/t/n/deep/": "empty segment",
	} {
		if _, err := ParseID(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want %q", text, err, want)
		}
	}
}

// FuzzID: an ID that parses has a name, a type, and parents that parse up to
// the subscription, or to nothing for those of the tenant.
func FuzzID(f *testing.F) {
	for _, s := range []string{testGroup, testVNet, testSubnet, testPolicy, testExtra, testManagement + "/subscriptions/S", "/subscriptions/S/providers/a/b/c/providers/d/e/f"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseID(s)
		if err != nil {
			return
		}
		if id.String() != s || id.Name() == "" || id.Type() == "" || id.Subscription() == "" && !strings.HasPrefix(id.Key(), "/providers/") {
			t.Fatalf("%q: name %q type %q", s, id.Name(), id.Type())
		}
		for n := 0; !id.IsZero(); n++ {
			if n > len(s) {
				t.Fatalf("%q has no top", s)
			}
			if _, err := ParseID(id.String()); err != nil {
				t.Fatalf("%q: ancestor %q does not parse: %v", s, id, err)
			}
			id = id.Parent()
		}
	})
}
