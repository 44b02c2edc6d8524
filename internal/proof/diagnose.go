package proof

import (
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// Trial is one rule held against one packet, field by field.
type Trial struct {
	Name               string `json:"name"`
	Priority           int32  `json:"priority,omitempty"`
	Access             string `json:"access"`
	Decided            bool   `json:"decided,omitempty"` // it is the rule that decided
	ProtocolMatched    bool   `json:"protocolMatched"`
	SourceMatched      bool   `json:"sourceMatched"`
	SourcePortMatched  bool   `json:"sourcePortMatched"`
	DestinationMatched bool   `json:"destinationMatched"`
	DestPortMatched    bool   `json:"destinationPortMatched"`
}

// Mismatch names the fields that kept the rule from matching, for people.
func (t *Trial) Mismatch() string {
	var out []string
	for _, f := range []struct {
		matched bool
		name    string
	}{
		{t.ProtocolMatched, "protocol"},
		{t.SourceMatched, "source"},
		{t.SourcePortMatched, "source port"},
		{t.DestinationMatched, "destination"},
		{t.DestPortMatched, "destination port"},
	} {
		if !f.matched {
			out = append(out, f.name)
		}
	}
	return strings.Join(out, ", ")
}

// Evaluation is one filter a packet met, and every rule of it up to the one
// that decided: why each of the others did not match.
type Evaluation struct {
	Filter    string           `json:"filter"`
	Resource  string           `json:"resource,omitempty"` // of the security group, firewall policy or admin configuration
	AppliedTo string           `json:"appliedTo"`          // resource ID of the port, or of its segment
	Port      string           `json:"port"`
	Direction fabric.Direction `json:"-"`
	Stage     fabric.Stage     `json:"-"`
	Packet    fabric.Packet    `json:"-"`
	Where     string           `json:"stage"`
	Matched   string           `json:"matched"` // the rule that decided, or empty for the default
	Access    string           `json:"access"`
	Trials    []Trial          `json:"rules"`
}

// Evaluations returns the filters that the first packet of a flow met, in
// order.
func (p *Prover) Evaluations(c *fabric.Connection) []Evaluation {
	var out []Evaluation
	for i := range c.Forward.Steps {
		s := &c.Forward.Steps[i]
		if s.Kind != fabric.StepFilter {
			continue
		}
		f := &p.img.Filters[s.Filter]
		port := &p.img.Ports[s.Port]
		e := Evaluation{
			Filter: f.Name, Resource: f.Origin.Resource, AppliedTo: port.Origin.Resource, Port: p.name(s.Port),
			Direction: s.Direction, Stage: f.Stage, Packet: s.Packet, Where: stageText(s.Direction, f.Stage), Access: s.Action.String(),
		}
		if f.Stage == fabric.StageSegment && port.Segment != fabric.None {
			e.AppliedTo = p.img.Segments[port.Segment].Origin.Resource
		}
		for j := range f.Rules {
			r := &f.Rules[j]
			in := func(field fabric.Field) bool { return p.img.Sets[r.Match[field]].Contains(s.Packet.Field(field)) }
			t := Trial{
				Name: r.Origin.Name, Priority: r.Priority, Access: r.Action.String(), Decided: int32(j) == s.Rule,
				ProtocolMatched: in(fabric.Proto), SourceMatched: in(fabric.Src), SourcePortMatched: in(fabric.SrcPort),
				DestinationMatched: in(fabric.Dst), DestPortMatched: in(fabric.DstPort),
			}
			e.Trials = append(e.Trials, t)
			if t.Decided {
				e.Matched = t.Name
				break
			}
		}
		out = append(out, e)
	}
	return out
}
