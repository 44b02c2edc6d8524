package observe

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/ref"
)

// LiveExplanation is what a running network did with a flow, beside what its
// design says of the same packet.
type LiveExplanation struct {
	Flow FlowRow `json:"flow"`
	// Digest is of the image in force; Proved says that it is the one that was
	// proved, and not one that health, a drill or a change made of it.
	Digest string `json:"digest"`
	Proved bool   `json:"proved"`
	// Running is what the flow got; Design is what the design's image does with
	// its first packet, with the same choices of targets.
	Running LiveAnswer `json:"running"`
	Design  LiveAnswer `json:"design"`
	Same    bool       `json:"same"`
	// Differences say how the two differ.
	Differences []string `json:"differences,omitempty"`
}

// LiveAnswer is what became of a flow's first packet, and of its replies.
type LiveAnswer struct {
	Decision Decision  `json:"decision"`
	Reply    *Decision `json:"reply,omitempty"` // nil while no reply was seen, or none can come
	Path     []string  `json:"path"`
	// Rules and Routes are those that it met, in order.
	Rules  []LiveRule  `json:"rules"`
	Routes []LiveRoute `json:"routes"`
}

// LiveRule is a rule that a packet met.
type LiveRule struct {
	At        string `json:"at"`
	Direction string `json:"direction"`
	Stage     string `json:"stage"`
	Group     string `json:"group"`
	Rule      string `json:"rule"`
	Action    string `json:"action"`
	Place     string `json:"place,omitempty"`
}

// LiveRoute is a route that a packet took.
type LiveRoute struct {
	At     string `json:"at"`
	Prefix string `json:"prefix"`
	Kind   string `json:"kind"`
	Source string `json:"source"`
	Place  string `json:"place,omitempty"`
}

// ExplainFlow explains a flow of a network that runs img and whose design is
// proved. now is the time of the flows, connect how long its first reply took.
func ExplainFlow(img, proved *fabric.Image, f *engine.Flow, now, connect time.Duration) LiveExplanation {
	x := LiveExplanation{Flow: Row(img, f, now, connect), Digest: fmt.Sprintf("%x", img.Digest())}
	x.Proved = img == proved || img.Digest() == proved.Digest()
	t := Retrace(img, f)
	x.Running = answerOf(img, &t)
	x.Running.Decision, x.Running.Path, x.Running.Reply = x.Flow.Decision, x.Flow.Path, x.Flow.Reply
	if f.Forward.Decided && (t.Verdict != f.Forward.Verdict || t.Reason != f.Forward.Reason) {
		// It began under another image, and what it got then still holds.
		x.Running.Rules, x.Running.Routes = nil, nil
		x.Differences = append(x.Differences, fmt.Sprintf("the flow began under an earlier image; a new one would get: %s: %s",
			t.Verdict, Decide(img, t.Verdict, fabric.FaultNone, t.Reason).Text))
	}
	from, ok := samePort(img, proved, f.Forward.From)
	if !ok {
		x.Differences = append(x.Differences, fmt.Sprintf("the design has no port %s", PortName(img, f.Forward.From)))
		return x
	}
	moved := *f
	moved.Forward.From = from
	c := ref.ConnectBy(proved, from, f.Forward.Packet, chosen(proved, &moved))
	x.Design = answerOf(proved, &c.Forward)
	if c.Forward.Verdict == fabric.VerdictAllow {
		d := Decide(proved, c.Reply.Verdict, fabric.FaultNone, c.Reply.Reason)
		x.Design.Reply = &d
	}
	x.compare()
	return x
}

// samePort returns the port of another image with the name, kind and resource of
// one of this.
func samePort(img, other *fabric.Image, at fabric.PortID) (fabric.PortID, bool) {
	if img == other {
		return at, true
	}
	p := &img.Ports[at]
	same := func(q *fabric.Port) bool {
		return q.Kind == p.Kind && q.Name == p.Name && strings.EqualFold(q.Origin.Resource, p.Origin.Resource)
	}
	if int(at) < len(other.Ports) && same(&other.Ports[at]) {
		return at, true
	}
	i := slices.IndexFunc(other.Ports, func(q fabric.Port) bool { return same(&q) })
	return fabric.PortID(i), i >= 0
}

func answerOf(img *fabric.Image, t *fabric.Trace) LiveAnswer {
	a := LiveAnswer{Decision: Decide(img, t.Verdict, fabric.FaultNone, t.Reason), Rules: []LiveRule{}, Routes: []LiveRoute{}}
	for _, p := range t.Path {
		a.Path = append(a.Path, PortName(img, p))
	}
	for i := range t.Steps {
		switch s := &t.Steps[i]; s.Kind {
		case fabric.StepFilter:
			f := &img.Filters[s.Filter]
			r := LiveRule{
				At: PortName(img, s.Port), Direction: s.Direction.String(), Stage: f.Stage.String(), Group: f.Name,
				Rule: RuleName(img, s.Filter, s.Rule), Action: s.Action.String(), Place: f.Origin.Place,
			}
			if s.Rule != fabric.None {
				r.Place = f.Rules[s.Rule].Origin.Place
			}
			a.Rules = append(a.Rules, r)
		case fabric.StepRoute:
			r := &img.Tables[s.Table].Routes[s.Route]
			a.Routes = append(a.Routes, LiveRoute{At: PortName(img, s.Port), Prefix: r.Prefix.String(), Kind: r.Kind, Source: r.Source, Place: r.Origin.Place})
		}
	}
	return a
}

// compare finds how the running network's answer and the design's differ.
func (x *LiveExplanation) compare() {
	differ := func(what, running, design string) {
		if running != design {
			x.Differences = append(x.Differences, fmt.Sprintf("%s: running %s; design %s", what, running, design))
		}
	}
	word := func(d Decision) string { return d.Verdict + ": " + d.Text }
	r, d := &x.Running, &x.Design
	differ("verdict", word(r.Decision), word(d.Decision))
	differ("path", strings.Join(r.Path, " > "), strings.Join(d.Path, " > "))
	if r.Rules != nil {
		differ("rules", fmt.Sprint(ruleTexts(r.Rules)), fmt.Sprint(ruleTexts(d.Rules)))
	}
	if r.Routes != nil {
		differ("routes", fmt.Sprint(routeTexts(r.Routes)), fmt.Sprint(routeTexts(d.Routes)))
	}
	if r.Reply != nil && d.Reply != nil {
		differ("reply", word(*r.Reply), word(*d.Reply))
	}
	x.Same = len(x.Differences) == 0
}

func ruleTexts(rules []LiveRule) []string {
	out := make([]string, len(rules))
	for i, r := range rules {
		out[i] = fmt.Sprintf("%s: %s of the %s %s, %s at %s", r.Action, r.Rule, r.Stage, r.Group, r.Direction, r.At)
		if r.Place != "" {
			out[i] += " (" + r.Place + ")"
		}
	}
	return out
}

func routeTexts(routes []LiveRoute) []string {
	out := make([]string, len(routes))
	for i, r := range routes {
		out[i] = fmt.Sprintf("%s (%s, %s) at %s", r.Prefix, r.Kind, r.Source, r.At)
		if r.Place != "" {
			out[i] += " (" + r.Place + ")"
		}
	}
	return out
}

// WriteText writes the explanation for people.
func (x *LiveExplanation) WriteText(w io.Writer) error {
	f := &x.Flow
	var b strings.Builder
	fmt.Fprintf(&b, "flow %d: %s %s > %s, %s for %s\n", f.ID, f.Protocol, f.Source, f.Destination, f.State, duration(f.AgeMS))
	list := func(title string, lines []string) {
		for i, l := range lines {
			if i > 0 {
				title = ""
			}
			fmt.Fprintf(&b, "  %-8s %s\n", title, l)
		}
	}
	list("verdict", []string{x.Running.Decision.Verdict + ": " + x.Running.Decision.Text})
	if x.Running.Reply != nil {
		list("reply", []string{x.Running.Reply.Verdict + ": " + x.Running.Reply.Text})
	}
	list("path", []string{strings.Join(x.Running.Path, " > ")})
	if f.Translated != "" {
		list("arrives", []string{f.Translated})
	}
	list("rules", ruleTexts(x.Running.Rules))
	list("routes", routeTexts(x.Running.Routes))
	list("carried", []string{fmt.Sprintf("%s out, %s back", carried(f.PacketsOut, f.BytesOut), carried(f.PacketsBack, f.BytesBack))})
	image := "another than the one that was proved: health, a drill or a change made it"
	if x.Proved {
		image = "the one that was proved"
	}
	list("image", []string{x.Digest[:min(12, len(x.Digest))] + ", " + image})
	if x.Same {
		b.WriteString("The design says the same.\n")
	} else {
		b.WriteString("The design says otherwise:\n")
		list("", x.Differences)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
