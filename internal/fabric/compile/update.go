package compile

import (
	"maps"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
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

// groupsOf returns the security groups of an edit that changes nothing but
// their documents.
func (k *Compilation) groupsOf(e Edit) ([]*model.Resource, bool) {
	if len(e.Remove) > 0 || len(e.Put) == 0 {
		return nil, false
	}
	for _, r := range e.Put {
		if _, known := k.c.nsgs[r.ID.Key()]; !known {
			return nil, false
		}
	}
	return e.Put, true
}

// rewrite writes the filters of security groups anew. It changes nothing and
// returns false where that is not all there is to do.
func (k *Compilation) rewrite(groups []*model.Resource, opts Options) (fabric.Delta, bool) {
	type change struct {
		group *nsg
		to    *item[wire.NSG]
		rules *ruleSet
	}
	c := k.c
	var changes []change
	for _, r := range groups {
		n := c.nsgs[r.ID.Key()]
		if n.rules == nil || c.portless[n.rules] != nil || c.probedGroups[n] || r.ID.String() != n.res.ID.String() || k.noted(r.ID) || k.children(n) {
			return fabric.Delta{}, false
		}
		it := &item[wire.NSG]{res: r, key: n.key}
		if wire.Decode(r.Doc, &it.view) != nil {
			return fabric.Delta{}, false
		}
		problems, notes := len(c.problems), len(c.img.Notes)
		rules := c.parseNSG(it, nil)
		if problems != len(c.problems) || notes != len(c.img.Notes) {
			// The full way says what is wrong, or not known.
			for _, note := range c.img.Notes[notes:] {
				delete(c.notes, note)
			}
			c.problems, c.img.Notes = c.problems[:problems], c.img.Notes[:notes]
			return fabric.Delta{}, false
		}
		if rules.virtual != n.rules.virtual || rules.internet != n.rules.internet {
			return fabric.Delta{}, false
		}
		changes = append(changes, change{n, it, rules})
	}
	img := *c.img
	img.Epoch = opts.Epoch
	img.Filters = slices.Clone(img.Filters)
	var d fabric.Delta
	for _, x := range changes {
		list := k.written[x.group.rules]
		delete(k.written, x.group.rules)
		at := origin(x.to.res, "", "")
		for i := range list {
			delete(c.filterIDs, list[i].key)
			list[i].key.rules = x.rules
			f := &img.Filters[list[i].id]
			f.Rules, f.Origin = c.write(&list[i].key), at
			c.filterIDs[list[i].key] = list[i].id
			d.Filters = append(d.Filters, list[i].id)
		}
		k.written[x.rules] = list
		delete(k.memory.items, x.group.res)
		delete(k.memory.rules, x.group.item)
		k.memory.items[x.to.res] = x.to
		if !namesGroups(x.to) {
			k.memory.rules[x.to] = x.rules
		}
		c.docs.nsgs.replace(x.to)
		x.group.item, x.group.rules = x.to, x.rules
	}
	slices.Sort(d.Filters)
	img.Sets = c.sets.list
	c.img = &img
	return d, true
}

// children reports whether a security group has rules declared on their own.
func (k *Compilation) children(n *nsg) bool {
	list := k.c.docs.rules.list
	prefix := n.key + "/"
	i, _ := slices.BinarySearchFunc(list, prefix, func(it *item[wire.SecurityRule], key string) int { return strings.Compare(it.key, key) })
	return i < len(list) && strings.HasPrefix(list[i].key, prefix)
}

// replace puts an item in place of the one with the same ID.
func (t *table[T]) replace(it *item[T]) {
	t.byKey[it.key] = it
	i, _ := slices.BinarySearchFunc(t.list, it.key, func(x *item[T], key string) int { return strings.Compare(x.key, key) })
	t.list[i] = it
}
