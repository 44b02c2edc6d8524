package diagnose

import (
	"fmt"
	"strconv"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// Diagnostic is NetworkConfigurationDiagnosticResponse of the API.
type Diagnostic struct {
	Results []DiagnosticResult `json:"results"`
}

// DiagnosticResult is NetworkConfigurationDiagnosticResult of the API.
type DiagnosticResult struct {
	Profile Profile     `json:"profile"`
	Groups  GroupResult `json:"networkSecurityGroupResult"`
}

// Profile is NetworkConfigurationDiagnosticProfile of the API: the traffic asked
// about, in the words of the question.
type Profile struct {
	Direction       string `json:"direction"` // Inbound or Outbound
	Protocol        string `json:"protocol"`
	Source          string `json:"source"`
	Destination     string `json:"destination"`
	DestinationPort string `json:"destinationPort"`
}

// GroupResult is NetworkSecurityGroupResult of the API.
type GroupResult struct {
	Access string           `json:"securityRuleAccessResult"` // Allow or Deny; Unknown if it depends on what is not modelled
	Groups []EvaluatedGroup `json:"evaluatedNetworkSecurityGroups"`
}

// EvaluatedGroup is EvaluatedNetworkSecurityGroup of the API: one security
// group, or the admin rules of a network manager.
type EvaluatedGroup struct {
	ID          string       `json:"networkSecurityGroupId"`
	AppliedTo   string       `json:"appliedTo"`
	MatchedRule MatchedRule  `json:"matchedRule"`
	Rules       []RuleResult `json:"rulesEvaluationResult"`
}

// MatchedRule is MatchedRule of the API.
type MatchedRule struct {
	Name   string `json:"ruleName"`
	Action string `json:"action"`
}

// RuleResult is NetworkSecurityRulesEvaluationResult of the API.
type RuleResult struct {
	Name        string `json:"name"`
	Protocol    bool   `json:"protocolMatched"`
	Source      bool   `json:"sourceMatched"`
	SourcePort  bool   `json:"sourcePortMatched"`
	Destination bool   `json:"destinationMatched"`
	DestPort    bool   `json:"destinationPortMatched"`
}

// Evaluate answers networkConfigurationDiagnostic for one profile: every rule
// that was tried, field by field, up to the one that decided. A field of a
// profile that is more than one value matches a rule that denies if any of it
// does, and one that allows if all of it does.
func Evaluate(img *fabric.Image, at fabric.PortID, dir fabric.Direction, traffic Box, profile Profile) DiagnosticResult {
	out := DiagnosticResult{Profile: profile, Groups: GroupResult{Access: "Allow", Groups: []EvaluatedGroup{}}}
	for _, d := range Judge(img, at, dir, traffic) {
		out.Groups.Access = access(d.Action)
		out.Groups.Groups = append(out.Groups.Groups, evaluated(img, at, d, traffic))
	}
	return out
}

// evaluated writes one filter and what it decided.
func evaluated(img *fabric.Image, at fabric.PortID, d Decision, traffic Box) EvaluatedGroup {
	f, port := &img.Filters[d.Filter], &img.Ports[at]
	g := EvaluatedGroup{ID: groupOf(f, d.Rule), AppliedTo: port.Origin.Resource, MatchedRule: MatchedRule{Action: access(d.Action)}, Rules: []RuleResult{}}
	switch {
	case port.Segment == fabric.None:
	case f.Stage == fabric.StageSegment:
		g.AppliedTo = img.Segments[port.Segment].Origin.Resource
	case f.Stage == fabric.StageAdmin:
		g.AppliedTo = img.Spaces[port.Space].Origin.Resource
	}
	tried := d.Rule + 1
	if d.Rule == fabric.None {
		tried = int32(len(f.Rules))
	} else {
		g.MatchedRule.Name = evaluatedName(f, d.Rule)
	}
	for i := range tried {
		r := &f.Rules[i]
		in := func(field fabric.Field) bool {
			if r.Action == fabric.Pass || r.Action == fabric.Bypass {
				return traffic[field].SubsetOf(img.Sets[r.Match[field]])
			}
			return traffic[field].Overlaps(img.Sets[r.Match[field]])
		}
		g.Rules = append(g.Rules, RuleResult{
			evaluatedName(f, i), in(fabric.Proto), in(fabric.Src), in(fabric.SrcPort), in(fabric.Dst), in(fabric.DstPort),
		})
	}
	return g
}

// groupOf returns the resource whose rules a filter holds.
func groupOf(f *fabric.Filter, rule int32) string {
	if f.Stage != fabric.StageAdmin || len(f.Rules) == 0 {
		return f.Origin.Resource
	}
	return managerOf(f.Rules[max(rule, 0)].Origin.Resource)
}

// evaluatedName names a rule as networkConfigurationDiagnostic does, for example
// "DefaultRule_DenyAllInBound" (the API's example of it).
func evaluatedName(f *fabric.Filter, rule int32) string {
	name := f.Rules[rule].Origin.Name
	if f.Stage != fabric.StageAdmin && isDefault(name) {
		return "DefaultRule_" + name
	}
	return "UserRule_" + name
}

// OfConnection evaluates the security groups that the first packet of a flow
// met: outbound at the sender, inbound at the receiver, and at every appliance
// between them.
func OfConnection(img *fabric.Image, c *fabric.Connection) Diagnostic {
	var out Diagnostic
	type place struct {
		at  fabric.PortID
		dir fabric.Direction
	}
	seen := map[place]bool{}
	for i := range c.Forward.Steps {
		s := &c.Forward.Steps[i]
		at := place{s.Port, s.Direction}
		if s.Kind != fabric.StepFilter || s.Direction == fabric.Through || seen[at] {
			continue // a firewall's policy is no security group
		}
		seen[at] = true
		direction := "Outbound"
		if s.Direction == fabric.In {
			direction = "Inbound"
		}
		out.Results = append(out.Results, Evaluate(img, s.Port, s.Direction, Exactly(s.Packet), Profile{
			Direction: direction, Protocol: protocolName(s.Packet.Proto), Source: s.Packet.Src.String(), Destination: s.Packet.Dst.String(),
			DestinationPort: strconv.Itoa(int(s.Packet.DstPort)),
		}))
	}
	return out
}

// protocolName writes a protocol as the API does.
func protocolName(proto uint8) string {
	switch proto {
	case fabric.ProtoTCP:
		return "TCP"
	case fabric.ProtoUDP:
		return "UDP"
	case fabric.ProtoICMP, fabric.ProtoICMPv6:
		return "ICMP"
	default:
		return fmt.Sprint(proto)
	}
}
