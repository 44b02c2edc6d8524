package compile

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// Public zones answer in every virtual network; alias records follow what they
// name; a private zone hides the public one of its name, or is filled up by it
// ("Azure DNS alias records overview", "Fallback to internet for Azure Private DNS
// zones").
func TestPublicZones(t *testing.T) {
	n := &network{t: t}
	n.vnet("plain", "10.0.0.0/16", "s 10.0.0.0/24").vnet("split", "10.1.0.0/16", "s 10.1.0.0/24").vnet("both", "10.2.0.0/16", "s 10.2.0.0/24")
	n.add("pip/web", `{"location":"westeurope","sku":{"name":"Standard"},"properties":{"publicIPAllocationMethod":"Static","ipAddress":"203.0.113.77","dnsSettings":{"domainNameLabel":"web"}}}`)
	n.add("tm/shop", `{"location":"global","properties":{"trafficRoutingMethod":"Priority","dnsConfig":{"relativeName":"shop","ttl":20},"monitorConfig":{"protocol":"HTTP","port":80,"path":"/"},
		"endpoints":[{"name":"e","type":"Microsoft.Network/trafficManagerProfiles/azureEndpoints","properties":{"targetResourceId":"~pip/web","priority":1}}]}}`)
	zone := func(name string) { n.add("public/"+name, `{"location":"global","properties":{}}`) }
	zone("shop.example")
	zone("dev.shop.example")
	zone("lost.shop.example")
	set := func(at, properties string) {
		n.add("public/shop.example/"+at, `{"properties":{"TTL":60,`+properties+`}}`)
	}
	set("A/@", `"targetResource":{"id":"~tm/shop"}`)
	set("A/fixed", `"ARecords":[{"ipv4Address":"203.0.113.5"}]`)
	set("A/ip", `"targetResource":{"id":"~pip/web"}`)
	set("A/again", `"targetResource":{"id":"~public/shop.example/A/fixed"}`)
	set("A/gone", `"targetResource":{"id":"~pip/deleted"}`)
	set("A/cdn", `"targetResource":{"id":"`+group.Resource("Microsoft.Cdn/profiles", "x").Child("endpoints", "y").String()+`"}`)
	set("CNAME/www", `"CNAMERecord":{"cname":"Shop.example"}`)
	set("CNAME/far", `"CNAMERecord":{"cname":"www.example.org"}`)
	set("A/*.try", `"ARecords":[{"ipv4Address":"203.0.113.6"}]`)
	set("NS/dev", `"NSRecords":[{"nsdname":"ns1-01.azure-dns.com."}]`)
	set("NS/lab", `"NSRecords":[{"nsdname":"ns.example.net"}]`)
	n.add("public/dev.shop.example/A/www", `{"properties":{"TTL":60,"ARecords":[{"ipv4Address":"203.0.113.8"}]}}`)
	n.add("public/lost.shop.example/A/www", `{"properties":{"TTL":60,"ARecords":[{"ipv4Address":"203.0.113.9"}]}}`)
	n.add("zone/shop.example", `{"location":"global","properties":{}}`).link("shop.example", "split", false)
	n.add("zone/shop.example/virtualNetworkLinks/both", `{"location":"global","properties":{"virtualNetwork":{"id":"~vnet/both"},"registrationEnabled":false,"resolutionPolicy":"NxDomainRedirect"}}`)
	n.add("zone/shop.example/A/fixed", `{"properties":{"ttl":60,"aRecords":[{"ipv4Address":"10.9.9.9"}]}}`)
	img := n.compile()
	views := map[string]*fabric.View{}
	for i := range img.Spaces {
		views[img.Spaces[i].Name] = &img.Spaces[i].View
	}
	for _, c := range []struct{ vnet, name, want string }{
		{"plain", "shop.example", "allow [203.0.113.77] 10"},
		{"plain", "www.shop.example", "allow [203.0.113.77] 10"},
		{"plain", "ip.shop.example", "allow [203.0.113.77] 60"},
		{"plain", "again.shop.example", "allow [203.0.113.5] 60"},
		{"plain", "gone.shop.example", "allow [] 60"},
		{"plain", "cdn.shop.example", "unknown [] 0"},
		{"plain", "far.shop.example", "unknown [] 0"},
		{"plain", "a.try.shop.example", "allow [203.0.113.6] 60"},
		{"plain", "none.shop.example", "deny [] 0"},
		{"plain", "www.dev.shop.example", "allow [203.0.113.8] 60"},
		{"plain", "none.dev.shop.example", "deny [] 0"},
		{"plain", "www.lab.shop.example", "unknown [] 0"}, // others answer for it
		{"plain", "www.lost.shop.example", "deny [] 0"},   // nobody delegates to it
		{"split", "fixed.shop.example", "allow [10.9.9.9] 60"},
		{"split", "ip.shop.example", "deny [] 0"},
		{"split", "www.dev.shop.example", "deny [] 0"},
		{"both", "fixed.shop.example", "allow [10.9.9.9] 60"},
		{"both", "ip.shop.example", "allow [203.0.113.77] 60"},
		{"both", "shop.example", "allow [203.0.113.77] 10"},
	} {
		got := views[c.vnet].Resolve(c.name)
		if text := fmt.Sprintf("%s %v %d", got.Verdict, got.Addrs, got.TTL); text != c.want {
			t.Errorf("%s in %s: %s, want %s", c.name, c.vnet, text, c.want)
		}
	}
	notes := fmt.Sprint(img.Notes)
	for _, want := range []string{
		"zone shop.example has no NS records for lost.shop.example, so that nobody finds it: add the record set NS of that name with " + strings.Join(model.NameServers(id(t, "~public/lost.shop.example")), " "),
		"pip/deleted is gone: the record set is empty", "what", "Microsoft.Cdn/profiles/x/endpoints/y has for addresses is not modelled",
	} {
		if want = strings.Replace(want, "pip/", "publicIPAddresses/", 1); !strings.Contains(notes, want) {
			t.Errorf("no note says %q:\n%s", want, notes)
		}
	}
}

// What record sets of public zones cannot have is told with its place.
func TestPublicZoneProblems(t *testing.T) {
	for _, c := range []struct{ rule, at, doc, want string }{
		{"no zone", "public/none.example/A/x", `{"properties":{"TTL":60}}`, `record "x" belongs to a DNS zone that does not exist`},
		{"IPv6 set", "public/shop.example/AAAA/x", `{"properties":{"TTL":60,"targetResource":{"id":"~pip/web"}}}`, "record set x of type AAAA cannot have the address"},
		{"no ID", "public/shop.example/A/x", `{"properties":{"TTL":60,"targetResource":{"id":"web"}}}`, "name a public IP, a Traffic Manager profile"},
		{"alias at the zone", "public/shop.example/CNAME/@", `{"properties":{"TTL":60,"CNAMERecord":{"cname":"a.example"}}}`, `name "shop.example" has an alias and another record`},
		{"no name", "public/shop.example/NS/x", `{"properties":{"TTL":60,"NSRecords":[{"nsdname":"a b"}]}}`, `"a b" is not a domain name`},
	} {
		n := &network{t: t}
		n.vnet("a", "10.0.0.0/16", "s 10.0.0.0/24").add("public/shop.example", `{"location":"global","properties":{}}`)
		n.add("pip/web", `{"location":"westeurope","properties":{"publicIPAllocationMethod":"Static","ipAddress":"203.0.113.77"}}`)
		n.add(c.at, c.doc)
		_, err := Compile(n.resources, Options{})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "net.yaml:4:1") {
			t.Errorf("%s: %v\nwant %s", c.rule, err, c.want)
		}
	}
}
