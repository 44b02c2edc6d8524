package policy_test

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/fabrictest"
	"github.com/ceruleannet/cerulean/internal/proof/policy"
)

// FuzzFilter: the filters of random images decide packets as the image's own
// matching does, and every leaf is decided by its rule.
func FuzzFilter(f *testing.F) {
	for seed := range uint64(40) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 1))
		img := fabrictest.Random(rng)
		for id := range img.Filters {
			filter := &img.Filters[id]
			p, err := policy.FromFilter(img, fabric.FilterID(id))
			if err != nil {
				t.Fatal(err)
			}
			first := func(packet fabric.Packet) int {
				for i := range filter.Rules {
					if img.Matches(&filter.Rules[i], packet) {
						return i
					}
				}
				return policy.Default
			}
			for range 50 {
				_, packet := fabrictest.Packet(rng, img)
				if got, action := p.Classify(packet); got != first(packet) || action != p.Action(got) {
					t.Fatalf("filter %d: %s is decided by %d %s, want %d", id, packet, got, action, first(packet))
				}
			}
			q := policy.Everything()
			every := policy.ActionsOf(fabric.Drop, fabric.Pass, fabric.Bypass, fabric.Unknown)
			count := 0
			p.Search().Leaves(&q, every, policy.DefaultBudget, func(l policy.Leaf) bool {
				if packet := l.Packet(); first(packet) != l.Rule {
					t.Fatalf("filter %d: the leaf of rule %d shows %s, which %d decides", id, l.Rule, packet, first(packet))
				}
				count++
				return count < 1000
			})
			for _, finding := range p.Search().Review(policy.DefaultBudget) {
				if finding.Use != policy.Shadowed && finding.Use != policy.UseUnclear && first(finding.Packet) != finding.Rule {
					t.Fatalf("filter %d: %+v", id, finding)
				}
			}
		}
	})
}

// TestMalformed: what cannot be prepared is said, with its place.
func TestMalformed(t *testing.T) {
	backwards, touching := policy.Everything(), policy.Everything()
	backwards[fabric.DstPort] = fabric.Set{{Lo: fabric.Num(2), Hi: fabric.Num(1)}}
	touching[fabric.Src] = fabric.Set{{Lo: fabric.Num(1), Hi: fabric.Num(2)}, {Lo: fabric.Num(3), Hi: fabric.Num(4)}}
	for _, test := range []struct {
		name  string
		rules []policy.Rule
		def   fabric.Action
		want  string
	}{
		{"default", nil, fabric.Unknown, "the default action is unknown"},
		{"action", []policy.Rule{{Match: policy.Everything(), Action: 9}}, fabric.Drop, "rule 0 has the action 9"},
		{"backwards", []policy.Rule{{Match: policy.Everything()}, {Match: backwards}}, fabric.Drop, "rule 1: range 0 of the destination port is out of order"},
		{"touching", []policy.Rule{{Match: touching}}, fabric.Drop, "rule 0: range 1 of the source is out of order"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := policy.New(test.rules, test.def); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
	img := &fabric.Image{Sets: []fabric.Set{fabric.AllValues()}, Filters: []fabric.Filter{{Name: "nsg", Rules: []fabric.Rule{{Match: [fabric.NumFields]fabric.SetID{7}}}}}}
	for id, want := range map[fabric.FilterID]string{0: "filter nsg: rule 0: set 7 is out of range", 3: "no filter 3"} {
		if _, err := policy.FromFilter(img, id); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestRelate: how sets lie to each other, of one run and of several.
func TestRelate(t *testing.T) {
	ports := func(ranges ...uint16) policy.Rule {
		r := policy.Rule{Match: policy.Everything()}
		var s fabric.Set
		for i := 0; i < len(ranges); i += 2 {
			s = s.Union(fabric.NumSet(ranges[i], ranges[i+1]))
		}
		r.Match[fabric.DstPort] = s
		return r
	}
	for _, test := range []struct {
		a, b policy.Rule
		want policy.Relation
	}{
		{ports(1, 9), ports(1, 9), policy.Equal},
		{ports(1, 9), ports(10, 19), policy.Disjoint},
		{ports(1, 9), ports(9, 19), policy.Overlap},
		{ports(1, 9), ports(0, 19), policy.Subset},
		{ports(0, 19), ports(1, 9), policy.Superset},
		{ports(1, 2, 8, 9), ports(1, 9), policy.Subset},
		{ports(1, 2, 8, 9), ports(4, 5), policy.Disjoint},
		{ports(1, 2, 8, 9), ports(2, 4), policy.Overlap},
		{ports(1, 2, 5, 6, 8, 9), ports(5, 6), policy.Superset},
		{ports(), ports(1, 2), policy.Disjoint},
	} {
		p, err := policy.New([]policy.Rule{test.a, test.b}, fabric.Drop)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Relate(fabric.DstPort, 0, 1); got != test.want {
			t.Errorf("%v to %v is %d, want %d", test.a.Match[fabric.DstPort], test.b.Match[fabric.DstPort], got, test.want)
		}
	}
}

// TestWitness: a witness has the values that people know, where the answer
// leaves it the choice, and the lowest elsewhere.
func TestWitness(t *testing.T) {
	box := func(src, dst string, port, proto uint16) policy.Box {
		b := policy.Everything()
		b[fabric.Src], b[fabric.Dst] = fabric.PrefixSet(netip.MustParsePrefix(src)), fabric.PrefixSet(netip.MustParsePrefix(dst))
		if port != 0 {
			b[fabric.DstPort] = fabric.NumSet(port, port)
		}
		if proto != 0 {
			b[fabric.Proto] = fabric.NumSet(proto, proto)
		}
		return b
	}
	p := prepare(t, []policy.Rule{
		{Match: box("10.0.0.0/24", "0.0.0.0/0", 443, fabric.ProtoTCP)},
		{Match: policy.Everything(), Action: fabric.Pass},
	})
	for _, test := range []struct {
		name string
		box  policy.Box
		want string
	}{
		{"denied for whom people know", policy.Everything(), "tcp 0.0.0.1:49152 > 10.0.0.5:443"},
		{"a port", box("10.0.0.0/8", "172.16.0.0/12", 9999, fabric.ProtoUDP), "udp 10.0.0.4:49152 > 172.16.0.0:9999"},
		{"denied below", box("10.0.0.0/16", "10.1.0.0/16", 443, fabric.ProtoTCP), "tcp 10.0.1.0:49152 > 10.1.0.0:443"},
		{"six", box("fd00::/8", "2001:db8::/32", 0, 0), "tcp [fd00::4]:49152 > [2001:db8::]:443"},
		{"no ports", box("10.0.0.0/8", "10.0.0.0/8", 0, 47), "proto-47 10.0.0.4 > 10.0.0.5"},
	} {
		a := p.Search().Find(&test.box, policy.Passing(), policy.DefaultBudget)
		if a.Status != policy.Found || a.Packet.String() != test.want || a.Rule != 1 {
			t.Errorf("%s: %+v, want %s", test.name, a, test.want)
		}
	}
}

// TestEmptyList: a list without rules is its default.
func TestEmptyList(t *testing.T) {
	p, err := policy.New(nil, fabric.Pass)
	if err != nil {
		t.Fatal(err)
	}
	q := policy.Everything()
	a := p.Search().Find(&q, policy.Passing(), policy.DefaultBudget)
	if a.Status != policy.Found || a.Rule != policy.Default || a.Packet.String() != "tcp 10.0.0.4:49152 > 10.0.0.5:443" {
		t.Errorf("%+v", a)
	}
	if a := p.Search().Find(&q, policy.ActionsOf(fabric.Drop), policy.DefaultBudget); a.Status != policy.Absent {
		t.Errorf("%+v", a)
	}
	var none policy.Box
	if a := p.Search().Find(&none, policy.Passing(), policy.DefaultBudget); a.Status != policy.Absent {
		t.Errorf("%+v of no packet", a)
	}
}
