package arm

import (
	"net/http"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/model"
)

// deploymentOf finds the deployment that something is of.
func (c *call) deploymentOf(id model.ID) (*model.Resource, *Fault) {
	e, ok := c.s.store.View().Get(id.Parent())
	if !ok {
		return nil, deploymentNotFound(id.Parent())
	}
	return e.Resource, nil
}

func deploymentNotFound(id model.ID) *Fault {
	return fault(http.StatusNotFound, "DeploymentNotFound", "Deployment '%s' could not be found.", id.Name())
}

// deploymentStatusOf answers a poll: what became of the deployment.
func (c *call) deploymentStatusOf(_ *kind, id model.ID) *Fault {
	d, f := c.deploymentOf(id)
	if f != nil {
		return f
	}
	if r := c.s.rollouts.of(d.ID.Key()); r != nil {
		// Most deployments are over sooner than a client asks again.
		t := time.NewTimer(holdDeploymentPoll)
		defer t.Stop()
		select {
		case <-r.over:
			if d, f = c.deploymentOf(id); f != nil {
				return f
			}
		case <-t.C:
		case <-c.r.Context().Done():
		}
	}
	p := d.Properties()
	answer := map[string]any{"status": text(p, "provisioningState")}
	if text(p, "provisioningState") == stateRunning {
		c.w.Header().Set("Retry-After", "1")
	}
	if e := object(p, "error"); e != nil {
		answer["error"] = e
	}
	writeJSON(c.w, http.StatusOK, answer)
	return nil
}

// holdDeploymentPoll is how long a poll of a deployment that runs waits for its
// end.
const holdDeploymentPoll = 300 * time.Millisecond

// stepsOf are the operations of a deployment: those so far while it runs.
func (s *Server) stepsOf(d *model.Resource) []any {
	if r := s.rollouts.of(d.ID.Key()); r != nil {
		return r.stepBodies()
	}
	steps, _ := d.Properties()[keptSteps].([]any)
	return steps
}

// deploymentSteps answers "Deployment Operations - List".
func deploymentSteps(q *question) (any, *Fault) {
	steps := q.s.stepsOf(q.on)
	if steps == nil {
		steps = []any{}
	}
	return map[string]any{"value": steps}, nil
}

// deploymentStep answers "Deployment Operations - Get".
func (c *call) deploymentStep(_ *kind, id model.ID) *Fault {
	d, f := c.deploymentOf(id)
	if f != nil {
		return f
	}
	for _, v := range c.s.stepsOf(d) {
		o, _ := v.(map[string]any)
		if strings.EqualFold(text(o, "operationId"), id.Name()) {
			writeJSON(c.w, http.StatusOK, o)
			return nil
		}
	}
	return fault(http.StatusNotFound, "DeploymentOperationNotFound", "Deployment operation '%s' could not be found.", id.Name())
}

// exportDeployment answers "Deployments - Export Template".
func exportDeployment(q *question) (any, *Fault) {
	t := q.on.Properties()[keptTemplate]
	if t == nil {
		return nil, fault(http.StatusNotFound, codeDeploymentTemplate, "Deployment '%s' has no template.", q.on.ID.Name())
	}
	return map[string]any{"template": t}, nil
}

// cancelDeployment answers "Deployments - Cancel": what was written stays.
func (c *call) cancelDeployment(d *model.Resource) *Fault {
	if !c.s.rollouts.cancel(d.ID.Key()) {
		return fault(http.StatusConflict, codeDeploymentNoCancel, "The deployment '%s' cannot be cancelled because it is in the terminal state '%s'.",
			d.ID.Name(), text(d.Properties(), "provisioningState"))
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}
