package arm

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/compile"
	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/model"
)

// compiled is the image of the store's newest revision that was asked for. It
// follows the store by the changes since the last one, so that a question right
// after a write costs what the write changed.
type compiled struct {
	mu sync.Mutex
	// view and img are the last question's; fault is why there is no image, and
	// lost what is not in it because it does not compile.
	view  *state.View
	img   *fabric.Image
	lost  *lost
	fault *Fault
	// follow is the compilation at revision base, if one succeeded.
	follow *compile.Compilation
	base   uint64
	// peerings are those that follow has, by the key of their network.
	peerings map[string][]model.ID
}

// newest returns the newest state and its image, and what is not in it: nil where
// all of it compiles.
func (k *compiled) newest(s *Server) (*state.View, *fabric.Image, *lost, *Fault) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if v := s.store.View(); k.view == nil || k.view.Revision() != v.Revision() {
		k.img, k.lost, k.fault = k.at(s, v)
		k.view = v
	}
	return k.view, k.img, k.lost, k.fault
}

func (k *compiled) at(s *Server, v *state.View) (*fabric.Image, *lost, *Fault) {
	opts := compile.Options{Epoch: v.Revision()}
	err := k.advance(s, v, opts)
	var problems model.Problems
	switch {
	case errors.As(err, &problems):
		return s.without(v, problems, opts)
	case err != nil:
		return nil, nil, fault(http.StatusInternalServerError, "InternalServerError", "The network could not be compiled: %v.", err)
	}
	return k.follow.Image(), nil, nil
}

// advance brings the compilation to a state.
func (k *compiled) advance(s *Server, v *state.View, opts compile.Options) error {
	if k.follow == nil {
		all := slices.DeleteFunc(s.kinds.normalForm(v), func(r *model.Resource) bool { return aside(r.ID) })
		follow, err := compile.Follow(all, opts)
		if err != nil {
			return err
		}
		k.follow, k.base, k.peerings = follow, v.Revision(), map[string][]model.ID{}
		for _, r := range all {
			if r.ID.Is(model.TypePeering) {
				network := r.ID.Parent().Key()
				k.peerings[network] = append(k.peerings[network], r.ID)
			}
		}
		return nil
	}
	changes, err := s.store.History(k.base, 0)
	if err != nil {
		return err
	}
	var edit compile.Edit
	networks := map[string][]model.ID{}
	seen := map[string]bool{}
	for _, c := range changes {
		id, err := model.ParseID(c.ID)
		if err != nil || c.Revision > v.Revision() || seen[id.Key()] || aside(id) {
			continue
		}
		seen[id.Key()] = true
		var now []model.ID
		if e, ok := v.Get(id); ok {
			for _, r := range s.kinds.normalized(e.Resource) {
				edit.Put = append(edit.Put, r)
				if r.ID.Is(model.TypePeering) {
					now = append(now, r.ID)
				}
			}
		} else {
			edit.Remove = append(edit.Remove, id)
		}
		for _, had := range k.peerings[id.Key()] {
			if !slices.ContainsFunc(now, had.Equal) {
				edit.Remove = append(edit.Remove, had)
			}
		}
		networks[id.Key()] = now
	}
	if len(edit.Put)+len(edit.Remove) > 0 {
		if _, _, err := k.follow.Update(edit, opts); err != nil {
			return err
		}
	}
	k.base = v.Revision()
	for key, list := range networks {
		delete(k.peerings, key)
		if len(list) > 0 {
			k.peerings[key] = list
		}
	}
	return nil
}

// aside reports whether documents of a type say nothing about what packets do,
// so that writing one leaves the image as it is.
func aside(id model.ID) bool {
	for _, t := range []string{
		"Microsoft.Resources", "Microsoft.Authorization/roleAssignments", "Microsoft.Authorization/roleDefinitions",
		"Microsoft.Authorization/locks", typeWatcher, typePool, typeWorkspace,
	} {
		if own := id.Type(); len(own) >= len(t) && strings.EqualFold(own[:len(t)], t) && (len(own) == len(t) || own[len(t)] == '/') {
			return true
		}
	}
	return false
}
