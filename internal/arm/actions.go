package arm

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/model"
)

// need says whether a request of an action has a body.
type need uint8

const (
	noBody    need = iota // one that is sent is not read
	maybeBody             // absent is the same as {}
	withBody
)

// verb is an action of a resource type: POST or GET of the resource's path and
// the verb's name.
type verb struct {
	name string
	get  bool // asked by GET
	put  bool // asked by PUT
	body need
	// long actions are accepted with 202; the answer is at the operation's
	// Location.
	long bool
	// absent actions need no resource.
	absent bool
	// network says that the answer comes from the compiled network.
	network bool
	answer  func(*question) (any, *Fault)
	// act answers itself, in place of answer.
	act func(*call, *model.Resource) *Fault
}

// question is a request for the answer of an action.
type question struct {
	s            *Server
	subscription string
	view         *state.View
	img          *fabric.Image   // of the same revision; nil unless the verb asks for it
	on           *model.Resource // what the action is of
	body         map[string]any
	query        url.Values
}

// verbOf finds an action of a type; names ignore case.
func (ks kindSet) verbOf(resourceType, name, method string) *verb {
	verbs := locationVerbs()
	if !strings.EqualFold(resourceType, typeLocation) {
		k := ks[strings.ToLower(resourceType)]
		if k == nil {
			return nil
		}
		verbs = k.Verbs
	}
	for i := range verbs {
		a := &verbs[i]
		if strings.EqualFold(a.name, name) && a.get == (method == http.MethodGet) && a.put == (method == http.MethodPut) {
			return a
		}
	}
	return nil
}

// action answers an action of a resource.
func (c *call) action(id model.ID, name string) *Fault {
	a := c.s.kinds.verbOf(id.Type(), name, c.r.Method)
	v := c.s.store.View()
	on, f := c.actedOn(v, id)
	if f != nil && a != nil && a.absent {
		on, f = &model.Resource{ID: id}, nil
	}
	switch {
	case f != nil:
		return f
	case a == nil:
		return fault(http.StatusNotFound, "InvalidResourceAction", "The action '%s' is not known for resources of type '%s'.", name, id.Type())
	case a.act != nil:
		return a.act(c, on)
	}
	q := &question{s: c.s, subscription: c.subscription, view: v, on: on, query: c.r.URL.Query()}
	if a.body != noBody {
		q.body, f = readBody(c.w, c.r)
		if f != nil && a.body == maybeBody && f.Err.Code == codeNoBody {
			q.body, f = map[string]any{}, nil
		}
		if f != nil {
			return f
		}
	}
	if f := c.permitNamed(id, name, q.body); f != nil {
		return f
	}
	if a.network {
		var missing *lost
		if q.view, q.img, missing, f = c.s.compiled.newest(c.s); f != nil {
			return f
		}
		if f := missing.refuse(id, q.body); f != nil {
			return f
		}
		if q.on, f = c.actedOn(q.view, id); f != nil {
			return f
		}
	}
	answer, f := a.answer(q)
	if f != nil {
		return f
	}
	if !a.long {
		writeJSON(c.w, http.StatusOK, answer)
		return nil
	}
	return c.promise(answer, on)
}

// actedOn finds the resource that an action is of.
func (c *call) actedOn(v *state.View, id model.ID) (*model.Resource, *Fault) {
	if id.Is(typeLocation) {
		return &model.Resource{ID: id}, nil
	}
	k, f := c.s.kinds.of(id)
	if f != nil {
		return nil, f
	}
	doc, ok := lookup(v, k, id)
	if !ok {
		return nil, notFound(id, k.child())
	}
	return &model.Resource{ID: model.MustParseID(text(doc, "id")), Doc: doc}, nil
}
