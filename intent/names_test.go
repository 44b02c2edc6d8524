package intent

import (
	"net/netip"
	"testing"

	"github.com/ceruleannet/cerulean/model"
	"github.com/google/go-cmp/cmp"
)

func TestParseTarget(t *testing.T) {
	n := loadExample(t, "globojava").Network
	tcp := func(ports ...uint16) []model.Traffic {
		tr := model.Traffic{Protocol: 6}
		for _, p := range ports {
			tr.Ports = append(tr.Ports, model.PortRange{Lo: p, Hi: p})
		}
		return []model.Traffic{tr}
	}
	tests := []struct {
		text    string
		labels  []model.Label
		prefix  string
		traffic []model.Traffic
	}{
		{"db-prod-westeurope:5432", []model.Label{{Kind: "host", Name: "db-prod-westeurope"}}, "", tcp(5432)},
		{"DB-prod-westeurope", []model.Label{{Kind: "host", Name: "db-prod-westeurope"}}, "", nil},
		{"host:edge-westeurope:443", []model.Label{{Kind: "host", Name: "edge-westeurope"}}, "", tcp(443)},
		{"subnet:app", []model.Label{{Kind: "subnet", Name: "app"}}, "", nil},
		{"app in all-prod-spokes in westeurope tcp/1,2", []model.Label{{Kind: "subnet", Name: "app"}, {Kind: "group", Name: "all-prod-spokes"}, {Kind: "region", Name: "westeurope"}}, "", tcp(1, 2)},
		{"env=prod udp/53", []model.Label{{Kind: "tag", Name: "env=prod"}}, "", []model.Traffic{{Protocol: 17, Ports: []model.PortRange{{Lo: 53, Hi: 53}}}}},
		{"10.0.0.4:80", nil, "10.0.0.4/32", tcp(80)},
		{"10.0.0.0/8 icmp", nil, "10.0.0.0/8", []model.Traffic{{Protocol: 1}}},
		{"2001:db8::5", nil, "2001:db8::5/128", nil},
		{"hub-westeurope-firewall", []model.Label{{Kind: "firewall", Name: "hub-westeurope-firewall"}}, "", nil},
	}
	for _, tt := range tests {
		sel, traffic, err := ParseTarget(n, tt.text)
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		prefix := ""
		if len(sel.Prefixes) == 1 {
			prefix = sel.Prefixes[0].String()
		}
		if diff := cmp.Diff(tt.labels, sel.All); diff != "" || prefix != tt.prefix {
			t.Errorf("%s: prefix %q, labels %s", tt.text, prefix, diff)
		}
		if diff := cmp.Diff(tt.traffic, traffic); diff != "" {
			t.Errorf("%s: %s", tt.text, diff)
		}
	}
	n.Internet = []model.PublicHost{{Name: "api.example.com", Names: []string{"www.example.com"}, Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.80")}}}
	for _, text := range []string{"WWW.example.com", "api.example.com"} {
		if sel, err := ParseEndpoint(n, text); err != nil || len(sel.Prefixes) != 1 || sel.Prefixes[0].String() != "192.0.2.80/32" {
			t.Errorf("%s: %v, %v", text, sel, err)
		}
	}
	for text, want := range map[string]string{
		"api.exmple.com:443":       `nothing in the network is called "api.exmple.com"; did you mean "api.example.com"?`,
		"":                         "the destination is empty; write NAME or NAME:443",
		"db-prod-westeurop:5432":   `nothing in the network is called "db-prod-westeurop"; did you mean "db-prod-westeurope"?`,
		"db-prod-westeurope:99999": `"99999" is not a port; write a number from 0 to 65535, or a range such as 8000-8010`,
		"10.0.0.1/8":               "prefix 10.0.0.1/8 has host bits set; write 10.0.0.0/8",
	} {
		if _, _, err := ParseTarget(n, text); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestParseEndpoint(t *testing.T) {
	n := loadExample(t, "three-tier").Network
	for text, ok := range map[string]bool{"internet": true, "Any": true, "app": true, "shop": true, "team=shop": true, "northeurope": true, "nobody": false, "app-1 app-2": false, "app in": false} {
		if _, err := ParseEndpoint(n, text); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestNearest(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		from       []string
	}{
		{"prdo", "prod", []string{"prod", "nonprod"}},
		{"all-prod-spoke", "all-prod-spokes", []string{"all-nonprod-spokes", "all-prod-spokes"}},
		{"mars", "", []string{"prod", "dev"}},
		{"b", "", []string{"a", "c"}},
	} {
		if got, _ := nearest(tt.name, tt.from); got != tt.want {
			t.Errorf("nearest(%q) = %q, want %q", tt.name, got, tt.want)
		}
	}
}
