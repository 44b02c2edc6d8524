package arm

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/model"
)

// Terms of the index:
//
//	type:TYPE            documents of a type
//	ref:KEY              documents that refer to a resource or an inline child
//	ip:SUBNET/ADDRESS    documents with an address in a subnet
//	pip:ADDRESS          documents with a public address
//	principal:GUID       role assignments to a principal
//
// Types and keys are in lower case, addresses as 32 hexadecimal digits.
const (
	termType   = "type:"
	termRef    = "ref:"
	termIP     = "ip:"
	termPublic = "pip:"

	termPrincipal = "principal:"
)

// indexKinds is the table the index reads. It is never changed.
var indexKinds = sync.OnceValue(newKindSet)

// Index gives the terms by which a server finds resources. A store for a server
// must be opened with it.
func Index(r *model.Resource) []string {
	t := strings.ToLower(r.Type())
	terms := []string{termType + t}
	k := indexKinds()[t]
	if k == nil {
		return terms
	}
	for _, ref := range k.refs {
		ref.path.each(r.Doc, func(id string) { terms = append(terms, termRef+strings.ToLower(id)) })
	}
	if k.Terms != nil {
		terms = append(terms, k.Terms(r)...)
	}
	return terms
}

// stateFile is the store's file in a directory.
const stateFile = "cloud.db"

// HasStore reports whether a directory holds the store of a cloud.
func HasStore(dir string) bool {
	info, err := os.Stat(filepath.Join(dir, stateFile))
	return err == nil && info.Mode().IsRegular()
}

// OpenStore opens the store of a cloud in a directory, making both as needed;
// an empty dir means a store in memory.
func OpenStore(dir string) (state.Store, error) {
	o := state.Options{Index: Index}
	if dir == "" {
		return state.Memory(o), nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return state.Open(filepath.Join(dir, stateFile), o)
}

// checkIndexed makes sure a store has the server's index, by a write that is
// taken back.
func checkIndexed(s state.Store) error {
	probe := model.GroupID("cerulean-index-probe", "g")
	errTakeBack := errors.New("taken back")
	found := false
	_, err := s.Update(state.Actor{}, func(tx *state.Tx) error {
		if err := tx.Put(&model.Resource{ID: probe, Doc: map[string]any{}}); err != nil {
			return err
		}
		for _, e := range tx.Find(termType + strings.ToLower(model.TypeResourceGroup)) {
			found = found || e.Resource.ID == probe
		}
		return errTakeBack
	})
	switch {
	case !errors.Is(err, errTakeBack):
		return err
	case !found:
		return errors.New("arm: the store lacks the server's index; open it with arm.OpenStore")
	}
	return nil
}

// viewer is what reading needs of a state: a view, or an update under way.
type viewer interface {
	Get(model.ID) (state.Entry, bool)
	Snapshot() []*model.Resource
}

// usersOf returns the places that refer to a resource, other than those the
// skip function names: IDs of documents, or of the inline children or parts
// that hold the reference.
func usersOf(ks kindSet, v *state.View, id model.ID, skip func(model.ID) bool) []string {
	var users []string
	for _, e := range findExact(v, termRef+id.Key()) {
		k := ks[strings.ToLower(e.Resource.Type())]
		if k == nil || skip != nil && skip(e.Resource.ID) {
			continue
		}
		holders(k, e.Resource, id, func(holder string) { users = append(users, holder) })
	}
	return users
}

func findExact(v *state.View, term string) []state.Entry {
	var out []state.Entry
	for t, e := range v.Find(term) {
		if t != term {
			break
		}
		out = append(out, e)
	}
	return out
}

// holders calls fn for each part of a document that holds a binding reference
// to id.
func holders(k *kind, r *model.Resource, id model.ID, fn func(string)) {
	for _, ref := range k.refs {
		if ref.loose {
			continue
		}
		at := holderDepth(ref.path)
		seen := map[string]bool{}
		ref.path[:at].eachObject(r.Doc, func(part map[string]any) {
			ref.path[at:].each(part, func(target string) {
				holder := text(part, "id")
				if holder == "" {
					holder = r.ID.String()
				}
				if strings.EqualFold(target, id.String()) && !seen[holder] {
					seen[holder] = true
					fn(holder)
				}
			})
		})
	}
}

// holderDepth returns the length of the path to the innermost list element: the
// subnet of properties.subnets.*.properties.routeTable.id.
func holderDepth(p path) int {
	// A list of plain references ends in "*.id": its holder is the document.
	for i := len(p) - 3; i >= 0; i-- {
		if p[i] == "*" {
			return i + 1
		}
	}
	return 0
}

// eachObject calls fn with the objects at the path.
func (p path) eachObject(v any, fn func(map[string]any)) {
	if len(p) == 0 {
		if m, ok := v.(map[string]any); ok {
			fn(m)
		}
		return
	}
	if p[0] == "*" {
		list, _ := v.([]any)
		for _, e := range list {
			p[1:].eachObject(e, fn)
		}
		return
	}
	if m, ok := v.(map[string]any); ok {
		p[1:].eachObject(m[p[0]], fn)
	}
}
