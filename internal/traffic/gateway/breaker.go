package gateway

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/ceruleannet/cerulean/balance"
)

// Breaker stops asking members that fail: while it is open requests get 503 at
// once. Answers of status 500 and above are failures.
type Breaker struct {
	Requests int           // of an interval before the share counts; 0 means 10
	Failures float64       // share of failures that opens it, up to 1; 0 means 0.5
	Interval time.Duration // after which the counts begin anew; 0 means 10 s
	Open     time.Duration // how long it stays open; 0 means 30 s
}

func (k *checker) breaker(at Place, what string, b *Breaker) {
	if b == nil {
		return
	}
	if b.Requests < 0 || b.Requests > maxRate {
		k.add(at, "%s: breaker after %d requests; use 1 to %d", what, b.Requests, maxRate)
	}
	if !(b.Failures >= 0 && b.Failures <= 1) {
		k.add(at, "%s: breaker at a share of %v failures; use more than 0 and up to 1", what, b.Failures)
	}
	k.within(at, what+": breaker: interval", b.Interval, time.Millisecond, day)
	k.within(at, what+": breaker: open", b.Open, time.Millisecond, day)
}

func newBreaker(b *Breaker) *balance.Breaker {
	return balance.NewBreaker(balance.BreakerOptions{MinRequests: uint64(b.Requests), FailureRatio: b.Failures, Interval: b.Interval, Timeout: b.Open})
}

// errAnswered is an answer that counts as a failure.
var errAnswered = errors.New("the answer is a failure")

// guarded asks members unless the breaker is open.
func (x *exchange) guarded(w http.ResponseWriter, r *http.Request, b *balance.Breaker, ask func()) {
	ticket, err := b.Acquire(r.Context())
	if err != nil {
		x.failed = err
		if p := x.state.guards[x.decision.target.name]; p != nil && p.policy.Breaker != nil {
			open := p.policy.Breaker.Open
			if open == 0 {
				open = 30 * time.Second
			}
			w.Header().Set("Retry-After", strconv.Itoa(max(1, int(open/time.Second))))
		}
		respond(w, http.StatusServiceUnavailable)
		return
	}
	ended := errAnswered // also if the handler gives up
	defer func() { ticket.Done(ended) }()
	ask()
	counted, ok := w.(*countedWriter)
	switch {
	case x.record.gone:
		ended = context.Canceled
	case ok && counted.status < http.StatusInternalServerError:
		ended = nil
	}
}
