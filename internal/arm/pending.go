package arm

import (
	"sync"
	"time"
)

// pending remembers which resources still show as being updated. It is for
// show only: the write is durable already, and a restart forgets it.
type pending struct {
	mu   sync.Mutex
	ends map[string]time.Time // by key
}

// maxPending bounds the map; past ends are swept when it is reached.
const maxPending = 4096

func (p *pending) add(key string, now time.Time, d time.Duration) {
	if d <= 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ends == nil {
		p.ends = map[string]time.Time{}
	}
	if len(p.ends) >= maxPending {
		for k, end := range p.ends {
			if !now.Before(end) {
				delete(p.ends, k)
			}
		}
	}
	p.ends[key] = now.Add(d)
}

func (p *pending) has(key string, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	end, ok := p.ends[key]
	if ok && !now.Before(end) {
		delete(p.ends, key)
		return false
	}
	return ok
}
