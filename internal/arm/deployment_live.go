package arm

import (
	"context"
	"sync"

	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/model/wire"
)

// rollouts are the deployments that run now, by key.
type rollouts struct {
	mu     sync.Mutex
	runs   map[string]*run
	closed bool
	all    sync.WaitGroup
}

// begin notes a deployment as running, and refuses it once the server closes.
func (rs *rollouts) begin(r *run) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.closed {
		return false
	}
	if rs.runs == nil {
		rs.runs = map[string]*run{}
	}
	rs.runs[r.ro.id.Key()] = r
	rs.all.Add(1)
	return true
}

func (rs *rollouts) end(r *run) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.runs[r.ro.id.Key()] == r {
		delete(rs.runs, r.ro.id.Key())
	}
	close(r.over)
	rs.all.Done()
}

// of returns the deployment that runs under a key, or nil.
func (rs *rollouts) of(key string) *run {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return rs.runs[key]
}

// cancel stops a deployment and reports whether it ran.
func (rs *rollouts) cancel(key string) bool {
	r := rs.of(key)
	if r == nil || r.halted() != nil {
		return false
	}
	r.halt(wire.Error{Code: codeDeploymentCanceled, Message: "The deployment was canceled."})
	return true
}

// finish runs a deployment that began to its end.
func (rs *rollouts) finish(r *run) {
	defer rs.end(r)
	_ = r.carryOn() // a store that cannot be written to leaves it to the next start
}

// close stops all deployments, waits until none writes any more, and lets none
// begin.
func (rs *rollouts) close() {
	rs.mu.Lock()
	rs.closed = true
	for _, r := range rs.runs {
		r.halt(wire.Error{Code: codeDeploymentStopped})
	}
	rs.mu.Unlock()
	rs.all.Wait()
}

// Close stops the deployments under way and waits until they have: what each had
// written is there, and the next server of the store writes the rest.
// [Server.Serve] closes the server when it ends.
func (s *Server) Close() { s.rollouts.close() }

// carryOn runs an accepted deployment to its end, and writes what became of it.
// One that the server's end cuts off stays as it was accepted.
func (r *run) carryOn() *Fault {
	r.all()
	if !r.ended() {
		return nil
	}
	return r.c.update(func(tx *state.Tx) *Fault {
		if !has(tx, r.ro.id) {
			return nil // its group was deleted meanwhile
		}
		return putDocument(tx, r.ro.id, r.document(r.state))
	})
}

// detached is the call as it goes on once its request was answered.
func (c *call) detached() *call {
	return &call{
		s: c.s, r: c.r.Clone(context.WithoutCancel(c.r.Context())), base: c.base, who: c.who,
		request: c.request, version: c.version, subscription: c.subscription,
	}
}
