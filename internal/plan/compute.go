package plan

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// managedPeering begins the names of the peerings a network manager makes for
// hub-and-spoke configurations; they come and go with its commits. [U]: seen in
// portals, not in a document.
const managedPeering = "ANM_"

// Compute returns the steps that bring the observed resources into the
// declared state. A declared document describes what it names: properties it
// leaves out stay as they are, except where leaving them out has a meaning
// (facts.go), elements of matched arrays, and tags. Resources the network owns
// and does not declare are deleted; no others are.
//
// All problems found are returned together as [model.Problems]; references that
// form a cycle are an error that names it.
func Compute(desired, observed []*model.Resource, opts Options) (*Plan, error) {
	if opts.Network == "" {
		return nil, errors.New("a plan needs the network's name, which marks what the network owns")
	}
	c := &computation{
		opts:   opts,
		have:   catalogOf(observed),
		estate: survey(opts.Network, observed),
		uses:   map[string]bool{},
		graph:  newGraph(),
	}
	for _, r := range observed {
		for _, id := range references(r, false) {
			ancestors(id, func(key string) bool {
				known := c.uses[key]
				c.uses[key] = true
				return !known
			})
		}
	}
	if err := c.declare(desired); err != nil {
		return nil, err
	}
	if err := c.compareAll(); err != nil {
		return nil, err
	}
	c.deleteRest(observed)
	if err := c.checkTaken(observed); err != nil {
		return nil, err
	}
	if err := c.commits(observed); err != nil {
		return nil, err
	}
	c.edges(observed)
	steps, err := c.graph.sorted()
	if err != nil {
		return nil, err
	}
	return &Plan{network: opts.Network, steps: steps}, nil
}

// computation is one run of Compute.
type computation struct {
	opts   Options
	want   catalog // declared resources, without commits
	order  []*model.Resource
	goals  []*model.Resource // declared commits
	apart  map[string]bool   // parent key + " " + array: children declared by themselves
	have   catalog
	estate *estate
	graph  *graph
	uses   map[string]bool // keys observed documents refer to
	deploy []deployment
	trims  []trim
}

// declare indexes the declared resources and marks what they own.
func (c *computation) declare(desired []*model.Resource) error {
	var problems model.Problems
	c.want, c.apart = make(catalog, len(desired)), map[string]bool{}
	seen := map[string]*model.Resource{}
	for _, r := range desired {
		if first, twice := seen[r.ID.Key()]; twice {
			problems = append(problems, model.Problem{
				Pos: r.Pos, Resource: r.ID.String(),
				What: fmt.Sprintf("%s is declared twice, first at %s", r.ID, first.Pos),
				Fix:  "remove one of the two",
			})
			continue
		}
		seen[r.ID.Key()] = r
		if r.ID.Is(model.TypeCommit) {
			c.goals = append(c.goals, r)
			continue
		}
		owned, err := claim(c.opts.Network, r)
		if err != nil {
			problems = append(problems, problemOf(err))
			continue
		}
		c.want[r.ID.Key()] = owned
		c.order = append(c.order, owned)
		if array, ok := inlineChildren[strings.ToLower(r.ID.Type())]; ok {
			c.apart[r.ID.Parent().Key()+" "+array] = true
		}
	}
	return problems.Err()
}

func problemOf(err error) model.Problem {
	var p model.Problem
	if errors.As(err, &p) {
		return p
	}
	return model.Problem{What: err.Error()}
}

func (c *computation) scope(id model.ID) scope {
	foreign := make(map[string]bool, len(c.opts.ForeignTags))
	for _, t := range c.opts.ForeignTags {
		foreign[strings.ToLower(t)] = true
	}
	key := id.Key()
	return scope{
		owned:   c.estate.ownsText,
		apart:   func(array string) bool { return c.apart[key+" "+array] },
		foreign: foreign,
	}
}

// compareAll adds the creates and updates.
func (c *computation) compareAll() error {
	var problems model.Problems
	for _, want := range c.order {
		have := c.have.find(want.ID)
		if have == nil {
			c.graph.byKey[want.ID.Key()] = c.graph.add(Step{
				Action: Create, ID: want.ID, Pos: want.Pos, Resource: want, locks: locksOf(want),
			})
			continue
		}
		if err := c.estate.foreign(c.opts.Network, want, have); err != nil {
			problems = append(problems, problemOf(err))
			continue
		}
		sc := c.scope(want.ID)
		changes := compare(want, have, sc)
		if len(changes) == 0 {
			continue
		}
		if p, moved := movedProblem(want, changes); moved {
			problems = append(problems, p)
			continue
		}
		if p, taken := c.overtaken(want, changes); taken {
			problems = append(problems, p)
			continue
		}
		c.update(want, have, changes, sc)
	}
	return problems.Err()
}

// movedProblem reports a changed location, which Azure refuses for every type.
func movedProblem(want *model.Resource, changes []Change) (model.Problem, bool) {
	for _, ch := range changes {
		if ch.Pointer == "/location" && ch.Old != nil {
			return model.Problem{
				Pos: ch.Pos, Resource: want.ID.String(),
				What: fmt.Sprintf("%s is in %v and cannot be moved to %v", want.ID.Name(), ch.Old, ch.New),
				Fix:  "give it another name, or remove it, apply, and declare it again",
			}, true
		}
	}
	return model.Problem{}, false
}

// trim is an update that takes inline children out of a resource.
type trim struct {
	step    int
	removed []model.ID
}

// update adds the update of a resource. One that takes children out which
// other steps have to leave first (an interface that moves to another subnet)
// is split: first everything else, then the removal.
func (c *computation) update(want, have *model.Resource, changes []Change, sc scope) {
	doc := overlay(want, have, sc)
	step := Step{Action: Update, ID: want.ID, Pos: want.Pos, Changes: changes, Resource: doc, locks: locksOf(want)}
	var removals, rest []Change
	var removed []model.ID
	for _, ch := range changes {
		if id, ok := removedSubnet(want.ID, ch); ok && c.uses[id.Key()] {
			removals, removed = append(removals, ch), append(removed, id)
		} else {
			rest = append(rest, ch)
		}
	}
	switch {
	case len(removed) == 0:
		c.graph.byKey[want.ID.Key()] = c.graph.add(step)
	case len(rest) == 0:
		n := c.graph.add(step)
		c.trims = append(c.trims, trim{n, removed})
	default:
		first := step
		first.Changes, first.Resource = rest, withElements(doc, removals)
		n := c.graph.add(first)
		c.graph.byKey[want.ID.Key()] = n
		step.Changes = removals
		last := c.graph.add(step)
		c.graph.need(last, n)
		c.trims = append(c.trims, trim{last, removed})
	}
}

// removedSubnet returns the ID of the subnet a change takes out.
func removedSubnet(vnet model.ID, ch Change) (model.ID, bool) {
	if !vnet.Is(model.TypeVirtualNetwork) || ch.New != nil || !strings.HasPrefix(ch.Pointer, "/properties/subnets/") {
		return model.ID{}, false
	}
	old, _ := ch.Old.(map[string]any)
	name, ok := old["name"].(string)
	return vnet.Child("subnets", name), ok && strings.Count(ch.Pointer, "/") == 3
}

// withElements returns the document with the removed subnets still in it.
func withElements(r *model.Resource, removals []Change) *model.Resource {
	out := r.Clone()
	properties := out.Properties()
	list, _ := properties["subnets"].([]any)
	for _, ch := range removals {
		list = append(list, ch.Old)
	}
	properties["subnets"] = list
	return out
}

// deleteRest adds the deletes of what is owned and not declared.
func (c *computation) deleteRest(observed []*model.Resource) {
	for _, r := range observed {
		if _, declared := c.want[r.ID.Key()]; declared || !c.estate.owns(r.ID) || !deletable(r) {
			continue
		}
		c.graph.byKey[r.ID.Key()] = c.graph.add(Step{
			Action: Delete, ID: r.ID, locks: locksOf(r),
		})
	}
}

// deletable reports whether a resource is one by itself: not a commit, not an
// inline child (its parent's update removes it), not made by a service.
func deletable(r *model.Resource) bool {
	if r.ID.Is(model.TypeCommit) {
		return false
	}
	if _, inline := inlineChildren[strings.ToLower(r.ID.Type())]; inline {
		return false
	}
	if r.ID.Is(model.TypePeering) && strings.HasPrefix(r.ID.Name(), managedPeering) {
		return false
	}
	// A disk goes with its machine, an interface with its private endpoint.
	if by, _ := r.Doc["managedBy"].(string); by != "" || r.Properties()["privateEndpoint"] != nil {
		return false
	}
	// A zone group's records go with it.
	metadata, _ := r.Properties()["metadata"].(map[string]any)
	if creator, _ := metadata["creator"].(string); r.ID.Is(model.TypePrivateZoneA) && strings.HasPrefix(creator, "created by private endpoint ") {
		return false
	}
	// Every zone has one SOA record set, which cannot be deleted, and a public
	// one has the NS records of its name servers.
	t := strings.ToLower(r.ID.Type())
	return !strings.HasSuffix(t, "dnszones/soa") && !(strings.HasSuffix(t, "/dnszones/ns") && r.ID.Name() == "@")
}
