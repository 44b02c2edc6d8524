package classbench

import (
	"cmp"
	"math/rand/v2"
	"net/netip"
	"slices"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/proof/policy"
)

// Rules returns a list of n different rules of a family; the same seed gives
// the same list. Every third rule denies, the others allow. Narrow prefixes
// stand mostly before wide ones, as people and ClassBench order them, with some
// disorder so that a few rules are shadowed.
func Rules(f Family, n int, seed uint64) []policy.Rule {
	g := &generator{
		Rand: rand.New(rand.NewPCG(seed, uint64(len(f))<<32|uint64(f[0]))), shape: shapeOf(f),
		ports: map[[2]int]fabric.Set{}, seen: map[[10]fabric.Value]bool{},
	}
	g.src = g.grow(g.shape.src, n)
	g.dst = g.grow(g.shape.dst, n)
	type drawn struct {
		policy.Rule
		rank float64
	}
	list := make([]drawn, 0, n)
	for len(list) < n {
		r, bits := g.rule()
		if g.repeats(&r) {
			continue
		}
		list = append(list, drawn{r, float64(bits) + 8*g.NormFloat64()})
	}
	slices.SortStableFunc(list, func(a, b drawn) int { return cmp.Compare(b.rank, a.rank) })
	out := make([]policy.Rule, n)
	for i := range list {
		out[i] = list[i].Rule
		out[i].Action = fabric.Pass
		if i%3 == 0 {
			out[i].Action = fabric.Drop
		}
	}
	return out
}

type generator struct {
	*rand.Rand
	shape    *shape
	src, dst *networks
	ports    map[[2]int]fabric.Set
	seen     map[[10]fabric.Value]bool
}

// networks are the blocks of 24 bits that addresses are drawn from, and the
// prefixes that were.
type networks struct {
	tree
	blocks []uint32
	drawn  [33][]fabric.Set
}

// grow makes blocks inside blocks, fewer for a shorter list.
func (g *generator) grow(t tree, rules int) *networks {
	parents := []uint32{0}
	for level, count := range t.blocks {
		count = max(1, min(count, (count*rules+9999)/10000+8))
		children := make([]uint32, count)
		for i := range children {
			parent := parents[g.IntN(len(parents))]
			if i < len(parents) {
				parent = parents[i] // none stays empty
			}
			children[i] = parent | uint32(g.IntN(256))<<(24-8*level)
		}
		parents = children
	}
	return &networks{tree: t, blocks: parents}
}

func (g *generator) prefix(n *networks, bits int) fabric.Set {
	if bits == 0 {
		return fabric.PrefixSet(netip.PrefixFrom(netip.IPv4Unspecified(), 0))
	}
	if old := n.drawn[bits]; len(old) > 0 && g.IntN(100) >= n.fresh {
		return old[g.IntN(len(old))]
	}
	a := n.blocks[g.IntN(len(n.blocks))] | uint32(g.IntN(256))
	addr := netip.AddrFrom4([4]byte{byte(a >> 24), byte(a >> 16), byte(a >> 8), byte(a)})
	s := fabric.PrefixSet(netip.PrefixFrom(addr, bits).Masked())
	n.drawn[bits] = append(n.drawn[bits], s)
	return s
}

// rule draws a rule; bits is how long its prefixes are together.
func (g *generator) rule() (r policy.Rule, bits int) {
	l := g.shape.lengths[g.weighted(len(g.shape.lengths), func(i int) int { return g.shape.lengths[i].weight })]
	k := g.shape.kinds[g.weighted(len(g.shape.kinds), func(i int) int { return g.shape.kinds[i].weight })]
	r.Match = policy.Box{
		g.prefix(g.src, l.src), g.prefix(g.dst, l.dst),
		g.portSet(k.src, g.shape.sources), g.portSet(k.dst, g.shape.exact), fabric.AllValues(),
	}
	if k.proto != any {
		r.Match[fabric.Proto] = g.numbers(k.proto, k.proto)
	}
	return r, l.src + l.dst
}

func (g *generator) portSet(c class, exact []port) fabric.Set {
	switch c {
	case hi:
		return g.numbers(1024, 65535)
	case ar:
		exact = g.shape.ranges
	case wc:
		// A protocol without ports matches too: the field does not matter.
		return fabric.AllValues()
	}
	p := exact[g.weighted(len(exact), func(i int) int { return exact[i].weight })]
	return g.numbers(p.lo, p.hi)
}

// numbers returns a set of numbers, the same memory for the same numbers.
func (g *generator) numbers(lo, hi int) fabric.Set {
	k := [2]int{lo, hi}
	if g.ports[k] == nil {
		g.ports[k] = fabric.NumSet(uint16(lo), uint16(hi))
	}
	return g.ports[k]
}

func (g *generator) weighted(n int, weight func(int) int) int {
	total := 0
	for i := range n {
		total += weight(i)
	}
	at := g.IntN(total)
	for i := range n {
		if at -= weight(i); at < 0 {
			return i
		}
	}
	return n - 1
}

// repeats reports whether a rule matches exactly what an earlier one does.
// Every set has one range.
func (g *generator) repeats(r *policy.Rule) bool {
	var k [10]fabric.Value
	for f, s := range r.Match {
		k[2*f], k[2*f+1] = s[0].Lo, s[0].Hi
	}
	if g.seen[k] {
		return true
	}
	g.seen[k] = true
	return false
}
