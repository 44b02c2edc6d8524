package balance

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// ErrOpen means that a circuit breaker refused a request.
var ErrOpen = errors.New("circuit breaker is open")

// BreakerState is the state of a circuit breaker.
type BreakerState uint8

// The states.
const (
	Closed   BreakerState = iota // requests pass
	Open                         // requests are refused
	HalfOpen                     // a few pass, to see
)

// String returns the state's name.
func (s BreakerState) String() string { return [...]string{"closed", "open", "half-open"}[s] }

// Counts are what happened in one generation of a breaker: since its state
// changed, or since its interval began.
type Counts struct {
	Requests, Successes, Failures uint64
	// In a row, up to now.
	ConsecutiveSuccesses, ConsecutiveFailures uint64
}

// BreakerOptions configure a [Breaker]. The zero value has the defaults.
type BreakerOptions struct {
	Name string // for people
	// MinRequests is how many requests of an interval must have ended before
	// FailureRatio counts; 0 means 10. One failure in a quiet night trips nothing.
	MinRequests uint64
	// FailureRatio is the share of failures, above 0 and up to 1, at which the
	// breaker opens; 0 means 0.5.
	FailureRatio float64
	// ConsecutiveFailures opens the breaker by itself; 0 means never.
	ConsecutiveFailures uint64
	// Interval is how often the counts of a closed breaker begin anew; 0 means
	// 10 s.
	Interval time.Duration
	// Timeout is how long the breaker stays open; 0 means 30 s.
	Timeout time.Duration
	// Probes is how many requests pass at a time while it is half-open, and how
	// many must succeed in a row to close it; 0 means 1.
	Probes uint64
	// Failed reports whether an error counts as a failure; nil means every error
	// does, but that of a request its caller gave up, which counts as nothing.
	Failed func(error) bool
	// OnChange hears of every change of state. It is called with the breaker
	// locked and must not call it.
	OnChange func(name string, from, to BreakerState)
}

func (o BreakerOptions) withDefaults() BreakerOptions {
	if o.MinRequests == 0 {
		o.MinRequests = 10
	}
	if o.FailureRatio == 0 {
		o.FailureRatio = 0.5
	}
	if o.Interval <= 0 {
		o.Interval = 10 * time.Second
	}
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	if o.Probes == 0 {
		o.Probes = 1
	}
	if o.Failed == nil {
		o.Failed = func(error) bool { return true }
	}
	return o
}

// Breaker is a circuit breaker: it refuses requests to something that fails, so
// that it can recover and its callers need not wait for it (Nygard, "Release
// It!"). It is safe for concurrent use. While it is closed a request takes no
// lock.
type Breaker struct {
	options BreakerOptions
	mu      sync.Mutex // for changes of the generation
	now     atomic.Pointer[generation]
}

// generation is a stretch of time in one state. What began in an earlier one
// counts no more.
type generation struct {
	number uint64
	state  BreakerState
	until  time.Time // of an interval, or of being open

	requests, successes, failures atomic.Uint64
	goodInRow, badInRow, underWay atomic.Int64
}

// NewBreaker returns a closed breaker. It panics if an option is out of its
// range.
func NewBreaker(o BreakerOptions) *Breaker {
	if !(o.FailureRatio >= 0 && o.FailureRatio <= 1) {
		panic(fmt.Sprintf("balance: failure ratio %v is not within 0 and 1", o.FailureRatio))
	}
	b := &Breaker{options: o.withDefaults()}
	b.now.Store(&generation{until: time.Now().Add(b.options.Interval)})
	return b
}

// Ticket is a request that a breaker let pass.
type Ticket struct {
	breaker *Breaker
	of      *generation
}

// Acquire asks for a request. Call Done when it has ended. The error is the
// context's or [ErrOpen].
func (b *Breaker) Acquire(ctx context.Context) (Ticket, error) {
	if err := ctx.Err(); err != nil {
		return Ticket{}, err
	}
	g := b.current()
	switch g.state {
	case Open:
		return Ticket{}, ErrOpen
	case HalfOpen:
		if g.underWay.Add(1) > int64(b.options.Probes) {
			g.underWay.Add(-1)
			return Ticket{}, ErrOpen
		}
	}
	g.requests.Add(1)
	return Ticket{b, g}, nil
}

// Done says how a request ended. It must be called once.
func (t Ticket) Done(err error) {
	if t.breaker == nil {
		return
	}
	b, g := t.breaker, t.of
	if g.state == HalfOpen {
		g.underWay.Add(-1)
	}
	switch {
	case err == nil:
		g.successes.Add(1)
		g.badInRow.Store(0)
		if good := g.goodInRow.Add(1); g.state == HalfOpen && good >= int64(b.options.Probes) {
			b.change(g, Closed)
		}
	case errors.Is(err, context.Canceled), !b.options.Failed(err):
	default:
		failures := g.failures.Add(1)
		g.goodInRow.Store(0)
		bad := g.badInRow.Add(1)
		ended := failures + g.successes.Load()
		if g.state == HalfOpen ||
			b.options.ConsecutiveFailures > 0 && uint64(bad) >= b.options.ConsecutiveFailures ||
			ended >= b.options.MinRequests && float64(failures) >= b.options.FailureRatio*float64(ended) {
			b.change(g, Open)
		}
	}
}

// current returns the generation of now.
func (b *Breaker) current() *generation {
	g := b.now.Load()
	if g.state == HalfOpen || time.Now().Before(g.until) {
		return g
	}
	if g.state == Open {
		b.change(g, HalfOpen)
	} else {
		b.change(g, Closed)
	}
	return b.now.Load()
}

// change begins a generation, unless another has begun after g.
func (b *Breaker) change(g *generation, to BreakerState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.now.Load() != g {
		return
	}
	next := &generation{number: g.number + 1, state: to}
	switch to {
	case Closed:
		next.until = time.Now().Add(b.options.Interval)
		if g.state == Closed {
			// Failures in a row may span intervals.
			next.badInRow.Store(g.badInRow.Load())
		}
	case Open:
		next.until = time.Now().Add(b.options.Timeout)
	}
	b.now.Store(next)
	if g.state != to && b.options.OnChange != nil {
		b.options.OnChange(b.options.Name, g.state, to)
	}
}

// State returns the state of now, its counts and its generation's number, which
// grows with each change of state and each interval.
func (b *Breaker) State() (BreakerState, Counts, uint64) {
	g := b.current()
	return g.state, Counts{
		Requests: g.requests.Load(), Successes: g.successes.Load(), Failures: g.failures.Load(),
		ConsecutiveSuccesses: uint64(g.goodInRow.Load()), ConsecutiveFailures: uint64(g.badInRow.Load()),
	}, g.number
}

// Guard calls f if the breaker lets it, and counts its error. A panic counts as
// a failure.
func Guard[T any](ctx context.Context, b *Breaker, f func(context.Context) (T, error)) (T, error) {
	t, err := b.Acquire(ctx)
	if err != nil {
		var zero T
		return zero, err
	}
	failed := true
	defer func() {
		if failed {
			t.Done(errPanic)
		}
	}()
	v, err := f(ctx)
	failed = false
	t.Done(err)
	return v, err
}

var errPanic = errors.New("panic")

// Breakers are circuit breakers by key, all alike: one for each host, route or
// tenant. They are safe for concurrent use.
type Breakers[K comparable] struct {
	options BreakerOptions
	most    int
	mu      sync.RWMutex
	byKey   map[K]*Breaker
}

// NewBreakers returns breakers made as their keys come; most bounds how many
// there are at a time, 0 means 10,000. Beyond it, closed ones are forgotten.
func NewBreakers[K comparable](o BreakerOptions, most int) *Breakers[K] {
	if most <= 0 {
		most = 10_000
	}
	return &Breakers[K]{options: o, most: most, byKey: map[K]*Breaker{}}
}

// Of returns the breaker of a key.
func (b *Breakers[K]) Of(key K) *Breaker {
	b.mu.RLock()
	x := b.byKey[key]
	b.mu.RUnlock()
	if x != nil {
		return x
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if x := b.byKey[key]; x != nil {
		return x
	}
	if len(b.byKey) >= b.most {
		b.forget()
	}
	o := b.options
	if o.Name == "" {
		o.Name = fmt.Sprint(key)
	}
	x = NewBreaker(o)
	b.byKey[key] = x
	return x
}

// forget drops a closed breaker, any one if all are open. The caller holds mu.
func (b *Breakers[K]) forget() {
	var victim K
	found := false
	tries := 16
	for k, x := range b.byKey {
		if !found {
			victim, found = k, true
		}
		if x.now.Load().state == Closed {
			victim = k
			break
		}
		if tries--; tries == 0 {
			break
		}
	}
	delete(b.byKey, victim)
}
