package live

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

func one(name string) model.Selector {
	return model.Selector{Text: name, All: []model.Label{{Kind: model.LabelHost, Name: name}}}
}

// having selects whoever has an address of some prefixes.
func having(prefixes ...string) model.Selector {
	var s model.Selector
	for _, p := range prefixes {
		s.Prefixes = append(s.Prefixes, netip.MustParsePrefix(p))
	}
	return s
}

func tcpPorts(ports ...uint16) []model.Traffic {
	t := model.Traffic{Protocol: fabric.ProtoTCP}
	for _, p := range ports {
		t.Ports = append(t.Ports, model.PortRange{Lo: p, Hi: p})
	}
	return []model.Traffic{t}
}

func TestProbe(t *testing.T) {
	img := testImage()
	img.Ports[fw].Labels = append(img.Ports[fw].Labels, fabric.Label{Kind: "firewall", Name: "fw"})
	n := run(t, img, Options{Internet: []model.PublicHost{{
		Name: "api.example", Addrs: []netip.Addr{netip.MustParseAddr("198.51.100.80")}, Services: []model.Service{{Kind: model.ServiceHTTP, Port: 80}},
	}}})
	internet := model.Selector{Internet: true}
	through := []model.Waypoint{{Kind: model.SourceFirewall}, {Kind: model.NamedFirewall, Name: "fw"}}
	for _, tt := range []struct {
		name   string
		e      model.Expectation
		probes int
		holds  bool
		said   string
	}{
		{"allow", model.Expectation{Verb: model.Allow, From: one("web"), To: one("db"), Traffic: tcpPorts(5432, 443, 80), Through: through}, 6, true, "https 200 OK: db"},
		{"deny", model.Expectation{Verb: model.Deny, From: one("web"), To: one("db"), Traffic: tcpPorts(22)}, 2, true, "no-ssh"},
		{"deny that is false", model.Expectation{Verb: model.Deny, From: one("web"), To: one("db"), Traffic: tcpPorts(81)}, 2, false, "nobody listens"},
		{"allow that is false", model.Expectation{Verb: model.Allow, From: one("web"), To: one("db"), Traffic: tcpPorts(22)}, 2, false, "no-ssh"},
		{"a waypoint not passed", model.Expectation{Verb: model.Allow, From: one("web"), To: one("db"), Traffic: tcpPorts(443), Through: []model.Waypoint{{Kind: model.DestinationFirewall}}}, 2, false, ""},
		{"both ways", model.Expectation{Verb: model.Allow, From: one("web"), To: one("db"), Both: true, Traffic: []model.Traffic{{Protocol: fabric.ProtoICMP}}}, 2, true, "answered"},
		{"from the internet", model.Expectation{Verb: model.Deny, From: internet, To: one("db")}, 6, true, "private-at-edge"},
		{"to the internet", model.Expectation{Verb: model.Allow, From: one("web"), To: internet, Traffic: tcpPorts(443)}, 1, true, "nobody listens"},
		{"symmetric", model.Expectation{Verb: model.Symmetric, From: model.Selector{Any: true}, To: model.Selector{Any: true}, Traffic: tcpPorts(443)}, 4, true, ""},
		{"names", model.Expectation{Verb: model.Resolves, From: one("web"), Names: []string{"store.corp.test"}}, 1, true, "10.2.0.4"},
		{"a name that is not there", model.Expectation{Verb: model.Resolves, From: one("web"), Names: []string{"no.corp.test"}}, 1, false, "no such name"},
		{"from prefixes to prefixes", model.Expectation{Verb: model.Allow, From: having("10.1.0.0/16"), To: having("10.2.0.0/24"), Traffic: tcpPorts(443)}, 1, true, "https 200 OK: db"},
		{"from a prefix that nobody has", model.Expectation{Verb: model.Allow, From: having("10.1.7.0/24"), To: one("db"), Traffic: tcpPorts(443)}, 0, true, ""},
		{"from prefixes outside", model.Expectation{Verb: model.Deny, From: having("198.51.100.0/25", "198.51.100.128/25"), To: one("db"), Traffic: tcpPorts(443)}, 2, true, "private-at-edge"},
		{"to a declared host of the internet", model.Expectation{Verb: model.Allow, From: one("web"), To: having("198.51.100.80/32"), Traffic: tcpPorts(80)}, 1, true, "http 200 OK: api.example"},
		{"to an address outside", model.Expectation{Verb: model.Deny, From: one("web"), To: having("198.51.100.81/32"), Traffic: tcpPorts(80)}, 1, false, "nobody listens"},
		{"to everybody", model.Expectation{Verb: model.Symmetric, From: one("web"), To: having("0.0.0.0/0"), Traffic: tcpPorts(443)}, 2, true, "nobody listens"},
		{"nobody", model.Expectation{Verb: model.Allow, From: one("ghost"), To: one("db")}, 0, true, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := n.Probe(t.Context(), []model.Expectation{tt.e})[0]
			if r.Holds != tt.holds || len(r.Probes) != tt.probes {
				t.Errorf("holds %v by %d probes, want %v by %d", r.Holds, len(r.Probes), tt.holds, tt.probes)
			}
			said := tt.said == ""
			for _, p := range r.Probes {
				said = said || strings.Contains(p.Said, tt.said)
				if p.Disagreement != nil {
					t.Error(p.Disagreement)
				}
			}
			if !said {
				t.Errorf("nobody said %q: %+v", tt.said, r.Probes)
			}
		})
	}
}

// A judge that cannot object is worth nothing: it is shown packets that met
// something else than the reference says.
func TestJudgeObjects(t *testing.T) {
	img := testImage()
	p := Probe{From: "web", Verdict: fabric.VerdictAllow, Packet: fabric.Packet{
		Src: netip.MustParseAddr("10.1.0.4"), Dst: netip.MustParseAddr("10.2.0.4"), SrcPort: 50000, DstPort: 22, Proto: fabric.ProtoTCP,
	}}
	if err := judge(img, web, &p, nil); err == nil || !strings.Contains(err.Error(), "no-ssh") {
		t.Errorf("delivered against the policy: %v", err)
	}
	p.Verdict, p.Reason = fabric.VerdictDeny, fabric.AtRule(fw, 0, 0)
	if err := judge(img, web, &p, nil); err != nil {
		t.Error(err)
	}
}
