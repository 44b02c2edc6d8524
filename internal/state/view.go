package state

import (
	"encoding/json"
	"fmt"
	"iter"
	"reflect"
	"strings"
	"sync"

	"github.com/ceruleannet/cerulean/model"
	"github.com/google/btree"
)

// degree is the fan-out of the trees; copying a path on write costs about
// degree items per level.
const degree = 16

// item is an entry with its key and index terms.
type item struct {
	key   string
	entry Entry
	terms []string
}

// posting says that the resource at key carries a term.
type posting struct{ term, key string }

func lessItem(a, b item) bool { return a.key < b.key }

func lessPosting(a, b posting) bool {
	if a.term != b.term {
		return a.term < b.term
	}
	return a.key < b.key
}

// View is the state at one revision. It is immutable.
type View struct {
	revision uint64
	items    *btree.BTreeG[item]
	postings *btree.BTreeG[posting]
	next     chan struct{}
	derived  sync.Map // reflect.Type to a func that gives the value: see Derive
}

// Derive returns what follows from a published view, made when it is first asked
// for and once for each view and type of value.
func Derive[T any](v *View, make func() T) T {
	once, ok := v.derived.Load(reflect.TypeFor[T]())
	if !ok {
		once, _ = v.derived.LoadOrStore(reflect.TypeFor[T](), sync.OnceValue(make))
	}
	return once.(func() T)()
}

func newView() *View {
	return &View{
		items:    btree.NewG(degree, lessItem),
		postings: btree.NewG(degree, lessPosting),
		next:     make(chan struct{}),
	}
}

// fork returns a view to write to; v keeps what it has. Forks of one view must
// not be made concurrently.
func (v *View) fork() *View {
	return &View{
		revision: v.revision + 1,
		items:    v.items.Clone(),
		postings: v.postings.Clone(),
		next:     make(chan struct{}),
	}
}

// Revision returns the view's revision; an empty store is at 0.
func (v *View) Revision() uint64 { return v.revision }

// Superseded is closed when the store has published a newer view.
func (v *View) Superseded() <-chan struct{} { return v.next }

// Get returns the resource of an ID, whatever its case.
func (v *View) Get(id model.ID) (Entry, bool) {
	it, ok := v.items.Get(item{key: id.Key()})
	return it.entry, ok
}

// List yields the resources whose key ([model.ID.Key]) starts with prefix and
// comes after the key named by after ("" for none), in order of their keys.
func (v *View) List(prefix, after string) iter.Seq[Entry] {
	prefix, after = strings.ToLower(prefix), strings.ToLower(after)
	return func(yield func(Entry) bool) {
		v.items.AscendGreaterOrEqual(item{key: max(prefix, after)}, func(it item) bool {
			if !strings.HasPrefix(it.key, prefix) {
				return false
			}
			return it.key == after && after != "" || yield(it.entry)
		})
	}
}

// Find yields the terms that start with prefix, in order, each with a resource
// that carries it.
func (v *View) Find(prefix string) iter.Seq2[string, Entry] {
	return func(yield func(string, Entry) bool) {
		v.postings.AscendGreaterOrEqual(posting{term: prefix}, func(p posting) bool {
			if !strings.HasPrefix(p.term, prefix) {
				return false
			}
			it, _ := v.items.Get(item{key: p.key})
			return yield(p.term, it.entry)
		})
	}
}

// Terms yields the terms that start with prefix, in order, once for each
// resource that carries one. It costs less than Find.
func (v *View) Terms(prefix string) iter.Seq[string] {
	return func(yield func(string) bool) {
		v.postings.AscendGreaterOrEqual(posting{term: prefix}, func(p posting) bool {
			return strings.HasPrefix(p.term, prefix) && yield(p.term)
		})
	}
}

// Len returns the number of resources.
func (v *View) Len() int { return v.items.Len() }

// Snapshot returns every resource in order of keys.
func (v *View) Snapshot() []*model.Resource {
	rs := make([]*model.Resource, 0, v.Len())
	for e := range v.List("", "") {
		rs = append(rs, e.Resource)
	}
	return rs
}

func (v *View) insert(it item) {
	old, replaced := v.items.ReplaceOrInsert(it)
	if replaced {
		v.unpost(old)
	}
	for _, t := range it.terms {
		v.postings.ReplaceOrInsert(posting{t, it.key})
	}
}

func (v *View) unpost(it item) {
	for _, t := range it.terms {
		v.postings.Delete(posting{t, it.key})
	}
}

// Tx is the state an update reads and writes. It is valid only inside the
// function given to [Store.Update].
type Tx struct {
	*View
	by     Actor
	index  func(*model.Resource) []string
	writes []write
}

// write is one change with the item it leaves; a deletion leaves none.
type write struct {
	change Change
	item   item
}

// Put writes a resource, creating or replacing it. It fails if the ID is zero
// or the document is not JSON.
func (tx *Tx) Put(r *model.Resource) error {
	if r.ID.IsZero() {
		return fmt.Errorf("a resource without an ID cannot be stored")
	}
	b, err := json.Marshal(r.Doc)
	if err != nil {
		return fmt.Errorf("%s: %w", r.ID, err)
	}
	it := item{key: r.ID.Key(), entry: Entry{Resource: r, JSON: b, Revision: tx.revision}}
	if tx.index != nil {
		it.terms = tx.index(r)
	}
	action := ActionCreate
	if _, ok := tx.items.Get(it); ok {
		action = ActionUpdate
	}
	tx.insert(it)
	tx.writes = append(tx.writes, write{tx.change(action, r.ID), it})
	return nil
}

// Delete removes a resource and reports whether there was one.
func (tx *Tx) Delete(id model.ID) bool {
	old, ok := tx.items.Delete(item{key: id.Key()})
	if !ok {
		return false
	}
	tx.unpost(old)
	tx.writes = append(tx.writes, write{tx.change(ActionDelete, old.entry.Resource.ID), item{key: old.key}})
	return true
}

func (tx *Tx) change(a Action, id model.ID) Change {
	return Change{Revision: tx.revision, At: tx.by.At.UTC(), Who: tx.by.Who, Request: tx.by.Request, Action: a, ID: id.String()}
}
