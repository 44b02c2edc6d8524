package gateway

import (
	"sync"
	"time"
)

// maxKeys bounds the keys that a rate limit tells apart at a time: those that
// have their whole burst again are forgotten first.
const maxKeys = 1 << 17

// limiter is a token bucket for each key.
type limiter struct {
	rate  float64 // tokens a nanosecond
	burst float64

	mu      sync.Mutex
	buckets map[string]*bucket
}

type bucket struct {
	tokens float64
	last   time.Time
}

func newLimiter(l *RateLimit) *limiter {
	per, burst := l.Per, l.Burst
	if per == 0 {
		per = time.Second
	}
	if burst == 0 {
		burst = l.Requests
	}
	return &limiter{rate: float64(l.Requests) / float64(per), burst: float64(burst), buckets: map[string]*bucket{}}
}

// take takes a token, and returns 0, or how long until there is one.
func (l *limiter) take(key string, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buckets[key]
	if b == nil {
		if len(l.buckets) >= maxKeys {
			l.sweep(now)
		}
		b = &bucket{tokens: l.burst, last: now}
		l.buckets[key] = b
	}
	if d := now.Sub(b.last); d > 0 {
		b.tokens = min(b.tokens+float64(d)*l.rate, l.burst)
		b.last = now
	}
	if b.tokens < 1 {
		return max(time.Duration((1-b.tokens)/l.rate), 1)
	}
	b.tokens--
	return 0
}

// sweep forgets the keys that have their whole burst again, and if there is none
// of these, everything: a limit that fails open for a moment is better than one
// that remembers everybody.
func (l *limiter) sweep(now time.Time) {
	for key, b := range l.buckets {
		if b.tokens+float64(now.Sub(b.last))*l.rate >= l.burst {
			delete(l.buckets, key)
		}
	}
	if len(l.buckets) >= maxKeys {
		clear(l.buckets)
	}
}
