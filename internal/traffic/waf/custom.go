package waf

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// customRule is a custom rule ready to match.
type customRule struct {
	rule       *Rule
	conditions []matcher
	rate       *windows
}

// matcher is a condition ready to match.
type matcher struct {
	condition  *Condition
	transforms []func(string) string
	patterns   []*regexp.Regexp
	prefixes   []netip.Prefix
	numbers    []int64
	country    func(netip.Addr) (string, bool)
}

// newCustom readies the rules of a policy that was checked, by priority.
func newCustom(p *Policy, o Options) (out []customRule) {
	for i := range p.Custom {
		r := &p.Custom[i]
		if r.Disabled {
			continue
		}
		c := customRule{rule: r}
		for j := range r.Conditions {
			x := &r.Conditions[j]
			m := matcher{condition: x, country: o.Country}
			for _, t := range x.Transforms {
				m.transforms = append(m.transforms, transforms[t])
			}
			for _, v := range x.Values {
				switch x.Operator {
				case "Regex":
					m.patterns = append(m.patterns, regexp.MustCompile(v))
				case "IPMatch":
					prefix, _ := parsePrefix(v)
					m.prefixes = append(m.prefixes, prefix)
				case "LessThan", "LessThanOrEqual", "GreaterThan", "GreaterThanOrEqual":
					n, _ := strconv.ParseInt(v, 10, 64)
					m.numbers = append(m.numbers, n)
				}
			}
			c.conditions = append(c.conditions, m)
		}
		if r.Rate != nil {
			c.rate = newWindows(r.Rate.Threshold, time.Duration(r.Rate.Minutes)*time.Minute)
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b customRule) int { return a.rule.Priority - b.rule.Priority })
	return out
}

// matches reports whether a request matches, and which value of it did.
func (c *customRule) matches(s *subject, now time.Time) (hit string, ok bool) {
	for i := range c.conditions {
		h, ok := c.conditions[i].matches(s)
		if !ok {
			return "", false
		}
		hit = h
	}
	if c.rate != nil && !c.rate.beyond(c.rateKey(s), now) {
		return "", false
	}
	return hit, true
}

// rateKey says with whose requests one is counted.
func (c *customRule) rateKey(s *subject) string {
	switch c.rule.Rate.By {
	case "None":
		return ""
	case "ClientAddrXFFHeader":
		first, _, _ := strings.Cut(s.request.Header.Get("X-Forwarded-For"), ",")
		if a := addressOf(first); a.IsValid() {
			return a.String()
		}
	}
	return clientAddress(s.request)
}

func (m *matcher) matches(s *subject) (hit string, ok bool) {
	found := false
	for _, v := range m.condition.Variables {
		for _, value := range s.values(v) {
			for _, t := range m.transforms {
				value = t(value)
			}
			if m.one(value) {
				found, hit = true, v.String()+"="+value
				break
			}
		}
		if found {
			break
		}
	}
	if m.condition.Negate {
		return m.condition.Variables[0].String(), !found
	}
	return hit, found
}

// one reports whether a value matches one of the condition's.
func (m *matcher) one(value string) bool {
	c := m.condition
	any := func(f func(value, of string) bool) bool {
		return slices.ContainsFunc(c.Values, func(of string) bool { return f(value, of) })
	}
	switch c.Operator {
	case "Any":
		return true
	case "Equal":
		return slices.Contains(c.Values, value)
	case "Contains":
		return any(strings.Contains)
	case "BeginsWith":
		return any(strings.HasPrefix)
	case "EndsWith":
		return any(strings.HasSuffix)
	case "Regex":
		return slices.ContainsFunc(m.patterns, func(p *regexp.Regexp) bool { return p.MatchString(value) })
	case "IPMatch":
		for part := range strings.SplitSeq(value, ",") { // a header may have several
			if a := addressOf(part); a.IsValid() && slices.ContainsFunc(m.prefixes, func(p netip.Prefix) bool { return p.Contains(a) }) {
				return true
			}
		}
		return false
	case "GeoMatch":
		a := addressOf(value)
		if !a.IsValid() || m.country == nil {
			return false
		}
		country, known := m.country(a)
		return known && slices.Contains(c.Values, country)
	}
	n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(m.numbers, func(of int64) bool {
		switch c.Operator {
		case "LessThan":
			return n < of
		case "LessThanOrEqual":
			return n <= of
		case "GreaterThan":
			return n > of
		default:
			return n >= of
		}
	})
}

// addressOf reads an address, with or without a port.
func addressOf(s string) netip.Addr {
	s = strings.TrimSpace(s)
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Unmap()
	}
	if a, err := netip.ParseAddrPort(s); err == nil {
		return a.Addr().Unmap()
	}
	return netip.Addr{}
}
