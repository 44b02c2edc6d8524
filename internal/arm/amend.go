package arm

import (
	"net/http"

	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/model"
)

// amend changes a stored document on behalf of an action. It may change what
// only the server says; the document stays whole otherwise.
func (c *call) amend(id model.ID, edit func(*change) *Fault) *Fault {
	k, f := c.s.kinds.of(id)
	if f != nil {
		return f
	}
	return c.update(func(tx *state.Tx) *Fault {
		e, ok := tx.Get(id)
		if !ok {
			return notFound(id, k.child())
		}
		ch := c.s.newChange(tx, k, e.Resource.ID, c.actor())
		ch.old = e.Resource.Doc
		ch.doc, _ = model.CloneJSON(ch.old).(map[string]any)
		if f := edit(ch); f != nil {
			return f
		}
		if text(ch.old, "etag") != "" {
			ch.doc["etag"] = ch.etag
		}
		return ch.put()
	})
}

// changing makes an action that takes no body, changes its resource and has no
// answer.
func changing(name string, edit func(*change) *Fault) verb {
	return verb{name: name, act: func(c *call, on *model.Resource) *Fault {
		if f := c.amend(on.ID, edit); f != nil {
			return f
		}
		return c.acceptEmpty(on)
	}}
}

// acceptEmpty accepts an action whose operation ends without an answer.
func (c *call) acceptEmpty(on *model.Resource) *Fault {
	k, f := c.s.kinds.of(on.ID)
	if f != nil {
		return f
	}
	c.accept(operationWrite, c.s.takes(k.Type, timedChange), k.namespace(), c.locationOf(on), true)
	c.w.WriteHeader(http.StatusAccepted)
	return nil
}
