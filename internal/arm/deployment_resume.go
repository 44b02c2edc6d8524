package arm

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
	"github.com/google/uuid"
)

// keptRequest is what a deployment's document keeps while it runs: the request
// that asked for it. With it the server takes a deployment up again that its own
// end cut off. Resources that were written are found as they should be; the rest
// is written.
const keptRequest = "request"

// origin is what newGuid() and utcNow() of a deployment and those within it come
// from: the same when it is taken up again, so that it means the same resources.
type origin struct {
	at   time.Time
	seed string
}

// originKey is the context's key for a deployment's origin.
type originKey struct{}

// withOrigin gives a request of a deployment that is not within another its
// origin.
func (c *call) withOrigin(o origin) {
	c.r = c.r.WithContext(context.WithValue(c.r.Context(), originKey{}, o))
}

// origin returns what the deployment comes from; what is only tried out needs
// none that lasts.
func (c *call) origin() origin {
	if o, ok := c.r.Context().Value(originKey{}).(origin); ok {
		return o
	}
	return origin{c.s.now(), uuid.NewString()}
}

// guids makes the values of newGuid() in one deployment.
func (o origin) guids(id model.ID) func() string {
	from := rand.NewChaCha8(sha256.Sum256([]byte(o.seed + id.Key())))
	return func() string { return uuid.Must(uuid.NewRandomFromReader(from)).String() }
}

// requestBody is what a document keeps of the request of a deployment. Secrets
// are in it; it goes when the deployment ends.
func (ro *rollout) requestBody(c *call) map[string]any {
	return map[string]any{
		"body": string(ro.sent), "at": ro.origin.at.UTC().Format(time.RFC3339Nano), "seed": ro.origin.seed,
		"base": c.base, "version": c.version,
		"appId": c.who.AppID, "objectId": c.who.ObjectID, "tenantId": c.who.TenantID,
	}
}

// resumeDeployments goes on with the deployments that ran when the server
// stopped. Those within others are told as failed until the others write them
// again.
func (s *Server) resumeDeployments() error {
	var nested, cut []*model.Resource
	for _, e := range findExact(s.store.View(), termType+strings.ToLower(typeDeployment)) {
		p := e.Resource.Properties()
		switch {
		case text(p, "provisioningState") != stateRunning:
		case object(p, keptRequest) == nil:
			nested = append(nested, e.Resource)
		default:
			cut = append(cut, e.Resource)
		}
	}
	for _, d := range nested {
		if err := s.failDeployment(d, interrupted(d.ID)); err != nil {
			return err
		}
	}
	for _, d := range cut {
		f := s.resume(d)
		if f == nil {
			continue
		}
		why := interrupted(d.ID)
		why.Details = append(why.Details, f.Err)
		if err := s.failDeployment(d, why); err != nil {
			return err
		}
	}
	return nil
}

// resume goes on with one deployment.
func (s *Server) resume(d *model.Resource) *Fault {
	p := d.Properties()
	kept := object(p, keptRequest)
	at, err := time.Parse(time.RFC3339Nano, text(kept, "at"))
	if err != nil {
		return badRequest("InvalidRequestContent", "The time %s of the deployment's request cannot be read: %v.", show(kept["at"]), err)
	}
	r, err := http.NewRequest(http.MethodPut, text(kept, "base")+d.ID.String(), strings.NewReader(text(kept, "body")))
	if err != nil {
		return badRequest("InvalidRequestUri", "The deployment's request cannot be made again: %v.", err)
	}
	out := &recorded{header: http.Header{}}
	c := &call{
		s: s, w: out, r: r, base: text(kept, "base"), version: text(kept, "version"), request: text(p, "correlationId"),
		who: principal{AppID: text(kept, "appId"), ObjectID: text(kept, "objectId"), TenantID: text(kept, "tenantId")},
	}
	c.withOrigin(origin{at, text(kept, "seed")})
	if f := c.enter(d.ID.Subscription()); f != nil {
		return f
	}
	ro, ok, f := c.readRollout(d.ID)
	switch {
	case f != nil:
		return f
	case !ok:
		var e wire.ErrorBody
		if err := json.Unmarshal(out.raw.Bytes(), &e); err != nil {
			return fault(http.StatusInternalServerError, "InternalServerError", "The answer could not be read: %v.", err)
		}
		return &Fault{Status: out.status, Err: e.Error}
	}
	run := newRun(c, ro)
	run.parallel, run.began = maxParallelWrites, at
	if !s.rollouts.begin(run) {
		return nil // the server is stopping: the next one goes on
	}
	go s.rollouts.finish(run)
	return nil
}

// interrupted is why a deployment ended that the server's end cut off and that
// cannot go on.
func interrupted(id model.ID) wire.Error {
	return wire.Error{
		Code: codeDeploymentFailed, Target: id.String(), Message: "The deployment did not end.",
		Details: []wire.Error{{Code: codeDeploymentStopped, Message: "The server stopped while the deployment ran. What it had written is there; deploy the template again to write the rest."}},
	}
}

// failDeployment tells a stored deployment as failed.
func (s *Server) failDeployment(d *model.Resource, why wire.Error) error {
	doc, _ := model.CloneJSON(d.Doc).(map[string]any)
	p := object(doc, "properties")
	delete(p, keptRequest)
	p["provisioningState"], p["error"] = stateFailed, errorObject(why)
	_, err := s.store.Update(state.Actor{At: s.now(), Who: "cerulean", Request: uuid.NewString()}, func(tx *state.Tx) error {
		return tx.Put(&model.Resource{ID: d.ID, Doc: doc})
	})
	return err
}
