package classbench

import (
	"context"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/proof/policy"
)

// Script says questions about lists in SMT-LIB 2 with bit vectors, the way of
// K. Jayaraman, N. Bjørner, G. Outhred and C. Kaufman, "Automated Analysis and
// Debugging of Network Connectivity Policies", Microsoft Research TR 2014
// (SecGuru): a list is a formula nested from its last rule to its first, an
// allowing rule adds its packets and a denying one takes them away. It speaks of
// the packets of one family, and of lists whose actions are deny, allow and
// always-allow.
type Script struct {
	strings.Builder
	family fabric.Range
	bits   int
	asked  int
}

// NewScript begins a script about packets of one family of addresses.
func NewScript(six bool) *Script {
	s := &Script{family: fabric.PrefixRange(netip.MustParsePrefix("0.0.0.0/0")), bits: 32}
	if six {
		s.family, s.bits = fabric.Range{Hi: fabric.MaxValue}, 128
	}
	s.WriteString("(set-logic QF_BV)\n")
	for f := range fabric.NumFields {
		fmt.Fprintf(s, "(declare-const %s (_ BitVec %d))\n", name(f), s.width(f))
	}
	// A protocol without ports has both ports zero (fabric.Packet).
	fmt.Fprintf(s, "(assert (or (= proto (_ bv6 8)) (= proto (_ bv17 8)) (and (= sport (_ bv0 16)) (= dport (_ bv0 16)))))\n")
	if six {
		// IPv4-mapped addresses are of the other family.
		for _, f := range [2]fabric.Field{fabric.Src, fabric.Dst} {
			fmt.Fprintf(s, "(assert (not (= ((_ extract 127 32) %s) (_ bv65535 96))))\n", name(f))
		}
	}
	return s
}

func name(f fabric.Field) string {
	return [...]string{"src", "dst", "sport", "dport", "proto"}[f]
}

func (s *Script) width(f fabric.Field) int {
	switch f {
	case fabric.Src, fabric.Dst:
		return s.bits
	case fabric.Proto:
		return 8
	default:
		return 16
	}
}

// Box returns the formula of a box.
func (s *Script) Box(b *policy.Box) string {
	all := []string{"true"}
	for f, set := range b {
		if set.IsAll() {
			continue
		}
		all = append(all, s.set(fabric.Field(f), set))
	}
	return "(and " + strings.Join(all, " ") + ")"
}

func (s *Script) set(f fabric.Field, set fabric.Set) string {
	limits := s.family
	if f != fabric.Src && f != fabric.Dst {
		limits = fabric.Range{Hi: fabric.Value{Lo: 1<<s.width(f) - 1}}
	}
	some := []string{"false"}
	for _, r := range set.Intersect(fabric.Set{limits}) {
		some = append(some, fmt.Sprintf("(and (bvule %s %s) (bvule %s %s))", s.number(f, r.Lo), name(f), name(f), s.number(f, r.Hi)))
	}
	return "(or " + strings.Join(some, " ") + ")"
}

func (s *Script) number(f fabric.Field, v fabric.Value) string {
	switch w := s.width(f); w {
	case 128:
		return fmt.Sprintf("#x%016x%016x", v.Hi, v.Lo)
	default:
		return fmt.Sprintf("#x%0*x", w/4, v.Lo&(1<<w-1))
	}
}

// Policy defines a list by name: name is the formula of the packets it lets
// through, name.0, name.1 and so on what its rules match.
func (s *Script) Policy(list string, rules []policy.Rule, def fabric.Action) {
	fmt.Fprintf(s, "(define-fun %s.rest.%d () Bool %v)\n", list, len(rules), def == fabric.Pass)
	for i := len(rules) - 1; i >= 0; i-- {
		fmt.Fprintf(s, "(define-fun %s.%d () Bool %s)\n", list, i, s.Box(&rules[i].Match))
		if rules[i].Action == fabric.Drop {
			fmt.Fprintf(s, "(define-fun %s.rest.%d () Bool (and (not %s.%d) %s.rest.%d))\n", list, i, list, i, list, i+1)
		} else {
			fmt.Fprintf(s, "(define-fun %s.rest.%d () Bool (or %s.%d %s.rest.%d))\n", list, i, list, i, list, i+1)
		}
	}
	fmt.Fprintf(s, "(define-fun %s () Bool %s.rest.0)\n", list, list)
}

// Ask asks whether some packet makes a formula true.
func (s *Script) Ask(formula string) {
	s.asked++
	fmt.Fprintf(s, "(push)\n(assert %s)\n(check-sat)\n(pop)\n", formula)
}

// Run has the solver at path answer what was asked, in order. The error says
// when it did not answer all with yes or no.
func (s *Script) Run(ctx context.Context, path string) ([]bool, error) {
	cmd := exec.CommandContext(ctx, path, "-in", "-smt2")
	cmd.Stdin = strings.NewReader(s.String())
	text, err := cmd.Output()
	if ctx.Err() != nil {
		return nil, fmt.Errorf("%s: %w", path, ctx.Err())
	}
	var out []bool
	for line := range strings.Lines(string(text)) {
		switch line = strings.TrimSpace(line); line {
		case "sat", "unsat":
			out = append(out, line == "sat")
		default:
			return nil, fmt.Errorf("%s: %s", path, line)
		}
	}
	if err != nil || len(out) != s.asked {
		return nil, fmt.Errorf("%s: %d answers to %d questions: %v", path, len(out), s.asked, err)
	}
	return out, nil
}
