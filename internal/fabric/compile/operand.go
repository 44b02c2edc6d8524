package compile

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model/catalog"
)

// operand is one side of a rule before it is known for whom the rule is
// evaluated: the tags VirtualNetwork and Internet differ from place to place.
type operand struct {
	fixed    fabric.SetID // what is the same everywhere
	virtual  bool         // and the VirtualNetwork tag
	internet bool         // and the Internet tag
	// unresolved means that part of the operand could be any address: an
	// unknown tag, a name, a missing resource.
	unresolved bool
}

// scope is the place where a rule is evaluated.
type scope struct {
	virtual, internet fabric.SetID
	// uncertain is what VirtualNetwork may hold besides: what an unmodelled
	// gateway could have learned. The empty set if there is none.
	uncertain fabric.SetID
}

// resolve returns the addresses that surely match and those that match
// perhaps; the latter are empty where everything is known.
func (c *compiler) resolve(o *operand, s *scope) (sure, perhaps fabric.SetID) {
	sure, perhaps = o.fixed, c.sets.empty
	if o.virtual {
		sure = c.sets.union(sure, s.virtual)
		perhaps = s.uncertain
	}
	if o.internet {
		sure = c.sets.union(sure, s.internet)
	}
	if o.unresolved {
		perhaps = fabric.AnySet
	}
	return sure, perhaps
}

// operandBuilder collects the parts of an operand.
type operandBuilder struct {
	c      *compiler
	ranges []fabric.Range
	out    operand
	bad    []string // texts that are neither addresses nor tags
}

// text adds an address, a prefix, a range "a-b", "*" or a service tag.
func (b *operandBuilder) text(s string) {
	s = strings.TrimSpace(s)
	switch strings.ToLower(s) {
	case "*", "any":
		b.ranges = append(b.ranges, fabric.AllValues()...)
		return
	case "virtualnetwork", "virtual_network":
		b.out.virtual = true
		return
	case "internet":
		b.out.internet = true
		return
	case "azureloadbalancer", "azure_loadbalancer", "azureplatformdns":
		v := fabric.AddrValue(catalog.WireServer)
		b.ranges = append(b.ranges, fabric.Range{Lo: v, Hi: v})
		return
	case "azureplatformimds":
		v := fabric.AddrValue(catalog.MetadataServer)
		b.ranges = append(b.ranges, fabric.Range{Lo: v, Hi: v})
		return
	}
	if r, ok := parseRange(s); ok {
		b.ranges = append(b.ranges, r)
		return
	}
	if looksLikeAddress(s) {
		b.bad = append(b.bad, s)
		return
	}
	if prefixes, ok := catalog.ServiceTag(s); ok {
		b.ranges = append(b.ranges, fabric.PrefixSet(prefixes...)...)
		return
	}
	b.out.unresolved = true
}

func (b *operandBuilder) set(id fabric.SetID) { b.ranges = append(b.ranges, b.c.sets.get(id)...) }

func (b *operandBuilder) done() operand {
	b.out.fixed = b.c.sets.id(fabric.NewSet(b.ranges...))
	return b.out
}

// parseRange reads an address, a prefix or two addresses with a hyphen.
func parseRange(s string) (fabric.Range, bool) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return fabric.PrefixRange(p), true
	}
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		v := fabric.AddrValue(a)
		return fabric.Range{Lo: v, Hi: v}, true
	}
	from, to, ok := strings.Cut(s, "-")
	if !ok {
		return fabric.Range{}, false
	}
	lo, errLo := netip.ParseAddr(strings.TrimSpace(from))
	hi, errHi := netip.ParseAddr(strings.TrimSpace(to))
	if errLo != nil || errHi != nil || lo.Is4() != hi.Is4() || hi.Less(lo) {
		return fabric.Range{}, false
	}
	return fabric.Range{Lo: fabric.AddrValue(lo), Hi: fabric.AddrValue(hi)}, true
}

// looksLikeAddress tells a mistyped address from the name of a tag.
func looksLikeAddress(s string) bool {
	return s == "" || s[0] >= '0' && s[0] <= '9' || strings.ContainsAny(s, ":/")
}

// parsePorts reads "*", "443", "80-90" and lists of them.
func parsePorts(texts []string) (set fabric.Set, bad string) {
	if len(texts) == 0 {
		return fabric.AllValues(), ""
	}
	var ranges []fabric.Range
	for _, text := range texts {
		for part := range strings.SplitSeq(text, ",") {
			part = strings.TrimSpace(part)
			if part == "*" || strings.EqualFold(part, "any") {
				return fabric.AllValues(), ""
			}
			from, to, isRange := strings.Cut(part, "-")
			if !isRange {
				to = from
			}
			lo, errLo := strconv.ParseUint(from, 10, 16)
			hi, errHi := strconv.ParseUint(to, 10, 16)
			if errLo != nil || errHi != nil || hi < lo {
				return nil, part
			}
			ranges = append(ranges, fabric.Range{Lo: fabric.Num(uint16(lo)), Hi: fabric.Num(uint16(hi))})
		}
	}
	set = fabric.NewSet(ranges...)
	if slices.Equal(set, fabric.NumSet(0, 65535)) {
		return fabric.AllValues(), ""
	}
	return set, ""
}

// parseProtocol reads a protocol name of a rule. ICMP stands for both
// families. It reports whether the protocol has ports.
func parseProtocol(name string) (set fabric.Set, ports, ok bool) {
	num := func(n uint16) fabric.Set { return fabric.NumSet(n, n) }
	switch strings.ToLower(name) {
	case "*", "any":
		return fabric.AllValues(), true, true
	case "tcp":
		return num(fabric.ProtoTCP), true, true
	case "udp":
		return num(fabric.ProtoUDP), true, true
	case "icmp":
		return num(fabric.ProtoICMP).Union(num(fabric.ProtoICMPv6)), false, true
	case "esp":
		return num(fabric.ProtoESP), false, true
	case "ah":
		return num(fabric.ProtoAH), false, true
	default:
		return nil, false, false
	}
}
