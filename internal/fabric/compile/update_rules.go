package compile

import (
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
)

// groupEdit is an edit as one security group sees it.
type groupEdit struct {
	group *nsg
	doc   *model.Resource            // the group's own document; nil if it stays
	rules map[string]*model.Resource // rules declared on their own, by lower-case ID; nil where removed
}

// groupsOf returns the security groups of an edit that changes nothing but
// their documents and their rules.
func (k *Compilation) groupsOf(e Edit) ([]*groupEdit, bool) {
	var out []*groupEdit
	index := map[string]*groupEdit{}
	at := func(key string) *groupEdit {
		x, ok := index[key]
		if !ok {
			n, known := k.c.nsgs[key]
			if !known {
				return nil
			}
			x = &groupEdit{group: n, rules: map[string]*model.Resource{}}
			index[key], out = x, append(out, x)
		}
		return x
	}
	rule := func(id model.ID, r *model.Resource) bool {
		if !strings.EqualFold(id.Type(), model.TypeSecurityRule) {
			return false
		}
		x := at(id.Parent().Key())
		if x != nil {
			x.rules[id.Key()] = r
		}
		return x != nil
	}
	for _, id := range e.Remove {
		if _, known := k.resources[id.Key()]; !known || !rule(id, nil) {
			return nil, false
		}
	}
	for _, r := range e.Put {
		if x := at(r.ID.Key()); x != nil {
			x.doc = r
		} else if !rule(r.ID, r) {
			return nil, false
		}
	}
	return out, len(out) > 0
}

// rewriting is a security group with the rules it is to have.
type rewriting struct {
	*groupEdit
	item     *item[wire.NSG]
	children []*item[wire.SecurityRule]
	rules    *ruleSet
}

// rewrite writes the filters of security groups anew. It changes nothing and
// returns false where that is not all there is to do.
func (k *Compilation) rewrite(groups []*groupEdit, opts Options) (fabric.Delta, bool) {
	var all []*rewriting
	for _, e := range groups {
		x, ok := k.reread(e)
		if !ok {
			return fabric.Delta{}, false
		}
		all = append(all, x)
	}
	c := k.c
	img := *c.img
	img.Epoch = opts.Epoch
	img.Filters = slices.Clone(img.Filters)
	var d fabric.Delta
	for _, x := range all {
		n := x.group
		list := k.written[n.rules]
		delete(k.written, n.rules)
		for i := range list {
			delete(c.filterIDs, list[i].key)
			list[i].key.rules = x.rules
			f := &img.Filters[list[i].id]
			f.Rules, f.Origin = c.write(&list[i].key), origin(x.item.res, "", "")
			c.filterIDs[list[i].key] = list[i].id
			d.Filters = append(d.Filters, list[i].id)
		}
		k.written[x.rules] = list
		k.replaced(x)
		n.item, n.rules = x.item, x.rules
	}
	slices.Sort(d.Filters)
	img.Sets = c.sets.list
	c.img = &img
	return d, true
}

// reread reads the rules of a security group as they are to be; false where the
// filters are not all that depends on them, or something is wrong or not known.
func (k *Compilation) reread(e *groupEdit) (*rewriting, bool) {
	c, n := k.c, e.group
	if n.rules == nil || c.portless[n.rules] != nil || c.probedGroups[n] || k.noted(n.res.ID) {
		return nil, false
	}
	x := &rewriting{groupEdit: e, item: n.item}
	if r := e.doc; r != nil {
		x.item = &item[wire.NSG]{res: r, key: n.key}
		if r.ID.String() != n.res.ID.String() || wire.Decode(r.Doc, &x.item.view) != nil {
			return nil, false
		}
	}
	for _, it := range c.docs.rules.below(n.key) {
		if k.noted(it.res.ID) {
			return nil, false
		}
		if _, changed := e.rules[it.key]; !changed {
			x.children = append(x.children, it)
		}
	}
	for key, r := range e.rules {
		if r == nil {
			continue
		}
		it := &item[wire.SecurityRule]{res: r, key: key}
		if wire.Decode(r.Doc, &it.view) != nil {
			return nil, false
		}
		x.children = append(x.children, it)
	}
	slices.SortFunc(x.children, func(a, b *item[wire.SecurityRule]) int { return strings.Compare(a.key, b.key) })
	problems, notes := len(c.problems), len(c.img.Notes)
	x.rules = c.parseNSG(x.item, x.children)
	if problems != len(c.problems) || notes != len(c.img.Notes) {
		// The full way says what is wrong, or not known.
		for _, note := range c.img.Notes[notes:] {
			delete(c.notes, note)
		}
		c.problems, c.img.Notes = c.problems[:problems], c.img.Notes[:notes]
		return nil, false
	}
	return x, x.rules.virtual == n.rules.virtual && x.rules.internet == n.rules.internet
}

// replaced puts the documents of a rewritten group in place of those before.
func (k *Compilation) replaced(x *rewriting) {
	n, m := x.group, k.memory
	delete(m.rules, n.item)
	if x.item != n.item {
		delete(m.items, n.res)
		m.items[x.item.res] = x.item
		k.c.docs.nsgs.put(x.item)
	}
	if len(x.children) == 0 && !namesGroups(x.item) {
		m.rules[x.item] = x.rules
	}
	rules := &k.c.docs.rules
	for key, r := range x.groupEdit.rules {
		if old, ok := rules.byKey[key]; ok {
			delete(m.items, old.res)
		}
		if r == nil {
			rules.remove(key)
		}
	}
	for _, it := range x.children {
		if rules.byKey[it.key] != it {
			rules.put(it)
			m.items[it.res] = it
		}
	}
}

// at returns the place of a key in a table's list.
func (t *table[T]) at(key string) (int, bool) {
	return slices.BinarySearchFunc(t.list, key, func(x *item[T], key string) int { return strings.Compare(x.key, key) })
}

// put adds an item, or puts it in place of the one with the same ID.
func (t *table[T]) put(it *item[T]) {
	t.byKey[it.key] = it
	if i, ok := t.at(it.key); ok {
		t.list[i] = it
	} else {
		t.list = slices.Insert(t.list, i, it)
	}
}

func (t *table[T]) remove(key string) {
	if i, ok := t.at(key); ok {
		t.list = slices.Delete(t.list, i, i+1)
		delete(t.byKey, key)
	}
}

// below returns the children of a resource.
func (t *table[T]) below(key string) []*item[T] {
	from, _ := t.at(key + "/")
	to := from
	for to < len(t.list) && strings.HasPrefix(t.list[to].key, key+"/") {
		to++
	}
	return t.list[from:to]
}
