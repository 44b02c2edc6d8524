package flowlog

import (
	"slices"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// Sight is a flow as one network interface sees it.
type Sight struct {
	Port    fabric.PortID
	Inbound bool          // it comes to the interface; else it leaves
	Packet  fabric.Packet // the flow's first packet there
	Filter  fabric.FilterID
	Rule    int32 // None with a Filter for its default
	Denied  bool  // by that rule
}

// Sights returns what the network interfaces of virtual machines saw of a
// flow's first packet, in its order. Of several rules that an interface asked
// the last one stands: a security admin rule that allows is followed by a
// network security group's. What the platform itself answers is not logged.
func Sights(img *fabric.Image, t *fabric.Trace) []Sight {
	if t.Reason.Code == fabric.CodePlatform {
		return nil
	}
	var out []Sight
	at := func(port fabric.PortID, inbound bool, p fabric.Packet) *Sight {
		if img.Ports[port].Kind != fabric.PortHost {
			return nil
		}
		if n := len(out); n > 0 && out[n-1].Port == port && out[n-1].Inbound == inbound {
			return &out[n-1]
		}
		out = append(out, Sight{Port: port, Inbound: inbound, Packet: p, Filter: fabric.None, Rule: fabric.None})
		return &out[len(out)-1]
	}
	entered := 0
	for i := range t.Steps {
		s := &t.Steps[i]
		switch s.Kind {
		case fabric.StepEnter:
			if entered++; entered > 1 {
				at(s.Port, true, s.Packet)
			}
		case fabric.StepFilter:
			if s.Direction == fabric.Through {
				continue
			}
			if x := at(s.Port, s.Direction == fabric.In, s.Packet); x != nil {
				x.Filter, x.Rule, x.Denied = s.Filter, s.Rule, s.Action == fabric.Drop
			}
		case fabric.StepRoute:
			at(s.Port, false, s.Packet)
		}
	}
	// A rule whose match is unknown decides nothing.
	if t.Verdict == fabric.VerdictUnknown && t.Reason.Filter != fabric.None {
		out = slices.DeleteFunc(out, func(s Sight) bool {
			return s.Filter == t.Reason.Filter && s.Port == t.Reason.Port && s.Rule == t.Reason.Rule
		})
	}
	return out
}
