package intent

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/model"
	"github.com/google/go-cmp/cmp"
)

// claims parses a network with some expectations.
func claims(t *testing.T, expectations string) []model.Expectation {
	t.Helper()
	d := mustParse(t, []File{{Name: "n.yaml", Data: []byte(`network: t
regions: [westeurope, northeurope]
hubs:
  - {name: "hub-{region}", each: region, firewall: {policy: p}, subnets: {dmz: {hosts: {"nva-{region}": {ip-forwarding: true}}}}}
spokes:
  - {name: a, region: westeurope, tags: {env: prod}, subnets: {app: {hosts: {web: {asgs: [front]}}}, dns: {}}}
firewall-policies: {p: {}}
expectations:
` + expectations)}}, nil)
	return d.Network.Expectations
}

func TestPairs(t *testing.T) {
	for text, want := range map[string]model.Expectation{
		"all":              {},
		"any":              {Quantity: model.Some},
		"other-region":     {Relation: model.OtherRegion},
		"all same-region":  {Relation: model.SameRegion},
		"any other-vnet":   {Quantity: model.Some, Relation: model.OtherVNet},
		"any other-region": {Quantity: model.Some, Relation: model.OtherRegion},
	} {
		got := claims(t, "  - {allow: any -> app, pairs: "+text+"}\n")[0]
		if got.Quantity != want.Quantity || got.Relation != want.Relation || !got.From.Any {
			t.Errorf("%s: quantity %q, relation %q, from %+v", text, got.Quantity, got.Relation, got.From)
		}
	}
}

func TestWaypoints(t *testing.T) {
	got := claims(t, `  - {allow: a -> any, through: [source firewall, "hub-{region}-firewall"], not-through: [Destination  Firewall, "host:nva-{region}"]}
  - {deny: a -> internet, not-through: nva-northeurope}
`)
	if len(got) != 3 {
		t.Fatalf("%d expectations", len(got))
	}
	if diff := cmp.Diff([]model.Waypoint{{Kind: model.SourceFirewall}, {Kind: model.NamedFirewall, Name: "hub-westeurope-firewall"}}, got[0].Through); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]model.Waypoint{{Kind: model.DestinationFirewall}, {Kind: model.NamedHost, Name: "nva-northeurope"}}, got[1].NotThrough); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]model.Waypoint{{Kind: model.NamedHost, Name: "nva-northeurope"}}, got[2].NotThrough); diff != "" {
		t.Error(diff)
	}
}

// Names of traffic stand for the ports of the service name registry; a name
// after "in" is a name.
func TestTraffic(t *testing.T) {
	for text, want := range map[string]string{
		"app":                          "app []",
		"app https":                    "app [{6 [{443 443}]}]",
		"app dns":                      "app [{6 [{53 53}]} {17 [{53 53}]}]",
		"dns in a":                     "dns in a []",
		"web in dns RDP tcp/80,":       "web in dns [{6 [{3389 3389}]} {17 [{3389 3389}]} {6 [{80 80}]}]",
		"app winrm esp ah":             "app [{6 [{5985 5985} {5986 5986}]} {50 []} {51 []}]",
		"app tcp/1-2, 5 icmp icmpv6":   "app [{6 [{1 2} {5 5}]} {1 []} {58 []}]",
		"10.0.0.0/8, 10.1.0.0/16 http": "10.0.0.0/8, 10.1.0.0/16 [{6 [{80 80}]}]",
	} {
		s, c := parseSentence("x -> " + text)
		if c != nil {
			t.Errorf("%s: %v", text, c)
			continue
		}
		if got := fmt.Sprint(s.to, " ", s.traffic); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	seen := map[string]bool{}
	for _, w := range trafficWords() {
		if seen[w] || !isTraffic(w) {
			t.Errorf("%q is there twice, or no traffic", w)
		}
		seen[w] = true
	}
}

// The destination of a command line may end in a port or its name; the name of a
// kind before a colon is none.
func TestTargetPorts(t *testing.T) {
	n := mustParse(t, []File{{Name: "n.yaml", Data: []byte("network: t\nregions: [westeurope]\nspokes: [{name: a, subnets: {dns: {hosts: {web: {}}}}}]\n")}}, nil).Network
	for text, want := range map[string]string{
		"web:443":       "[{host web}] [{6 [{443 443}]}]",
		"web:https":     "[{host web}] [{6 [{443 443}]}]",
		"web:udp/53":    "[{host web}] [{17 [{53 53}]}]",
		"subnet:dns":    "[{subnet dns}] []",
		"dns dns":       "[{subnet dns}] [{6 [{53 53}]} {17 [{53 53}]}]",
		"subnet:dns:22": "[{subnet dns}] [{6 [{22 22}]}]",
	} {
		sel, traffic, err := ParseTarget(n, text)
		if got := fmt.Sprint(sel.All, traffic); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", text, got, err, want)
		}
	}
}

func TestNoMoreThan(t *testing.T) {
	got := claims(t, `  - {no-more-than: ../old}
  - {name: closed, no-more-than: ../old, of: internet -> env=prod ssh}
`)
	all, some := got[0], got[1]
	if all.Verb != model.NoMore || all.Baseline != "../old" || all.Text != "no more than ../old" || all.Pos.Column != 20 {
		t.Errorf("%+v", all)
	}
	if s := all.From; s.Any || s.Internet || s.OnPrem || len(s.All)+len(s.Prefixes) > 0 {
		t.Errorf("from %+v", s)
	}
	if !some.From.Internet || some.Text != "no more than ../old of internet -> env=prod ssh" || len(some.Traffic) != 1 {
		t.Errorf("%+v", some)
	}
}

// A baseline is looked for beside the file that names it.
func TestBaselineExists(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const network = "network: t\nregions: [westeurope]\nspokes: [{name: a, subnets: {app: {}}}]\n"
	path := write("new/n.yaml", network+"expectations:\n  - no-more-than: ../old\n")
	_, err := Load(path, Options{})
	want := path + ":5:19: there is no network at " + filepath.Join(dir, "old") + "; "
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
	write("old/n.yaml", network)
	if _, err := Load(path, Options{}); err != nil {
		t.Error(err)
	}
}
