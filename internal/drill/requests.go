package drill

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/live"
	"github.com/ceruleannet/cerulean/internal/proof"
	"github.com/ceruleannet/cerulean/model"
)

// Gateways are the gateways of a network, as a drill sends requests through them.
type Gateways interface {
	// ListensAt returns where the gateway of an expectation's request listens, for
	// names that no zone has.
	ListensAt(e *model.Expectation) func(outside bool) []netip.Addr
	// Takes says who takes an expectation's request. ok is false if that is not known.
	Takes(e *model.Expectation) (t Taking, ok bool)
}

// Taking is the pool that takes a request.
type Taking struct {
	Gateway, Pool string
	Members       []netip.Addr // that probes find well
	Named         bool         // some members are names
	// Behind are, by the place of a member that is a gateway itself, those who take the
	// request behind it: without them it is as good as down.
	Behind map[int][]netip.Addr
	// Within is how long the gateway's probes need at most to notice that a member
	// fails.
	Within time.Duration
}

// The load of requests.
const (
	requestEvery    = 50 * time.Millisecond // of one requester, at the most: they wait for no answer
	requestRate     = 50                    // a second, of all of them
	requestPatience = 5 * time.Second       // for an answer, and what the underlay's latency adds
	requesters      = 4                     // of an expectation
	maxUnanswered   = 16                    // requests of one requester at a time
)

// RequestReport is what became of the requests of one expectation that one host sent
// through a gateway.
type RequestReport struct {
	URL, From     string
	Expectation   int
	Gateway, Pool string // empty: not known
	// Members and Lost are how many members were well, and how many of them the
	// failure takes.
	Members, Lost int
	reaches       bool // the failure takes somebody behind a member
	// Within is how long the documented rules let requests fail: until probes have
	// noticed.
	Within time.Duration

	Sent, Failed Counted
	// Longest is the longest time in which every request failed, by when they were
	// sent; LastFailed is when the last one failed that was sent during the failure,
	// after it began. Negative: none.
	Longest, LastFailed time.Duration
	Why                 map[string]int // of requests that failed
	Predicted           Forecast       // once probes have noticed
	Comparison          Comparison
	Said                string
}

// Counted are requests by when they were sent.
type Counted struct {
	Before    int // the failure
	Unnoticed int // while probes need not have noticed it
	Noticed   int // when they must have
	After     int // the restoration
}

func (c *Counted) at(sent time.Time, m Moments, within time.Duration) *int {
	switch {
	case sent.Before(m.Failed):
		return &c.Before
	case !sent.Before(m.Restored):
		return &c.After
	case sent.Before(m.Failed.Add(within)):
		return &c.Unnoticed
	default:
		return &c.Noticed
	}
}

// requestLoad is steady requests under way.
type requestLoad struct {
	ctx   context.Context
	stop  context.CancelFunc
	group sync.WaitGroup
	flows []*requestFlow
	every time.Duration // between two requests of a flow
}

// requestFlow is the requests of one expectation from one host.
type requestFlow struct {
	expectation int
	request     *model.Request
	from        live.Requester
	otherwise   []netip.Addr // where to ask if no zone has the name
	taking      Taking
	known       bool
	patience    time.Duration

	mu   sync.Mutex
	sent []trial
}

// trial is one request.
type trial struct {
	at  time.Time // it was sent
	why string    // it failed; empty if it did not
}

// load begins to send the requests of every expectation that allows some.
func load(n *live.Network, g Gateways, exps []model.Expectation, patience time.Duration) *requestLoad {
	l := &requestLoad{}
	l.ctx, l.stop = context.WithCancel(context.Background())
	if g == nil {
		return l
	}
	if patience <= 0 {
		patience = requestPatience + 4*n.Farthest()
	}
	for i := range exps {
		e := &exps[i]
		if e.Request == nil || e.Verb != model.Allow {
			continue
		}
		from := n.Requesters(e)
		for _, r := range from[:min(len(from), requesters)] {
			f := &requestFlow{expectation: i, request: e.Request, from: r, otherwise: g.ListensAt(e)(r.Outside()), patience: patience}
			f.taking, f.known = g.Takes(e)
			l.flows = append(l.flows, f)
		}
	}
	l.every = max(requestEvery, time.Duration(len(l.flows))*time.Second/requestRate)
	for _, f := range l.flows {
		l.group.Go(func() { f.run(l) })
	}
	return l
}

// run sends one request after the other, and waits for none before the next.
func (f *requestFlow) run(l *requestLoad) {
	ticker := time.NewTicker(l.every)
	defer ticker.Stop()
	free := make(chan struct{}, maxUnanswered)
	for {
		select {
		case free <- struct{}{}:
			l.group.Go(func() {
				f.send(l.ctx)
				<-free
			})
		default: // they do not come back: more would tell nothing
		}
		select {
		case <-l.ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (f *requestFlow) send(ctx context.Context) {
	t := trial{at: time.Now()}
	patience, cancel := live.WithPatience(ctx, f.patience)
	defer cancel()
	got := f.from.Get(patience, f.request.URL, f.otherwise)
	if ctx.Err() != nil {
		return // it was stopped
	}
	var denied *live.DeniedError
	switch {
	case errors.As(got.Err, &denied):
		t.why = denied.Text
	case errors.Is(got.Err, context.DeadlineExceeded):
		t.why = "no answer"
	case got.Err != nil:
		t.why = got.Err.Error()
	case !f.request.Fits(got.Status):
		t.why = strconv.Itoa(got.Status)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sent = append(f.sent, t)
}

// within is the longest time that probes of these gateways need.
func (l *requestLoad) within() (most time.Duration) {
	for _, f := range l.flows {
		most = max(most, f.taking.Within)
	}
	return most
}

// well reports whether the requests that were sent last came back well, where they
// did before the failure.
func (l *requestLoad) well(m Moments) bool {
	for _, f := range l.flows {
		worked, last := false, trial{}
		f.mu.Lock()
		for _, t := range f.sent {
			worked = worked || t.why == "" && t.at.Before(m.Failed)
			if t.at.After(last.at) {
				last = t
			}
		}
		f.mu.Unlock()
		if worked && (last.why != "" || last.at.Before(m.Restored)) {
			return false
		}
	}
	return true
}

// end stops the load and waits until nothing of it is left.
func (l *requestLoad) end() {
	l.stop()
	l.group.Wait()
}

// report says what became of the requests. They have ended.
func (l *requestLoad) report(img *fabric.Image, failure *fabric.Failure, predictions []Prediction, m Moments, detect time.Duration) []RequestReport {
	var out []RequestReport
	for _, f := range l.flows {
		r := RequestReport{
			URL: f.request.URL, From: f.from.Name(), Expectation: f.expectation, Gateway: f.taking.Gateway, Pool: f.taking.Pool,
			Within: max(f.taking.Within, detect), Why: map[string]int{},
		}
		r.lose(img, failure, &f.taking)
		slices.SortFunc(f.sent, func(a, b trial) int { return a.at.Compare(b.at) })
		r.count(f.sent, m)
		r.predictAs(f, f.from.Port(), &predictions[f.expectation], failure)
		r.judge()
		out = append(out, r)
	}
	return out
}

// lose counts the members that a failure takes.
func (r *RequestReport) lose(img *fabric.Image, failure *fabric.Failure, taking *Taking) {
	r.Members = len(taking.Members)
	for i, a := range taking.Members {
		behind, gone := taking.Behind[i], 0
		for _, b := range behind {
			if takes(img, failure, b) {
				gone++
			}
		}
		r.reaches = r.reaches || gone > 0
		if takes(img, failure, a) || gone > 0 && gone == len(behind) {
			r.Lost++
		}
	}
}

// takes reports whether a failure takes who has an address.
func takes(img *fabric.Image, f *fabric.Failure, a netip.Addr) bool {
	v := fabric.AddrValue(a)
	return slices.ContainsFunc(f.Ports, func(p fabric.PortID) bool { return img.Sets[img.Ports[p].Addrs].Contains(v) })
}

// count counts requests, in the order in which they were sent.
func (r *RequestReport) count(sent []trial, m Moments) {
	r.Longest, r.LastFailed = never, never
	var since time.Time // all failed that were sent since
	for _, t := range sent {
		*r.Sent.at(t.at, m, r.Within)++
		if t.why == "" {
			since = time.Time{}
			continue
		}
		*r.Failed.at(t.at, m, r.Within)++
		r.Why[t.why]++
		if since.IsZero() {
			since = t.at
		}
		r.Longest = max(r.Longest, t.at.Sub(since))
		if !t.at.Before(m.Failed) && t.at.Before(m.Restored) {
			r.LastFailed = t.at.Sub(m.Failed)
		}
	}
}

// predictAs says what should become of requests from a port once probes have noticed.
func (r *RequestReport) predictAs(f *requestFlow, from fabric.PortID, p *Prediction, failure *fabric.Failure) {
	switch {
	case slices.Contains(failure.Ports, from):
		r.Predicted, r.Said = Fails, "who asks is down"
	case len(failure.Cuts) > 0 || len(failure.Probes) > 0:
		r.Predicted, r.Said = Unknown, "links and probes that fail are not followed into gateways"
	case p.After != proof.Holds && !(f.request != nil && f.request.FrontDoor != "" && f.from.Outside()):
		// Who is outside, as the edges of a front door are, passes nothing before them.
		r.Predicted, r.Said = Fails, p.Why
		if p.After == proof.Unknown || p.Before != proof.Holds {
			r.Predicted = Unknown
		}
	case !f.known || f.taking.Named:
		r.Predicted, r.Said = Unknown, "who takes them behind the gateway is not known"
	case r.Lost > 0 && r.Lost == r.Members:
		r.Predicted, r.Said = Fails, "no member of the pool is left"
	default:
		r.Predicted = Works
	}
}

// fewFail is one of how many requests may fail before the failure: more say that
// something else is wrong, a machine that is too busy for example.
const fewFail = 20

// judge holds what became of requests against what should have become of them: a
// member that dies costs requests until probes have noticed, and none from then on; a
// failure that takes no member costs none at all.
func (r *RequestReport) judge() {
	r.Comparison = NotJudged
	switch {
	case r.Predicted == Unknown:
	case r.Failed.Before*fewFail > r.Sent.Before || r.Sent.Before == 0:
		r.Said = "too many of them failed before the failure"
	case r.Predicted == Fails && r.Sent.Noticed > 0 && r.Failed.Noticed == 0:
		r.Comparison = Better
	case r.Predicted == Fails:
		r.Comparison = AsPredicted
	case r.Failed.Noticed > 0:
		r.Comparison, r.Said = Worse, "requests failed when probes must have noticed"
	case r.Lost == 0 && !r.reaches && r.Members > 0 && r.Failed.Unnoticed > 0:
		r.Comparison, r.Said = Worse, "requests failed although no member of theirs did"
	case r.Sent.Noticed == 0:
		r.Said = tooShort
	default:
		r.Comparison = AsPredicted
	}
}
