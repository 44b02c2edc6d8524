package diagnose

import (
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model/catalog"
)

// maxParts is how many parts traffic may fall into before what becomes of it
// counts as unknown. One packet is never more than one part.
const maxParts = 4096

// Decision is what one filter does to traffic.
type Decision struct {
	Filter fabric.FilterID
	// Rule is the rule that decides: the first that drops any of the traffic, or
	// the last that is needed to let all of it through; None means the filter's
	// default does.
	Rule   int32
	Action fabric.Action
}

// filtersOf returns the filters that a port has in a direction.
func filtersOf(p *fabric.Port, dir fabric.Direction) []fabric.FilterID {
	if dir == fabric.In {
		return p.Ingress
	}
	return p.Egress
}

// Judge returns what the filters of a port do to traffic, in the order it meets
// them, up to the one that ends it. The last decision is the verdict; none
// means there is no filter. Traffic of more than one packet passes only if all
// of it does.
func Judge(img *fabric.Image, at fabric.PortID, dir fabric.Direction, traffic Box) []Decision {
	var out []Decision
	for _, id := range filtersOf(&img.Ports[at], dir) {
		d := judge(img, id, traffic)
		out = append(out, d)
		if d.Action != fabric.Pass {
			break
		}
	}
	return out
}

// judge is what one filter does. Bypass is the answer only if all traffic skips
// the filters that follow; if only a part does, they decide about all of it,
// which may deny more than Azure does, never less.
func judge(img *fabric.Image, id fabric.FilterID, traffic Box) Decision {
	f := &img.Filters[id]
	left := []Box{traffic}
	action := fabric.Bypass
	for i := range f.Rules {
		r := &f.Rules[i]
		var next []Box
		hit := false
		for j := range left {
			in, rest := left[j].outside(img, r)
			next = append(next, rest...)
			hit = hit || !in.empty()
		}
		switch {
		case !hit:
			continue
		case r.Action == fabric.Drop || r.Action == fabric.Unknown:
			return Decision{id, int32(i), r.Action}
		case r.Action == fabric.Pass:
			action = fabric.Pass
		}
		switch left = next; {
		case len(left) == 0:
			return Decision{id, int32(i), action}
		case len(left) > maxParts:
			return Decision{id, int32(i), fabric.Unknown}
		}
	}
	return Decision{id, fabric.None, f.Default}
}

// Verdict is the answer of ipFlowVerify (VerificationIPFlowResult of the API).
type Verdict struct {
	Access string `json:"access"` // Allow or Deny; Unknown if it depends on what is not modelled
	// RuleName is the rule that decides; without any rule it is absent.
	RuleName string `json:"ruleName,omitempty"`
}

// VerifyFlow answers ipFlowVerify: whether the security groups and admin rules
// of a port let traffic pass. Routes and what the other side does are no part of
// the answer.
func VerifyFlow(img *fabric.Image, at fabric.PortID, dir fabric.Direction, traffic Box) Verdict {
	v := Verdict{Access: "Allow"}
	for _, d := range Judge(img, at, dir, traffic) {
		v.Access = access(d.Action)
		if d.Rule != fabric.None {
			v.RuleName = ruleName(&img.Filters[d.Filter], d.Rule)
		}
	}
	return v
}

// access writes what a rule does in the API's words.
func access(a fabric.Action) string {
	switch a {
	case fabric.Pass, fabric.Bypass:
		return "Allow"
	case fabric.Drop:
		return "Deny"
	default:
		return "Unknown"
	}
}

// ruleName names a rule as ipFlowVerify and effectiveNetworkSecurityGroups do,
// for example "defaultSecurityRules/DenyAllInBound" ("Quickstart: Diagnose a
// virtual machine network traffic filter problem"). The form for admin rules is
// unconfirmed.
func ruleName(f *fabric.Filter, rule int32) string {
	name := f.Rules[rule].Origin.Name
	switch {
	case f.Stage == fabric.StageAdmin:
		return "securityAdminRules/" + name
	case isDefault(name):
		return "defaultSecurityRules/" + name
	default:
		return "securityRules/" + name
	}
}

// isDefault reports whether a rule is one of the six that end every security
// group; a user's rule may not have such a name.
func isDefault(name string) bool {
	for _, d := range catalog.DefaultRules() {
		if strings.EqualFold(d.Name, name) {
			return true
		}
	}
	return false
}
