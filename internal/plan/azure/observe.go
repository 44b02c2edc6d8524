package azure

import (
	"context"
	"sort"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/ceruleannet/cerulean/internal/plan"
	"github.com/ceruleannet/cerulean/model"
)

// Observe returns what exists of a network: everything in the resource groups
// it owns, its policies, the deployments of its network managers as commits,
// and every declared resource wherever it is. Resource groups and policies
// with a declared name are returned even if somebody else owns them, so that
// plan.Compute can refuse to take them over.
//
// It lists rather than asks one by one: the resource groups, the resources of
// each, then one list per resource type (of a group, or of the subscription if
// several groups have the type), then the collections below what was found.
// The result is sorted by ID.
func (c *Client) Observe(ctx context.Context, desired []*model.Resource, network string) ([]*model.Resource, error) {
	o := &observation{
		client: c, network: network,
		wanted: make(map[string]model.ID, len(desired)),
		groups: map[string]model.ID{}, owned: map[string]bool{},
		found: map[string]*model.Resource{}, listed: map[string]bool{},
	}
	for _, r := range desired {
		if !r.ID.Is(model.TypeCommit) {
			o.wanted[r.ID.Key()] = r.ID
		}
	}
	// The group's context ends with the group; the rest is asked for after it.
	work, together := errgroup.WithContext(ctx)
	o.work = work
	work.Go(func() error { return o.resourceGroups(together) })
	for _, t := range []string{model.TypePolicyDefinition, model.TypePolicyAssignment} {
		work.Go(func() error { return o.policies(together, t) })
	}
	if err := work.Wait(); err != nil {
		return nil, err
	}
	if err := o.rest(ctx); err != nil {
		return nil, err
	}
	out := make([]*model.Resource, 0, len(o.found))
	for _, r := range o.found {
		out = append(out, r)
	}
	model.SortResources(out)
	return out, nil
}

// observation is one run of Observe.
type observation struct {
	client  *Client
	network string
	wanted  map[string]model.ID
	work    *errgroup.Group

	mu     sync.Mutex
	groups map[string]model.ID // that exist and are owned or hold something wanted
	owned  map[string]bool
	found  map[string]*model.Resource
	listed map[string]bool // parent key + " " + lower-case type: a collection read whole
}

// add keeps a resource that is wanted or lies in an owned group.
func (o *observation) add(r *model.Resource) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, wanted := o.wanted[r.ID.Key()]
	if !wanted && !o.owned[groupKey(r.ID)] {
		return false
	}
	o.found[r.ID.Key()] = r
	return true
}

func (o *observation) setListed(parent model.ID, resourceType string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.listed[parent.Key()+" "+strings.ToLower(resourceType)] = true
}

func groupKey(id model.ID) string {
	if id.ResourceGroup() == "" {
		return ""
	}
	return model.GroupID(id.Subscription(), id.ResourceGroup()).Key()
}

// resourceGroups lists the groups, then reads each that matters.
func (o *observation) resourceGroups(ctx context.Context) error {
	scope := model.SubscriptionID(o.client.subscription)
	docs, err := o.client.list(ctx, scope.String()+"/resourcegroups", versionOf(model.TypeResourceGroup))
	if err != nil {
		return err
	}
	needed := map[string]bool{}
	for _, id := range o.wanted {
		needed[groupKey(id)] = true
	}
	for _, doc := range docs {
		r, err := resourceOf(doc, model.ID{})
		if err != nil {
			return err
		}
		key := r.ID.Key()
		o.mu.Lock()
		if plan.Owner(r) == o.network {
			o.owned[key] = true
		}
		if o.owned[key] || needed[key] {
			o.groups[key] = r.ID
			if _, wanted := o.wanted[key]; wanted || o.owned[key] {
				o.found[key] = r
			}
		}
		o.mu.Unlock()
	}
	o.setListed(scope, model.TypeResourceGroup)
	return o.types(ctx)
}

// types finds the resource types in each group and lists them.
func (o *observation) types(ctx context.Context) error {
	holders := map[string]map[string]model.ID{} // lower-case type: groups by key
	spelled := map[string]string{}
	hold := func(resourceType string, group model.ID) {
		t := strings.ToLower(resourceType)
		if holders[t] == nil {
			holders[t] = map[string]model.ID{}
			spelled[t] = resourceType
		}
		holders[t][group.Key()] = group
	}
	for _, id := range o.wanted {
		if group, ok := o.groups[groupKey(id)]; ok && !id.Is(model.TypeResourceGroup) {
			top := topLevel(id)
			hold(top.Type(), group)
		}
	}
	// What is in a group and not wanted may have any type. The list of a
	// group's resources can lag behind by a while, so it only adds types.
	var mu sync.Mutex
	lists, lctx := errgroup.WithContext(ctx)
	for key, group := range o.groups {
		if !o.owned[key] {
			continue
		}
		lists.Go(func() error {
			docs, err := o.client.list(lctx, group.String()+"/resources", versionOf(model.TypeResourceGroup))
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			for _, doc := range docs {
				if id, err := model.ParseID(text(doc, "id")); err == nil && known(topLevel(id).Type()) {
					hold(topLevel(id).Type(), group)
				}
			}
			return nil
		})
	}
	if err := lists.Wait(); err != nil {
		return err
	}
	for t, groups := range holders {
		if len(groups) == 1 {
			for _, group := range groups {
				o.work.Go(func() error { return o.collection(ctx, group, spelled[t]) })
			}
			continue
		}
		o.work.Go(func() error {
			return o.collection(ctx, model.SubscriptionID(o.client.subscription), spelled[t])
		})
	}
	return nil
}

// topLevel returns the resource directly below the group that an ID is or is
// below of.
func topLevel(id model.ID) model.ID {
	for {
		parent := id.Parent()
		if parent.IsZero() || parent.Is(model.TypeResourceGroup) || parent.Is("Microsoft.Resources/subscriptions") {
			return id
		}
		id = parent
	}
}

// collection lists one type of a group or of the whole subscription.
func (o *observation) collection(ctx context.Context, scope model.ID, resourceType string) error {
	docs, err := o.client.list(ctx, scope.String()+"/providers/"+resourceType, versionOf(resourceType))
	if err != nil {
		return err
	}
	o.setListed(scope, resourceType)
	return o.keep(ctx, docs)
}

// keep adds listed documents and reads the collections below them.
func (o *observation) keep(ctx context.Context, docs []map[string]any) error {
	for _, doc := range docs {
		r, err := resourceOf(doc, model.ID{})
		if err != nil {
			return err
		}
		if o.add(r) {
			o.below(ctx, r)
		}
	}
	return nil
}

// below reads what lies below a found resource.
func (o *observation) below(ctx context.Context, r *model.Resource) {
	for _, child := range childCollections[strings.ToLower(r.Type())] {
		shown, ok := r.Properties()[child.name].([]any)
		switch {
		case child.counted && ok && len(shown) == 0:
			o.setListed(r.ID, r.Type()+"/"+child.name)
			continue
		case child.inline && ok:
			o.setListed(r.ID, r.Type()+"/"+child.name)
			o.inline(r, child.name, shown)
			continue
		}
		o.work.Go(func() error {
			docs, err := o.client.list(ctx, r.ID.String()+"/"+child.name, versionOf(r.Type()))
			if err != nil {
				return err
			}
			o.setListed(r.ID, r.Type()+"/"+child.name)
			return o.keep(ctx, docs)
		})
	}
	if r.ID.Is(model.TypeNetworkManager) {
		o.work.Go(func() error { return o.deployed(ctx, r.ID) })
	}
}

// inline adds the children a parent shows whole.
func (o *observation) inline(parent *model.Resource, name string, shown []any) {
	for _, e := range shown {
		doc, _ := e.(map[string]any)
		if child := text(doc, "name"); child != "" {
			o.add(&model.Resource{ID: parent.ID.Child(name, child), Doc: doc})
		}
	}
}

// deployed adds what a manager has in force.
func (o *observation) deployed(ctx context.Context, manager model.ID) error {
	if err := o.client.enter(ctx); err != nil {
		return err
	}
	list, err := o.client.deployments(ctx, manager, nil, commitTypes)
	o.client.leave()
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, d := range list {
		if len(d.configurations) > 0 {
			r := commitResource(manager, d)
			o.found[r.ID.Key()] = r
		}
	}
	return nil
}

// policies lists the custom policies of the subscription and keeps those that
// are wanted or may be the network's. Definitions and assignments of other
// scopes, such as the thousands that are built in, are not asked for.
func (o *observation) policies(ctx context.Context, resourceType string) error {
	scope := model.SubscriptionID(o.client.subscription)
	docs, err := o.client.list(ctx, scope.String()+"/providers/"+resourceType, versionOf(resourceType),
		"$filter", "atExactScope()")
	if err != nil {
		return err
	}
	o.setListed(scope, resourceType)
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, doc := range docs {
		r, err := resourceOf(doc, model.ID{})
		if err != nil {
			return err
		}
		if r.ID.Parent().Equal(scope) {
			o.found[r.ID.Key()] = r // plan.Compute tells whose it is
		}
	}
	return nil
}

// rest asks one by one for the wanted resources that no list has covered.
func (o *observation) rest(ctx context.Context) error {
	var missing []model.ID
	for key, id := range o.wanted {
		if o.found[key] == nil && !o.covered(id) {
			missing = append(missing, id)
		}
	}
	sort.Slice(missing, func(i, j int) bool { return missing[i].Key() < missing[j].Key() })
	gets, ctx := errgroup.WithContext(ctx)
	for _, id := range missing {
		gets.Go(func() error {
			r, err := o.client.get(ctx, id)
			if err != nil || r == nil {
				return err
			}
			o.mu.Lock()
			defer o.mu.Unlock()
			o.found[id.Key()] = r
			return nil
		})
	}
	return gets.Wait()
}

// covered reports whether a resource that was not found is known not to exist:
// its group or its parent does not, or the list it would be in was read.
func (o *observation) covered(id model.ID) bool {
	if group := groupKey(id); group != "" {
		if _, exists := o.groups[group]; !exists && strings.EqualFold(id.Subscription(), o.client.subscription) {
			return true
		}
	}
	parent := id.Parent()
	t := " " + strings.ToLower(id.Type())
	if o.listed[parent.Key()+t] || o.listed[model.SubscriptionID(id.Subscription()).Key()+t] {
		return true
	}
	if zone := strings.ToLower(model.TypePrivateZone); strings.HasPrefix(t, " "+zone+"/") && o.listed[parent.Key()+" "+zone+"/all"] {
		return true
	}
	// A child whose parent is known not to exist does not exist either; one
	// that is inline in its parent is found there.
	if !id.Equal(topLevel(id)) {
		if _, inline := o.found[parent.Key()]; inline {
			return isInline(id)
		}
		return o.covered(parent)
	}
	return false
}

// isInline reports whether a resource is shown whole in its parent.
func isInline(id model.ID) bool {
	return id.Is(model.TypeSubnet) || id.Is(model.TypeSecurityRule) || id.Is(model.TypeRoute)
}
