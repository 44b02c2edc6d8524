package arm

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
	"github.com/ceruleannet/cerulean/model/wire"
)

// commitTypes are the kinds of configuration a commit sets, by commitType.
var commitTypes = map[string]struct{ name, configType string }{
	"connectivity":  {"Connectivity", model.TypeConnectivityConfig},
	"securityadmin": {"SecurityAdmin", model.TypeSecurityAdminConfig},
	"routing":       {"Routing", model.TypeRoutingConfig},
}

// maxCommitRegions bounds one commit.
const maxCommitRegions = 200

// commit sets the goal state of one configuration type in some regions: the
// configurations named replace those in force, none removes them. What is in
// force is a copy of the configurations as they are now.
func (c *call) commit(manager *model.Resource) *Fault {
	body, f := readBody(c.w, c.r)
	if f != nil {
		return f
	}
	t, ok := commitTypes[strings.ToLower(text(body, "commitType"))]
	if !ok {
		return oneOf(manager.ID, "commitType", body["commitType"], "Connectivity", "SecurityAdmin", "Routing")
	}
	locations, f := stringList(manager.ID, body, "targetLocations", "")
	if f != nil {
		return f
	}
	if len(locations) == 0 || len(locations) > maxCommitRegions {
		return invalidProperty(manager.ID, "targetLocations", body["targetLocations"], "a commit needs 1 to "+strconv.Itoa(maxCommitRegions)+" regions")
	}
	for i, l := range locations {
		region, ok := catalog.Region(l)
		if !ok {
			return invalidProperty(manager.ID, "targetLocations", l, "it must be a region")
		}
		locations[i] = region.Name
	}
	ids, f := stringList(manager.ID, body, "configurationIds", "")
	if f != nil {
		return f
	}
	if t.name == "SecurityAdmin" && len(ids) > 1 {
		return badRequest(codeTooManyAdminConfigs, "Only one security admin configuration can be deployed to a region; the commit names %d.", len(ids))
	}
	f = c.update(func(tx *state.Tx) *Fault {
		configs := make([]map[string]any, 0, len(ids))
		names := make([]string, 0, len(ids))
		for _, text := range ids {
			id, err := model.ParseID(text)
			if err != nil || !id.Is(t.configType) || !id.Parent().Equal(manager.ID) {
				return invalidReference(manager.ID, text)
			}
			e, ok := tx.Get(id)
			if !ok {
				return invalidReference(manager.ID, text)
			}
			names = append(names, e.Resource.ID.String())
			configs = append(configs, e.Resource.Doc)
			for child := range tx.List(id.Key()+"/", "") {
				configs = append(configs, child.Resource.Doc)
			}
		}
		for _, l := range locations {
			id := manager.ID.Child("commits", t.name+"."+l)
			if len(names) == 0 {
				tx.Delete(id)
				continue
			}
			r, err := model.NewResource(id, wire.Commit{
				Head: wire.Head{Etag: newEtag()},
				Properties: wire.CommitProperties{
					CommitType: t.name, TargetLocation: l, ConfigurationIDs: names, Configurations: configs,
					CommitTime: c.s.now().UTC().Format(time.RFC3339),
				},
			}, model.Pos{})
			if err == nil {
				err = tx.Put(r)
			}
			if err != nil {
				return badRequest("InvalidRequestContent", "The commit cannot be stored: %v.", err)
			}
		}
		return nil
	})
	if f != nil {
		return f
	}
	c.accept(operationCommit, c.s.takes(model.TypeCommit, timedCreation), "Microsoft.Network", manager.Location(), true)
	writeJSON(c.w, http.StatusAccepted, map[string]any{"commitType": t.name, "targetLocations": locations, "configurationIds": ids})
	return nil
}

// deploymentStatus answers listDeploymentStatus.
func (c *call) deploymentStatus(manager *model.Resource) *Fault {
	body, f := readBody(c.w, c.r)
	if f != nil {
		return f
	}
	regions, f := stringList(manager.ID, body, "regions", "")
	if f != nil {
		return f
	}
	types, f := stringList(manager.ID, body, "deploymentTypes", "")
	if f != nil {
		return f
	}
	value := []any{}
	v := c.s.store.View()
	kept := c.s.kinds.keptPeerings(v)
	for e := range v.List(manager.ID.Key()+"/commits/", "") {
		p := e.Resource.Properties()
		if !filtered(regions, text(p, "targetLocation")) || !filtered(types, text(p, "commitType")) {
			continue
		}
		status, why := "Deployed", []string(nil)
		for _, id := range texts(p, "configurationIds") {
			why = append(why, kept.failures(id, text(p, "targetLocation"))...)
		}
		if why != nil {
			status = "Failed"
		}
		value = append(value, map[string]any{
			"commitTime": p["commitTime"], "region": p["targetLocation"], "deploymentStatus": status,
			"configurationIds": p["configurationIds"], "deploymentType": p["commitType"], "errorMessage": strings.Join(why, " "),
		})
	}
	writeJSON(c.w, http.StatusOK, map[string]any{"value": value})
	return nil
}

// filtered reports whether a filter lets a value through; an empty one does.
func filtered(filter []string, value string) bool {
	for _, s := range filter {
		if model.NormalizeLocation(s) == model.NormalizeLocation(value) {
			return true
		}
	}
	return len(filter) == 0
}

// settleConfiguration takes a deleted configuration out of force.
func settleConfiguration(c *change) *Fault {
	if c.doc != nil {
		return nil
	}
	for _, e := range findExact(c.tx.View, termRef+c.id.Key()) {
		if !e.Resource.ID.Is(model.TypeCommit) {
			continue
		}
		var commit wire.Commit
		if err := e.Resource.Decode(&commit); err != nil {
			return fault(http.StatusInternalServerError, "InternalServerError", "%v", err)
		}
		p := &commit.Properties
		p.ConfigurationIDs = without(p.ConfigurationIDs, func(id string) bool { return strings.EqualFold(id, c.id.String()) })
		p.Configurations = without(p.Configurations, func(doc map[string]any) bool {
			key := strings.ToLower(text(doc, "id"))
			return key == c.id.Key() || strings.HasPrefix(key, c.id.Key()+"/")
		})
		if len(p.ConfigurationIDs) == 0 {
			c.tx.Delete(e.Resource.ID)
			continue
		}
		commit.Etag = c.etag
		r, err := model.NewResource(e.Resource.ID, commit, model.Pos{})
		if err == nil {
			err = c.tx.Put(r)
		}
		if err != nil {
			return fault(http.StatusInternalServerError, "InternalServerError", "%v", err)
		}
	}
	return nil
}

func without[T any](list []T, drop func(T) bool) []T {
	out := make([]T, 0, len(list))
	for _, e := range list {
		if !drop(e) {
			out = append(out, e)
		}
	}
	return out
}
