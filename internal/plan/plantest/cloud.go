package plantest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/ceruleannet/cerulean/internal/plan"
	"github.com/ceruleannet/cerulean/model"
)

// Cloud is a cloud in memory. The zero value is empty and ready to use.
type Cloud struct {
	// Hook, if not nil, is called with the text of every call ("PUT /sub...",
	// "DELETE ...", "COMMIT ... SecurityAdmin westeurope") before it takes
	// effect. An error fails the call; blocking holds it.
	Hook func(ctx context.Context, call string) error
	// After, if not nil, is called after the call has taken effect. An error
	// is returned to the caller all the same: the answer got lost.
	After func(call string) error

	mu      sync.Mutex
	stored  map[string]*model.Resource
	inForce map[string]Deployment
	calls   []string
}

var _ plan.Client = (*Cloud)(nil)

// Deployment is what is in force for one commit type in one region of one
// network manager: the documents as they were when they were committed.
type Deployment struct {
	Manager        model.ID
	Type, Location string
	Configurations []model.ID
	Documents      map[string]string // JSON by lower-case ID
}

// Calls returns the calls made so far.
func (c *Cloud) Calls() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.calls)
}

func (c *Cloud) before(ctx context.Context, call string) error {
	c.mu.Lock()
	c.calls = append(c.calls, call)
	c.mu.Unlock()
	if c.Hook != nil {
		return c.Hook(ctx, call)
	}
	return nil
}

func (c *Cloud) after(call string) error {
	if c.After != nil {
		return c.After(call)
	}
	return nil
}

// Set stores a resource as it is, as if somebody else had made it.
func (c *Cloud) Set(r *model.Resource) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stored == nil {
		c.stored = map[string]*model.Resource{}
	}
	c.stored[r.ID.Key()] = &model.Resource{ID: r.ID, Doc: r.Clone().Doc}
}

// Put implements plan.Client. It refuses a document whose parent or references
// do not exist, like Azure's InvalidResourceReference.
func (c *Cloud) Put(ctx context.Context, r *model.Resource) error {
	call := "PUT " + r.ID.String()
	if err := c.before(ctx, call); err != nil {
		return err
	}
	c.mu.Lock()
	err := c.put(r)
	c.mu.Unlock()
	if err != nil {
		return err
	}
	return c.after(call)
}

func (c *Cloud) put(r *model.Resource) error {
	// A real request carries JSON, so nothing survives that JSON does not.
	b, err := json.Marshal(r.Doc)
	if err != nil {
		return err
	}
	doc, err := model.ParseJSON(b)
	if err != nil {
		return err
	}
	if parent := r.ID.Parent(); !parent.Is("Microsoft.Resources/subscriptions") && !c.exists(parent) {
		return fmt.Errorf("ParentResourceNotFound: %s: parent %s does not exist", r.ID, parent)
	}
	for _, id := range links(doc) {
		if !strings.HasPrefix(id.Key(), r.ID.Key()) && !c.exists(id) {
			return fmt.Errorf("InvalidResourceReference: %s refers to %s, which does not exist", r.ID, id)
		}
	}
	if old := c.stored[r.ID.Key()]; old != nil {
		if old.Location() != (&model.Resource{Doc: doc}).Location() {
			return fmt.Errorf("InvalidResourceLocation: %s is in %s", r.ID, old.Location())
		}
		if err := c.subnetsFree(old, doc); err != nil {
			return err
		}
	}
	if location, ok := doc["location"].(string); ok {
		doc["location"] = model.NormalizeLocation(location)
	}
	doc["etag"] = `W/"1"`
	properties, _ := doc["properties"].(map[string]any)
	if properties == nil {
		properties = map[string]any{}
		doc["properties"] = properties
	}
	properties["provisioningState"] = "Succeeded"
	if c.stored == nil {
		c.stored = map[string]*model.Resource{}
	}
	c.stored[r.ID.Key()] = &model.Resource{ID: r.ID, Doc: doc}
	return nil
}

// subnetsFree refuses to take a subnet out that something still uses.
func (c *Cloud) subnetsFree(old *model.Resource, doc map[string]any) error {
	if !old.ID.Is(model.TypeVirtualNetwork) {
		return nil
	}
	kept := names(doc)
	for name := range names(old.Doc) {
		if kept[name] {
			continue
		}
		subnet := old.ID.Child("subnets", name)
		if user := c.userOf(subnet); user != "" {
			return fmt.Errorf("InUseSubnetCannotBeDeleted: %s is in use by %s", subnet, user)
		}
	}
	return nil
}

func names(doc map[string]any) map[string]bool {
	out := map[string]bool{}
	properties, _ := doc["properties"].(map[string]any)
	list, _ := properties["subnets"].([]any)
	for _, e := range list {
		m, _ := e.(map[string]any)
		if name, ok := m["name"].(string); ok {
			out[strings.ToLower(name)] = true
		}
	}
	return out
}

// exists reports whether a resource, or a subnet inline in a stored one, is there.
func (c *Cloud) exists(id model.ID) bool {
	if c.stored[id.Key()] != nil || id.Is("Microsoft.Resources/subscriptions") {
		return true
	}
	if parent := c.stored[id.Parent().Key()]; parent != nil && id.Is(model.TypeSubnet) {
		return names(parent.Doc)[strings.ToLower(id.Name())]
	}
	return false
}

// userOf returns the first stored resource that refers to id or what is below it.
func (c *Cloud) userOf(id model.ID) string {
	keys := make([]string, 0, len(c.stored))
	for k := range c.stored {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		if k == id.Key() || strings.HasPrefix(k, id.Key()+"/") {
			continue
		}
		for _, ref := range links(c.stored[k].Doc) {
			// A peering does not keep the network it points to alive.
			if c.stored[k].ID.Is(model.TypePeering) {
				continue
			}
			if ref.Equal(id) || strings.HasPrefix(ref.Key(), id.Key()+"/") {
				return c.stored[k].ID.String()
			}
		}
	}
	return ""
}

// Delete implements plan.Client. It refuses to delete what has children, is
// referred to, or is a configuration in force.
func (c *Cloud) Delete(ctx context.Context, id model.ID) error {
	call := "DELETE " + id.String()
	if err := c.before(ctx, call); err != nil {
		return err
	}
	c.mu.Lock()
	err := c.remove(id)
	c.mu.Unlock()
	if err != nil {
		return err
	}
	return c.after(call)
}

func (c *Cloud) remove(id model.ID) error {
	if c.stored[id.Key()] == nil {
		return nil
	}
	for k, r := range c.stored {
		if strings.HasPrefix(k, id.Key()+"/") {
			return fmt.Errorf("CannotDeleteResource: %s still holds %s", id, r.ID)
		}
	}
	if user := c.userOf(id); user != "" {
		return fmt.Errorf("InUse: %s is in use by %s", id, user)
	}
	for _, d := range c.inForce {
		if slices.ContainsFunc(d.Configurations, id.Equal) {
			return fmt.Errorf("ConfigurationInUse: %s is in force in %s", id, d.Location)
		}
		if d.Manager.Equal(id) && len(d.Configurations) > 0 {
			return fmt.Errorf("CannotDeleteResource: %s has configurations in force in %s", id, d.Location)
		}
	}
	delete(c.stored, id.Key())
	return nil
}

// Commit implements plan.Client. It refuses configurations that do not exist
// and keeps the documents as they are now.
func (c *Cloud) Commit(ctx context.Context, manager model.ID, commit plan.Commit) error {
	call := fmt.Sprintf("COMMIT %s %s %s", manager, commit.Type, strings.Join(commit.Locations, ","))
	if err := c.before(ctx, call); err != nil {
		return err
	}
	c.mu.Lock()
	err := c.commit(manager, commit)
	c.mu.Unlock()
	if err != nil {
		return err
	}
	return c.after(call)
}

func (c *Cloud) commit(manager model.ID, commit plan.Commit) error {
	if !c.exists(manager) {
		return fmt.Errorf("ResourceNotFound: %s", manager)
	}
	documents := map[string]string{}
	for _, id := range commit.Configurations {
		if !c.exists(id) {
			return fmt.Errorf("ResourceNotFound: configuration %s", id)
		}
		for k, r := range c.stored {
			if k == id.Key() || strings.HasPrefix(k, id.Key()+"/") {
				documents[k] = text(r.Doc)
			}
		}
	}
	if c.inForce == nil {
		c.inForce = map[string]Deployment{}
	}
	for _, location := range commit.Locations {
		key := manager.Key() + " " + commit.Type + " " + location
		if len(commit.Configurations) == 0 {
			delete(c.inForce, key)
			continue
		}
		c.inForce[key] = Deployment{manager, commit.Type, location, commit.Configurations, documents}
	}
	return nil
}

// Stale returns the deployments whose documents are no longer the stored ones.
func (c *Cloud) Stale() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for key, d := range c.inForce {
		now := 0
		for k, r := range c.stored {
			for _, id := range d.Configurations {
				if k == id.Key() || strings.HasPrefix(k, id.Key()+"/") {
					now++
					if d.Documents[k] != text(r.Doc) {
						out = append(out, key+": "+k)
					}
				}
			}
		}
		if now != len(d.Documents) {
			out = append(out, key+": documents were added or removed")
		}
	}
	sort.Strings(out)
	return out
}

// Observe returns everything stored, and a commit for each deployment, sorted.
func (c *Cloud) Observe() []*model.Resource {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []*model.Resource
	for _, r := range c.stored {
		out = append(out, r.Clone())
	}
	for _, d := range c.inForce {
		ids := make([]any, len(d.Configurations))
		for i, id := range d.Configurations {
			ids[i] = id.String()
		}
		out = append(out, &model.Resource{
			ID: d.Manager.Child("commits", d.Type+"."+d.Location),
			Doc: map[string]any{"properties": map[string]any{
				"commitType": d.Type, "targetLocation": d.Location, "configurationIds": ids,
				plan.DeploymentStatus: "Deployed",
			}},
		})
	}
	model.SortResources(out)
	return out
}

// links returns the resource IDs in a document, without its own "id".
func links(doc map[string]any) []model.ID {
	var out []model.ID
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, e := range v {
				walk(e)
			}
		case []any:
			for _, e := range v {
				walk(e)
			}
		case string:
			if id, err := model.ParseID(v); err == nil {
				out = append(out, id)
			}
		}
	}
	walk(doc["properties"])
	return out
}

func text(doc map[string]any) string {
	b, err := json.Marshal(doc)
	if err != nil {
		panic(err) // it came from JSON
	}
	return string(b)
}
