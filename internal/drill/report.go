package drill

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/ref"
	"github.com/ceruleannet/cerulean/internal/live"
	"github.com/ceruleannet/cerulean/internal/proof"
	"github.com/ceruleannet/cerulean/model"
)

// Report is what a drill showed.
type Report struct {
	Target      string
	Pace        float64       // of health probes: 1 is as declared
	Held        time.Duration // how long the thing was down
	Detect      time.Duration // how long probes need to notice, at most
	Took        time.Duration // the whole drill
	Interrupted bool
	Already     string // what was down before; empty: nothing
	// Busy says that this machine was too busy to be measured, and how much; empty:
	// it was not. What did worse than predicted is then not judged.
	Busy string

	Expectations []ExpectationReport
	Flows        []FlowReport
	Members      []MemberReport
	Names        []NameReport
	Groups       []GroupReport
	Requests     []RequestReport

	spared      bool // something did worse, and the machine was too busy
	cut         bool // a link is cut, of which the proof knows nothing
	network     *live.Network
	predictions []Prediction
}

// ExpectationReport is one expectation: what was predicted, and what its flows
// did.
type ExpectationReport struct {
	Expectation model.Expectation
	Before      proof.Status // without the failure
	Predicted   proof.Status // with it, once noticed
	Why         string
	Flows       int
	Working     int // flows that worked while the thing was down
	Survived    int // established streams that did
	Streams     int
	Comparison  Comparison
	Said        string // of one that is worse
}

// FlowReport is one flow.
type FlowReport struct {
	live.SteadyFlow
	Timeline
	Forecast    Forecast
	ForecastWhy string
	Comparison  Comparison
	Said        string
}

// MemberReport is a member of a load balancer whose state changed.
type MemberReport struct {
	Balancer, Probe, Member string
	Noticed, Back           time.Duration // after the failure, after the restoration; negative: not
	Why                     string
}

// OK reports whether nothing was worse than predicted.
func (r *Report) OK() bool {
	for i := range r.Expectations {
		if r.Expectations[i].Comparison == Worse {
			return false
		}
	}
	for i := range r.Requests {
		if r.Requests[i].Comparison == Worse {
			return false
		}
	}
	for i := range r.Groups {
		if r.Groups[i].Comparison == Worse {
			return false
		}
	}
	return true
}

func (r *Report) predicted() string {
	holds, total := 0, 0
	for _, p := range r.predictions {
		if p.Before != proof.Holds {
			continue
		}
		total++
		if p.After == proof.Holds {
			holds++
		}
	}
	return fmt.Sprintf("%d of %d expectations should hold", holds, total)
}

// finish judges everything.
func (r *Report) finish(img *fabric.Image, f *fabric.Failure, flows []live.SteadyFlow, m Moments, before, during, after []live.MemberHealth) {
	r.Took = m.Ended.Sub(m.Begun)
	for _, p := range r.predictions {
		r.Expectations = append(r.Expectations, ExpectationReport{
			Expectation: p.Expectation, Before: p.Before, Predicted: p.After, Why: p.Why, Comparison: NotJudged,
		})
	}
	known, noticed := map[string]FlowReport{}, img.WhatIf(f)
	for i := range flows {
		x := FlowReport{SteadyFlow: flows[i], Timeline: Read(&flows[i], m)}
		key := fmt.Sprint(x.Kind == live.SteadyStream, x.At, x.Packet.Src, x.Packet.Dst, x.Packet.Proto, x.Packet.DstPort)
		switch old, ok := known[key]; {
		case x.Kind == live.SteadyStream:
			x.Forecast, x.ForecastWhy = Established(img, noticed, f, x.Packet, x.Forward, x.Reply)
		case ok:
			x.Forecast, x.ForecastWhy = old.Forecast, old.ForecastWhy
		default:
			p := x.Packet
			if p.SrcPort == 0 {
				p.SrcPort = 50000
			}
			x.Forecast, x.ForecastWhy = Follow(img, f, x.At, p)
			known[key] = x
		}
		x.Comparison, x.Said = Compare(&x.Timeline, x.Kind, x.Forecast)
		// A stream may be silent for as long as its sender backs off (RFC 6298,
		// section 5.5); new connections that all fail are no matter of luck.
		luck := x.Kind == live.SteadyStream || x.Outcome != Down
		if loss := r.loses(img, &x); x.Comparison == Worse && luck && loss > 0 {
			x.Comparison, x.Said = NotJudged, fmt.Sprintf("it crosses links that lose %.0f %% of its packets", 100*loss)
		}
		if x.Forecast == Works && !x.Works && x.Back && r.unnoticed(img, f, &x) {
			x.Comparison, x.Said = NotJudged, tooShort
		}
		r.Flows = append(r.Flows, x)
		r.count(&x)
	}
	for i := range r.Expectations {
		r.Expectations[i].some(r)
	}
	for i := range during {
		d := &during[i]
		if i >= len(before) || i >= len(after) || before[i].Up == d.Up && after[i].Since.Before(m.Failed) {
			continue
		}
		x := MemberReport{Balancer: d.Balancer, Probe: d.Probe.Name, Member: d.Member, Noticed: never, Back: never, Why: d.Why}
		if !d.Up {
			x.Noticed = d.Since.Sub(m.Failed)
		}
		if after[i].Up {
			x.Back = max(after[i].Since.Sub(m.Restored), 0)
		}
		r.Members = append(r.Members, x)
	}
}

// loses returns the share of a flow's packets that declared links lose, there and
// back.
func (r *Report) loses(img *fabric.Image, x *FlowReport) float64 {
	p := x.Packet
	if p.SrcPort == 0 {
		p.SrcPort = 50000
	}
	c := ref.Connect(img, x.At, p)
	return 1 - (1-r.network.Loss(c.Forward.Path))*(1-r.network.Loss(c.Reply.Path))
}

// tooShort is said of a flow that needs probes which had no time.
const tooShort = "the failure was over before health probes must notice it"

// unnoticed reports whether a new flow works only once probes have noticed the
// failure, and it did not last that long.
func (r *Report) unnoticed(img *fabric.Image, f *fabric.Failure, x *FlowReport) bool {
	if r.Held >= r.Detect || x.Kind == live.SteadyStream {
		return false
	}
	p := x.Packet
	if p.SrcPort == 0 {
		p.SrcPort = 50000
	}
	forecast, _ := follow(img.WithFailure(f), f, x.At, p)
	return forecast != Works
}

func (r *Report) count(x *FlowReport) {
	e := &r.Expectations[x.Expectation]
	e.Flows++
	if x.Kind == live.SteadyStream {
		e.Streams++
		if x.Works {
			e.Survived++
		}
	}
	if x.Works {
		e.Working++
	}
	if x.Comparison == Worse && e.Comparison != Worse {
		e.Comparison, e.Said = Worse, fmt.Sprintf("%s: %s", x.String(), x.Said)
	}
	if e.Comparison == NotJudged && x.Comparison != NotJudged {
		e.Comparison = AsPredicted
	}
	// The proof speaks of every pair: what it says to hold must work.
	if e.Predicted == proof.Holds && e.Expectation.Quantity == model.All && !r.cut && x.Kind != live.SteadyStream && x.Outcome != Before && !x.Works && (x.Comparison != NotJudged || x.Forecast == Unknown) && e.Comparison != Worse {
		e.Comparison, e.Said = Worse, fmt.Sprintf("%s: proved to hold, and is %s: %s", x.String(), x.Outcome, x.Why)
	}
}

// judged reports whether anything was compared with what was predicted.
func (r *Report) judged() bool {
	return slices.ContainsFunc(r.Expectations, func(e ExpectationReport) bool { return e.Comparison != NotJudged }) ||
		slices.ContainsFunc(r.Requests, func(x RequestReport) bool { return x.Comparison != NotJudged }) ||
		slices.ContainsFunc(r.Groups, func(g GroupReport) bool { return g.Comparison != NotJudged })
}

// interrupted is said of what a drill that was interrupted had no time for.
const interrupted = "the drill was interrupted"

// unjudge takes judgements back: all of them if the drill was interrupted, for
// nothing had the time that it was given, and the bad ones if the machine was too
// busy, for a network can look worse for that, not better.
func (r *Report) unjudge() {
	undo := func(c *Comparison, said *string) {
		switch {
		case r.Interrupted:
			*c, *said = NotJudged, interrupted
		case r.Busy != "" && *c == Worse:
			*c, *said = NotJudged, *said+" ("+r.Busy+")"
			r.spared = true
		}
	}
	for i := range r.Flows {
		undo(&r.Flows[i].Comparison, &r.Flows[i].Said)
	}
	for i := range r.Expectations {
		undo(&r.Expectations[i].Comparison, &r.Expectations[i].Said)
	}
	for i := range r.Requests {
		undo(&r.Requests[i].Comparison, &r.Requests[i].Said)
	}
	for i := range r.Groups {
		undo(&r.Groups[i].Comparison, &r.Groups[i].Said)
	}
}

// some judges an expectation of which one pair that works is enough.
func (e *ExpectationReport) some(r *Report) {
	if e.Expectation.Quantity != model.Some || e.Predicted != proof.Holds || e.Comparison == Worse || e.Flows == e.Streams || r.cut || r.Held < r.Detect {
		return
	}
	if e.Working == 0 {
		e.Comparison, e.Said = Worse, "proved to hold of one pair at least, and none works"
	}
}

// WriteText writes the report for people.
func (r *Report) WriteText(w io.Writer) error {
	fmt.Fprintf(w, "%s was down for %s", r.Target, round(r.Held))
	if r.Pace > 0 && r.Pace != 1 {
		fmt.Fprintf(w, "; health probes ran at %g times their declared pace", r.Pace)
	}
	fmt.Fprintln(w)
	if r.Already != "" {
		fmt.Fprintf(w, "before it, and all the time: %s\n", r.Already)
	}
	if r.spared {
		fmt.Fprintf(w, "%s; what did worse than predicted is not judged\n", r.Busy)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(r.Members) > 0 {
		fmt.Fprintln(w)
		fmt.Fprintln(t, "MEMBER\tPROBE\tNOTICED AFTER\tBACK AFTER\tWHY")
		for _, m := range r.Members {
			fmt.Fprintf(t, "%s/%s\t%s\t%s\t%s\t%s\n", m.Balancer, m.Member, m.Probe, after(m.Noticed), after(m.Back), m.Why)
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	if len(r.Names) > 0 {
		fmt.Fprintln(w)
		fmt.Fprintln(t, "NAME\tFROM\tMOVED AFTER\tAT MOST\tTO\tBACK AFTER")
		for _, x := range r.Names {
			to := x.While
			if to == "" {
				to = "nothing"
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", x.Name, x.Region, after(x.Moved), round(x.Within), to, after(x.Back))
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	if err := r.writeGroups(w); err != nil {
		return err
	}
	if err := r.writeRequests(w); err != nil {
		return err
	}
	fmt.Fprintln(w)
	fmt.Fprintln(t, "EXPECTATION\tPREDICTED\tFLOWS\tWORKED\tSTREAMS KEPT\tRESULT")
	for i := range r.Expectations {
		e := &r.Expectations[i]
		if e.Flows == 0 {
			switch {
			case e.Expectation.Request != nil: // among the requests
			case e.Expectation.Verb == model.Allow:
				fmt.Fprintf(t, "%s\t%s\t-\t-\t-\tnobody here sends or serves it\n", shorten(e.Expectation.Name), e.Predicted)
			}
			continue
		}
		predicted := e.Predicted.String()
		if r.cut {
			predicted = "by flow"
		}
		streams := "-"
		if e.Streams > 0 {
			streams = fmt.Sprintf("%d of %d", e.Survived, e.Streams)
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%s\t%s\n", shorten(e.Expectation.Name), predicted, e.Flows, e.Working, streams, e.Comparison)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	hidden, shown := 0, 0
	for i := range r.Flows {
		x := &r.Flows[i]
		if x.Outcome == Unaffected && x.Comparison == AsPredicted {
			hidden++
			continue
		}
		if shown++; shown == 1 {
			fmt.Fprintln(t, "FLOW\tPREDICTED\tOUTCOME\tFIRST AFTER\tSTEADY AFTER\tRECOVERED AFTER\tRESULT")
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", x.String(), x.Forecast, x.Outcome, after(x.First), after(x.Steady), after(x.Recovered), x.Comparison)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if hidden > 0 {
		fmt.Fprintf(w, "and %d flows that did not notice, as predicted\n", hidden)
	}
	for i := range r.Expectations {
		if e := &r.Expectations[i]; e.Comparison == Worse {
			fmt.Fprintf(w, "\nWORSE %s: %s\n", e.Expectation.Name, e.Said)
		}
	}
	result := "the network did what was predicted"
	switch {
	case r.Interrupted:
		result = interrupted + ": this is what was seen until then"
	case !r.judged() && r.spared:
		result = "nothing was judged: " + r.Busy
	case !r.judged():
		result = "nothing was judged: no flow worked before it failed that anything is predicted of"
	case !r.OK():
		result = "the network did worse than predicted"
	case r.spared:
		result += ", as far as this machine could tell"
	}
	_, err := fmt.Fprintf(w, "\n%s: %s\n", r.Target, result)
	return err
}

// maxName bounds how much of an expectation's name a table shows.
const maxName = 48

func shorten(name string) string {
	if r := []rune(name); len(r) > maxName {
		return string(r[:maxName-1]) + "…"
	}
	return name
}

func round(d time.Duration) time.Duration {
	if d >= 10*time.Second {
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Millisecond)
}

func after(d time.Duration) string {
	switch {
	case d < 0:
		return "never"
	case d == 0:
		return "-"
	default:
		return round(d).String()
	}
}

// MarshalJSON writes the report for machines; times are in milliseconds, null
// for what never came.
func (r *Report) MarshalJSON() ([]byte, error) {
	type member struct {
		Balancer string   `json:"balancer"`
		Member   string   `json:"member"`
		Probe    string   `json:"probe"`
		Noticed  *float64 `json:"noticedMs"`
		Back     *float64 `json:"backMs"`
		Why      string   `json:"why,omitempty"`
	}
	type name struct {
		Name   string   `json:"name"`
		Region string   `json:"from"`
		Before string   `json:"before"`
		While  string   `json:"while"`
		Moved  *float64 `json:"movedMs"`
		Within *float64 `json:"atMostMs"`
		Back   *float64 `json:"backMs"`
	}
	type expectation struct {
		Name      string     `json:"expectation"`
		Place     string     `json:"place,omitempty"`
		Before    string     `json:"before"`
		Predicted string     `json:"predicted"`
		Why       string     `json:"why,omitempty"`
		Flows     int        `json:"flows"`
		Working   int        `json:"working"`
		Streams   int        `json:"streams"`
		Survived  int        `json:"survived"`
		Result    Comparison `json:"result"`
		Said      string     `json:"said,omitempty"`
	}
	type flow struct {
		Expectation string   `json:"expectation"`
		Kind        string   `json:"kind"`
		From        string   `json:"from"`
		To          string   `json:"to"`
		Packet      string   `json:"packet"`
		Predicted   Forecast `json:"predicted"`
		Because     string   `json:"because,omitempty"`
		Outcome     Outcome  `json:"outcome"`
		Why         string   `json:"why,omitempty"`
		First       *float64 `json:"firstMs"`
		Steady      *float64 `json:"steadyMs"`
		Recovered   *float64 `json:"recoveredMs"`
		By          []string `json:"answeredBy,omitempty"`
		Result      string   `json:"result"`
		Said        string   `json:"said,omitempty"`
	}
	doc := struct {
		Target       string        `json:"target"`
		OK           bool          `json:"ok"`
		Interrupted  bool          `json:"interrupted,omitempty"`
		Already      string        `json:"downBefore,omitempty"`
		Busy         string        `json:"busy,omitempty"`
		Pace         float64       `json:"pace"`
		Held         float64       `json:"heldMs"`
		Detect       float64       `json:"detectMs"`
		Took         float64       `json:"tookMs"`
		Members      []member      `json:"members"`
		Names        []name        `json:"names,omitempty"`
		Groups       []groupDoc    `json:"failoverGroups,omitempty"`
		Requests     []requestDoc  `json:"requests,omitempty"`
		Expectations []expectation `json:"expectations"`
		Flows        []flow        `json:"flows"`
	}{
		Target: r.Target, OK: r.OK(), Interrupted: r.Interrupted, Already: r.Already, Busy: r.Busy, Pace: r.Pace,
		Held: *ms(r.Held), Detect: *ms(r.Detect), Took: *ms(r.Took),
		Groups: r.groupDocs(), Requests: r.requestDocs(),
		Members: []member{}, Expectations: []expectation{}, Flows: []flow{},
	}
	for _, m := range r.Members {
		doc.Members = append(doc.Members, member{m.Balancer, m.Member, m.Probe, ms(m.Noticed), ms(m.Back), m.Why})
	}
	for _, x := range r.Names {
		doc.Names = append(doc.Names, name{x.Name, x.Region, x.Before, x.While, ms(x.Moved), ms(x.Within), ms(x.Back)})
	}
	for i := range r.Expectations {
		e := &r.Expectations[i]
		doc.Expectations = append(doc.Expectations, expectation{
			e.Expectation.Name, e.Expectation.Pos.String(), e.Before.String(), e.Predicted.String(), e.Why,
			e.Flows, e.Working, e.Streams, e.Survived, e.Comparison, e.Said,
		})
	}
	for i := range r.Flows {
		x := &r.Flows[i]
		doc.Flows = append(doc.Flows, flow{
			r.Expectations[x.Expectation].Expectation.Name, string(x.Kind), x.From, x.To, x.Packet.String(), x.Forecast, x.ForecastWhy,
			x.Outcome, x.Why, ms(x.First), ms(x.Steady), ms(x.Recovered), x.By, string(x.Comparison), x.Said,
		})
	}
	return json.Marshal(doc)
}

func ms(d time.Duration) *float64 {
	if d < 0 {
		return nil
	}
	f := float64(d) / float64(time.Millisecond)
	return &f
}
