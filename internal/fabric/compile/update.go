package compile

import (
	"maps"
	"slices"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// Compilation is a compiled network that follows edits of its resources. A
// change of the rules of security groups writes the filters of those groups
// anew and nothing else, a change of a route table the effective tables made of
// it; every other change runs the passes again, with documents and rules that
// did not change taken from memory. Either way the
// image is the one that [Compile] makes of the same resources: its digest is
// the same, only the order of what it stores may differ.
//
// Images are immutable: each update makes a new one that shares with the last
// what did not change. A Compilation is not safe for concurrent use.
type Compilation struct {
	c         *compiler
	memory    *memory
	resources map[string]*model.Resource
	written   map[*ruleSet][]written
	filtered  map[*subnet]bool // subnets with a security group, their own or an interface's
}

// written is a filter that was written from a rule set.
type written struct {
	key filterKey
	id  fabric.FilterID
}

// Edit is a change of resources.
type Edit struct {
	Put    []*model.Resource // new, or in place of those with the same ID
	Remove []model.ID
}

// Follow compiles a network and keeps what later edits can use.
func Follow(resources []*model.Resource, opts Options) (*Compilation, error) {
	k := &Compilation{memory: newMemory(), resources: make(map[string]*model.Resource, len(resources))}
	for _, r := range resources {
		k.resources[r.ID.Key()] = r
	}
	c, err := run(resources, opts, k.memory)
	if err != nil {
		return nil, err
	}
	k.take(c)
	return k, nil
}

// Image returns the image as of the last update that succeeded.
func (k *Compilation) Image() *fabric.Image { return k.c.img }

func (k *Compilation) take(c *compiler) {
	k.c = c
	k.written = make(map[*ruleSet][]written, len(c.nsgs))
	for key, id := range c.filterIDs {
		k.written[key.rules] = append(k.written[key.rules], written{key, id})
	}
	k.filtered = map[*subnet]bool{}
	for _, p := range c.ports {
		if p.subnet != nil && (p.subnet.nsg != nil || p.nsg != nil) {
			k.filtered[p.subnet] = true
		}
	}
}

// Update applies an edit. The delta says in what the new image differs from
// the last. On an error, a [model.Problems], nothing changes.
func (k *Compilation) Update(e Edit, opts Options) (*fabric.Image, fabric.Delta, error) {
	if groups, ok := k.groupsOf(e); ok {
		if d, ok := k.rewrite(groups, opts); ok {
			for _, id := range e.Remove {
				delete(k.resources, id.Key())
			}
			for _, r := range e.Put {
				k.resources[r.ID.Key()] = r
			}
			return k.c.img, d, nil
		}
	}
	if table, r, ok := k.tableOf(e); ok {
		if d, ok := k.reroute(table, r, opts); ok {
			k.resources[r.ID.Key()] = r
			return k.c.img, d, nil
		}
	}
	next := maps.Clone(k.resources)
	for _, id := range e.Remove {
		delete(next, id.Key())
	}
	for _, r := range e.Put {
		next[r.ID.Key()] = r
	}
	c, err := run(slices.Collect(maps.Values(next)), opts, k.memory)
	if err != nil {
		k.memory.forget(k.resources)
		return nil, fabric.Delta{}, err
	}
	d := fabric.Compare(k.c.img, c.img)
	k.resources = next
	k.memory.forget(next)
	k.take(c)
	return c.img, d, nil
}
