package proof

import (
	"fmt"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/ref"
	"github.com/ceruleannet/cerulean/model"
)

// Blocker is one setting that stops a flow.
type Blocker struct {
	Port     string `json:"port"`               // where
	What     string `json:"what"`               // one sentence
	Reply    bool   `json:"reply,omitempty"`    // it stops the reply
	Unknown  bool   `json:"unknown,omitempty"`  // it may stop the flow: what it does is not modelled
	Resource string `json:"resource,omitempty"` // resource ID of the rule or route
	Place    string `json:"place,omitempty"`    // where that was declared
	Fix      string `json:"fix,omitempty"`      // the smallest change, as text
}

// Explanation is what happens to one representative flow, and what would have
// to change for it to work.
type Explanation struct {
	From    string `json:"from"`
	To      string `json:"to"`
	Problem string `json:"problem,omitempty"` // why there is no flow to explain
	Packet  string `json:"packet,omitempty"`
	Verdict string `json:"verdict"`
	Why     string `json:"why,omitempty"`
	// Forward and Reply are what happens, up to where it ends.
	Forward []Hop `json:"forward,omitempty"`
	Reply   []Hop `json:"reply,omitempty"`
	// Blockers are the settings that stop the flow on the path that needs the
	// fewest changes, in the order it meets them. Complete says that the flow
	// works once they are changed, and that no smaller set of such changes makes
	// it work: both were tried on copies of the image.
	Blockers []Blocker `json:"blockers,omitempty"`
	Complete bool      `json:"complete"`
	// FixedForward and FixedReply are the way the flow then takes.
	FixedForward []Hop `json:"fixedForward,omitempty"`
	FixedReply   []Hop `json:"fixedReply,omitempty"`
	// Opens is all that the changes open, the flow itself included; see
	// [Prover.Opens].
	Opens []Change `json:"opens,omitempty"`
	// Closures are changes each of which stops a flow that works, the one that
	// stops the least besides first; see [Prover.Close].
	Closures []Closure `json:"closures,omitempty"`

	// Conn is the flow as it is.
	Conn   fabric.Connection `json:"-"`
	at     fabric.PortID
	opened *fabric.Image // with the changes made
}

// Works reports whether the flow gets there and its reply back.
func (x *Explanation) Works() bool { return x.Verdict == fabric.VerdictAllow.String() }

// Explain follows one flow between two selections: between hosts if they have
// any, at a port that works if the traffic leaves a choice and one does.
func (p *Prover) Explain(from, to model.Selector, traffic []model.Traffic) Explanation {
	x := Explanation{From: from.Text, To: to.Text, Verdict: fabric.VerdictUnknown.String()}
	at, pkt, problem := p.represent(&from, &to, traffic)
	if problem != "" {
		x.Problem = problem
		return x
	}
	p.ExplainPacket(&x, at, pkt)
	return x
}

// ExplainPacket fills an explanation for one packet that enters at a port.
func (p *Prover) ExplainPacket(x *Explanation, at fabric.PortID, pkt fabric.Packet) {
	c := ref.Connect(p.img, at, pkt)
	verdict, reason := c.Verdict()
	x.at = at
	x.Conn, x.Packet, x.Verdict, x.Why = c, pkt.String(), verdict.String(), p.because(&c, reason)
	rows := hopWriter{p}
	x.Forward = rows.rows(&c.Forward)
	if c.Forward.Verdict == fabric.VerdictAllow {
		x.Reply = rows.rows(&c.Reply)
	}
	if verdict == fabric.VerdictAllow {
		x.Complete = true
		return
	}
	best, complete := p.remedy(at, pkt)
	x.Blockers, x.Complete = best.blockers, complete
	if complete {
		rows = hopWriter{best.what.Prover}
		x.FixedForward, x.FixedReply = rows.rows(&best.conn.Forward), rows.rows(&best.conn.Reply)
		x.opened = best.what.img
	}
}

// represent chooses the flow to explain.
func (p *Prover) represent(from, to *model.Selector, traffic []model.Traffic) (fabric.PortID, fabric.Packet, string) {
	a := newArena(p.img)
	w := p.newWalk(a, DefaultBudget)
	w.replies = true
	q := w.ask(from, to, model.AnyPair, traffic, true)
	if q.nobody != "" {
		// What never works may still be asked: by the private address.
		q = w.ask(from, to, model.AnyPair, traffic, false)
	}
	if q.nobody != "" {
		return fabric.None, fabric.Packet{}, q.nobody
	}
	// The boxes to begin with hold every flow in question: the most telling one
	// is shown, unless a choice of ports was left and another one works.
	best, bestScore := -1, -1
	for i := range q.begin {
		if score, ok := w.score(&q.begin[i]); ok && score > bestScore {
			best, bestScore = i, score
		}
	}
	if best < 0 {
		return fabric.None, fabric.Packet{}, fmt.Sprintf("%q and %q are one host", from.Text, to.Text)
	}
	at, pkt, _ := w.pick(&q.begin[best])
	if choice(traffic) {
		one := q.begin[best]
		one.cube[fabric.Src], one.cube[fabric.Dst] = a.one(fabric.AddrValue(pkt.Src)), a.one(fabric.AddrValue(pkt.Dst))
		w.leaf = func(l leaf) {
			if l.verdict == fabric.VerdictAllow && l.reply {
				if from, better, ok := w.pick(&l.state); ok {
					at, pkt, w.stopped = from, better, true
				}
			}
		}
		w.run([]state{one})
	}
	return at, pkt, ""
}

// choice reports whether traffic is more than one protocol and port.
func choice(traffic []model.Traffic) bool {
	if len(traffic) != 1 {
		return true
	}
	t := traffic[0]
	if !(fabric.Packet{Proto: t.Protocol}).HasPorts() {
		return false
	}
	return len(t.Ports) != 1 || t.Ports[0].Lo != t.Ports[0].Hi
}
