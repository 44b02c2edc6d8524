package compile

import (
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
)

// tableOf returns the route table of an edit that changes nothing but its
// document.
func (k *Compilation) tableOf(e Edit) (*item[wire.RouteTable], *model.Resource, bool) {
	if len(e.Remove) > 0 || len(e.Put) != 1 {
		return nil, nil, false
	}
	it, ok := k.c.docs.routeTables.byKey[e.Put[0].ID.Key()]
	return it, e.Put[0], ok
}

// reroute writes the effective tables of a route table anew. It changes nothing
// and returns false where that is not all there is to do: something is wrong or
// not modelled, or the prefixes of the routes change what the tag VirtualNetwork
// means where security groups use it.
//
// The item takes the new document in its own place: subnets and effective
// tables know it by its address.
func (k *Compilation) reroute(it *item[wire.RouteTable], r *model.Resource, opts Options) (fabric.Delta, bool) {
	c := k.c
	if len(c.childRoutes[it.key]) > 0 || r.ID.String() != it.res.ID.String() || k.noted(r.ID) {
		return fabric.Delta{}, false
	}
	next := item[wire.RouteTable]{res: r, key: it.key}
	if wire.Decode(r.Doc, &next.view) != nil {
		return fabric.Delta{}, false
	}
	before, users := *it, map[userKey]*userRoutes{}
	for key, u := range c.users {
		if key.table == it {
			users[key] = u
		}
	}
	problems, notes := len(c.problems), len(c.img.Notes)
	*it = next
	for key := range users {
		delete(c.users, key)
	}
	changed := map[fabric.TableID]fabric.Table{}
	same := true
	for key, was := range users {
		same = same && k.sameTag(key, was.set, c.userRoutes(key).set)
	}
	if same {
		for key, id := range c.tables {
			if key.table == it {
				s := representative(&key)
				if s == nil {
					same = false
					break
				}
				changed[id] = c.effective(s, key.chained)
			}
		}
	}
	if !same || len(c.problems) != problems || len(c.img.Notes) != notes {
		for _, note := range c.img.Notes[notes:] {
			delete(c.notes, note)
		}
		c.problems, c.img.Notes = c.problems[:problems], c.img.Notes[:notes]
		*it = before
		for key, u := range users {
			c.users[key] = u
		}
		return fabric.Delta{}, false
	}
	img := *c.img
	img.Epoch = opts.Epoch
	img.Tables = slices.Clone(img.Tables)
	var d fabric.Delta
	for id, t := range changed {
		img.Tables[id] = t
		d.Tables = append(d.Tables, id)
	}
	slices.Sort(d.Tables)
	img.Sets = c.sets.list
	c.img = &img
	delete(k.memory.items, before.res)
	k.memory.items[r] = it
	return d, true
}

// sameTag reports whether VirtualNetwork holds the same addresses with other
// user routes, at every subnet with a security group.
func (k *Compilation) sameTag(key userKey, was, is fabric.SetID) bool {
	if was == is {
		return true
	}
	c := k.c
	seen := map[fabric.SetID]bool{}
	for _, s := range c.subnets {
		if s.table != key.table || s.routing != key.routing || !k.filtered[s] || seen[s.vnet.tag] {
			continue
		}
		seen[s.vnet.tag] = true
		if c.sets.union(s.vnet.tag, was) != c.sets.union(s.vnet.tag, is) {
			return false
		}
	}
	return true
}

// representative returns a subnet that an effective table was made for.
func representative(key *tableKey) *subnet {
	if key.services != nil {
		return key.services
	}
	for _, s := range key.vnet.subnets {
		if s.table == key.table && s.routing == key.routing {
			return s
		}
	}
	return nil
}

// noted reports whether something about a resource is not modelled.
func (k *Compilation) noted(id model.ID) bool {
	return slices.ContainsFunc(k.c.img.Notes, func(n fabric.Note) bool { return strings.EqualFold(n.Origin.Resource, id.String()) })
}
