package flowlog

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// Criteria chooses flows by the property enabledFilteringCriteria of a flow log:
// comparisons of SrcIP, DstIP, SrcPort, DstPort, Protocol, Encryption, Direction
// and Action with a value, by = and !=, joined by && and || (which binds less),
// with parentheses. An address may be a prefix, a port a range. The zero value
// chooses every flow. The grammar beyond the examples that Azure shows,
// "srcIP=158.255.7.8 || dstPort=56891", is unconfirmed.
type Criteria struct{ any []conjunction }

// conjunction holds if all of its parts do.
type conjunction []part

type part struct {
	not   bool
	match func(s *Sight) bool
	group *Criteria // in parentheses; then match is nil
}

// Match reports whether a flow is wanted.
func (c *Criteria) Match(s *Sight) bool {
	if len(c.any) == 0 {
		return true
	}
	for _, all := range c.any {
		if all.match(s) {
			return true
		}
	}
	return false
}

func (c conjunction) match(s *Sight) bool {
	for i := range c {
		ok := false
		if c[i].group != nil {
			ok = c[i].group.Match(s)
		} else {
			ok = c[i].match(s)
		}
		if ok == c[i].not {
			return false
		}
	}
	return true
}

const (
	maxCriteria = 4096 // bytes
	maxNesting  = 50
)

// ParseCriteria reads criteria; an empty text chooses every flow.
func ParseCriteria(text string) (Criteria, error) {
	if len(text) > maxCriteria {
		return Criteria{}, fmt.Errorf("enabledFilteringCriteria is longer than %d bytes", maxCriteria)
	}
	if strings.TrimSpace(text) == "" {
		return Criteria{}, nil
	}
	p := &criteriaParser{text: text}
	c, err := p.either(0)
	if err == nil && p.skip() < len(text) {
		err = fmt.Errorf("column %d: %q is not understood", p.at+1, text[p.at:])
	}
	if err != nil {
		return Criteria{}, fmt.Errorf("enabledFilteringCriteria, %w", err)
	}
	return c, nil
}

type criteriaParser struct {
	text string
	at   int
}

// skip passes blanks and returns where the parser is.
func (p *criteriaParser) skip() int {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
	return p.at
}

func (p *criteriaParser) accept(token string) bool {
	p.skip()
	if !strings.HasPrefix(p.text[p.at:], token) {
		return false
	}
	p.at += len(token)
	return true
}

func (p *criteriaParser) either(depth int) (Criteria, error) {
	var c Criteria
	for {
		var all conjunction
		for {
			x, err := p.part(depth)
			if err != nil {
				return c, err
			}
			all = append(all, x)
			if !p.accept("&&") {
				break
			}
		}
		c.any = append(c.any, all)
		if !p.accept("||") {
			return c, nil
		}
	}
}

func (p *criteriaParser) part(depth int) (part, error) {
	if depth > maxNesting {
		return part{}, fmt.Errorf("column %d: parentheses nest deeper than %d", p.at+1, maxNesting)
	}
	if p.accept("(") {
		c, err := p.either(depth + 1)
		if err == nil && !p.accept(")") {
			err = fmt.Errorf("column %d: a closing parenthesis is missing", p.at+1)
		}
		return part{group: &c}, err
	}
	column := p.skip() + 1
	name := p.until("=!&|() \t\r\n")
	not := p.accept("!=")
	if !not && !p.accept("==") && !p.accept("=") {
		return part{}, fmt.Errorf("column %d: a comparison is wanted, such as srcIP=10.0.0.4", column)
	}
	p.skip()
	value := p.until("&|() \t\r\n")
	match, err := comparison(strings.ToLower(name), value)
	if err != nil {
		return part{}, fmt.Errorf("column %d: %w", column, err)
	}
	return part{not: not, match: match}, nil
}

func (p *criteriaParser) until(stops string) string {
	rest := p.text[p.at:]
	n := strings.IndexAny(rest, stops)
	if n < 0 {
		n = len(rest)
	}
	p.at += n
	return rest[:n]
}

// comparison returns the meaning of "name=value".
func comparison(name, value string) (func(*Sight) bool, error) {
	switch name {
	case "srcip", "dstip":
		prefix, err := netip.ParsePrefix(value)
		if err != nil {
			a, err := netip.ParseAddr(value)
			if err != nil || a.Zone() != "" {
				return nil, fmt.Errorf("%q is no address", value)
			}
			prefix = netip.PrefixFrom(a, a.BitLen())
		}
		if name == "srcip" {
			return func(s *Sight) bool { return prefix.Contains(s.Packet.Src) }, nil
		}
		return func(s *Sight) bool { return prefix.Contains(s.Packet.Dst) }, nil
	case "srcport", "dstport":
		a, b, ranged := strings.Cut(value, "-")
		if !ranged {
			b = a
		}
		lo, err := strconv.ParseUint(a, 10, 16)
		hi, err2 := strconv.ParseUint(b, 10, 16)
		if err != nil || err2 != nil || lo > hi {
			return nil, fmt.Errorf("%q is no port and no range of ports", value)
		}
		in := func(p fabric.Packet, port uint16) bool {
			return p.HasPorts() && lo <= uint64(port) && uint64(port) <= hi
		}
		if name == "srcport" {
			return func(s *Sight) bool { return in(s.Packet, s.Packet.SrcPort) }, nil
		}
		return func(s *Sight) bool { return in(s.Packet, s.Packet.DstPort) }, nil
	case "protocol":
		n, err := strconv.ParseUint(value, 10, 8)
		if known, ok := map[string]uint64{"tcp": fabric.ProtoTCP, "udp": fabric.ProtoUDP, "icmp": fabric.ProtoICMP}[strings.ToLower(value)]; ok {
			n, err = known, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%q is no protocol: use TCP, UDP, ICMP or its number", value)
		}
		return func(s *Sight) bool { return uint64(s.Packet.Proto) == n }, nil
	case "encryption":
		return func(*Sight) bool { return strings.EqualFold(value, encryption) }, nil
	case "direction":
		in, ok := map[string]bool{"i": true, "inbound": true, "o": false, "outbound": false}[strings.ToLower(value)]
		if !ok {
			return nil, fmt.Errorf("%q is no direction: use I, O, Inbound or Outbound", value)
		}
		return func(s *Sight) bool { return s.Inbound == in }, nil
	case "action":
		denied, ok := map[string]bool{"d": true, "deny": true, "denied": true, "a": false, "allow": false, "allowed": false}[strings.ToLower(value)]
		if !ok {
			return nil, fmt.Errorf("%q is no action: use Allow or Deny", value)
		}
		return func(s *Sight) bool { return s.Denied == denied }, nil
	default:
		return nil, fmt.Errorf("%q is no field: there are srcIP, dstIP, srcPort, dstPort, protocol, encryption, direction, action", name)
	}
}
