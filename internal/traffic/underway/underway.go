package underway

import (
	"context"
	"sync"
)

// Requests are those that a server handles. The zero value has none. It is safe for
// concurrent use.
type Requests struct {
	mu    sync.Mutex
	n     int
	ended bool
	idle  chan struct{} // closed when there is none; nil if nobody waits
}

// Begin counts a request. It reports false after End: the request is not handled.
func (r *Requests) Begin() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return false
	}
	r.n++
	return true
}

// Done says that a request which Begin counted has ended.
func (r *Requests) Done() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.n--; r.n == 0 && r.idle != nil {
		close(r.idle)
		r.idle = nil
	}
}

// Wait waits until no request is under way, or the context ends.
func (r *Requests) Wait(ctx context.Context) {
	if idle := r.none(false); idle != nil {
		select {
		case <-idle:
		case <-ctx.Done():
		}
	}
}

// End lets no request begin any more, and waits until none is under way. Nothing that
// they wait for may last for ever.
func (r *Requests) End() {
	if idle := r.none(true); idle != nil {
		<-idle
	}
}

// none returns what is closed when no request is under way; nil if there is none.
func (r *Requests) none(end bool) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = r.ended || end
	if r.n == 0 {
		return nil
	}
	if r.idle == nil {
		r.idle = make(chan struct{})
	}
	return r.idle
}
