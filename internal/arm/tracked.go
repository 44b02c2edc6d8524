package arm

import (
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/model"
)

// expansion says which of the properties that "$expand" of a listing of
// resources may name to add ("Resources - List").
type expansion struct {
	created, changed, provisioning bool
	times                          map[string]lifeTimes // by key
}

// lifeTimes are when a resource was made and last written.
type lifeTimes struct{ created, changed time.Time }

// expand reads $expand; the times are those of the audit trail.
func (c *call) expand(value string) (expansion, *Fault) {
	var e expansion
	for name := range strings.SplitSeq(value, ",") {
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "":
		case "createdtime":
			e.created = true
		case "changedtime":
			e.changed = true
		case "provisioningstate":
			e.provisioning = true
		default:
			return e, badRequest("InvalidExpandQueryParameter", "The $expand value '%.100s' is not one of createdTime, changedTime and provisioningState.", name) // code unconfirmed
		}
	}
	if !e.created && !e.changed {
		return e, nil
	}
	changes, err := c.s.store.History(0, 0)
	if err != nil {
		return e, fault(503, "ServiceUnavailable", "The trail could not be read: %v.", err)
	}
	e.times = map[string]lifeTimes{}
	for _, ch := range changes {
		key := strings.ToLower(ch.ID)
		switch t, known := e.times[key]; {
		case ch.Action == state.ActionDelete:
			delete(e.times, key)
		case known:
			e.times[key] = lifeTimes{t.created, ch.At}
		default:
			e.times[key] = lifeTimes{ch.At, ch.At}
		}
	}
	return e, nil
}

// add puts on a listed resource what was asked for.
func (e expansion) add(r *model.Resource, out map[string]any) map[string]any {
	if t, ok := e.times[r.ID.Key()]; ok {
		if e.created {
			out["createdTime"] = t.created.UTC().Format(time.RFC3339Nano)
		}
		if e.changed {
			out["changedTime"] = t.changed.UTC().Format(time.RFC3339Nano)
		}
	}
	if e.provisioning {
		// Resource Manager took every write that is stored, whether the type shows
		// a state of its own or not.
		out["provisioningState"] = "Succeeded"
		if s := text(r.Properties(), "provisioningState"); s != "" {
			out["provisioningState"] = s
		}
	}
	return out
}
