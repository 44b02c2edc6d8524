package observe

import (
	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/ref"
)

// Retrace follows the first packet of a flow through an image, with the targets
// that redirects chose for it. If the image is not the one under which the flow
// began, it says what the image would do with the flow as a new one.
func Retrace(img *fabric.Image, f *engine.Flow) fabric.Trace {
	if f.Platform {
		return ref.FromPlatform(img, f.Forward.From, f.Forward.Packet)
	}
	return ref.TraceBy(img, f.Forward.From, f.Forward.Packet, chosen(img, f))
}

// chosen repeats the choices of a flow's redirects: the target is the port that
// the flow passed next, or has the address and port where the flow ended.
func chosen(img *fabric.Image, f *engine.Flow) fabric.Choose {
	end := f.Reply.Packet // it begins where the flow ended
	return func(from, at fabric.PortID, redirect int32, p fabric.Packet) int32 {
		targets := img.Ports[at].Inward.Redirects[redirect].Targets
		best, score := int32(fabric.None), 0
		for i := range targets {
			t, n := &targets[i], 0
			if t.Port != fabric.None && passedNext(f.Forward.Path, at, t.Port) {
				n += 4
			}
			if t.Addr.IsValid() && t.Addr == end.Src {
				n += 2
			}
			if t.DstPort != 0 && t.DstPort == end.SrcPort {
				n++
			}
			if n > score {
				best, score = int32(i), n
			}
		}
		if best == fabric.None {
			return fabric.NewChooser(img).Pick(from, at, redirect, p)
		}
		return best
	}
}

func passedNext(path []fabric.PortID, at, next fabric.PortID) bool {
	for i := 1; i < len(path); i++ {
		if path[i-1] == at && path[i] == next {
			return true
		}
	}
	return false
}

// Met is a filter that a packet met, and the rule of it that decided.
type Met struct {
	Port      fabric.PortID
	Direction fabric.Direction
	Filter    fabric.FilterID
	Rule      int32 // None for the filter's default
	Action    fabric.Action
	Packet    fabric.Packet // as the filter saw it
}

// MetBy lists the filters of a trace in the order the packet met them.
func MetBy(t *fabric.Trace) []Met {
	var out []Met
	for i := range t.Steps {
		if s := &t.Steps[i]; s.Kind == fabric.StepFilter {
			out = append(out, Met{s.Port, s.Direction, s.Filter, s.Rule, s.Action, s.Packet})
		}
	}
	return out
}

// RuleNames returns the names of the rules met, each once.
func RuleNames(img *fabric.Image, met []Met) []string {
	var out []string
	seen := map[string]bool{}
	for _, m := range met {
		if name := RuleName(img, m.Filter, m.Rule); !seen[name] {
			seen[name] = true
			out = append(out, name)
		}
	}
	return out
}

// maxTraced bounds the flows whose rules are remembered.
const maxTraced = 1 << 14

// tracer finds the rules of packets. It is used by one goroutine.
type tracer struct {
	flows Flows // may be nil
	known map[tracedKey]traced
}

type tracedKey struct {
	flow engine.FlowID
	img  *fabric.Image
}

// traced is what is known of a flow under an image.
type traced struct {
	from  fabric.PortID
	first fabric.Packet
	rules []string
}

// of returns the rules that a packet's flow met, and whether the packet goes
// back to the flow's opener. Of a flow that nobody knows any more it knows
// nothing.
func (t *tracer) of(img *fabric.Image, id engine.FlowID, at fabric.PortID, p fabric.Packet, v fabric.Verdict, r fabric.Reason) (rules []string, reply bool) {
	if id == 0 {
		// Denied, and no record of it: the packet is a flow's first.
		x := ref.Trace(img, at, p)
		if x.Verdict != v || x.Reason != r {
			return nil, false
		}
		return RuleNames(img, MetBy(&x)), false
	}
	key := tracedKey{id, img}
	known, ok := t.known[key]
	if !ok {
		if t.flows == nil {
			return nil, false
		}
		f, live := t.flows.Flow(id)
		if !live {
			return nil, false
		}
		x := Retrace(img, &f)
		known = traced{f.Forward.From, f.Forward.Packet, RuleNames(img, MetBy(&x))}
		if t.known == nil || len(t.known) >= maxTraced {
			t.known = map[tracedKey]traced{}
		}
		t.known[key] = known
	}
	return known.rules, known.from != at || known.first != p
}
