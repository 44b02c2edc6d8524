package filter

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// View is what a filter knows of one sighting of a packet.
type View struct {
	Packet fabric.Packet
	// Also is the packet before or after its translation; primitives about
	// addresses and ports mean either form. Equal to Packet if nothing was
	// translated.
	Also fabric.Packet
	// Ports says that the packet carries ports: not so for later fragments and
	// packets cut short.
	Ports   bool
	Length  int // bytes
	Inbound bool
	NIC     string
	Verdict fabric.Verdict
	Fault   fabric.Fault // if not FaultNone, Verdict means nothing
	Code    fabric.Code
	Flow    uint64
	// Rules returns the names of the rules the packet met. It is asked only by
	// filters that name a rule.
	Rules func() []string
}

// Filter chooses packets. The zero value chooses all.
type Filter struct{ root node }

// Match reports whether the filter means a packet.
func (f *Filter) Match(v *View) bool { return f.root == nil || f.root.match(v) }

// NeedsRules reports whether the filter names a rule, so that [View.Rules] is
// asked.
func (f *Filter) NeedsRules() bool { return f.root != nil && needsRules(f.root) }

func needsRules(n node) bool {
	switch n := n.(type) {
	case not:
		return needsRules(n.of)
	case both:
		return needsRules(n.a) || needsRules(n.b)
	case oneOf:
		return needsRules(n.a) || needsRules(n.b)
	case named:
		return n.rule
	default:
		return false
	}
}

// String returns the filter in full: every word said, every group in
// parentheses. Parsing it gives the same filter.
func (f *Filter) String() string {
	if f.root == nil {
		return ""
	}
	return f.root.String()
}

// node is a part of an expression.
type node interface {
	match(v *View) bool
	String() string
}

type (
	not   struct{ of node }
	both  struct{ a, b node }
	oneOf struct{ a, b node }
)

func (n not) match(v *View) bool   { return !n.of.match(v) }
func (n both) match(v *View) bool  { return n.a.match(v) && n.b.match(v) }
func (n oneOf) match(v *View) bool { return n.a.match(v) || n.b.match(v) }

func (n not) String() string   { return "not " + n.of.String() }
func (n both) String() string  { return "(" + chain(n) + ")" }
func (n oneOf) String() string { return "(" + chain(n) + ")" }

// chain writes what and and or join from the left, which needs no parentheses.
func chain(n node) string {
	switch n := n.(type) {
	case both:
		return chain(n.a) + " and " + n.b.String()
	case oneOf:
		return chain(n.a) + " or " + n.b.String()
	default:
		return n.String()
	}
}

// side says which end of a packet a primitive speaks of.
type side uint8

const (
	either side = iota
	source
	destination
	ends // both
)

var sideText = [...]string{"", "src ", "dst ", "src and dst "}

func (s side) of(a, b bool) bool {
	switch s {
	case source:
		return a
	case destination:
		return b
	case ends:
		return a && b
	default:
		return a || b
	}
}

// hosts matches addresses.
type hosts struct {
	side  side
	addrs []netip.Addr
}

func (n hosts) match(v *View) bool {
	has := func(a netip.Addr) bool {
		for _, x := range n.addrs {
			if x == a {
				return true
			}
		}
		return false
	}
	return n.side.of(has(v.Packet.Src) || has(v.Also.Src), has(v.Packet.Dst) || has(v.Also.Dst))
}

func (n hosts) String() string {
	words := make([]string, len(n.addrs))
	for i, a := range n.addrs {
		words[i] = sideText[n.side] + "host " + a.String()
	}
	if len(words) == 1 {
		return words[0]
	}
	// "src and dst" of several addresses is not the or of single ones; it never
	// comes here, see parse.go.
	text := words[0]
	for _, w := range words[1:] {
		text = "(" + text + " or " + w + ")"
	}
	return text
}

type network struct {
	side   side
	prefix netip.Prefix
}

func (n network) match(v *View) bool {
	return n.side.of(n.prefix.Contains(v.Packet.Src) || n.prefix.Contains(v.Also.Src),
		n.prefix.Contains(v.Packet.Dst) || n.prefix.Contains(v.Also.Dst))
}

func (n network) String() string { return sideText[n.side] + "net " + n.prefix.String() }

// portRange matches ports of TCP and UDP.
type portRange struct {
	side   side
	lo, hi uint16
}

func (n portRange) match(v *View) bool {
	in := func(p uint16) bool { return n.lo <= p && p <= n.hi }
	return v.Ports && n.side.of(in(v.Packet.SrcPort) || in(v.Also.SrcPort), in(v.Packet.DstPort) || in(v.Also.DstPort))
}

func (n portRange) String() string {
	return fmt.Sprintf("%sportrange %d-%d", sideText[n.side], n.lo, n.hi)
}

type protocol uint8

func (n protocol) match(v *View) bool { return v.Packet.Proto == uint8(n) }
func (n protocol) String() string     { return "proto " + strconv.Itoa(int(n)) }

// family is IPv6, or IPv4 if false.
type family bool

func (n family) match(v *View) bool {
	return v.Packet.Src.IsValid() && v.Packet.Src.Is6() == bool(n)
}

func (n family) String() string {
	if n {
		return "ip6"
	}
	return "ip"
}

// length matches packets of at most, or at least, so many bytes.
type length struct {
	least bool
	bytes int
}

func (n length) match(v *View) bool {
	if n.least {
		return v.Length >= n.bytes
	}
	return v.Length <= n.bytes
}

func (n length) String() string {
	if n.least {
		return "greater " + strconv.Itoa(n.bytes)
	}
	return "less " + strconv.Itoa(n.bytes)
}

type inbound bool

func (n inbound) match(v *View) bool { return v.Inbound == bool(n) }
func (n inbound) String() string {
	if n {
		return "inbound"
	}
	return "outbound"
}

type verdict fabric.Verdict

func (n verdict) match(v *View) bool {
	return v.Fault == fabric.FaultNone && v.Verdict == fabric.Verdict(n)
}
func (n verdict) String() string { return "verdict " + fabric.Verdict(n).String() }

// fault matches packets lost to one fault, or with FaultNone to any.
type fault fabric.Fault

func (n fault) match(v *View) bool {
	if fabric.Fault(n) == fabric.FaultNone {
		return v.Fault != fabric.FaultNone
	}
	return v.Fault == fabric.Fault(n)
}

func (n fault) String() string {
	if fabric.Fault(n) == fabric.FaultNone {
		return "fault"
	}
	return "fault " + fabric.Fault(n).String()
}

type reason fabric.Code

func (n reason) match(v *View) bool {
	return v.Fault == fabric.FaultNone && v.Code == fabric.Code(n)
}
func (n reason) String() string { return "reason " + fabric.Code(n).String() }

// named matches a name of a rule or of an interface.
type named struct {
	rule    bool
	pattern string // lower case
}

func (n named) match(v *View) bool {
	if !n.rule {
		return like(n.pattern, strings.ToLower(v.NIC))
	}
	if v.Rules == nil {
		return false
	}
	for _, r := range v.Rules() {
		if like(n.pattern, strings.ToLower(r)) {
			return true
		}
	}
	return false
}

func (n named) String() string {
	what := "nic "
	if n.rule {
		what = "rule "
	}
	return what + quote(n.pattern)
}

type flow uint64

func (n flow) match(v *View) bool { return v.Flow == uint64(n) }
func (n flow) String() string     { return "flow " + strconv.FormatUint(uint64(n), 10) }

// like reports whether a text is as a pattern in which * stands for any text.
func like(pattern, text string) bool {
	head, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == text
	}
	if !strings.HasPrefix(text, head) {
		return false
	}
	text = text[len(head):]
	for {
		part, next, more := strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(text, part)
		}
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text, rest = text[i+len(part):], next
	}
}
