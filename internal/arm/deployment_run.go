package arm

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ceruleannet/cerulean/internal/template"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
	"github.com/google/uuid"
)

// maxNestedDeployments is how deep deployments may be within deployments; the
// bound is ours.
const maxNestedDeployments = 10

// depthKey is the context's key for how deep a deployment is nested.
type depthKey struct{}

func depthOf(ctx context.Context) int {
	n, _ := ctx.Value(depthKey{}).(int)
	return n
}

// run is a deployment under way. Several of its resources are written at a time;
// mu guards what they leave.
type run struct {
	c     *call
	ro    *rollout
	began time.Time
	// parallel is how many resources are written at a time.
	parallel int
	stop     chan struct{} // closed to write nothing more
	over     chan struct{} // closed once what became of it is stored

	mu      sync.Mutex
	stopped *wire.Error // why, once stop is closed
	steps   []*step
	written []string // IDs of what was written, those of nested deployments too
	failed  map[*template.Resource]wire.Error
	outputs map[string]any
	failure *wire.Error
	state   string

	// evaluating serializes what the template still has to evaluate: its scopes
	// are not made for more than one at a time.
	evaluating sync.Mutex
}

// step is an operation of a deployment.
type step struct {
	name, what string
	id         model.ID
	tracking   string
	began      time.Time
	ended      time.Time // zero while it runs
	status     int
	err        *wire.Error
}

// maxParallelWrites is how many resources a deployment writes at a time; the
// bound is ours.
const maxParallelWrites = 8

func newRun(c *call, ro *rollout) *run {
	return &run{
		c: c, ro: ro, began: c.s.now(), parallel: 1, stop: make(chan struct{}), over: make(chan struct{}),
		failed: map[*template.Resource]wire.Error{}, state: stateRunning,
	}
}

func (r *run) ended() bool { return r.state != stateRunning }

// halt makes the deployment write nothing more, and says why.
func (r *run) halt(why wire.Error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped == nil {
		r.stopped = &why
		close(r.stop)
	}
}

// halted returns why the deployment was stopped, if it was.
func (r *run) halted() *wire.Error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stopped
}

// all writes the resources, each after what it depends on, those that do not
// depend on each other at the same time. A failure keeps what depends on it from
// being written and nothing else; what was written stays.
func (r *run) all() {
	r.write()
	switch why := r.halted(); {
	case why == nil:
	case why.Code == codeDeploymentStopped:
		return // the next server goes on
	default:
		r.end(stateCanceled, why)
		return
	}
	details := r.details()
	if len(details) == 0 && r.ro.mode == "Complete" {
		details = r.removeOthers()
	}
	if len(details) == 0 {
		s := r.start("EvaluateDeploymentOutput", model.ID{})
		outputs, err := r.ro.plan.Outputs(r)
		if err != nil {
			details = append(details, asFault(err).Err)
		}
		r.outputs = outputs
		if len(outputs) > 0 || err != nil {
			r.finish(s, http.StatusOK, details)
		} else {
			r.forget(s)
		}
	}
	if len(details) == 0 {
		r.end(stateSucceeded, nil)
		return
	}
	r.end(stateFailed, &wire.Error{
		Code: codeDeploymentFailed, Target: r.ro.id.String(), Details: details,
		Message: "At least one resource deployment operation failed. Please list deployment operations for details. Please see https://aka.ms/arm-deployment-operations for usage details.",
	})
}

// write writes the resources in the order of their dependencies.
func (r *run) write() {
	waits, then := map[*template.Resource]int{}, map[*template.Resource][]*template.Resource{}
	var ready []*template.Resource
	for _, res := range r.ro.plan.Resources {
		waits[res] = len(res.DependsOn)
		for _, d := range res.DependsOn {
			then[d] = append(then[d], res)
		}
		if len(res.DependsOn) == 0 {
			ready = append(ready, res)
		}
	}
	done := make(chan *template.Resource)
	for running := 0; ; {
		for running < r.parallel && len(ready) > 0 && r.halted() == nil {
			res := ready[0]
			ready = ready[1:]
			running++
			go func() {
				r.one(res)
				done <- res
			}()
		}
		if running == 0 {
			return
		}
		res := <-done
		running--
		for _, next := range then[res] {
			if waits[next]--; waits[next] == 0 {
				ready = append(ready, next)
			}
		}
	}
}

// details are the failures, in the order of the template.
func (r *run) details() []wire.Error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []wire.Error
	for _, res := range r.ro.plan.Resources {
		if e, ok := r.failed[res]; ok && e.Code != "" {
			out = append(out, e)
		}
	}
	return out
}

func (r *run) end(st string, failure *wire.Error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state, r.failure = st, failure
}

// one writes one resource.
func (r *run) one(res *template.Resource) {
	r.mu.Lock()
	for _, d := range res.DependsOn {
		if _, failed := r.failed[d]; failed {
			r.failed[res] = wire.Error{} // not a failure of its own
			r.mu.Unlock()
			return
		}
	}
	r.mu.Unlock()
	if res.Existing {
		return
	}
	s := r.start("Create", res.ID)
	r.evaluating.Lock()
	doc, err := res.Document(r)
	r.evaluating.Unlock()
	status := http.StatusBadRequest
	var f *Fault
	if err != nil {
		f = asFault(err)
	} else {
		status, f = r.put(res, doc)
	}
	if f != nil {
		r.mu.Lock()
		r.failed[res] = f.Err
		r.mu.Unlock()
		r.finish(s, f.Status, []wire.Error{f.Err})
		return
	}
	r.finish(s, status, nil)
}

// put writes a resource as a client does.
func (r *run) put(res *template.Resource, doc map[string]any) (int, *Fault) {
	a, f := r.c.inner(http.MethodPut, res.ID.String(), res.APIVersion, doc)
	if f != nil {
		return 0, f
	}
	if !res.ID.Is(typeDeployment) {
		r.wrote(text(a.body, "id"))
		r.await(a.header.Get("Azure-AsyncOperation"))
		return a.status, nil
	}
	// A nested deployment has ended when its PUT is answered.
	e, ok := r.c.s.store.View().Get(res.ID)
	if !ok {
		return 0, notFound(res.ID, false)
	}
	p := e.Resource.Properties()
	for _, o := range objects(p, "outputResources") {
		r.wrote(text(o, "id"))
	}
	if st := text(p, "provisioningState"); st != stateSucceeded {
		var inner wire.Error
		if b, err := json.Marshal(p["error"]); err == nil {
			_ = json.Unmarshal(b, &inner) // what is missing stays empty
		}
		f := fault(http.StatusConflict, codeResourceFailure, "The resource write operation failed to complete successfully, because it reached terminal provisioning state '%s'.", st)
		f.Err.Target, f.Err.Details = res.ID.String(), []wire.Error{inner}
		return 0, f
	}
	return a.status, nil
}

func (r *run) wrote(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.written = append(r.written, id)
}

// await waits until an operation ends: what depends on a resource is written
// once it is there.
func (r *run) await(operation string) {
	name, _, _ := strings.Cut(lastSegment(operation), "?")
	_, end, ok := r.c.s.operations.parse(name)
	if !ok {
		return
	}
	left := end.Sub(r.c.s.now())
	if left <= 0 {
		return
	}
	t := time.NewTimer(left)
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.stop:
	}
}

// start records an operation of the deployment as under way.
func (r *run) start(what string, id model.ID) *step {
	s := &step{
		name: strings.ToUpper(strings.ReplaceAll(uuid.NewString(), "-", ""))[:16],
		what: what, id: id, tracking: uuid.NewString(), began: r.c.s.now(),
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.steps = append(r.steps, s)
	return s
}

// finish records how an operation ended.
func (r *run) finish(s *step, status int, errs []wire.Error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.ended, s.status = r.c.s.now(), status
	if len(errs) > 0 {
		s.err = &errs[0]
	}
}

// forget takes an operation back that did nothing.
func (r *run) forget(s *step) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.steps = slices.DeleteFunc(r.steps, func(o *step) bool { return o == s })
}

// stepBodies are the operations as they are shown.
func (r *run) stepBodies() []any {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]any, len(r.steps))
	for i, s := range r.steps {
		until, st, code := s.ended, stateSucceeded, strings.ReplaceAll(http.StatusText(s.status), " ", "")
		p := map[string]any{"provisioningOperation": s.what, "trackingId": s.tracking}
		switch {
		case until.IsZero():
			until, st, code = r.c.s.now(), stateRunning, "Accepted"
		case s.err != nil:
			st = stateFailed
			p["statusMessage"] = map[string]any{"status": stateFailed, "error": errorObject(*s.err)}
		}
		p["provisioningState"], p["statusCode"], p["timestamp"], p["duration"] = st, code, stamp(until), isoDuration(until.Sub(s.began))
		if !s.id.IsZero() {
			p["targetResource"] = basicResource(s.id)
		}
		out[i] = map[string]any{"id": r.ro.id.String() + "/operations/" + s.name, "operationId": s.name, "properties": p}
	}
	return out
}

// removeOthers deletes what is in the resource group and not in the template
// (mode Complete). What others still use goes after them.
func (r *run) removeOthers() []wire.Error {
	left := r.others()
	for len(left) > 0 {
		var again []model.ID
		var last []wire.Error
		var steps []*step
		for _, id := range left {
			s := r.start("Delete", id)
			a, f := r.c.inner(http.MethodDelete, id.String(), r.c.version, nil)
			if f != nil {
				again, last, steps = append(again, id), append(last, f.Err), append(steps, s)
				continue
			}
			r.await(a.header.Get("Azure-AsyncOperation"))
			r.finish(s, http.StatusOK, nil)
		}
		if len(again) == len(left) {
			for i, s := range steps {
				r.finish(s, http.StatusConflict, last[i:i+1])
			}
			return last
		}
		for _, s := range steps {
			r.forget(s) // it is tried again
		}
		left = again
	}
	return nil
}

// others are the top-level resources of the group that were not written.
func (r *run) others() []model.ID {
	mine := map[string]bool{}
	for _, id := range r.written {
		mine[strings.ToLower(id)] = true
		for up := model.MustParseID(id).Parent(); !up.IsZero(); up = up.Parent() {
			mine[up.Key()] = true
		}
	}
	var out []model.ID
	for e := range r.c.s.store.View().List(r.ro.scope.Key()+"/", "") {
		id := e.Resource.ID
		k := r.c.s.kinds[strings.ToLower(id.Type())]
		if k == nil || !k.tracked() || !id.Parent().Equal(r.ro.scope) || mine[id.Key()] {
			continue
		}
		out = append(out, id)
	}
	return out
}

var _ template.Runtime = (*run)(nil)

// Reference implements [template.Runtime] by a GET.
func (r *run) Reference(id model.ID, apiVersion string) (map[string]any, error) {
	a, f := r.c.inner(http.MethodGet, id.String(), apiVersion, nil)
	if f != nil {
		return nil, f
	}
	return a.body, nil
}

// List implements [template.Runtime] by a POST.
func (r *run) List(id model.ID, action, apiVersion string, body any) (any, error) {
	a, f := r.c.inner(http.MethodPost, id.String()+"/"+action, apiVersion, body)
	if f != nil {
		return nil, f
	}
	return a.body, nil
}
