package classbench

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/proof/policy"
)

// maxRead bounds the rules of a filter set.
const maxRead = 1_000_000

// Read reads a filter set in ClassBench's format, a rule a line:
//
//	@10.0.0.0/8	0.0.0.0/0	0 : 65535	443 : 443	0x06/0xFF	0x0000/0x0000
//
// source, destination, source ports, destination ports, protocol with mask, and
// flags, which are not looked at. Filter sets have no actions: every denyEvery-th
// rule denies, the others allow; 0 means that all allow. The error names the
// line.
func Read(r io.Reader, denyEvery int) ([]policy.Rule, error) {
	s := bufio.NewScanner(r)
	var out []policy.Rule
	for line := 1; s.Scan(); line++ {
		text := strings.TrimSpace(s.Text())
		if text == "" {
			continue
		}
		if len(out) == maxRead {
			return nil, fmt.Errorf("line %d: more than %d rules", line, maxRead)
		}
		rule, err := readRule(text)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		rule.Action = fabric.Pass
		if denyEvery > 0 && (len(out)+1)%denyEvery == 0 {
			rule.Action = fabric.Drop
		}
		out = append(out, rule)
	}
	return out, s.Err()
}

func readRule(text string) (policy.Rule, error) {
	rule := policy.Rule{Match: policy.Everything()}
	rest, ok := strings.CutPrefix(text, "@")
	f := strings.Fields(rest)
	// Ranges of ports are three words: "0 : 65535".
	if !ok || len(f) < 9 || f[3] != ":" || f[6] != ":" {
		return rule, fmt.Errorf("%q is not a rule: write @SOURCE DESTINATION LOW : HIGH LOW : HIGH PROTOCOL/MASK", text)
	}
	for i, field := range [2]fabric.Field{fabric.Src, fabric.Dst} {
		p, err := netip.ParsePrefix(f[i])
		if err != nil {
			return rule, fmt.Errorf("%s %q is not a prefix", field, f[i])
		}
		rule.Match[field] = fabric.PrefixSet(p.Masked())
	}
	for i, field := range [2]fabric.Field{fabric.SrcPort, fabric.DstPort} {
		lo, errLo := strconv.ParseUint(f[2+3*i], 10, 16)
		hi, errHi := strconv.ParseUint(f[4+3*i], 10, 16)
		if errLo != nil || errHi != nil || hi < lo {
			return rule, fmt.Errorf("%s %q is not a range", field, strings.Join(f[2+3*i:5+3*i], " "))
		}
		rule.Match[field] = fabric.NumSet(uint16(lo), uint16(hi))
	}
	number, mask, _ := strings.Cut(f[8], "/")
	n, errN := strconv.ParseUint(number, 0, 8)
	m, errM := strconv.ParseUint(mask, 0, 8)
	switch {
	case errN != nil || errM != nil || m != 0 && m != 0xff:
		return rule, fmt.Errorf("protocol %q is not a number with the mask 0xFF or 0x00", f[8])
	case m == 0xff:
		rule.Match[fabric.Proto] = fabric.NumSet(uint16(n), uint16(n))
	}
	return rule, nil
}

// Write writes rules in the format that [Read] reads. It fails at a rule that
// the format cannot say: addresses that are no prefix, ports in several ranges.
func Write(w io.Writer, rules []policy.Rule) error {
	b := bufio.NewWriter(w)
	for i := range rules {
		m := &rules[i].Match
		var text [4]string
		for k, field := range [2]fabric.Field{fabric.Src, fabric.Dst} {
			prefixes := m[field].Prefixes()
			if m[field].IsAll() {
				prefixes = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}
			}
			if len(prefixes) != 1 {
				return fmt.Errorf("rule %d: the %s is not one prefix", i, field)
			}
			text[k] = prefixes[0].String()
		}
		for k, field := range [2]fabric.Field{fabric.SrcPort, fabric.DstPort} {
			s := m[field]
			if s.IsAll() {
				s = fabric.NumSet(0, 65535)
			}
			if len(s) != 1 {
				return fmt.Errorf("rule %d: the %s is not one range", i, field)
			}
			text[2+k] = fmt.Sprintf("%d : %d", s[0].Lo.Lo, s[0].Hi.Lo)
		}
		proto := "0x00/0x00"
		if s := m[fabric.Proto]; len(s) == 1 && s[0].Lo == s[0].Hi {
			proto = fmt.Sprintf("0x%02X/0xFF", s[0].Lo.Lo)
		}
		fmt.Fprintf(b, "@%s\t%s\t%s\t%s\t%s\t0x0000/0x0000\n", text[0], text[1], text[2], text[3], proto)
	}
	return b.Flush()
}
