package underway

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r Requests
		r.Wait(t.Context()) // none: at once
		for range 2 {
			if !r.Begin() {
				t.Fatal("a request does not begin")
			}
		}
		begin := time.Now()
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r.Wait(short)
		if d := time.Since(begin); d != time.Second {
			t.Error("waited", d, "of a second, with two under way")
		}
		r.Done()
		time.AfterFunc(time.Minute, r.Done)
		r.Wait(t.Context())
		if d := time.Since(begin); d != time.Second+time.Minute {
			t.Error("the last ended after", d)
		}
		if !r.Begin() {
			t.Error("waiting lets none begin")
		}
		r.Done()
	})
}

func TestEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r Requests
		r.Begin()
		var ended atomic.Bool
		go func() { r.End(); ended.Store(true) }()
		synctest.Wait()
		if r.Begin() {
			t.Error("a request begins after the end")
		}
		if ended.Load() {
			t.Error("the end did not wait")
		}
		r.Done()
		synctest.Wait()
		if !ended.Load() {
			t.Error("the end waits for nobody")
		}
		r.End() // again
	})
}
