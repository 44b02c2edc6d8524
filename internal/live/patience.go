package live

import (
	"context"
	"sync"
	"time"
)

// patienceParts is in how many parts a patience is waited for: what the process
// misses in one go counts as one of them.
const patienceParts = 32

// WithPatience is [context.WithTimeout] for what another goroutine of this process
// must answer: time in which the process does not run counts little, as the one who
// should answer has it as little. Without this a machine that stands still for a
// second makes every answer late that was on its way.
func WithPatience(parent context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	part := d / patienceParts
	w := &waiting{left: patienceParts - 1, part: part, over: func() { cancel(context.DeadlineExceeded) }}
	w.mu.Lock()
	w.timer = time.AfterFunc(d-part*(patienceParts-1), w.next)
	w.mu.Unlock()
	return patient{ctx}, func() {
		w.end()
		cancel(nil)
	}
}

// patient is a context whose end is a deadline's, though it knows none beforehand.
type patient struct{ context.Context }

// Err implements [context.Context].
func (p patient) Err() error {
	if context.Cause(p.Context) == context.DeadlineExceeded {
		return context.DeadlineExceeded
	}
	return p.Context.Err()
}

// waiting waits for the parts of a patience, one after the other.
type waiting struct {
	part time.Duration
	over func()

	mu    sync.Mutex
	timer *time.Timer
	left  int // -1: nobody waits any longer
}

func (w *waiting) next() {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.left > 0:
		w.left--
		w.timer.Reset(w.part)
	case w.left == 0:
		w.over()
	}
}

func (w *waiting) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.left = -1
	w.timer.Stop()
}
