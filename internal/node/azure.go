package node

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/proof"
)

// The answers of Azure's own diagnostics, in the shapes of its API
// (Microsoft.Network, api-version 2024-05-01): what scripts that read those
// answers need. Field names are the API's.
type (
	// diagnosticResponse is NetworkConfigurationDiagnosticResponse, the answer of
	// a network watcher's networkConfigurationDiagnostic.
	diagnosticResponse struct {
		Results []diagnosticResult `json:"results"`
	}
	diagnosticResult struct {
		Profile diagnosticProfile   `json:"profile"`
		Result  securityGroupResult `json:"networkSecurityGroupResult"`
	}
	diagnosticProfile struct {
		Direction       string `json:"direction"` // Inbound or Outbound
		Protocol        string `json:"protocol"`
		Source          string `json:"source"`
		Destination     string `json:"destination"`
		DestinationPort string `json:"destinationPort"`
	}
	securityGroupResult struct {
		Access string           `json:"securityRuleAccessResult"` // Allow or Deny
		Groups []evaluatedGroup `json:"evaluatedNetworkSecurityGroups"`
	}
	evaluatedGroup struct {
		ID          string       `json:"networkSecurityGroupId"`
		AppliedTo   string       `json:"appliedTo"`
		MatchedRule matchedRule  `json:"matchedRule"`
		Rules       []ruleResult `json:"rulesEvaluationResult"`
	}
	matchedRule struct {
		Name   string `json:"ruleName"`
		Action string `json:"action"`
	}
	ruleResult struct {
		Name        string `json:"name"`
		Protocol    bool   `json:"protocolMatched"`
		Source      bool   `json:"sourceMatched"`
		SourcePort  bool   `json:"sourcePortMatched"`
		Destination bool   `json:"destinationMatched"`
		DestPort    bool   `json:"destinationPortMatched"`
	}

	// reachabilityRun is a ReachabilityAnalysisRun of a network manager's verifier
	// workspace. The API documents analysisResult as a string only; its content
	// here is Cerulean's.
	reachabilityRun struct {
		Properties reachabilityProperties `json:"properties"`
	}
	reachabilityProperties struct {
		Intent reachabilityIntent `json:"intentContent"`
		Result string             `json:"analysisResult"`
		State  string             `json:"provisioningState"`
	}
	reachabilityIntent struct {
		Source      string    `json:"sourceResourceId"`
		Destination string    `json:"destinationResourceId"`
		Traffic     ipTraffic `json:"ipTraffic"`
	}
	ipTraffic struct {
		Protocols        []string `json:"protocols"`
		SourceIPs        []string `json:"sourceIps"`
		SourcePorts      []string `json:"sourcePorts"`
		DestinationIPs   []string `json:"destinationIps"`
		DestinationPorts []string `json:"destinationPorts"`
	}
)

// access writes what a rule does in the API's words.
func access(action string) string {
	switch action {
	case fabric.Pass.String(), fabric.Bypass.String():
		return "Allow"
	case fabric.Drop.String():
		return "Deny"
	default:
		return "Unknown"
	}
}

// diagnostic writes the security groups a flow met as Azure's NSG diagnostics
// does: outbound at the sender, inbound at the receiver.
func diagnostic(list []proof.Evaluation) diagnosticResponse {
	var out diagnosticResponse
	index := map[string]int{}
	for i := range list {
		e := &list[i]
		if e.Direction == fabric.Through {
			continue // a firewall's policy is no security group
		}
		direction := "Outbound"
		if e.Direction == fabric.In {
			direction = "Inbound"
		}
		key := direction + " " + e.Port
		k, ok := index[key]
		if !ok {
			k = len(out.Results)
			index[key] = k
			out.Results = append(out.Results, diagnosticResult{Profile: diagnosticProfile{
				Direction: direction, Protocol: protocolOf(e.Packet.Proto), Source: e.Packet.Src.String(), Destination: e.Packet.Dst.String(),
				DestinationPort: strconv.Itoa(int(e.Packet.DstPort)),
			}})
		}
		r := &out.Results[k].Result
		group := evaluatedGroup{ID: e.Resource, AppliedTo: e.AppliedTo, MatchedRule: matchedRule{e.Matched, access(e.Access)}}
		for _, t := range e.Trials {
			group.Rules = append(group.Rules, ruleResult{t.Name, t.ProtocolMatched, t.SourceMatched, t.SourcePortMatched, t.DestinationMatched, t.DestPortMatched})
		}
		r.Access = access(e.Access)
		r.Groups = append(r.Groups, group)
	}
	return out
}

// protocolOf writes a protocol as the API does.
func protocolOf(proto uint8) string {
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

// marshalText writes a value as JSON text, leaving ">" as it is.
func marshalText(v any) (string, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return strings.TrimSpace(b.String()), err
}

// verifier writes an explanation as a run of Azure's network verifier.
func verifier(img *fabric.Image, x *proof.Explanation) (*reachabilityRun, error) {
	forward := &x.Conn.Forward
	if len(forward.Path) == 0 {
		return nil, nil
	}
	p := forward.Packet
	text, err := marshalText(struct {
		Verdict string          `json:"verdict"`
		Reason  string          `json:"reason"`
		Steps   []proof.Hop     `json:"steps"`
		Blocked []proof.Blocker `json:"blockedBy,omitempty"`
	}{x.Verdict, x.Why, x.Forward, x.Blockers})
	if err != nil {
		return nil, err
	}
	run := &reachabilityRun{reachabilityProperties{
		State: "Succeeded", Result: text,
		Intent: reachabilityIntent{
			Source: img.Ports[forward.From].Origin.Resource, Destination: img.Ports[forward.End()].Origin.Resource,
			Traffic: ipTraffic{
				Protocols: []string{protocolOf(p.Proto)}, SourceIPs: []string{p.Src.String()}, DestinationIPs: []string{p.Dst.String()},
				SourcePorts: []string{"*"}, DestinationPorts: []string{strconv.Itoa(int(p.DstPort))},
			},
		},
	}}
	return run, nil
}
