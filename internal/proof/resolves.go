package proof

import (
	"fmt"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// resolves decides claims that names resolve to private addresses everywhere, or to
// given ones: every name, asked in the virtual network of every selected port, must
// have at least one address, and all of them private, RFC 1918 or unique local (RFC
// 4193), or given. Shared address space (RFC 6598) is not private: it belongs to the
// carrier. A name no linked zone holds is answered by public DNS, and what that
// says is unknown.
func (p *Prover) resolves(a *arena, f *Finding) {
	e := &f.Expectation
	ports := p.choose(a, &e.From, true)
	if len(ports) == 0 {
		f.Why = quoted(e.From.Text) + " selects nothing, so nothing was checked"
		return
	}
	asked := map[fabric.SpaceID]bool{} // by the servers of the space
	spaces := map[fabric.SpaceID]bool{}
	var unknown *Witness
	for _, c := range ports {
		port := &p.img.Ports[c.port]
		own := len(port.Servers) > 0
		if port.Space == fabric.None || asked[port.Space] && !own {
			continue
		}
		asked[port.Space] = asked[port.Space] || !own
		spaces[port.Space] = true
		space := &p.img.Spaces[port.Space]
		for _, name := range e.Names {
			f.Counts.Names++
			ans := p.img.Resolve(c.port, name)
			why := wrong(e, &ans)
			if why == "" {
				continue
			}
			if ans.Verdict == fabric.VerdictUnknown && (space.View.Elsewhere || own) {
				why = "DNS servers of its own answer " + ans.Name + ", which are not modelled"
			}
			wit := &Witness{From: c.port, FromName: p.name(c.port), Name: name, Answer: &ans, Verdict: ans.Verdict, hops: hopWriter{p}}
			wit.Reason = fmt.Sprintf("in %s, %s%s", space.Name, why, placeText(ans.Origin))
			if ans.Verdict == fabric.VerdictUnknown {
				if unknown == nil {
					unknown = wit
				}
				continue
			}
			f.add(wit)
		}
	}
	f.Counts.Sources = len(ports)
	switch {
	case f.Witness != nil:
		f.Status, f.Why = Broken, f.Witness.Reason
	case unknown != nil:
		f.Status, f.Witness, f.Why = Unknown, unknown, unknown.Reason
	case f.Counts.Names == 0:
		f.Why = "there is no name to ask for"
	default:
		f.Status = Holds
		f.Why = fmt.Sprintf("%s in %s, all "+meant(e, "private", "as claimed"), plural(len(e.Names), "name"), plural(len(spaces), "virtual network"))
	}
}

// add keeps a counterexample about a name, the first as the finding's own.
func (f *Finding) add(wit *Witness) {
	if f.Witness == nil {
		f.Witness = wit
	}
	if len(f.Groups) == MaxGroups {
		f.Omitted++
		return
	}
	f.Groups = append(f.Groups, Group{Cause: wit.Reason, Pairs: 1, Witness: wit})
}

// meant is one of two texts: for a claim about private addresses, or about given
// ones.
func meant(e *model.Expectation, private, given string) string {
	if len(e.Answers) > 0 {
		return given
	}
	return private
}

// wrong says what is wrong with an answer, or "".
func wrong(e *model.Expectation, ans *fabric.Answer) string {
	switch {
	case ans.Verdict == fabric.VerdictUnknown:
		return fmt.Sprintf(meant(e, "no linked private zone holds %s, so public DNS answers", "no zone here says what %s is"), ans.Name)
	case ans.Verdict == fabric.VerdictDeny && ans.Origin == (fabric.Origin{}):
		return fmt.Sprintf("the aliases of %s lead nowhere", ans.Name)
	case ans.Verdict == fabric.VerdictDeny:
		return fmt.Sprintf("%s does not exist", ans.Name)
	case len(ans.Addrs) == 0:
		return fmt.Sprintf("%s has no address", ans.Name)
	}
	for _, a := range ans.Addrs {
		if !e.MayAnswer(a) {
			return fmt.Sprintf("%s resolves to %s, which is not %s", ans.Name, a, meant(e, "private", "what is claimed"))
		}
	}
	return ""
}
