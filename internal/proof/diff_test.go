package proof

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/fabrictest"
	"github.com/ceruleannet/cerulean/internal/fabric/ref"
)

// levelOf1 is the level of one connection.
func levelOf1(c *fabric.Connection) Level {
	switch {
	case c.Forward.Verdict == fabric.VerdictUnknown:
		return LevelUnknown
	case c.Forward.Verdict == fabric.VerdictDeny:
		return LevelDenied
	case c.Reply.Verdict == fabric.VerdictAllow:
		return LevelWorks
	default:
		return LevelDelivered
	}
}

// edit returns a copy of an image with one thing changed.
func edit(rng *rand.Rand, img *fabric.Image) *fabric.Image {
	out := *img
	switch rng.IntN(4) {
	case 0: // a rule
		f := rng.IntN(len(img.Filters))
		out.Filters = append([]fabric.Filter(nil), img.Filters...)
		filter := &out.Filters[f]
		filter.Rules = append([]fabric.Rule(nil), filter.Rules...)
		switch {
		case len(filter.Rules) > 0 && rng.IntN(2) == 0:
			r := rng.IntN(len(filter.Rules))
			filter.Rules = append(filter.Rules[:r:r], filter.Rules[r+1:]...)
		case len(filter.Rules) > 0:
			r := &filter.Rules[rng.IntN(len(filter.Rules))]
			r.Action = fabric.Drop + fabric.Pass - r.Action%2
		default:
			filter.Default = fabric.Drop + fabric.Pass - filter.Default%2
		}
	case 1: // a route
		t := rng.IntN(len(img.Tables))
		out.Tables = append([]fabric.Table(nil), img.Tables...)
		table := &out.Tables[t]
		if len(table.Routes) > 0 {
			r := rng.IntN(len(table.Routes))
			table.Routes = append(append([]fabric.Route(nil), table.Routes[:r]...), table.Routes[r+1:]...)
		}
	case 2: // filters of a port
		out.Ports = append([]fabric.Port(nil), img.Ports...)
		p := &out.Ports[rng.IntN(len(img.Ports))]
		if p.Kind != fabric.PortEdge {
			p.Ingress = nil
		}
	default: // a way out
		out.Ports = append([]fabric.Port(nil), img.Ports...)
		p := &out.Ports[rng.IntN(len(img.Ports))]
		if p.Kind != fabric.PortEdge {
			p.Outbound = nil
		}
	}
	return &out
}

// FuzzDiff holds comparisons to the definition: a packet of which two images
// make something else is in a change, every witness differs as its change says,
// and equal images have no changes.
func FuzzDiff(f *testing.F) {
	for i := range uint64(60) {
		f.Add(i)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 5))
		img := fabrictest.Random(rng)
		changed := edit(rng, img)
		d, err := Diff(New(img), New(changed), Scope{Budget: 400_000})
		if errors.Is(err, ErrBudget) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range d.Changes {
			at, p := c.Witness.From, c.Witness.Packet
			before, after := replay(img, at, p, c.Witness.Choices), replay(changed, at, p, c.Witness.Choices)
			if levelOf1(&before) != c.Before || levelOf1(&after) != c.After {
				t.Fatalf("%s from %s: %s then %s, the change says %s then %s", p, c.Witness.FromName, levelOf1(&before), levelOf1(&after), c.Before, c.After)
			}
		}
		for range 200 {
			at, p := fabrictest.Packet(rng, img)
			if img.Ports[at].Silent {
				continue
			}
			before, after := ref.Connect(img, at, p), ref.Connect(changed, at, p)
			x, y := levelOf1(&before), levelOf1(&after)
			if x == y || p.Src == p.Dst || max(x, y) < LevelDelivered {
				continue
			}
			if img.Sets[img.Ports[at].Addrs].Contains(fabric.AddrValue(p.Dst)) || !img.Sets[img.Ports[at].Addrs].Contains(fabric.AddrValue(p.Src)) {
				continue
			}
			found := false
			for _, c := range d.Changes {
				found = found || c.Before == x && c.After == y
			}
			if !found {
				t.Fatalf("%s from %s: %s, then %s; no change says so: %+v", p, img.Ports[at].Name, x, y, d.Changes)
			}
		}
	})
}
