package azure

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/internal/plan"
	"github.com/ceruleannet/cerulean/model"
)

// deployTimeout bounds the wait for a commit to be in force in every region;
// minutes are usual.
const deployTimeout = 30 * time.Minute

// commitTypes are the commit types whose deployments are read.
var commitTypes = []string{"Connectivity", "SecurityAdmin", "Routing"}

// Commit puts configurations in force and waits until listDeploymentStatus
// says so for every region. The operation of the POST ends before that.
func (c *Client) Commit(ctx context.Context, manager model.ID, commit plan.Commit) error {
	ids := make([]string, len(commit.Configurations))
	for i, id := range commit.Configurations {
		ids[i] = id.String()
	}
	resp, err := c.send(ctx, http.MethodPost, manager.String()+"/commit", versionOf(manager.Type()), map[string]any{
		"commitType": commit.Type, "targetLocations": commit.Locations, "configurationIds": ids,
	})
	if err == nil {
		err = c.await(ctx, resp)
	}
	if err != nil {
		return explain(err, "commit "+commit.Type+" of", manager, model.Pos{})
	}
	ctx, cancel := context.WithTimeoutCause(ctx, deployTimeout,
		fmt.Errorf("not deployed after %v; look at the network manager's deployments", deployTimeout))
	defer cancel()
	for wait := firstPoll; ; wait = min(2*wait, lastPoll) {
		deployed, err := c.deployments(ctx, manager, commit.Locations, []string{commit.Type})
		if err != nil {
			return err
		}
		done, err := settled(commit, deployed)
		if err != nil {
			return fmt.Errorf("commit %s of %s: %w", commit.Type, manager, err)
		}
		if done {
			return nil
		}
		if err := pause(ctx, wait); err != nil {
			return fmt.Errorf("commit %s of %s: %w", commit.Type, manager, err)
		}
	}
}

// settled reports whether a commit is in force in each of its regions.
func settled(commit plan.Commit, deployed []deployment) (bool, error) {
	for _, location := range commit.Locations {
		i := slices.IndexFunc(deployed, func(d deployment) bool {
			return d.kind == commit.Type && model.NormalizeLocation(d.region) == model.NormalizeLocation(location)
		})
		if i < 0 {
			if len(commit.Configurations) > 0 {
				return false, nil
			}
			continue // nothing is in force, as it should be
		}
		d := deployed[i]
		switch {
		case !sameConfigurations(commit.Configurations, d.configurations):
			return false, nil // still the deployment before
		case d.status == "Failed":
			return false, fmt.Errorf("the deployment to %s failed: %s", location, d.message)
		case d.status != "Deployed":
			return false, nil
		}
	}
	return true, nil
}

func sameConfigurations(want []model.ID, have []string) bool {
	a, b := make([]string, len(want)), make([]string, len(have))
	for i, id := range want {
		a[i] = id.Key()
	}
	for i, id := range have {
		b[i] = strings.ToLower(id)
	}
	sort.Strings(a)
	sort.Strings(b)
	return slices.Equal(a, b)
}

// deployment is one entry of listDeploymentStatus.
type deployment struct {
	region, kind, status, message, time string
	configurations                      []string
}

// deployments asks a manager what is deployed where; no regions means all.
func (c *Client) deployments(ctx context.Context, manager model.ID, regions, types []string) ([]deployment, error) {
	body := map[string]any{"deploymentTypes": types}
	if len(regions) > 0 {
		body["regions"] = regions
	}
	var out []deployment
	for {
		resp, err := c.send(ctx, http.MethodPost, manager.String()+"/listDeploymentStatus", versionOf(manager.Type()), body)
		if err != nil {
			return nil, explain(err, "listDeploymentStatus of", manager, model.Pos{})
		}
		doc, err := decode(resp)
		if err != nil {
			return nil, explain(err, "listDeploymentStatus of", manager, model.Pos{})
		}
		values, _ := doc["value"].([]any)
		for _, v := range values {
			m, _ := v.(map[string]any)
			d := deployment{
				region: text(m, "region"), kind: text(m, "deploymentType"), status: text(m, "deploymentStatus"),
				message: text(m, "errorMessage"), time: text(m, "commitTime"),
			}
			ids, _ := m["configurationIds"].([]any)
			for _, id := range ids {
				if s, ok := id.(string); ok {
					d.configurations = append(d.configurations, s)
				}
			}
			out = append(out, d)
		}
		skip := text(doc, "skipToken")
		if skip == "" {
			return out, nil
		}
		body["skipToken"] = skip
	}
}

func text(m map[string]any, key string) string {
	s, _ := m[key].(string)
	return s
}

// commitResource is the form in which a deployment is compared with a declared
// commit.
func commitResource(manager model.ID, d deployment) *model.Resource {
	region := model.NormalizeLocation(d.region)
	id := manager.Child("commits", d.kind+"."+region)
	ids := make([]any, len(d.configurations))
	for i, s := range d.configurations {
		ids[i] = s
	}
	return &model.Resource{ID: id, Doc: map[string]any{
		"id": id.String(), "name": id.Name(), "type": id.Type(),
		"properties": map[string]any{
			"commitType": d.kind, "targetLocation": region, "configurationIds": ids,
			"commitTime": d.time, plan.DeploymentStatus: d.status,
		},
	}}
}
