package policy

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// points returns packets such that every real packet meets the same rules, and
// is in the same of the boxes, as one of them: all combinations of values where
// a set begins or just ended. It shares no code with the package.
func points(boxes ...Box) []fabric.Packet {
	var values [fabric.NumFields][]fabric.Value
	for f := range values {
		values[f] = []fabric.Value{{}}
	}
	add := func(f fabric.Field, v fabric.Value) { values[f] = append(values[f], v) }
	for _, f := range []fabric.Field{fabric.Src, fabric.Dst} {
		add(f, fabric.AddrValue(netip.MustParseAddr("0.0.0.0")))
		add(f, fabric.AddrValue(netip.MustParseAddr("255.255.255.255")).Next())
	}
	for _, n := range []uint16{6, 7, 17, 18} {
		add(fabric.Proto, fabric.Num(n))
	}
	for _, b := range boxes {
		for f, set := range b {
			for _, r := range set {
				add(fabric.Field(f), r.Lo)
				add(fabric.Field(f), r.Hi.Next())
			}
		}
	}
	for f := range values {
		slices.SortFunc(values[f], fabric.Value.Compare)
		values[f] = slices.Compact(values[f])
	}
	var out []fabric.Packet
	for _, src := range values[fabric.Src] {
		for _, dst := range values[fabric.Dst] {
			if src.Addr().Is4() != dst.Addr().Is4() {
				continue
			}
			for _, proto := range values[fabric.Proto] {
				if proto.Hi != 0 || proto.Lo > 255 {
					continue
				}
				for _, sport := range values[fabric.SrcPort] {
					for _, dport := range values[fabric.DstPort] {
						if sport.Hi != 0 || sport.Lo > 65535 || dport.Hi != 0 || dport.Lo > 65535 {
							continue
						}
						p := fabric.Packet{Src: src.Addr(), Dst: dst.Addr(), Proto: uint8(proto.Lo), SrcPort: uint16(sport.Lo), DstPort: uint16(dport.Lo)}
						if p.HasPorts() || p.SrcPort == 0 && p.DstPort == 0 {
							out = append(out, p)
						}
					}
				}
			}
		}
	}
	return out
}

// decide is the definition: the first rule that matches.
func decide(rules []Rule, def fabric.Action, p fabric.Packet) (int, fabric.Action) {
	for i := range rules {
		if rules[i].Match.Contains(p) {
			return i, rules[i].Action
		}
	}
	return Default, def
}

func boxesOf(rules []Rule, more ...Box) []Box {
	for i := range rules {
		more = append(more, rules[i].Match)
	}
	return more
}

// small makes random lists over few values, so that rules meet often.
type small struct {
	*rand.Rand
	unknown bool // some rules have the action Unknown
}

func (g *small) addrs() fabric.Set {
	prefix := func() fabric.Set {
		return fabric.PrefixSet(netip.MustParsePrefix([]string{
			"10.0.0.0/8", "10.0.0.0/9", "10.128.0.0/9", "10.0.0.4/32", "10.0.0.4/30", "10.0.0.6/31", "0.0.0.0/0", "::/0", "fd00::/8", "fd00::4/128",
		}[g.IntN(10)]))
	}
	switch g.IntN(5) {
	case 0:
		return fabric.AllValues()
	case 1:
		return prefix().Union(prefix()).Subtract(prefix())
	case 2:
		return prefix().Union(prefix())
	default:
		return prefix()
	}
}

func (g *small) ports() fabric.Set {
	part := func() fabric.Set {
		lo := uint16(g.IntN(4)) * 100
		return fabric.NumSet(lo, lo+uint16(g.IntN(3))*100)
	}
	switch g.IntN(6) {
	case 0, 1:
		return fabric.AllValues()
	case 2:
		return fabric.NumSet(0, 65535)
	case 3:
		return part().Union(part())
	default:
		return part()
	}
}

func (g *small) protos() fabric.Set {
	one := func() fabric.Set { n := []uint16{1, 6, 17, 47}[g.IntN(4)]; return fabric.NumSet(n, n) }
	switch g.IntN(4) {
	case 0:
		return fabric.AllValues()
	case 1:
		return one().Union(one())
	default:
		return one()
	}
}

func (g *small) box() Box {
	b := Box{g.addrs(), g.addrs(), g.ports(), g.ports(), g.protos()}
	if g.IntN(3) == 0 {
		b[fabric.SrcPort] = fabric.AllValues()
	}
	return b
}

func (g *small) action() fabric.Action {
	if g.unknown && g.IntN(5) == 0 {
		return fabric.Unknown
	}
	return []fabric.Action{fabric.Drop, fabric.Pass, fabric.Pass, fabric.Drop, fabric.Bypass}[g.IntN(5)]
}

func (g *small) rules(n int) []Rule {
	out := make([]Rule, n)
	for i := range out {
		out[i] = Rule{Match: g.box(), Action: g.action(), Masquerade: g.IntN(8) == 0}
	}
	return out
}

func mustNew(t testing.TB, rules []Rule, def fabric.Action) *Policy {
	t.Helper()
	p, err := New(rules, def)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
