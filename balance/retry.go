package balance

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// Budget bounds retries to a share of the requests, so that retries cannot make
// an overload worse (as in Finagle and Linkerd). It is safe for concurrent use.
type Budget struct {
	share float64
	floor float64 // retries a second that are free

	mu     sync.Mutex
	tokens float64
	last   time.Time
}

// budgetWindow is how long unspent retries last.
const budgetWindow = 10 * time.Second

// NewBudget returns a budget of retries: share of the requests (0.2 is one retry
// for five of them), and perSecond retries beside, so that little traffic can
// retry at all. Either may be 0; negative values count as 0.
func NewBudget(share, perSecond float64) *Budget {
	b := &Budget{share: max(share, 0), floor: max(perSecond, 0), last: time.Now()}
	b.tokens = b.floor
	return b
}

// Request counts a request that is no retry.
func (b *Budget) Request() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.advance(time.Now())
	b.tokens += b.share
}

// Retry takes a retry from the budget, and reports whether there was one.
func (b *Budget) Retry() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.advance(time.Now())
	// Shares add up with rounding errors: five fifths are one.
	if b.tokens < 1-1e-9 {
		return false
	}
	b.tokens--
	return true
}

// advance lets unspent retries fade and adds those that are free.
func (b *Budget) advance(now time.Time) {
	d := now.Sub(b.last)
	if d <= 0 {
		return
	}
	b.last = now
	part := min(float64(d)/float64(budgetWindow), 1)
	most := b.floor * budgetWindow.Seconds()
	b.tokens = b.tokens*(1-part) + most*part
}

// RetryPolicy says how to try again.
type RetryPolicy struct {
	Attempts int           // in all; 0 means 3
	Backoff  time.Duration // before the first retry, doubled for each; 0 means 50 ms
	Most     time.Duration // bounds the wait; 0 means 2 s
	// Budget bounds retries; nil does not.
	Budget *Budget
	// Retriable reports whether an error is worth another try; nil means every
	// error is.
	Retriable func(error) bool
}

// Retry calls f until it succeeds, its error is not worth another try, the
// attempts or the budget are used up, or the context ends. It waits before each
// retry, between half the backoff and all of it by chance. The error is that of
// the last call.
func Retry[T any](ctx context.Context, p RetryPolicy, f func(context.Context) (T, error)) (T, error) {
	if p.Attempts <= 0 {
		p.Attempts = 3
	}
	if p.Backoff <= 0 {
		p.Backoff = 50 * time.Millisecond
	}
	if p.Most <= 0 {
		p.Most = 2 * time.Second
	}
	if p.Budget != nil {
		p.Budget.Request()
	}
	wait := min(p.Backoff, p.Most)
	for attempt := 1; ; attempt++ {
		v, err := f(ctx)
		switch {
		case err == nil, attempt == p.Attempts, ctx.Err() != nil,
			p.Retriable != nil && !p.Retriable(err),
			p.Budget != nil && !p.Budget.Retry():
			return v, err
		}
		timer := time.NewTimer(wait/2 + rand.N(wait/2+1))
		select {
		case <-ctx.Done():
			timer.Stop()
			return v, err
		case <-timer.C:
		}
		wait = min(2*wait, p.Most)
	}
}

// Hedge calls f, and calls it again each time that after passes without an
// answer, up to attempts calls in all, as far as the budget (nil for none)
// allows. The first success wins and the context of the others ends; if all fail,
// the last error counts. It returns when every call it made has: f must heed its
// context. For requests that may safely be made twice (Dean and Barroso, "The
// Tail at Scale").
func Hedge[T any](ctx context.Context, after time.Duration, attempts int, budget *Budget, f func(context.Context) (T, error)) (T, error) {
	type result struct {
		v   T
		err error
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	attempts = max(attempts, 1)
	results := make(chan result, attempts)
	var calls sync.WaitGroup
	defer calls.Wait()
	defer cancel() // before the wait
	call := func() {
		calls.Go(func() {
			v, err := f(ctx)
			results <- result{v, err}
		})
	}
	if budget != nil {
		budget.Request()
	}
	call()
	made, ended := 1, 0
	timer := time.NewTimer(after)
	defer timer.Stop()
	for {
		select {
		case r := <-results:
			ended++
			if r.err == nil || ended == made {
				return r.v, r.err
			}
		case <-timer.C:
			if made == attempts || budget != nil && !budget.Retry() {
				continue
			}
			call()
			made++
			timer.Reset(after)
		}
	}
}
