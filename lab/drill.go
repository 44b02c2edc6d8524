package lab

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/internal/drill"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/live"
)

// WithPace sends the health probes of load balancers so many times faster than
// declared: 10 makes an interval of 5 s half a second. 0 sends none, and members
// are up as far as the compiled network says; that is the default
// [WithoutServices], otherwise probes are sent as declared.
func WithPace(pace float64) Option {
	return func(o *live.Options) { o.Pace = pace }
}

// Fail takes something down until restore is called: "host web-1", "zone
// westeurope/1", "region eastus", "appliance nva-1", "gateway vpn", "link eastus
// westeurope" or "probe BALANCER/HOST". What is dead sends, takes and forwards
// nothing from one packet to the next; load balancers notice by their probes. In
// a test a target that does not exist fails it. restore may be called twice.
func (l *Lab) Fail(target string) (restore func()) {
	t, err := drill.Parse(l.live.Declared(), target)
	if err != nil {
		if l.tb != nil {
			l.tb.Helper()
			l.tb.Fatal(err)
		}
		return func() {}
	}
	return l.live.Fail(func(img *fabric.Image) fabric.Failure {
		f, err := t.Failure(img)
		if err != nil {
			return fabric.Failure{Name: target} // gone with another image
		}
		return f
	})
}

// Drill is what a rehearsed failure showed.
type Drill struct {
	Target string
	OK     bool // nothing was worse than predicted
	// Busy says that this machine was too busy to be measured; empty: it was not.
	// What did worse than predicted is then not judged.
	Busy  string
	Held  time.Duration
	Flows []DrillFlow
	// Groups are the SQL failover groups, which were written to meanwhile.
	Groups []DrillGroup
	text   string
}

// DrillGroup is what a SQL failover group did, as a client of its listener
// measured it.
type DrillGroup struct {
	Group    string
	From, To string // the primary before and while the failure lasted; To is empty if nobody took over
	// FailedOver, NameMoved and Recovered are how long after the failure the roles
	// changed, the listener's name led to the new primary, and a client that asks
	// for it anew had its next commit acknowledged; negative if that did not come.
	FailedOver, NameMoved, Recovered time.Duration
	// AtMost is what is predicted of Recovered, where the failure took the primary
	// of an automatic group.
	AtMost time.Duration
	// Acknowledged counts the commits that clients know of, Lost those that are not
	// there any more; Oldest is how long before the failure the oldest lost one was
	// acknowledged, LossAtMost what is predicted of it.
	Acknowledged, Lost int
	Oldest, LossAtMost time.Duration
	Why                string // of a result that is not as predicted
	Result             string // as predicted, worse or not judged
}

// DrillFlow is one flow of the traffic that a drill made.
type DrillFlow struct {
	Expectation string // its name
	Kind        string // stream, connect or datagram
	From, To    string
	Predicted   string // works, partly, fails or unknown
	Outcome     string // unaffected, failed over, flapping, down, lost or broken before
	Why         string // the first trial that failed
	Works       bool   // while the failure lasted, once noticed
	// First and Steady are how long after the failure the flow worked again for
	// the first time, and for good; 0 if it never failed, negative if not while
	// the failure lasted. Recovered is the same after the failure was over.
	First, Steady, Recovered time.Duration
	Result                   string // as predicted, worse, better or not judged
}

// String formats the drill for people.
func (d *Drill) String() string { return d.text }

// Drill rehearses a failure, as [Lab.Fail] names them: it makes steady real
// traffic for every expectation that allows some, takes the target down, brings
// it back, and holds what happened against what the proof predicts. lasting is
// how long it stays down; 0 is as long as health probes need to notice, twice.
// In a test a network that does worse than predicted fails it.
func (l *Lab) Drill(ctx context.Context, target string, lasting time.Duration) (*Drill, error) {
	t, err := drill.Parse(l.live.Declared(), target)
	var r *drill.Report
	if err == nil {
		o := drill.Options{For: lasting}
		if l.databases != nil {
			o.Databases = l.databases.Servers
		}
		r, err = drill.Run(ctx, l.live, l.network.Expectations, t, o)
	}
	if err != nil {
		if l.tb != nil {
			l.tb.Helper()
			l.tb.Fatal(err)
		}
		return nil, err
	}
	out := &Drill{Target: r.Target, OK: r.OK(), Busy: r.Busy, Held: r.Held}
	for i := range r.Flows {
		f := &r.Flows[i]
		out.Flows = append(out.Flows, DrillFlow{
			Expectation: r.Expectations[f.Expectation].Expectation.Name, Kind: string(f.Kind), From: f.From, To: f.To,
			Predicted: string(f.Forecast), Outcome: string(f.Outcome), Why: f.Why, Works: f.Works,
			First: f.First, Steady: f.Steady, Recovered: f.Recovered, Result: string(f.Comparison),
		})
	}
	for i := range r.Groups {
		g := &r.Groups[i]
		out.Groups = append(out.Groups, DrillGroup{
			Group: g.Group, From: g.From, To: g.To, FailedOver: g.FailedOver, NameMoved: g.NameMoved, Recovered: g.Recovered, AtMost: g.AtMost,
			Acknowledged: g.Acknowledged, Lost: g.Lost, Oldest: g.Oldest, LossAtMost: g.LossAtMost, Why: g.Said, Result: string(g.Comparison),
		})
	}
	var b strings.Builder
	if err := r.WriteText(&b); err != nil {
		return nil, err
	}
	out.text = b.String()
	if !out.OK && l.tb != nil {
		l.tb.Helper()
		l.tb.Errorf("%s", out.text)
	}
	return out, nil
}

// Member is what health probes found of a member of a load balancer.
type Member struct {
	Balancer, Probe, Host string
	Up                    bool
	Why                   string        // of one that is down
	Measured              bool          // false: only the compiled network speaks
	Latency               time.Duration // of the last answer; 0 without one
}

// Health returns what health probes found, once every member that should be up
// was heard of. It is empty if nothing is probed.
func (l *Lab) Health(ctx context.Context) ([]Member, error) {
	if err := l.live.Probed(ctx); err != nil {
		return nil, err
	}
	list := l.live.Health()
	out := make([]Member, len(list))
	for i, m := range list {
		out[i] = Member{Balancer: m.Balancer, Probe: m.Probe.Name, Host: m.Host, Up: m.Up, Why: m.Why, Measured: m.Measured}
		if n := len(m.Answers); n > 0 && m.Answers[n-1].OK() {
			out[i].Latency = m.Answers[n-1].Took
		}
	}
	return out, nil
}

// ErrNotYet is the error of a wait that ended too soon.
var ErrNotYet = errors.New("health probes have not found that yet")

// Await waits until health probes find what is says, for example that a member
// is down. Its error, when ctx ends first, wraps [ErrNotYet] and lists the
// members.
func (l *Lab) Await(ctx context.Context, is func([]Member) bool) error {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		members, err := l.Health(ctx)
		if err == nil && is(members) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %+v", ErrNotYet, members)
		case <-ticker.C:
		}
	}
}
