package arm

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/avnm"
	"github.com/ceruleannet/cerulean/internal/fabric/compile"
	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/model"
)

// lost is what is not in an image because it does not compile, or because what
// packets do there depends on something that does not.
type lost struct {
	problems model.Problems
	keys     map[string]bool // of documents
}

// places are the types in which others stand, besides their parents: with one of
// those others missing, what happens in the place is not known.
var places = []string{
	model.TypeVirtualNetwork, model.TypeLoadBalancer, model.TypeFirewall, typeVirtualHub, typeAppGateway,
	typeGateway, model.TypePrivateZone, model.TypeNATGateway, model.TypePublicIP,
}

// without compiles what is left of a network without what does not compile. It
// leaves out too much rather than too little: everything that refers to what is
// left out, and the places that what is left out stands in, so that whole peered
// networks go together. What is left never had to do with it.
func (s *Server) without(v *state.View, problems model.Problems, opts compile.Options) (*fabric.Image, *lost, *Fault) {
	all := slices.DeleteFunc(s.kinds.normalForm(v), func(r *model.Resource) bool { return aside(r.ID) })
	out := &lost{keys: map[string]bool{}}
	for {
		before := len(out.keys)
		out.problems = append(out.problems, problems...)
		if !out.add(s.kinds, all, problems) || len(out.keys) == before {
			return nil, nil, fault(http.StatusConflict, "NetworkNotCompiled",
				"The network as stored does not compile, so there is no answer. Correct what follows and ask again. %s", out.problems)
		}
		rest := slices.DeleteFunc(slices.Clone(all), func(r *model.Resource) bool { return out.keys[r.ID.Key()] })
		img, err := compile.Compile(rest, opts)
		switch {
		case err == nil:
			for _, p := range out.problems {
				img.Notes = append(img.Notes, fabric.Note{Origin: fabric.Origin{Resource: p.Resource}, What: "does not compile: " + p.What})
			}
			return img, out, nil
		case !errors.As(err, &problems):
			return nil, nil, fault(http.StatusInternalServerError, "InternalServerError", "The network could not be compiled: %v.", err)
		}
	}
}

// add leaves out what problems are of and what depends on it. It reports false if
// a problem is of nothing that can be left out.
func (l *lost) add(kinds kindSet, all []*model.Resource, problems model.Problems) bool {
	documents := make(map[string]*model.Resource, len(all))
	users := map[string][]*model.Resource{} // by the key of what they refer to, or of what holds it
	for _, r := range all {
		documents[r.ID.Key()] = r
	}
	holder := func(text string) *model.Resource {
		id, err := model.ParseID(text)
		if err != nil {
			return nil
		}
		for ; !id.IsZero(); id = id.Parent() {
			if r := documents[id.Key()]; r != nil {
				return r
			}
		}
		return nil
	}
	refers := map[string][]*model.Resource{} // to what, by the key of who does
	for _, r := range all {
		k := kinds[strings.ToLower(r.Type())]
		link := func(to *model.Resource) {
			if to != nil && to != r {
				users[to.ID.Key()] = append(users[to.ID.Key()], r)
				refers[r.ID.Key()] = append(refers[r.ID.Key()], to)
			}
		}
		link(holder(r.ID.Parent().String()))
		if k == nil {
			continue
		}
		for _, ref := range k.refs {
			ref.path.each(r.Doc, func(target string) { link(holder(target)) })
		}
	}
	var queue []*model.Resource
	lose := func(r *model.Resource) {
		if !l.keys[r.ID.Key()] {
			l.keys[r.ID.Key()] = true
			queue = append(queue, r)
		}
	}
	for _, p := range problems {
		r := holder(p.Resource)
		if r == nil || avnm.Owns(r.Type()) { // a network manager governs what does not refer to it
			return false
		}
		lose(r)
	}
	for len(queue) > 0 {
		r := queue[0]
		queue = queue[1:]
		for _, u := range users[r.ID.Key()] {
			lose(u)
		}
		for _, to := range refers[r.ID.Key()] {
			if slices.ContainsFunc(places, to.ID.Is) || strings.HasPrefix(r.ID.Key(), to.ID.Key()+"/") {
				lose(to)
			}
		}
	}
	return true
}

// refuse refuses a question about a resource that is not in the image, or whose
// body names one.
func (l *lost) refuse(on model.ID, body any) *Fault {
	if l == nil {
		return nil
	}
	if f := l.refuseID(on.String()); f != nil {
		return f
	}
	switch v := body.(type) {
	case map[string]any:
		for _, e := range v {
			if f := l.refuse(model.ID{}, e); f != nil {
				return f
			}
		}
	case []any:
		for _, e := range v {
			if f := l.refuse(model.ID{}, e); f != nil {
				return f
			}
		}
	case string:
		return l.refuseID(v)
	}
	return nil
}

func (l *lost) refuseID(text string) *Fault {
	id, err := model.ParseID(text)
	if err != nil {
		return nil
	}
	for at := id; !at.IsZero(); at = at.Parent() {
		if l.keys[at.Key()] {
			return fault(http.StatusConflict, "NetworkNotCompiled",
				"What happens at %s is not known, because something it has to do with does not compile. Correct what follows and ask again. %s", id, l.problems)
		}
	}
	return nil
}
