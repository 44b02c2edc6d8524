package arm

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// operations names asynchronous operations. What an operation wrote is durable
// before it has a name, so a name need only tell when the operation ends; it is
// authenticated, so that a made-up name is not found. Nothing is stored, and
// names stay good across restarts.
//
// A name is a GUID of 16 bytes: 6 bytes the end in Unix milliseconds, 2 bytes a
// counter with the kind in its two top bits, 8 bytes the start of an HMAC-SHA256 of
// those under the installation's key.
type operations struct {
	key     []byte
	counter atomic.Uint32
}

// operationKind tells what an operation's result is.
type operationKind uint16

const (
	operationWrite  operationKind = 0       // the resource, or nothing
	operationCommit operationKind = 1 << 15 // a network manager's commit
	operationAnswer operationKind = 1 << 14 // what an action answers
	operationAbsent operationKind = 3 << 14 // nothing, at Resource Manager's own results, too
)

func (o *operations) name(kind operationKind, end time.Time) string {
	var b uuid.UUID
	binary.BigEndian.PutUint64(b[:], uint64(end.UnixMilli())<<16|uint64(kind)|uint64(o.counter.Add(1)&0x3fff))
	copy(b[8:], o.seal(b[:8]))
	return b.String()
}

func (o *operations) parse(name string) (operationKind, time.Time, bool) {
	b, err := uuid.Parse(name)
	if err != nil || !hmac.Equal(b[8:], o.seal(b[:8])) {
		return 0, time.Time{}, false
	}
	n := binary.BigEndian.Uint64(b[:])
	return operationKind(n & 0xc000), time.UnixMilli(int64(n >> 16)), true
}

func (o *operations) seal(b []byte) []byte {
	m := hmac.New(sha256.New, o.key)
	m.Write(b)
	return m.Sum(nil)[:8]
}

// longestPoll is how long clients are told to wait at most before they ask again,
// as the network provider tells them.
const longestPoll = 10 * time.Second

// seconds is a time to wait as Retry-After has it, rounded up: to clients in
// Python, 0 is no time and makes them wait for their own default of 30 s.
func seconds(d time.Duration) string {
	return strconv.Itoa(int((d + time.Second - 1) / time.Second))
}

func operationNotFound(name string) *Fault {
	return fault(http.StatusNotFound, "OperationNotFound", "The operation '%s' was not found.", name)
}

// accept puts the headers of an asynchronous operation on the answer.
// location is the region the operation is shown in, takes how long it lasts.
func (c *call) accept(kind operationKind, takes time.Duration, namespace, location string, withLocation bool) (name string) {
	if location == "" {
		location = "global"
	}
	name = c.s.operations.name(kind, c.s.now().Add(takes))
	at := c.base + "/subscriptions/" + c.subscription
	if c.subscription == "" {
		at = c.base // of the tenant
	}
	at += "/providers/" + namespace + "/locations/" + location
	h := c.w.Header()
	h.Set("Azure-AsyncOperation", at+"/operations/"+name+"?api-version="+c.version)
	h.Set("Azure-AsyncNotification", "Enabled")
	if withLocation {
		h.Set("Location", at+"/operationResults/"+name+"?api-version="+c.version)
	}
	h.Set("Retry-After", seconds(min(takes, longestPoll)))
	return name
}

// operation answers a poll of an operation, or of its result.
func (c *call) operation(name string, result bool) *Fault {
	if c.r.Method != http.MethodGet {
		return methodNotAllowed(c.r.Method, http.MethodGet)
	}
	kind, end, ok := c.s.operations.parse(name)
	if !ok {
		return operationNotFound(name)
	}
	left := end.Sub(c.s.now())
	switch {
	case left > 0:
		h := c.w.Header()
		// Clients built on azcore wait the milliseconds instead of their own default.
		wait := min(left, longestPoll)
		h.Set("Retry-After", seconds(wait))
		h.Set("X-Ms-Retry-After-Ms", strconv.FormatInt(max(1, wait.Milliseconds()), 10))
		if result {
			h.Set("Location", c.base+c.r.URL.RequestURI())
			c.w.WriteHeader(http.StatusAccepted)
			return nil
		}
		writeJSON(c.w, http.StatusOK, map[string]any{"status": "InProgress"})
	case !result:
		writeJSON(c.w, http.StatusOK, map[string]any{"status": "Succeeded"})
	case kind == operationCommit:
		writeJSON(c.w, http.StatusOK, map[string]any{"commitId": name})
	case kind == operationAnswer:
		b, ok := c.s.answers.get(strings.ToLower(name))
		if !ok {
			return operationNotFound(name)
		}
		writeBytes(c.w, http.StatusOK, b)
	default:
		c.w.WriteHeader(http.StatusNoContent)
	}
	return nil
}

// groupOperation answers a poll of the deletion of a resource group, which ends
// with 200 ("Resource Groups - Delete").
func (c *call) groupOperation(name string) *Fault {
	if kind, end, ok := c.s.operations.parse(name); ok && kind == operationWrite && !c.s.now().Before(end) && c.r.Method == http.MethodGet {
		c.w.WriteHeader(http.StatusOK)
		return nil
	}
	return c.operation(name, true)
}
