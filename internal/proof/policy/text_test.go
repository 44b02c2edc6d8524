package policy

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

func TestDescribe(t *testing.T) {
	prefix := func(texts ...string) fabric.Set {
		var out []netip.Prefix
		for _, text := range texts {
			out = append(out, netip.MustParsePrefix(text))
		}
		return fabric.PrefixSet(out...)
	}
	all, tcp := fabric.AllValues(), fabric.NumSet(6, 6)
	real := realPackets()
	for _, test := range []struct {
		name  string
		boxes []Box
		want  []string
	}{
		{"nothing", nil, nil},
		{"everything", []Box{Everything()}, []string{"any to any, any protocol"}},
		{"everything in parts", real[:], []string{"any to any, any protocol"}},
		{"one family", real[:2], []string{"any to any IPv4, any protocol"}},
		{"a port", []Box{{prefix("10.0.0.0/8"), prefix("10.1.0.4/32"), all, fabric.NumSet(443, 443), tcp}}, []string{"10.0.0.0/8 to 10.1.0.4, tcp 443"}},
		{
			"neighbours join",
			[]Box{
				{prefix("10.0.0.0/9"), all, all, fabric.NumSet(22, 22), tcp},
				{prefix("10.128.0.0/9"), all, all, fabric.NumSet(22, 22), tcp},
				{prefix("10.0.0.0/8"), all, all, fabric.NumSet(23, 23), tcp},
			},
			[]string{"10.0.0.0/8 to any, tcp 22-23"},
		},
		{
			"two protocols and a source port",
			[]Box{{prefix("fd00::/8"), prefix("fd00::1/128", "fd00::4/128"), fabric.NumSet(53, 53), all, real[0][fabric.Proto]}},
			[]string{"fd00::/8 to fd00::1, fd00::4, tcp/udp from port 53"},
		},
		{
			"a range that is no prefix",
			[]Box{{fabric.Set{{Lo: fabric.AddrValue(netip.MustParseAddr("10.0.0.1")), Hi: fabric.AddrValue(netip.MustParseAddr("10.0.0.9"))}}, all, all, all, fabric.NumSet(1, 1)}},
			[]string{"10.0.0.1-10.0.0.9 to any, icmp"},
		},
		{
			"all but a protocol",
			[]Box{{all, all, all, all, fabric.NumSet(0, 255).Subtract(tcp)}},
			[]string{"any to any, any protocol but tcp"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := Describe(test.boxes); !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// FuzzMerge: merged boxes hold the same real packets.
func FuzzMerge(f *testing.F) {
	for seed := range uint64(30) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		g := &small{Rand: rand.New(rand.NewPCG(seed, 4))}
		rules := g.rules(1 + g.IntN(4))
		p := mustNew(t, rules, fabric.Drop)
		q := Everything()
		var boxes []Box
		p.Search().Leaves(&q, Passing(), DefaultBudget, func(l Leaf) bool {
			boxes = append(boxes, l.Box())
			return true
		})
		merged := Merge(slices.Clone(boxes))
		if len(merged) > len(boxes) {
			t.Fatalf("%d boxes of %d", len(merged), len(boxes))
		}
		in := func(list []Box, packet fabric.Packet) bool {
			return slices.ContainsFunc(list, func(b Box) bool { return b.Contains(packet) })
		}
		for _, packet := range points(boxesOf(rules)...) {
			if in(boxes, packet) != in(merged, packet) {
				t.Fatalf("%s: %v before, %v after", packet, in(boxes, packet), in(merged, packet))
			}
		}
	})
}
