package waf

import (
	"sync"
	"time"
)

// maxKeys bounds the clients that a rate rule tells apart at a time.
const maxKeys = 1 << 17

// windows count requests in a window that slides: of the fixed window before, the
// part counts that the sliding one still covers ("Rate limiting for Web
// Application Firewall": a sliding window).
type windows struct {
	threshold int
	window    time.Duration

	mu   sync.Mutex
	keys map[string]*counts
}

type counts struct {
	start            time.Time // of the current window
	current, earlier int
}

func newWindows(threshold int, window time.Duration) *windows {
	return &windows{threshold: threshold, window: window, keys: map[string]*counts{}}
}

// beyond counts a request, and reports whether it is beyond the threshold.
func (w *windows) beyond(key string, now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.keys[key]
	if c == nil {
		if len(w.keys) >= maxKeys {
			w.sweep(now)
		}
		c = &counts{start: now}
		w.keys[key] = c
	}
	if age := now.Sub(c.start); age >= 2*w.window {
		*c = counts{start: now}
	} else if age >= w.window {
		c.start, c.earlier, c.current = c.start.Add(w.window), c.current, 0
	}
	c.current++
	left := 1 - float64(now.Sub(c.start))/float64(w.window)
	return float64(c.current)+float64(c.earlier)*left > float64(w.threshold)
}

// sweep forgets the keys that nobody used for two windows; if all were used, the
// counting begins anew for everybody, as memory must end somewhere.
func (w *windows) sweep(now time.Time) {
	for key, c := range w.keys {
		if now.Sub(c.start) >= 2*w.window {
			delete(w.keys, key)
		}
	}
	if len(w.keys) >= maxKeys {
		clear(w.keys)
	}
}
