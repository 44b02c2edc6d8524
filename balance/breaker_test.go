package balance_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ceruleannet/cerulean/balance"
)

var errDown = errors.New("down")

func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var changes []string
		b := balance.NewBreaker(balance.BreakerOptions{
			Name: "db", MinRequests: 4, FailureRatio: 0.5, Interval: 10 * time.Second, Timeout: 30 * time.Second, Probes: 2,
			OnChange: func(name string, from, to balance.BreakerState) {
				changes = append(changes, fmt.Sprint(name, ": ", from, " to ", to))
			},
		})
		do := func(err error) error {
			ticket, refused := b.Acquire(t.Context())
			if refused != nil {
				return refused
			}
			ticket.Done(err)
			return nil
		}
		state := func(want balance.BreakerState) {
			t.Helper()
			if s, c, _ := b.State(); s != want {
				t.Fatalf("%s, want %s: %+v", s, want, c)
			}
		}
		do(errDown)
		do(errDown)
		do(errDown)
		state(balance.Closed) // too few requests to say
		time.Sleep(10 * time.Second)
		if _, c, n := b.State(); c.Requests != 0 || c.ConsecutiveFailures != 3 || n != 1 {
			t.Errorf("another interval: %+v %d", c, n)
		}
		do(nil)
		do(nil)
		do(errDown)
		do(context.Canceled) // nobody's fault
		state(balance.Closed)
		late, _ := b.Acquire(t.Context())
		do(errDown)
		state(balance.Open)
		if err := do(nil); !errors.Is(err, balance.ErrOpen) {
			t.Error(err)
		}
		time.Sleep(30 * time.Second)
		state(balance.HalfOpen)
		late.Done(errDown) // of an earlier generation
		state(balance.HalfOpen)
		one, _ := b.Acquire(t.Context())
		two, _ := b.Acquire(t.Context())
		if err := do(nil); !errors.Is(err, balance.ErrOpen) {
			t.Error("a third request while half-open:", err)
		}
		one.Done(nil)
		two.Done(errDown)
		state(balance.Open)
		time.Sleep(30 * time.Second)
		do(nil)
		state(balance.HalfOpen)
		do(nil)
		state(balance.Closed)
		if got, want := fmt.Sprint(changes), "[db: closed to open db: open to half-open db: half-open to open db: open to half-open db: half-open to closed]"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

func TestBreakerInRow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := balance.NewBreaker(balance.BreakerOptions{ConsecutiveFailures: 3, MinRequests: 1000})
		for range 3 {
			_, _ = balance.Guard(t.Context(), b, func(context.Context) (int, error) { return 0, errDown })
			time.Sleep(20 * time.Second) // intervals do not matter
		}
		if s, _, _ := b.State(); s != balance.Open {
			t.Error(s)
		}
	})
}

func TestGuard(t *testing.T) {
	b := balance.NewBreaker(balance.BreakerOptions{MinRequests: 1})
	if v, err := balance.Guard(t.Context(), b, func(context.Context) (int, error) { return 7, nil }); v != 7 || err != nil {
		t.Error(v, err)
	}
	func() {
		defer func() { _ = recover() }()
		_, _ = balance.Guard(t.Context(), b, func(context.Context) (int, error) { panic("no") })
	}()
	if s, c, _ := b.State(); s != balance.Open || c.Requests != 0 {
		t.Errorf("after a panic: %s %+v", s, c)
	}
	if _, err := balance.Guard(t.Context(), b, func(context.Context) (int, error) { return 7, nil }); !errors.Is(err, balance.ErrOpen) {
		t.Error(err)
	}
}

func TestBreakers(t *testing.T) {
	b := balance.NewBreakers[string](balance.BreakerOptions{MinRequests: 1}, 3)
	ticket, _ := b.Of("bad").Acquire(t.Context())
	ticket.Done(errDown)
	for i := range 50 {
		b.Of(fmt.Sprint(i))
	}
	if s, _, _ := b.Of("bad").State(); s != balance.Open {
		t.Error("an open breaker was forgotten before closed ones")
	}
	if first := b.Of("x"); b.Of("x") != first {
		t.Error("two breakers of one key")
	}
}

// Whatever happens at once, half-open lets no more pass than it may.
func TestBreakerConcurrent(t *testing.T) {
	b := balance.NewBreaker(balance.BreakerOptions{MinRequests: 1, Timeout: time.Nanosecond, Probes: 1})
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for i := range 2000 {
				ticket, err := b.Acquire(t.Context())
				if err != nil {
					continue
				}
				if (i+g)%2 == 0 {
					err = errDown
				}
				ticket.Done(err)
			}
		})
	}
	all.Wait()
	for range 100 {
		if ticket, err := b.Acquire(t.Context()); err == nil {
			ticket.Done(nil)
		}
	}
	if s, _, _ := b.State(); s != balance.Closed {
		t.Error("a request was lost on the way:", s)
	}
}

func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := balance.NewBudget(0.2, 0)
		if b.Retry() {
			t.Error("a retry before any request")
		}
		for range 5 {
			b.Request()
		}
		if !b.Retry() || b.Retry() {
			t.Error("five requests are worth one retry")
		}
		for range 50 {
			b.Request()
		}
		time.Sleep(time.Minute)
		if b.Retry() {
			t.Error("unspent retries last for ever")
		}
		free := balance.NewBudget(0, 1)
		time.Sleep(time.Minute)
		n := 0
		for free.Retry() {
			n++
		}
		if n != 10 {
			t.Errorf("%d retries after a quiet minute at one a second, of which ten seconds count", n)
		}
	})
}

func TestRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		f := func(context.Context) (int, error) {
			if calls++; calls < 3 {
				return 0, errDown
			}
			return calls, nil
		}
		start := time.Now()
		if v, err := balance.Retry(t.Context(), balance.RetryPolicy{Backoff: time.Second}, f); v != 3 || err != nil {
			t.Error(v, err)
		}
		if d := time.Since(start); d < 1500*time.Millisecond || d > 3*time.Second {
			t.Error("waited", d)
		}
		calls = 0
		if _, err := balance.Retry(t.Context(), balance.RetryPolicy{Attempts: 2}, f); !errors.Is(err, errDown) || calls != 2 {
			t.Error(calls, err)
		}
		calls = 0
		if _, err := balance.Retry(t.Context(), balance.RetryPolicy{Retriable: func(error) bool { return false }}, f); !errors.Is(err, errDown) || calls != 1 {
			t.Error(calls, err)
		}
		calls = 0
		if _, err := balance.Retry(t.Context(), balance.RetryPolicy{Budget: balance.NewBudget(0.1, 0)}, f); !errors.Is(err, errDown) || calls != 1 {
			t.Error("without a budget:", calls, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		calls = 0
		if _, err := balance.Retry(ctx, balance.RetryPolicy{Backoff: time.Hour, Most: time.Hour}, f); !errors.Is(err, errDown) || calls != 1 {
			t.Error("beyond the context:", calls, err)
		}
	})
}

func TestHedge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		calls, ended := 0, 0
		f := func(takes ...time.Duration) func(context.Context) (int, error) {
			calls, ended = 0, 0
			return func(ctx context.Context) (int, error) {
				mu.Lock()
				n := calls
				calls++
				mu.Unlock()
				defer func() { mu.Lock(); ended++; mu.Unlock() }()
				select {
				case <-time.After(takes[n]):
					return n, nil
				case <-ctx.Done():
					return 0, ctx.Err()
				}
			}
		}
		start := time.Now()
		if v, err := balance.Hedge(t.Context(), time.Second, 3, nil, f(time.Hour, 10*time.Millisecond, 0)); v != 1 || err != nil || time.Since(start) != 1010*time.Millisecond {
			t.Error(v, err, time.Since(start))
		}
		if calls != 2 || ended != 2 {
			t.Error("calls left behind:", calls, ended)
		}
		if v, err := balance.Hedge(t.Context(), time.Second, 3, balance.NewBudget(0, 0), f(5*time.Second, 0)); v != 0 || err != nil || calls != 1 {
			t.Error("without a budget:", v, err, calls)
		}
		fails := func(context.Context) (int, error) { return 0, errDown }
		if _, err := balance.Hedge(t.Context(), time.Second, 3, nil, fails); !errors.Is(err, errDown) {
			t.Error(err)
		}
	})
}
