package arm

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/ceruleannet/cerulean/internal/state"
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

// rollouts are the deployments that run now, with what stops each.
type rollouts struct {
	mu   sync.Mutex
	stop map[string]chan struct{}
}

func (rs *rollouts) begin(key string) <-chan struct{} {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.stop == nil {
		rs.stop = map[string]chan struct{}{}
	}
	stop := make(chan struct{})
	rs.stop[key] = stop
	return stop
}

func (rs *rollouts) end(key string) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	delete(rs.stop, key)
}

// cancel stops a deployment and reports whether it ran.
func (rs *rollouts) cancel(key string) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	stop, ok := rs.stop[key]
	if ok {
		close(stop)
		delete(rs.stop, key)
	}
	return ok
}

// run is a deployment under way.
type run struct {
	c       *call
	ro      *rollout
	began   time.Time
	steps   []any
	written []string // IDs of what was written, those of nested deployments too
	failed  map[*template.Resource]bool
	details []wire.Error
	outputs map[string]any
	failure *wire.Error
	state   string
}

func newRun(c *call, ro *rollout) *run {
	return &run{c: c, ro: ro, began: c.s.now(), failed: map[*template.Resource]bool{}, state: stateRunning}
}

func (r *run) ended() bool { return r.state != stateRunning }

// all writes the resources, each after what it depends on. A failure keeps what
// depends on it from being written and nothing else; what was written stays.
func (r *run) all(stop <-chan struct{}) {
	for _, res := range r.ro.plan.Resources {
		select {
		case <-stop:
			r.end(stateCanceled, &wire.Error{Code: codeDeploymentCanceled, Message: "The deployment was canceled."})
			return
		default:
		}
		r.one(res)
	}
	if len(r.details) == 0 && r.ro.mode == "Complete" {
		r.removeOthers()
	}
	if len(r.details) == 0 {
		began := r.c.s.now()
		outputs, err := r.ro.plan.Outputs(r)
		if err != nil {
			r.details = append(r.details, asFault(err).Err)
		}
		r.outputs = outputs
		if len(outputs) > 0 || err != nil {
			r.step("EvaluateDeploymentOutput", model.ID{}, http.StatusOK, began, r.details)
		}
	}
	if len(r.details) == 0 {
		r.end(stateSucceeded, nil)
		return
	}
	r.end(stateFailed, &wire.Error{
		Code: codeDeploymentFailed, Target: r.ro.id.String(), Details: r.details,
		Message: "At least one resource deployment operation failed. Please list deployment operations for details. Please see https://aka.ms/arm-deployment-operations for usage details.",
	})
}

func (r *run) end(st string, failure *wire.Error) { r.state, r.failure = st, failure }

// one writes one resource.
func (r *run) one(res *template.Resource) {
	for _, d := range res.DependsOn {
		if r.failed[d] {
			r.failed[res] = true
			return
		}
	}
	if res.Existing {
		return
	}
	began := r.c.s.now()
	doc, err := res.Document(r)
	status := http.StatusBadRequest
	var f *Fault
	if err != nil {
		f = asFault(err)
	} else {
		status, f = r.put(res, doc)
	}
	if f != nil {
		r.failed[res] = true
		r.details = append(r.details, f.Err)
		r.step("Create", res.ID, f.Status, began, []wire.Error{f.Err})
		return
	}
	r.step("Create", res.ID, status, began, nil)
}

// put writes a resource as a client does.
func (r *run) put(res *template.Resource, doc map[string]any) (int, *Fault) {
	a, f := r.c.inner(http.MethodPut, res.ID.String(), res.APIVersion, doc)
	if f != nil {
		return 0, f
	}
	if !res.ID.Is(typeDeployment) {
		r.written = append(r.written, text(a.body, "id"))
		return a.status, nil
	}
	// A nested deployment has ended when its PUT is answered.
	e, ok := r.c.s.store.View().Get(res.ID)
	if !ok {
		return 0, notFound(res.ID, false)
	}
	p := e.Resource.Properties()
	for _, o := range objects(p, "outputResources") {
		r.written = append(r.written, text(o, "id"))
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

// step records an operation of the deployment.
func (r *run) step(what string, id model.ID, status int, began time.Time, errs []wire.Error) {
	st := stateSucceeded
	p := map[string]any{
		"provisioningOperation": what, "timestamp": stamp(r.c.s.now()), "duration": isoDuration(r.c.s.now().Sub(began)),
		"trackingId": uuid.NewString(), "statusCode": strings.ReplaceAll(http.StatusText(status), " ", ""),
	}
	if len(errs) > 0 {
		st = stateFailed
		p["statusMessage"] = map[string]any{"status": stateFailed, "error": errorObject(errs[0])}
	}
	p["provisioningState"] = st
	if !id.IsZero() {
		p["targetResource"] = basicResource(id)
	}
	name := strings.ToUpper(strings.ReplaceAll(uuid.NewString(), "-", ""))[:16]
	r.steps = append(r.steps, map[string]any{
		"id": r.ro.id.String() + "/operations/" + name, "operationId": name, "properties": p,
	})
}

// removeOthers deletes what is in the resource group and not in the template
// (mode Complete). What others still use goes after them.
func (r *run) removeOthers() {
	left := r.others()
	for len(left) > 0 {
		var again []model.ID
		var last []wire.Error
		for _, id := range left {
			began := r.c.s.now()
			if _, f := r.c.inner(http.MethodDelete, id.String(), r.c.version, nil); f != nil {
				again, last = append(again, id), append(last, f.Err)
				continue
			}
			r.step("Delete", id, http.StatusOK, began, nil)
		}
		if len(again) == len(left) {
			for i, id := range again {
				r.step("Delete", id, http.StatusConflict, r.c.s.now(), last[i:i+1])
			}
			r.details = append(r.details, last...)
			return
		}
		left = again
	}
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

// recorded is the answer to a request of a deployment.
type recorded struct {
	header http.Header
	status int
	raw    bytes.Buffer
	body   map[string]any
}

var _ http.ResponseWriter = (*recorded)(nil)

func (r *recorded) Header() http.Header { return r.header }

func (r *recorded) WriteHeader(status int) { r.status = status }

func (r *recorded) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.raw.Write(b)
}

// inner makes a request in the caller's name: what a client is refused, a
// deployment is.
func (c *call) inner(method, path, version string, body any) (*recorded, *Fault) {
	if version == "" {
		version = c.version
	}
	u := url.URL{Path: path, RawQuery: url.Values{"api-version": {version}}.Encode()}
	if _, f := apiVersion(u.Query(), c.s.now()); f != nil {
		return nil, f
	}
	segments, f := splitPath(&u)
	if f != nil {
		return nil, f
	}
	var content bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&content).Encode(body); err != nil {
			return nil, badRequest("InvalidRequestContent", "The resource could not be encoded: %v.", err)
		}
	}
	ctx := context.WithValue(c.r.Context(), depthKey{}, depthOf(c.r.Context())+1)
	req, err := http.NewRequestWithContext(ctx, method, c.base+u.RequestURI(), &content)
	if err != nil {
		return nil, badRequest("InvalidRequestUri", "The request path is invalid: %v.", err)
	}
	out := &recorded{header: http.Header{}}
	in := &call{s: c.s, w: out, r: req, base: c.base, who: c.who, request: c.request, version: version}
	if f := in.route(segments); f != nil {
		return nil, f
	}
	if out.raw.Len() > 0 && out.raw.Bytes()[0] == '{' {
		if out.body, err = model.ParseJSON(out.raw.Bytes()); err != nil {
			return nil, fault(http.StatusInternalServerError, "InternalServerError", "The answer could not be read: %v.", err)
		}
	}
	if out.status >= http.StatusBadRequest { // written as a body, not as a fault
		var e wire.ErrorBody
		if json.Unmarshal(out.raw.Bytes(), &e) != nil || e.Error.Code == "" {
			e.Error = wire.Error{Code: "InternalServerError", Message: fmt.Sprintf("%s of %s was answered with %d.", method, path, out.status)}
		}
		return nil, &Fault{Status: out.status, Err: e.Error}
	}
	return out, nil
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
			p["error"] = errorObject(wire.Error{
				Code: codeDeploymentFailed, Target: r.ID.String(), Message: "The deployment did not end.",
				Details: []wire.Error{{Code: codeDeploymentStopped, Message: "The server stopped while the deployment ran. What it had written is there; deploy the template again to write the rest."}},
			})
			if err := tx.Put(&model.Resource{ID: r.ID, Doc: doc}); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}
