package arm

import (
	"encoding/json"
	"net/http"
	"sync"

	"github.com/ceruleannet/cerulean/model"
)

// Bounds of the answers that wait to be fetched. The oldest are dropped first;
// an answer that is gone is not found, as after a restart.
const (
	maxAnswers     = 4096
	maxAnswerBytes = 64 << 20
)

// answers are what long-running actions answered, by the name of the operation.
// They are not stored: a diagnosis that is lost is asked for again.
type answers struct {
	mu    sync.Mutex
	all   map[string][]byte
	names []string // oldest first
	bytes int
}

func (a *answers) put(name string, b []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.all == nil {
		a.all = map[string][]byte{}
	}
	a.all[name] = b
	a.names = append(a.names, name)
	a.bytes += len(b)
	for len(a.names) > 1 && (len(a.names) > maxAnswers || a.bytes > maxAnswerBytes) {
		a.bytes -= len(a.all[a.names[0]])
		delete(a.all, a.names[0])
		a.names = a.names[1:]
	}
}

func (a *answers) get(name string) ([]byte, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	b, ok := a.all[name]
	return b, ok
}

// promise accepts an action: its answer is at the operation's Location.
func (c *call) promise(answer any, on *model.Resource) *Fault {
	b, err := json.Marshal(answer)
	if err != nil {
		return fault(http.StatusInternalServerError, "InternalServerError", "The answer could not be encoded: %v.", err)
	}
	k, f := c.s.kinds.of(on.ID)
	if f != nil {
		return f
	}
	c.s.answers.put(c.accept(operationAnswer, c.s.takes("*", timedChange), k.namespace(), c.locationOf(on), true), b)
	writeBytes(c.w, http.StatusAccepted, []byte("null"))
	return nil
}
