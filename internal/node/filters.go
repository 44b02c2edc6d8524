package node

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/proof/policy"
	"github.com/ceruleannet/cerulean/internal/proof/policy/classbench"
)

// FilterAsk is what to find out about a filter set in ClassBench's format.
type FilterAsk struct {
	DenyEvery int    // which rules deny: every n-th; 0: none
	Other     string // a second filter set to compare with
	// From, To and Port ask whether anything of TCP passes; all empty: nothing is
	// asked.
	From, To string
	Port     uint16
}

// FilterReport says what a filter set does with all packets.
type FilterReport struct {
	File      string          `json:"file"`
	Rules     int             `json:"rules"`
	Shadowed  []FilterFinding `json:"shadowed"`
	Redundant []FilterFinding `json:"redundant"`
	Unclear   int             `json:"unclear"` // rules that were not decided within the budget
	ReviewMS  float64         `json:"reviewMs"`
	Question  *FilterAnswer   `json:"question,omitempty"`
	Diff      *FilterDiff     `json:"diff,omitempty"`
}

// FilterFinding is one rule, and the rules because of which it does nothing.
// Rules are numbered from 1, as lines are.
type FilterFinding struct {
	Rule int   `json:"rule"`
	By   []int `json:"by,omitempty"`
}

// FilterAnswer is the answer to a question.
type FilterAnswer struct {
	Asked  string  `json:"asked"`
	Status string  `json:"status"` // "found", "absent" or "undecided"
	Packet string  `json:"packet,omitempty"`
	Rule   int     `json:"rule,omitempty"`
	US     float64 `json:"us"`
}

// FilterDiff is a comparison with another filter set.
type FilterDiff struct {
	Other  string   `json:"other"`
	Rules  int      `json:"rules"`
	Status string   `json:"status"` // "absent": they do the same
	Deltas []string `json:"deltas,omitempty"`
	All    bool     `json:"all"` // the deltas are all there is
	MS     float64  `json:"ms"`
}

// Filters reads a filter set and finds out what was asked.
func Filters(path string, ask FilterAsk) (*FilterReport, error) {
	p, err := filterSet(path, ask.DenyEvery)
	if err != nil {
		return nil, err
	}
	r := &FilterReport{File: path, Rules: p.Len()}
	begin := time.Now()
	for _, f := range p.Search().Review(policy.DefaultBudget) {
		found := FilterFinding{Rule: f.Rule + 1}
		for _, by := range f.By {
			if by != policy.Default {
				found.By = append(found.By, by+1)
			}
		}
		switch f.Use {
		case policy.Shadowed:
			r.Shadowed = append(r.Shadowed, found)
		case policy.Redundant:
			r.Redundant = append(r.Redundant, found)
		case policy.UseUnclear:
			r.Unclear++
		}
	}
	r.ReviewMS = ms(time.Since(begin))
	if ask.From+ask.To != "" || ask.Port != 0 {
		if r.Question, err = filterQuestion(p, ask); err != nil {
			return nil, err
		}
	}
	if ask.Other != "" {
		r.Diff, err = filterDiff(p, ask)
	}
	return r, err
}

func filterSet(path string, denyEvery int) (*policy.Policy, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rules, err := classbench.Read(f, denyEvery)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	p, err := policy.New(rules, fabric.Drop)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

func filterQuestion(p *policy.Policy, ask FilterAsk) (*FilterAnswer, error) {
	box := policy.Everything()
	asked := []string{"tcp"}
	for _, side := range []struct {
		field fabric.Field
		flag  string
		text  string
	}{{fabric.Src, "--from", ask.From}, {fabric.Dst, "--to", ask.To}} {
		if side.text == "" {
			asked = append(asked, "any")
			continue
		}
		prefix, err := netip.ParsePrefix(side.text)
		if err != nil {
			return nil, fmt.Errorf("%s: %q is not a prefix; write it like 10.0.0.0/8", side.flag, side.text)
		}
		box[side.field] = fabric.PrefixSet(prefix.Masked())
		asked = append(asked, side.text)
	}
	box[fabric.Proto] = fabric.NumSet(fabric.ProtoTCP, fabric.ProtoTCP)
	if ask.Port != 0 {
		box[fabric.DstPort] = fabric.NumSet(ask.Port, ask.Port)
		asked = append(asked, fmt.Sprint(ask.Port))
	}
	s := p.Search()
	begin := time.Now()
	a := s.Find(&box, policy.Passing(), policy.DefaultBudget)
	out := &FilterAnswer{Asked: strings.Join(asked, " "), Status: statusName(a.Status), US: float64(time.Since(begin).Nanoseconds()) / 1000}
	if a.Status == policy.Found {
		out.Packet, out.Rule = a.Packet.String(), a.Rule+1
	}
	return out, nil
}

func statusName(s policy.Status) string {
	return [...]string{policy.Undecided: "undecided", policy.Found: "found", policy.Absent: "absent"}[s]
}

func filterDiff(p *policy.Policy, ask FilterAsk) (*FilterDiff, error) {
	q, err := filterSet(ask.Other, ask.DenyEvery)
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	d, err := policy.Diff(p, q, policy.DefaultLimits())
	if err != nil {
		return nil, err
	}
	out := &FilterDiff{Other: ask.Other, Rules: q.Len(), Status: statusName(d.Status), All: d.All, MS: ms(time.Since(begin))}
	for i := range d.Deltas {
		x := &d.Deltas[i]
		out.Deltas = append(out.Deltas, fmt.Sprintf("%s: %s, then %s, for example %s", x.Box, x.From, x.To, x.Packet))
	}
	return out, nil
}

// WriteText writes the report for people.
func (r *FilterReport) WriteText(w io.Writer) error {
	list := func(what string, found []FilterFinding) {
		for _, f := range found {
			fmt.Fprintf(w, "%-9s  rule %d", what, f.Rule)
			if len(f.By) > 0 {
				fmt.Fprintf(w, " by %s", numbers(f.By))
			}
			fmt.Fprintln(w)
		}
	}
	list("shadowed", r.Shadowed)
	list("redundant", r.Redundant)
	fmt.Fprintf(w, "%s: %d rules, %d shadowed, %d redundant, %d not decided, in %.1f ms\n", r.File, r.Rules, len(r.Shadowed), len(r.Redundant), r.Unclear, r.ReviewMS)
	if q := r.Question; q != nil {
		fmt.Fprintf(w, "%s: %s", q.Asked, map[string]string{"found": "some passes", "absent": "nothing passes", "undecided": "not decided"}[q.Status])
		if q.Packet != "" {
			fmt.Fprintf(w, ": %s by rule %d", q.Packet, q.Rule)
		}
		fmt.Fprintf(w, " (%.1f µs)\n", q.US)
	}
	if d := r.Diff; d != nil {
		for _, text := range d.Deltas {
			fmt.Fprintln(w, text)
		}
		what := map[string]string{"found": "they differ", "absent": "they do the same with every packet", "undecided": "not decided within the limits"}[d.Status]
		fmt.Fprintf(w, "%s and %s: %s (%.1f ms)\n", r.File, d.Other, what, d.MS)
	}
	return nil
}

func numbers(list []int) string {
	var parts []string
	for i, n := range list {
		if i == 8 {
			parts = append(parts, "...")
			break
		}
		parts = append(parts, fmt.Sprint(n))
	}
	return strings.Join(parts, ", ")
}

// WriteJSON writes the report for machines.
func (r *FilterReport) WriteJSON(w io.Writer) error { return writeJSON(w, r) }
