package lab

import (
	"fmt"
	"strings"

	"github.com/ceruleannet/cerulean/intent"
	"github.com/ceruleannet/cerulean/internal/proof"
)

// Explanation is what happens to one flow on its way, and what stops it.
type Explanation struct {
	From, To string
	Packet   string // the flow that was followed
	Works    bool   // it arrives, and so does the reply
	Unknown  bool   // it depends on something that is not modelled
	Why      string // one sentence
	Steps    []string
	// Blockers are all settings that stop the flow, in the order it meets them,
	// each with its place and the smallest change.
	Blockers []string
}

// String formats the explanation for people, one step a line.
func (x Explanation) String() string {
	var b strings.Builder
	verdict := "does not work"
	switch {
	case x.Works:
		verdict = "works"
	case x.Unknown:
		verdict = "is unknown"
	}
	fmt.Fprintf(&b, "%s -> %s %s: %s", x.From, x.To, verdict, x.Why)
	if x.Packet != "" {
		fmt.Fprintf(&b, " (%s)", x.Packet)
	}
	for _, s := range x.Steps {
		b.WriteString("\n  " + s)
	}
	for _, s := range x.Blockers {
		b.WriteString("\n  blocked: " + s)
	}
	return b.String()
}

// Explain follows one flow, for example Explain("app-1", "db-1:5432"): from a
// host, subnet, group or "internet" to one of these with a port, as
// expectations name them. Its error means that a name is not declared.
func (l *Lab) Explain(from, to string) (Explanation, error) {
	source, err := intent.ParseEndpoint(l.network, from)
	if err != nil {
		return Explanation{}, err
	}
	target, traffic, err := intent.ParseTarget(l.network, to)
	if err != nil {
		return Explanation{}, err
	}
	x := l.proofs().Explain(source, target, traffic)
	out := Explanation{From: from, To: to, Packet: x.Packet, Works: x.Works(), Unknown: x.Verdict == "unknown", Why: x.Why}
	if x.Problem != "" {
		out.Why = x.Problem
	}
	out.Steps = append(steps("", x.Forward), steps("reply: ", x.Reply)...)
	for _, b := range x.Blockers {
		s := b.What
		if b.Place != "" && !strings.Contains(s, b.Place) {
			s = b.Place + ": " + s
		}
		if b.Fix != "" {
			s += "; " + b.Fix
		}
		out.Blockers = append(out.Blockers, s)
	}
	return out, nil
}

func steps(prefix string, hops []proof.Hop) []string {
	out := make([]string, len(hops))
	for i, h := range hops {
		s := fmt.Sprintf("%s%d %s: %s", prefix, h.Hop, h.Port, h.Stage)
		if h.Match != "" {
			s += " " + h.Match
		}
		if h.Result != "" {
			s += ": " + h.Result
		}
		if h.Place != "" {
			s += " (" + h.Place + ")"
		}
		out[i] = s
	}
	return out
}
