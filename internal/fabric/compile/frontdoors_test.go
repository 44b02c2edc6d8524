package compile

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
)

const doorID = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Cdn/profiles/shop"

func doorResources(t *testing.T, tags string) []*model.Resource {
	t.Helper()
	var out []*model.Resource
	for path, body := range map[string]string{
		doorID:                                `{"sku":{"name":"Standard_AzureFrontDoor"}` + tags + `}`,
		doorID + "/afdEndpoints/web":          `{"properties":{}}`,
		doorID + "/afdEndpoints/off":          `{"properties":{"enabledState":"Disabled"}}`,
		doorID + "/customDomains/www":         `{"properties":{"hostName":"WWW.Shop.example."}}`,
		doorID + "/customDomains/any":         `{"properties":{"hostName":"*.shop.example"}}`,
		doorID + "/customDomains/unused":      `{"properties":{"hostName":"unused.example"}}`,
		doorID + "/afdEndpoints/web/routes/r": `{"properties":{"customDomains":[{"id":"` + doorID + `/customDomains/WWW"},{"id":"` + doorID + `/customDomains/any"},{"id":"` + doorID + `/customDomains/none"}]}}`,
		"/subscriptions/s/resourceGroups/g/providers/Microsoft.Cdn/profiles/cdn":             `{"sku":{"name":"Standard_Verizon"}}`,
		"/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v":    `{"location":"West Europe","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"subnets":[{"name":"s","properties":{"addressPrefix":"10.0.0.0/24"}}]}}`,
		"/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/publicIPAddresses/ip": `{"location":"northeurope","properties":{"ipAddress":"203.0.113.9","dnsSettings":{"domainNameLabel":"Own"}}}`,
	} {
		doc, err := model.ParseJSON([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, &model.Resource{ID: model.MustParseID(path), Doc: doc})
	}
	model.SortResources(out)
	return out
}

// Names of front doors: an endpoint's leads to the edges' shared address, a custom
// domain that a route is for to the endpoint; a wildcard is no one name.
func TestFrontDoorNames(t *testing.T) {
	img, err := Compile(doorResources(t, ""), Options{})
	if err != nil {
		t.Fatal(err)
	}
	endpoint := model.EndpointHost(model.MustParseID(doorID + "/afdEndpoints/web"))
	addr := catalog.FrontDoorAddress(model.MustParseID(doorID).Key())
	view := img.Spaces[0].View
	for name, alias := range map[string]string{endpoint: "", "www.shop.example": endpoint} {
		f := view.Follow(name)
		if f.Verdict != fabric.VerdictAllow || !slices.Equal(f.Record.Addrs, []netip.Addr{addr}) || (len(f.Aliases) == 1) != (alias != "") {
			t.Errorf("%s: %+v", name, f)
		}
	}
	for _, name := range []string{"unused.example", "x.shop.example", model.EndpointHost(model.MustParseID(doorID + "/afdEndpoints/off"))} {
		if f := view.Follow(name); f.Verdict == fabric.VerdictAllow {
			t.Errorf("%s: %+v", name, f)
		}
	}
	if len(img.Notes) > 0 {
		t.Error(img.Notes)
	}
}

// Edges stand in the regions of networks and of the internet's hosts, unless the tag
// lists them; their addresses are of Front Door's service tags.
func TestFrontDoorEdges(t *testing.T) {
	opts := Options{Internet: []model.PublicHost{{Name: "c.example", Region: "japaneast", Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.80")}}, {Name: "d.example"}}}
	for tags, want := range map[string]string{
		"": "japaneast westeurope", `,"tags":{"Cerulean-Edges":"eastus, West US"}`: "eastus", `,"tags":{"cerulean-edges":"eastus,moon,eastus,westus"}`: "eastus westus",
	} {
		doors := FrontDoors(doorResources(t, tags), opts)
		if len(doors) != 1 {
			t.Fatal(doors)
		}
		var got []string
		for _, e := range doors[0].Edges {
			got = append(got, e.Region)
			if !inTag(e.Addr, catalog.FrontDoorBackendTag) {
				t.Errorf("the edge in %s asks from %s", e.Region, e.Addr)
			}
		}
		if strings.Join(got, " ") != want || !inTag(doors[0].Addr, catalog.FrontDoorFrontendTag) {
			t.Errorf("%s: %v at %s", tags, got, doors[0].Addr)
		}
	}
}

func inTag(a netip.Addr, tag string) bool {
	list, _ := catalog.ServiceTag(tag)
	return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(a) })
}

// What the internet knows: the names of public addresses with their regions, its
// hosts, front doors.
func TestPublicNames(t *testing.T) {
	names, err := PublicNames(doorResources(t, ""), Options{Internet: []model.PublicHost{{Name: "c.example", Names: []string{"D.example"}, Region: "japaneast", Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.80")}}}})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"own.northeurope.cloudapp.azure.com": "203.0.113.9 northeurope", "203.0.113.9": "203.0.113.9 northeurope", "d.example": "192.0.2.80 japaneast",
		"www.shop.example": catalog.FrontDoorAddress(model.MustParseID(doorID).Key()).String() + " ",
	} {
		x := names[name]
		if len(x.Addrs) != 1 || x.Addrs[0].String()+" "+x.Region != want {
			t.Errorf("%s: %+v", name, x)
		}
	}
}
