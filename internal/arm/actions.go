package arm

import (
	"errors"
	"net/http"
	"strings"
	"sync"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/compile"
	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/model"
)

// verb is an action answered from the compiled network.
type verb struct {
	on     string // resource type
	name   string
	answer func(*state.View, *fabric.Image, *model.Resource) (any, *Fault)
}

func networkVerbs() []verb {
	return []verb{
		{model.TypeNIC, "effectiveRouteTable", effectiveRoutes},
	}
}

// networkVerb answers an action from the compiled network; false means there is
// no such action. The answer is immediate: clients of a long-running operation
// take a first 200 as its result.
func (c *call) networkVerb(v *state.View, on *model.Resource, name string) (bool, *Fault) {
	for _, a := range networkVerbs() {
		if !on.ID.Is(a.on) || !strings.EqualFold(a.name, name) {
			continue
		}
		img, err := c.s.compiled.at(v, c.s.kinds)
		if err != nil {
			var ps model.Problems
			if errors.As(err, &ps) {
				return true, fault(http.StatusConflict, "NetworkNotCompiled", "The network as stored does not compile, so '%s' has no answer: %s", a.name, err)
			}
			return true, fault(http.StatusInternalServerError, "InternalServerError", "%s", err)
		}
		answer, f := a.answer(v, img, on)
		if f == nil {
			writeJSON(c.w, http.StatusOK, answer)
		}
		return true, f
	}
	return false, nil
}

// compiled is the image of the newest revision asked for.
type compiled struct {
	mu       sync.Mutex
	known    bool
	revision uint64
	img      *fabric.Image
	err      error
}

func (k *compiled) at(v *state.View, kinds kindSet) (*fabric.Image, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.known || k.revision != v.Revision() {
		k.img, k.err = compile.Compile(kinds.normalForm(v), compile.Options{Epoch: v.Revision()})
		k.known, k.revision = true, v.Revision()
	}
	return k.img, k.err
}
