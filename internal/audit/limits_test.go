package audit

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
)

var testGroup = model.GroupID("s", "g")

func resource(t testing.TB, id model.ID, doc string) *model.Resource {
	t.Helper()
	d, err := model.ParseJSON([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	return &model.Resource{ID: id, Doc: d, Pos: model.Pos{File: "net.yaml", Line: 3, Column: 1}}
}

// list repeats an item n times; %[1]d in it is its number.
func list(n int, item string) string {
	items := make([]string, n)
	for i := range items {
		items[i] = fmt.Sprintf(item, i)
	}
	return "[" + strings.Join(items, ",") + "]"
}

// bulk returns a document that uses n of a limit.
type bulk struct {
	limit, kind string
	doc         func(n int) string
}

var bulks = []bulk{
	{"subnets-per-virtual-network", model.TypeVirtualNetwork, func(n int) string {
		return `{"properties":{"subnets":` + list(n, `{"name":"s%[1]d"}`) + `}}`
	}},
	{"peerings-per-virtual-network", model.TypeVirtualNetwork, func(n int) string {
		return `{"properties":{"virtualNetworkPeerings":` + list(n, `{"name":"p%[1]d","properties":{"remoteVirtualNetwork":{"id":"/v%[1]d"}}}`) + `}}`
	}},
	{"dns-servers-per-virtual-network", model.TypeVirtualNetwork, func(n int) string {
		return `{"properties":{"dhcpOptions":{"dnsServers":` + list(n, `"10.0.0.%[1]d"`) + `}}}`
	}},
	{"rules-per-security-group", model.TypeNSG, func(n int) string {
		return `{"properties":{"securityRules":` + list(n, `{"name":"r%[1]d"}`) + `}}`
	}},
	{"addresses-per-security-rule", model.TypeNSG, func(n int) string {
		return `{"properties":{"securityRules":[{"name":"r","properties":{"sourceAddressPrefixes":` + list(n, `"p%[1]d"`) + `}}]}}`
	}},
	{"application-groups-per-security-rule", model.TypeNSG, func(n int) string {
		return `{"properties":{"securityRules":[{"name":"r","properties":{"sourceApplicationSecurityGroups":` + list(n, `{"id":"/a%[1]d"}`) + `}}]}}`
	}},
	{"routes-per-table", model.TypeRouteTable, func(n int) string {
		return `{"properties":{"routes":` + list(n, `{"name":"r%[1]d","properties":{"addressPrefix":"10.0.0.0/8"}}`) + `}}`
	}},
	{"service-tag-routes-per-table", model.TypeRouteTable, func(n int) string {
		return `{"properties":{"routes":` + list(n, `{"name":"r%[1]d","properties":{"addressPrefix":"Storage"}}`) + `}}`
	}},
	{"addresses-per-interface", model.TypeNIC, func(n int) string {
		return `{"properties":{"ipConfigurations":` + list(n, `{"name":"c%[1]d"}`) + `}}`
	}},
	{"frontends-per-load-balancer", model.TypeLoadBalancer, func(n int) string {
		return `{"properties":{"frontendIPConfigurations":` + list(n, `{"name":"f%[1]d"}`) + `}}`
	}},
	{"members-per-pool", model.TypeLoadBalancer, func(n int) string {
		return `{"properties":{"backendAddressPools":[{"name":"p","properties":{"loadBalancerBackendAddresses":` + list(n, `{"name":"m%[1]d"}`) + `}}]}}`
	}},
	{"addresses-per-nat-gateway", model.TypeNATGateway, func(n int) string {
		return `{"properties":{"publicIpAddresses":` + list(n, `{"id":"/p%[1]d"}`) + `}}`
	}},
	{"storage-address-rules", model.TypeStorageAccount, func(n int) string {
		return `{"properties":{"networkAcls":{"ipRules":` + list(n, `{"value":"1.2.3.%[1]d"}`) + `}}}`
	}},
}

func find(fs []Finding, rule string) *Finding {
	for i := range fs {
		if fs[i].Rule == rule {
			return &fs[i]
		}
	}
	return nil
}

// Each limit of the catalogue is silent below 80 %, near from there and broken
// above its value ("Azure subscription and service limits, quotas, and
// constraints").
func TestLimits(t *testing.T) {
	limits := map[string]catalog.Limit{}
	for _, l := range catalog.Limits() {
		limits[l.Name] = l
	}
	for _, b := range bulks {
		t.Run(b.limit, func(t *testing.T) {
			l, ok := limits[b.limit]
			if !ok {
				t.Fatal("not in the catalogue")
			}
			near, broken := Warning, Error
			if !l.Confirmed {
				near, broken = Note, Warning
			}
			first := (l.Value*nearPercent + 99) / 100
			for _, tt := range []struct {
				used int
				want Severity
			}{{first - 1, ""}, {first, near}, {l.Value, near}, {l.Value + 1, broken}} {
				r := resource(t, testGroup.Resource(b.kind, "x"), b.doc(tt.used))
				f := find(Limits([]*model.Resource{r}, nil), b.limit)
				switch {
				case f == nil && tt.want != "":
					t.Errorf("%d used: no finding, want %s", tt.used, tt.want)
				case f != nil && (f.Severity != tt.want || f.Used != tt.used || f.Limit != l.Value):
					t.Errorf("%d used: %+v, want %q", tt.used, *f, tt.want)
				case f != nil && (f.Pos.String() != "net.yaml:3:1" || f.Resource != r.ID.String()):
					t.Errorf("at %s of %s", f.Pos, f.Resource)
				}
			}
		})
	}
}

// A child declared inline and as a resource of its own is one child.
func TestChildrenCountOnce(t *testing.T) {
	id := testGroup.Resource(model.TypeRouteTable, "x")
	rs := []*model.Resource{resource(t, id, bulks[7].doc(20))}
	for i := 18; i < 26; i++ {
		rs = append(rs, resource(t, id.Child("routes", fmt.Sprintf("R%d", i)), `{"properties":{"addressPrefix":"Sql"}}`))
	}
	f := find(Limits(rs, nil), "service-tag-routes-per-table")
	if f == nil || f.Used != 26 || f.Severity != Error {
		t.Errorf("got %+v, want 26 routes of tags", f)
	}
}

// What cannot be counted is said, not passed over.
func TestUncounted(t *testing.T) {
	rs := []*model.Resource{
		resource(t, testGroup.Resource(model.TypeNIC, "n"), `{"properties":{"ipConfigurations":5}}`),
		resource(t, testGroup.Resource(model.TypeNATGateway, "g"), `{"properties":{"publicIpPrefixes":[{"id":"/none"}]}}`),
	}
	fs := Limits(rs, nil)
	if find(fs, RuleUnreadable) == nil || find(fs, RuleUncounted) == nil {
		t.Errorf("got %+v", fs)
	}
}

// The addresses of a NAT gateway's prefix count (NAT gateway resource, 2023-07).
func TestNATPrefix(t *testing.T) {
	prefix := testGroup.Resource("Microsoft.Network/publicIPPrefixes", "p")
	rs := []*model.Resource{
		resource(t, prefix, `{"properties":{"prefixLength":27}}`),
		resource(t, testGroup.Resource(model.TypeNATGateway, "g"), `{"properties":{"publicIpPrefixes":[{"id":"`+prefix.String()+`"}]}}`),
	}
	if f := find(Limits(rs, nil), "addresses-per-nat-gateway"); f == nil || f.Used != 32 || f.Severity != Warning {
		t.Errorf("got %+v, want 32 addresses", f)
	}
}

// Peerings that only the image has, a network manager's, count too.
func TestEffectivePeerings(t *testing.T) {
	img := &fabric.Image{Spaces: make([]fabric.Space, 1002), Tables: make([]fabric.Table, 1)}
	for i := range img.Spaces {
		img.Spaces[i].Origin.Resource = fmt.Sprintf("/v%d", i)
	}
	for i := 1; i < 1002; i++ {
		img.Tables[0].Routes = append(img.Tables[0].Routes, fabric.Route{Kind: "VNetPeering", Hop: fabric.Hop{Kind: fabric.HopSpace, Space: fabric.SpaceID(i)}})
	}
	img.Ports = []fabric.Port{{}, {}}
	if f := find(Limits(nil, img), "effective-peerings-per-virtual-network"); f == nil || f.Used != 1001 || f.Severity != Error {
		t.Errorf("got %+v, want 1001 peerings", f)
	}
}

// docs/limits.md is the catalogue; UPDATE=1 rewrites it.
func TestLimitsDocument(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Limits\n\nThe published limits that a network is held against. From 80 % on, using one is\na finding. Unconfirmed values only warn. This page is written by\n`UPDATE=1 go test -run LimitsDocument ./internal/audit`.\n\n")
	b.WriteString("| rule | limit | of | in one | source | confirmed |\n|---|---:|---|---|---|---|\n")
	for _, l := range catalog.Limits() {
		confirmed := "yes"
		if !l.Confirmed {
			confirmed = "no"
		}
		fmt.Fprintf(&b, "| `%s` | %d | %s | %s | %s | %s |\n", l.Name, l.Value, l.Unit, l.Scope, l.Document, confirmed)
	}
	const file = "../../docs/limits.md"
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(file)
	if err != nil || string(have) != b.String() {
		t.Errorf("%s differs from the catalogue (%v): run UPDATE=1 go test -run LimitsDocument ./internal/audit", file, err)
	}
}
