package filter

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// Resolve returns the addresses of a name in "host NAME", or an error that says
// why there are none.
type Resolve func(name string) ([]netip.Addr, error)

// keywords end a name that is not quoted.
var keywords = map[string]bool{
	"and": true, "or": true, "not": true, "src": true, "dst": true, "host": true, "net": true, "mask": true,
	"port": true, "portrange": true, "proto": true, "ip": true, "ip6": true, "tcp": true, "udp": true, "icmp": true,
	"icmp6": true, "esp": true, "ah": true, "less": true, "greater": true, "inbound": true, "outbound": true,
	"verdict": true, "fault": true, "reason": true, "rule": true, "nic": true, "flow": true,
}

// protocols are those with a word of their own.
var protocols = map[string]uint8{
	"tcp": fabric.ProtoTCP, "udp": fabric.ProtoUDP, "icmp": fabric.ProtoICMP, "icmp6": fabric.ProtoICMPv6,
	"esp": fabric.ProtoESP, "ah": fabric.ProtoAH,
}

// services are the ports that may be named (IANA's names).
var services = map[string]uint16{
	"ssh": 22, "smtp": 25, "domain": 53, "http": 80, "ntp": 123, "bgp": 179, "https": 443,
	"microsoft-ds": 445, "ms-sql-s": 1433, "mysql": 3306, "ms-wbt-server": 3389, "postgresql": 5432, "redis": 6379,
}

// Parse reads an expression; an empty one is the filter that chooses all.
// resolve may be nil: then hosts are addresses.
func Parse(text string, resolve Resolve) (*Filter, error) {
	words, err := lex(text)
	if err != nil {
		return nil, err
	}
	if len(words) == 0 {
		return &Filter{}, nil
	}
	p := &parser{words: words, end: len(text) + 1, resolve: resolve}
	root, err := p.expression(0)
	if err != nil {
		return nil, err
	}
	if w, more := p.peek(); more {
		return nil, p.wrong(w, "%q follows a whole expression; is an \"and\" missing?", w.text)
	}
	return &Filter{root}, nil
}

// qualifiers are the words before a value, which a bare value after it takes
// over.
type qualifiers struct {
	proto *uint8
	six   *family
	side  side
	sided bool   // src or dst was said
	kind  string // host, net, port, portrange, proto; "" before the first
}

type parser struct {
	words   []word
	at      int
	end     int // column after the text
	resolve Resolve
	last    qualifiers
}

func (p *parser) peek() (word, bool) {
	if p.at >= len(p.words) {
		return word{column: p.end}, false
	}
	return p.words[p.at], true
}

func (p *parser) take() word {
	w, ok := p.peek()
	if ok {
		p.at++
	}
	return w
}

// accept takes the next words if they are these keywords.
func (p *parser) accept(keywords ...string) bool {
	for i, k := range keywords {
		if p.at+i >= len(p.words) || !p.words[p.at+i].is(k) {
			return false
		}
	}
	p.at += len(keywords)
	return true
}

func (p *parser) wrong(w word, format string, args ...any) error {
	return &Error{w.column, fmt.Sprintf(format, args...)}
}

// expression reads terms joined by and, or.
func (p *parser) expression(depth int) (node, error) {
	left, err := p.term(depth)
	if err != nil {
		return nil, err
	}
	for {
		and := p.accept("and")
		if !and && !p.accept("or") {
			return left, nil
		}
		right, err := p.term(depth)
		if err != nil {
			return nil, err
		}
		if and {
			left = both{left, right}
		} else {
			left = oneOf{left, right}
		}
	}
}

func (p *parser) term(depth int) (node, error) {
	w, ok := p.peek()
	switch {
	case !ok:
		return nil, p.wrong(w, "the expression ends where a primitive is wanted, such as \"host 10.0.0.4\"")
	case depth > maxDepth:
		return nil, p.wrong(w, "parentheses and \"not\" nest deeper than %d", maxDepth)
	case p.accept("not"):
		of, err := p.term(depth + 1)
		return not{of}, err
	case p.accept("("):
		n, err := p.expression(depth + 1)
		if err != nil {
			return nil, err
		}
		if !p.accept(")") {
			w, _ := p.peek()
			return nil, p.wrong(w, "a closing parenthesis is missing")
		}
		return n, nil
	}
	return p.primitive()
}

// primitive reads one primitive, or a bare value.
func (p *parser) primitive() (node, error) {
	first, _ := p.peek()
	if n, err := p.word(); n != nil || err != nil {
		return n, err
	}
	q, some := p.qualify()
	if !some {
		if keyword := strings.ToLower(first.text); !first.quoted && (keywords[keyword] || first.text == ")") || p.last.kind == "" {
			return nil, p.wrong(first, "%q begins no primitive; use host, net, port, portrange, proto, tcp, udp, icmp, verdict, rule, …", first.text)
		}
		q = p.last
	}
	if q.kind == "" && !q.sided {
		// Only a protocol or a family.
		return q.over(nil), nil
	}
	if q.kind == "" {
		q.kind = "host" // "src 10.0.0.4"
	}
	w, ok := p.peek()
	if !ok || w.text == "(" || w.text == ")" || !w.quoted && keywords[strings.ToLower(w.text)] && (q.kind != "proto" || protocols[strings.ToLower(w.text)] == 0) {
		return nil, p.wrong(w, "a value is missing after %q", q.kind)
	}
	p.at++
	n, err := p.value(q, w)
	if err != nil {
		return nil, err
	}
	p.last = q
	return q.over(n), nil
}

// over adds the protocol and family of the qualifiers to a node.
func (q qualifiers) over(n node) node {
	join := func(with node) {
		if n == nil {
			n = with
		} else {
			n = both{with, n}
		}
	}
	if q.proto != nil {
		join(protocol(*q.proto))
	}
	if q.six != nil {
		join(*q.six)
	}
	return n
}

// qualify reads protocol, side and kind.
func (p *parser) qualify() (q qualifiers, some bool) {
	if w, ok := p.peek(); ok && !w.quoted {
		switch lower := strings.ToLower(w.text); {
		case lower == "ip" || lower == "ip6":
			f := family(lower == "ip6")
			q.six, some = &f, true
			p.at++
		case protocols[lower] != 0:
			n := protocols[lower]
			q.proto, some = &n, true
			p.at++
		}
	}
	for _, x := range []struct {
		word, other string
		side        side
	}{{"src", "dst", source}, {"dst", "src", destination}} {
		if !p.accept(x.word) {
			continue
		}
		q.side, q.sided, some = x.side, true, true
		if p.accept("or", x.other) {
			q.side = either
		} else if p.accept("and", x.other) {
			q.side = ends
		}
		break
	}
	for _, kind := range []string{"host", "net", "portrange", "port", "proto"} {
		if p.accept(kind) {
			q.kind, some = kind, true
			break
		}
	}
	return q, some
}

// value reads what stands after the qualifiers.
func (p *parser) value(q qualifiers, w word) (node, error) {
	switch q.kind {
	case "host":
		return p.host(q, w)
	case "net":
		prefix, err := p.net(w)
		return network{q.side, prefix}, err
	case "port":
		n, err := p.port(q, w, w.text)
		return portRange{q.side, n, n}, err
	case "portrange":
		a, b, ok := strings.Cut(w.text, "-")
		if !ok {
			return nil, p.wrong(w, "%q is no range of ports, such as 8000-8080", w.text)
		}
		lo, err := p.port(q, w, a)
		if err != nil {
			return nil, err
		}
		hi, err := p.port(q, w, b)
		if err == nil && lo > hi {
			err = p.wrong(w, "the range %s ends before it begins", w.text)
		}
		return portRange{q.side, lo, hi}, err
	default:
		if q.side != either || q.proto != nil {
			return nil, p.wrong(w, "\"proto\" takes no src, dst or other protocol")
		}
		if n := protocols[strings.ToLower(w.text)]; n != 0 {
			return protocol(n), nil
		}
		n, err := strconv.ParseUint(w.text, 10, 8)
		if err != nil {
			return nil, p.wrong(w, "%q is no protocol: use a number up to 255, or tcp, udp, icmp, icmp6, esp, ah", w.text)
		}
		return protocol(n), nil
	}
}

func (p *parser) host(q qualifiers, w word) (node, error) {
	if a, err := netip.ParseAddr(w.text); err == nil {
		if a.Zone() != "" {
			return nil, p.wrong(w, "an address has no zone here: %s", w.text)
		}
		return hosts{q.side, []netip.Addr{a.Unmap()}}, nil
	}
	if p.resolve == nil {
		return nil, p.wrong(w, "%q is no address", w.text)
	}
	addrs, err := p.resolve(w.text)
	if err == nil && len(addrs) == 0 {
		err = fmt.Errorf("%q has no address", w.text)
	}
	if err != nil {
		return nil, p.wrong(w, "%v", err)
	}
	if q.side == ends {
		return both{hosts{source, slices.Clone(addrs)}, hosts{destination, slices.Clone(addrs)}}, nil
	}
	return hosts{q.side, slices.Clone(addrs)}, nil
}

// net reads a prefix: with its length, as one to four numbers, or with a mask.
func (p *parser) net(w word) (netip.Prefix, error) {
	var zero netip.Prefix
	prefix, err := netip.ParsePrefix(w.text)
	if err != nil {
		a, ok := abbreviated(w.text)
		if !ok {
			return zero, p.wrong(w, "%q is no network, such as 10.0.0.0/8", w.text)
		}
		prefix = a
	}
	if p.accept("mask") {
		m := p.take()
		mask, err := netip.ParseAddr(m.text)
		bits, ok := maskBits(mask)
		if err != nil || !ok || !prefix.Addr().Is4() || strings.Contains(w.text, "/") {
			return zero, p.wrong(m, "%q is no mask of %s, such as 255.255.0.0", m.text, w.text)
		}
		prefix = netip.PrefixFrom(prefix.Addr(), bits)
	}
	if prefix.Addr().Is4In6() {
		return zero, p.wrong(w, "%s: write IPv4 networks as IPv4", w.text)
	}
	if prefix != prefix.Masked() {
		return zero, p.wrong(w, "%s has host bits set; the network is %s", prefix, prefix.Masked())
	}
	return prefix, nil
}

// abbreviated reads "10", "10.1", "10.1.2" as the networks of 8, 16 and 24 bits
// they are to pcap-filter, and whole addresses as themselves.
func abbreviated(text string) (netip.Prefix, bool) {
	dots := strings.Count(text, ".")
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	if dots > 2 {
		return netip.Prefix{}, false
	}
	a, err := netip.ParseAddr(text + strings.Repeat(".0", 3-dots))
	return netip.PrefixFrom(a, 8*(dots+1)), err == nil && a.Is4()
}

func maskBits(mask netip.Addr) (int, bool) {
	if !mask.Is4() {
		return 0, false
	}
	b := mask.As4()
	m := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	bits := 0
	for ; m&(1<<31) != 0; m <<= 1 {
		bits++
	}
	return bits, m == 0
}

func (p *parser) port(q qualifiers, w word, text string) (uint16, error) {
	if q.proto != nil && !(fabric.Packet{Proto: *q.proto}).HasPorts() {
		return 0, p.wrong(w, "%s has no ports", fabric.ProtoName(*q.proto))
	}
	if n := services[strings.ToLower(text)]; n != 0 {
		return n, nil
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0, p.wrong(w, "%q is no port: use a number up to 65535", text)
	}
	return uint16(n), nil
}

// word reads the primitives that are a word with at most one value. It returns
// nil if there is none.
func (p *parser) word() (node, error) {
	w, _ := p.peek()
	if w.quoted {
		return nil, nil
	}
	value := func(what string) (word, error) {
		p.at++
		v, ok := p.peek()
		if !ok || v.text == ")" || v.text == "(" || !v.quoted && (v.is("and") || v.is("or") || v.is("not")) {
			return v, p.wrong(v, "%s is missing after %q", what, w.text)
		}
		p.at++
		return v, nil
	}
	switch lower := strings.ToLower(w.text); lower {
	case "inbound", "outbound":
		p.at++
		return inbound(lower == "inbound"), nil
	case "less", "greater":
		v, err := value("a number of bytes")
		if err != nil {
			return nil, err
		}
		n, bad := strconv.ParseUint(v.text, 10, 31)
		if bad != nil {
			return nil, p.wrong(v, "%q is no number of bytes", v.text)
		}
		return length{lower == "greater", int(n)}, nil
	case "verdict":
		v, err := value("allow, deny or unknown")
		for _, x := range []fabric.Verdict{fabric.VerdictAllow, fabric.VerdictDeny, fabric.VerdictUnknown} {
			if err == nil && strings.EqualFold(v.text, x.String()) {
				return verdict(x), nil
			}
		}
		if err == nil {
			err = p.wrong(v, "%q is no verdict: use allow, deny or unknown", v.text)
		}
		return nil, err
	case "fault":
		p.at++
		v, ok := p.peek()
		for f := fabric.FaultNone + 1; ok && f.String() != "none"; f++ {
			if v.is(f.String()) {
				p.at++
				return fault(f), nil
			}
		}
		return fault(fabric.FaultNone), nil
	case "reason":
		v, err := value("a code")
		names := []string{}
		for _, c := range fabric.Codes() {
			if err == nil && strings.EqualFold(v.text, c.String()) {
				return reason(c), nil
			}
			names = append(names, c.String())
		}
		if err == nil {
			err = p.wrong(v, "%q is no reason; there are %s", v.text, strings.Join(names, ", "))
		}
		return nil, err
	case "rule", "nic":
		v, err := value("a name")
		return named{lower == "rule", strings.ToLower(v.text)}, err
	case "flow":
		v, err := value("a number")
		if err != nil {
			return nil, err
		}
		n, bad := strconv.ParseUint(v.text, 10, 64)
		if bad != nil {
			return nil, p.wrong(v, "%q is no flow's number", v.text)
		}
		return flow(n), nil
	}
	return nil, nil
}
