package drill

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/live"
	"github.com/ceruleannet/cerulean/model"
)

// Options say how to drill. The zero value is ready to use.
type Options struct {
	// For is how long the thing stays down; 0 is twice as long as probes need
	// to notice, and two seconds more.
	For time.Duration
	// Grace is how long traffic gets before the failure, and after probes must
	// have noticed it; default 2 seconds.
	Grace time.Duration
	// Steady says how much traffic to make.
	Steady live.SteadyOptions
	// Databases are the failover groups of the network, if it has some.
	Databases Databases
	// Gateways take the requests of expectations, if the network has some.
	Gateways Gateways
	// GroupGrace is how long automatic failover groups wait for their primary in
	// this drill; default [DefaultGroupGrace].
	GroupGrace time.Duration
	// On hears of each stage; nil for nobody.
	On func(Event)
}

// Event is the progress of a drill.
type Event struct {
	Stage string `json:"stage"` // predict, steady, fail, notice, restore, recover
	Text  string `json:"text"`
}

// How long the stages before and after the failure take.
const (
	settleLimit  = 30 * time.Second // for all traffic to begin
	graceDefault = 2 * time.Second
	// recoverLimit is how long after the restoration a flow may take: TCP waits
	// longer and longer between two tries of a segment.
	recoverLimit = 90 * time.Second
	// busyLimit is the same on a machine that is too busy to be measured.
	busyLimit = 5 * time.Second
	look      = 50 * time.Millisecond
	// breath is between two looks at the clock in a pause; twice as much counts of a
	// time in which the machine stood still.
	breath = 10 * time.Millisecond
)

// Run drills a running network: it predicts, makes traffic, takes the target
// down, waits, brings it back, waits for the traffic, and reports. However it
// ends, the target is back. An interrupted drill reports what it saw so far, and
// the context's error.
func Run(ctx context.Context, n *live.Network, exps []model.Expectation, target Target, o Options) (*Report, error) {
	if o.Grace <= 0 {
		o.Grace = graceDefault
	}
	if o.GroupGrace == 0 {
		o.GroupGrace = DefaultGroupGrace
	}
	if o.GroupGrace < 0 {
		return nil, fmt.Errorf("a grace period of %s: use a time above 0", o.GroupGrace)
	}
	if o.For < 0 {
		return nil, fmt.Errorf("a failure of %s: use a time above 0", o.For)
	}
	say := func(stage, format string, args ...any) {
		if o.On != nil {
			o.On(Event{stage, fmt.Sprintf(format, args...)})
		}
	}
	if _, err := target.Failure(n.Declared()); err != nil {
		return nil, err
	}
	if err := n.Probed(ctx); err != nil {
		return nil, err
	}
	// What is predicted follows from the network as it is: with what is down
	// already, and what probes have found.
	img, already := n.Image(), n.Failed()
	failure, err := target.Failure(img)
	if err != nil {
		return nil, err
	}
	r := &Report{Target: target.String(), Pace: n.Pace(), Already: already.Name, network: n}
	r.predictions = Predict(img, exps, &failure)
	failure.Cuts = append(failure.Cuts, already.Cuts...)
	r.cut = len(failure.Cuts) > 0
	say("predict", "%s", r.predicted())

	machine := watchStalls()
	defer machine.end()
	groups := drillGroups(ctx, n, o.Databases, &failure, o.GroupGrace)
	defer groups.end()
	if o.Databases != nil {
		defer o.Databases.SetGrace(o.GroupGrace)()
	}
	requests := load(n, o.Gateways, exps, o.Steady.Patience)
	defer requests.end()
	detect := noticing(n)
	hold := o.For
	if hold == 0 {
		hold = max(2*detect+o.Grace, groups.holding(), 2*requests.within()+o.Grace)
	}
	r.Detect = detect
	names := watchNames(n)
	defer names.end()
	steady := n.Steady(exps, o.Steady)
	defer steady.Stop()
	var m Moments
	m.Begun = time.Now()
	base := steady.Calibrate()
	if err := begun(ctx, steady, o.Grace); err != nil {
		return nil, err
	}
	// On a slow machine answers that are under way when the thing fails come later.
	late := steady.Calibrate() - base
	if o.For == 0 {
		hold += 2 * late
	}
	flows := steady.Flows()
	say("steady", "%d flows", len(flows))

	before := n.Health()
	m.Failed = time.Now()
	restore := n.Fail(func(img *fabric.Image) fabric.Failure {
		f, err := target.Failure(img)
		if err != nil {
			return fabric.Failure{Name: target.String()} // the network has no such thing any more
		}
		return f
	})
	defer restore()
	say("fail", "%s is down for %s", target, hold)
	notice := min(detect+o.Grace/2+late, hold*3/4)
	err = pause(ctx, notice)
	m.Noticed = time.Now()
	if err == nil {
		err = pause(ctx, hold-notice)
	}
	health := n.Health()
	m.Restored = time.Now()
	r.Held = m.Restored.Sub(m.Failed)
	restore()
	say("restore", "%s is back", target)
	if err == nil {
		err = recovered(ctx, n, steady, requests, names, machine, m, before, o.Grace)
	} else {
		m.Noticed = m.Failed.Add(min(detect+o.Grace/2+late, r.Held*3/4))
	}
	r.Interrupted = err != nil || ctx.Err() != nil
	r.Groups = groups.finish(ctx, m)
	m.Ended = time.Now()
	steady.Stop()
	requests.end()
	r.Requests = requests.report(img, &failure, r.predictions, m, detect)
	names.end()
	r.Names = names.report(m)
	r.finish(img, &failure, steady.Flows(), m, before, health, n.Health())
	r.Busy = machine.end()
	r.unjudge()
	say("recover", "after %s", m.Ended.Sub(m.Restored).Round(time.Millisecond))
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return r, err
}

// noticing is how long probes take, at most, to change a member's state: the
// longest time to the first bad answer, and the answers until the threshold.
func noticing(n *live.Network) time.Duration {
	var most time.Duration
	for _, m := range n.Health() {
		d := time.Duration(float64(m.Probe.Interval)*float64(m.Probe.Threshold+1)/n.Pace()) + live.Patience(&m.Probe, n.Pace())
		most = max(most, d)
	}
	for _, a := range n.NameAnswers(time.Now()) {
		most = max(most, a.Within)
	}
	return most
}

// pause waits for d of time in which this process runs: while the machine stands
// still, neither do probes notice anything nor flows recover.
func pause(ctx context.Context, d time.Duration) error {
	for last := time.Now(); d > 0; {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(min(d, breath)):
		}
		now := time.Now()
		d -= min(now.Sub(last), 2*breath)
		last = now
	}
	return nil
}

// begun waits until every flow had a trial, and a while longer.
func begun(ctx context.Context, s *live.Steady, grace time.Duration) error {
	limit := time.Now().Add(settleLimit)
	for time.Now().Before(limit) {
		if !slices.ContainsFunc(s.Flows(), func(f live.SteadyFlow) bool { return len(f.Spells) == 0 && f.Ended == "" }) {
			break
		}
		if err := pause(ctx, look); err != nil {
			return err
		}
	}
	return pause(ctx, grace)
}

// recovered waits until members are up that were, and all flows that worked
// before the failure, and have not ended, work.
func recovered(ctx context.Context, n *live.Network, s *live.Steady, requests *requestLoad, names *nameWatch, machine *stalls, m Moments, before []live.MemberHealth, grace time.Duration) error {
	up := func(list []live.MemberHealth) (out []string) {
		for _, x := range list {
			if x.Up {
				out = append(out, x.Balancer+"/"+x.Member+"/"+x.Probe.Name)
			}
		}
		return out
	}
	want := up(before)
	for took := time.Duration(0); took < recoverLimit && (took < busyLimit || !machine.busy.Load()); took = time.Since(m.Restored) {
		ready := true
		have := up(n.Health())
		for _, name := range want {
			ready = ready && slices.Contains(have, name)
		}
		for _, f := range s.Flows() {
			if f.Ended != "" || len(f.Spells) == 0 {
				continue
			}
			if f.Kind == live.SteadyStream && time.Since(m.Restored) > m.Restored.Sub(m.Failed)+grace {
				continue // TCP has tried again since: it is stuck
			}
			worked := slices.ContainsFunc(f.Spells, func(x live.Spell) bool { return x.OK && x.From.Before(m.Failed) })
			last := f.Spells[len(f.Spells)-1]
			if worked && (!last.OK || !last.To.After(m.Restored)) {
				ready = false
			}
		}
		if ready && names.back(m) && requests.well(m) {
			return pause(ctx, grace/4)
		}
		if err := pause(ctx, look); err != nil {
			return err
		}
	}
	return nil
}

// ErrWorse is the error of a network that did worse than predicted.
var ErrWorse = errors.New("the network did worse than predicted")
