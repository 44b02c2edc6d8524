package gateway

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A breaker opens at its share of failures, and the member is asked no more.
func TestBreaker(t *testing.T) {
	var asked atomic.Int64
	g := guarded(t, Policy{Breaker: &Breaker{Requests: 4, Failures: 0.5, Interval: time.Hour, Open: time.Hour}}, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/x" {
			return // a probe
		}
		if asked.Add(1)%2 == 0 {
			w.WriteHeader(500)
		}
	})
	var got []int
	for range 6 {
		resp := do(t, g, "GET", nil)
		<-g.told // the answer may be there before it was counted
		got = append(got, resp.StatusCode)
		if resp.StatusCode == 503 && resp.Header.Get("Retry-After") != "3600" {
			t.Errorf("Retry-After %q", resp.Header.Get("Retry-After"))
		}
	}
	for i, want := range []int{200, 500, 200, 500, 503, 503} {
		if got[i] != want {
			t.Fatalf("answers %v", got)
		}
	}
	if asked.Load() != 4 {
		t.Errorf("the member was asked %d times", asked.Load())
	}
}

func TestBreakerOfDocument(t *testing.T) {
	at := func(pointer string) Place { return Place("net.yaml" + pointer) }
	p, err := PolicyOf(map[string]any{"breaker": map[string]any{"requests": 5, "failures": 0.25, "open": "10s"}}, at)
	if err != nil || p.Breaker == nil || p.Breaker.Requests != 5 || p.Breaker.Open != 10*time.Second {
		t.Fatalf("%+v %v", p.Breaker, err)
	}
	for _, doc := range []map[string]any{{"breaker": map[string]any{"wrong": 1}}, {"nonsense": true}, {"maxBody": "much"}} {
		if _, err := PolicyOf(doc, at); err == nil || !strings.Contains(err.Error(), "net.yaml") {
			t.Errorf("%v: %v", doc, err)
		}
	}
}
