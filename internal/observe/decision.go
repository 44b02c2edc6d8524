package observe

import (
	"fmt"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// Decision is a verdict with its reason, in words.
type Decision struct {
	Verdict string `json:"verdict"`         // allow, deny, unknown; lost if there was a fault
	Fault   string `json:"fault,omitempty"` // if lost
	Reason  string `json:"reason,omitempty"`
	// Rule is the name of the rule or route that decided, if one did.
	Rule     string `json:"rule,omitempty"`
	At       string `json:"at,omitempty"`       // the port where it was decided
	Resource string `json:"resource,omitempty"` // what the rule or route is of
	Place    string `json:"place,omitempty"`    // where that was declared
	Text     string `json:"text"`               // a sentence
}

// Decide puts a result of the engine, or of the reference evaluator, into
// words.
func Decide(img *fabric.Image, verdict fabric.Verdict, fault fabric.Fault, r fabric.Reason) Decision {
	if fault != fabric.FaultNone {
		return Decision{Verdict: "lost", Fault: fault.String(), Text: "lost: " + faultText(fault)}
	}
	d := Decision{Verdict: verdict.String(), Reason: r.Code.String()}
	if r.Port != fabric.None && int(r.Port) < len(img.Ports) {
		d.At = img.Ports[r.Port].Name
	}
	origin := img.OriginOf(r)
	d.Resource, d.Place = origin.Resource, origin.Place
	d.Text = reasonText(img, r)
	if d.At != "" {
		d.Text += " at " + d.At
	}
	switch r.Code {
	case fabric.CodeRule, fabric.CodeFilterDefault:
		d.Rule = RuleName(img, r.Filter, r.Rule)
	case fabric.CodeRouteDrop, fabric.CodeRouteUnknown, fabric.CodeNextHopMissing, fabric.CodeNoPort:
		if d.Rule = origin.Name; d.Rule == "" {
			d.Rule = img.Tables[r.Table].Routes[r.Route].Prefix.String()
		}
	case fabric.CodeNoTarget, fabric.CodeHairpin:
		d.Rule = origin.Name
	}
	return d
}

func faultText(f fabric.Fault) string {
	switch f {
	case fabric.FaultMalformed:
		return "the packet does not parse"
	case fabric.FaultFragment:
		return "a later fragment, which carries no ports"
	case fabric.FaultTableFull:
		return "no room for the flow: the flow table or a pool of source ports is full"
	case fabric.FaultNoPort:
		return "its port is gone from the network"
	default:
		return f.String()
	}
}

// reasonText says what decided, without where.
func reasonText(img *fabric.Image, r fabric.Reason) string {
	switch r.Code {
	case fabric.CodeRule:
		f := &img.Filters[r.Filter]
		rule := &f.Rules[r.Rule]
		return fmt.Sprintf("rule %s (priority %d) of the %s %s", rule.Origin.Name, rule.Priority, f.Stage, f.Name)
	case fabric.CodeFilterDefault:
		f := &img.Filters[r.Filter]
		return fmt.Sprintf("no rule of the %s %s allows it", f.Stage, f.Name)
	case fabric.CodeRouteDrop, fabric.CodeRouteUnknown, fabric.CodeNextHopMissing, fabric.CodeNoPort:
		t := &img.Tables[r.Table]
		route := &t.Routes[r.Route]
		return fmt.Sprintf("%s: route %s (%s) of %s", r.Code, route.Prefix, route.Kind, t.Name)
	case fabric.CodeNoRoute:
		return fmt.Sprintf("no route in %s", img.Tables[r.Table].Name)
	default:
		return strings.ReplaceAll(r.Code.String(), "-", " ")
	}
}

// RuleName returns the name of a rule of a filter, or of the filter's default
// when rule is None.
func RuleName(img *fabric.Image, filter fabric.FilterID, rule int32) string {
	f := &img.Filters[filter]
	if rule != fabric.None {
		return f.Rules[rule].Origin.Name
	}
	return f.Name + " (default)"
}
