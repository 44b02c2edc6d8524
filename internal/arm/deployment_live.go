package arm

import (
	"context"
	"strings"
	"sync"

	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
	"github.com/google/uuid"
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

// close stops all deployments, waits until none writes any more, and lets none
// begin.
func (rs *rollouts) close() {
	rs.mu.Lock()
	rs.closed = true
	for _, r := range rs.runs {
		r.halt(interrupted(r.ro.id))
	}
	rs.mu.Unlock()
	rs.all.Wait()
}

// Close stops the deployments under way and waits until they have: what each had
// written is there, and it is told as failed. [Server.Serve] closes the server
// when it ends.
func (s *Server) Close() { s.rollouts.close() }

// interrupted is why a deployment ended that the server's end cut off.
func interrupted(id model.ID) wire.Error {
	return wire.Error{
		Code: codeDeploymentFailed, Target: id.String(), Message: "The deployment did not end.",
		Details: []wire.Error{{Code: codeDeploymentStopped, Message: "The server stopped while the deployment ran. What it had written is there; deploy the template again to write the rest."}},
	}
}

// carryOn runs an accepted deployment to its end, and writes what became of it.
func (r *run) carryOn() *Fault {
	r.all()
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

// endDeployments marks deployments that ran when the server stopped as failed:
// what they wrote is there, and nobody writes the rest.
func (s *Server) endDeployments() error {
	var cut []*model.Resource
	for _, e := range findExact(s.store.View(), termType+strings.ToLower(typeDeployment)) {
		if text(e.Resource.Properties(), "provisioningState") == stateRunning {
			cut = append(cut, e.Resource)
		}
	}
	if len(cut) == 0 {
		return nil
	}
	_, err := s.store.Update(state.Actor{At: s.now(), Who: "cerulean", Request: uuid.NewString()}, func(tx *state.Tx) error {
		for _, r := range cut {
			doc, _ := model.CloneJSON(r.Doc).(map[string]any)
			p := object(doc, "properties")
			p["provisioningState"] = stateFailed
			p["error"] = errorObject(interrupted(r.ID))
			if err := tx.Put(&model.Resource{ID: r.ID, Doc: doc}); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}
