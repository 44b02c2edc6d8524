package arm_test

import (
	"strings"
	"testing"
)

// TestCatalogue: the published facts that clients look up by region.
func TestCatalogue(t *testing.T) {
	c := newCloud(t)
	where := subscription + "/providers/Microsoft.Network/locations/westeurope/"
	for name, want := range map[string]string{
		"availableDelegations":                    `"serviceName":"Microsoft.Web/serverFarms"`,
		"virtualNetworkAvailableEndpointServices": `"name":"Microsoft.Storage"`,
		"availableServiceAliases":                 `"resourceName":"/services/Azure/Batch"`,
		"serviceTags":                             `"name":"Storage.WestEurope"`,
		"serviceTagDetails":                       `"systemService":"Storage"`,
	} {
		if raw := string(c.must("GET", where+name, "").raw); !strings.Contains(raw, want) {
			t.Errorf("%s: no %s in %.300s", name, want, raw)
		}
		c.refused(400, "LocationNotAvailableForResourceType", "GET", strings.Replace(where, "westeurope", "atlantis", 1)+name, "")
	}
	one := c.get(where + "serviceTagDetails" + version + "&tagName=storage.westeurope")
	if n, _ := one["value"].([]any); len(n) != 1 || len(prefixesOf(n[0])) == 0 {
		t.Errorf("one tag: %v", one)
	}
	for tag, region := range map[string]string{"Storage.WestEurope": "westeurope", "AzureFrontDoor.FirstParty": "", "AzureMonitor.Core": ""} { // as published
		one := c.get(where + "serviceTagDetails" + version + "&noAddressPrefixes=true&tagName=" + tag)
		n, _ := one["value"].([]any)
		if len(n) != 1 || at(n[0], "properties", "region") != region {
			t.Errorf("%s: %v", tag, one)
		}
	}
	bare := c.get(where + "serviceTagDetails" + version + "&tagName=Storage.WestEurope&noAddressPrefixes=true")
	if n, _ := bare["value"].([]any); len(n) != 1 || prefixesOf(n[0]) != nil {
		t.Errorf("one tag without prefixes: %v", bare)
	}
}

// TestFirewallTags: FQDN tags are listed below a subscription.
func TestFirewallTags(t *testing.T) {
	c := newCloud(t)
	for path, want := range map[string]string{
		"bgpServiceCommunities":       `"communityValue":"12076:5010"`,
		"azureWebCategories":          `"name":"Gambling"`,
		"azureWebCategories/gambling": `"group":"Liability"`,
	} {
		if raw := string(c.must("GET", subscription+"/providers/Microsoft.Network/"+path, "").raw); !strings.Contains(raw, want) {
			t.Errorf("%s: %.300s", path, raw)
		}
	}
	c.refused(404, "ResourceNotFound", "GET", subscription+"/providers/Microsoft.Network/azureWebCategories/none", "")
	if raw := string(c.must("GET", subscription+"/providers/Microsoft.Network/azureFirewallFqdnTags", "").raw); !strings.Contains(raw, `"fqdnTagName":"WindowsUpdate"`) {
		t.Errorf("%.300s", raw)
	}
}

// TestExtendedZones: sites are listed to clients that ask for them.
func TestExtendedZones(t *testing.T) {
	c := newCloud(t)
	where := subscription + "/locations" + version
	if raw := string(c.must("GET", where, "").raw); strings.Contains(raw, "EdgeZone") {
		t.Error("sites are shown to all")
	}
	if raw := string(c.must("GET", where+"&includeExtendedLocations=true", "").raw); !strings.Contains(raw, `"homeLocation":"westus"`) {
		t.Errorf("no site: %.300s", raw)
	}
}

func prefixesOf(tag any) []any {
	p, _ := at(tag, "properties", "addressPrefixes").([]any)
	return p
}
