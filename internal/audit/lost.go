package audit

import (
	"fmt"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/proof"
	"github.com/ceruleannet/cerulean/model"
)

// Rules of packets that the network loses without a rule that denies them.
const (
	// RuleLoop is a route on which packets go round.
	RuleLoop = "routing-loop"
	// RuleBlackHole is a route that drops packets for an address that exists, or
	// none that leads to it.
	RuleBlackHole = "black-hole"
	// RuleLostSearch is a search for them that was given up.
	RuleLostSearch = "lost-search-incomplete"
)

// Lost makes findings of what [proof.Prover.Faults] found, sorted: one for each
// route that loses packets. Routes to appliances that are not there are left to
// [Routes].
func Lost(resources []*model.Resource, img *fabric.Image, faults []proof.Finding) []Finding {
	byID := map[string]*model.Resource{}
	for _, r := range resources {
		byID[r.ID.Key()] = r
	}
	told := map[fabric.Origin]bool{}
	var out []Finding
	for i := range faults {
		f := &faults[i]
		if f.Status == proof.Unknown {
			out = append(out, Finding{Severity: Note, Rule: RuleLostSearch, What: f.Why, Fix: "check the parts of the network on their own"})
			continue
		}
		for _, g := range f.Groups {
			if g.Witness == nil {
				continue
			}
			c := &g.Witness.Conn
			_, reason := c.Verdict()
			t := &c.Forward
			if t.Verdict == fabric.VerdictAllow {
				t = &c.Reply
			}
			finding := Finding{
				Severity: Warning, Rule: RuleBlackHole, Shown: shown(img, c), What: fmt.Sprintf("%s: %s", f.Expectation.Name, g.Cause),
				Fix: "route the address to where it is, or make the range of the route smaller",
			}
			switch reason.Code {
			case fabric.CodeNextHopMissing:
				continue
			case fabric.CodeLoop:
				finding.Rule, finding.Fix = RuleLoop, "give the appliance's subnet a table without the route that leads back to the appliance"
			}
			at := lastRoute(img, t)
			if told[at] {
				continue
			}
			told[at] = true
			finding.Resource, finding.Pos = at.Resource, place(byID, at)
			out = append(out, finding)
		}
	}
	sortFindings(out)
	return out
}

// lastRoute returns the origin of the last route a packet took, or of the port
// that had none.
func lastRoute(img *fabric.Image, t *fabric.Trace) fabric.Origin {
	for i := len(t.Steps) - 1; i >= 0; i-- {
		if s := &t.Steps[i]; s.Kind == fabric.StepRoute {
			return img.Tables[s.Table].Routes[s.Route].Origin
		}
	}
	return img.Ports[t.End()].Origin
}
