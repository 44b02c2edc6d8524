package live

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A patience ends as a deadline does, after its whole time, in its children too.
func TestWithPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		ctx, cancel := WithPatience(t.Context(), time.Second+7)
		child, stop := context.WithCancel(ctx)
		defer stop()
		<-child.Done()
		if took := time.Since(begin); took != time.Second+7 || !errors.Is(ctx.Err(), context.DeadlineExceeded) || context.Cause(child) != context.DeadlineExceeded {
			t.Error(took, ctx.Err(), context.Cause(child))
		}
		cancel()
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			t.Error(ctx.Err())
		}

		ctx, cancel = WithPatience(t.Context(), time.Second)
		cancel()
		cancel()
		if <-ctx.Done(); ctx.Err() != context.Canceled {
			t.Error(ctx.Err())
		}
		parent, end := context.WithCancel(t.Context())
		ctx, cancel = WithPatience(parent, time.Second)
		defer cancel()
		end()
		if <-ctx.Done(); ctx.Err() != context.Canceled {
			t.Error(ctx.Err())
		}
	})
}

// What the process misses in one go is one part of a patience, not the whole.
func TestPatienceOfAStalledProcess(t *testing.T) {
	over := false
	w := &waiting{left: patienceParts - 1, part: time.Hour, over: func() { over = true }, timer: time.NewTimer(time.Hour)}
	for range patienceParts - 1 {
		if w.next(); over { // however late
			t.Fatal("a part that was late ended all")
		}
	}
	if w.next(); !over {
		t.Error("all parts are over, and it is not")
	}
	over = false
	w.end()
	if w.next(); over {
		t.Error("it ended after nobody waited for it")
	}
}
