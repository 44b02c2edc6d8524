package state

import (
	"errors"
	"time"

	"github.com/ceruleannet/cerulean/model"
)

// Errors of a store; test with errors.Is.
var (
	// ErrClosed is returned by every call on a closed store.
	ErrClosed = errors.New("the store is closed")
	// ErrConflict means a resource is not at the revision the writer expected.
	ErrConflict = errors.New("the resource was changed meanwhile")
)

// Store is a versioned set of resources. All methods may be called
// concurrently.
type Store interface {
	// View returns the newest durable state.
	View() *View
	// Update runs fn against the newest state and makes what it wrote durable
	// as one revision, which it returns. If fn returns an error nothing is
	// written and Update returns that error. Functions run one at a time and
	// see everything earlier ones wrote; they must not call the store.
	Update(by Actor, fn func(*Tx) error) (revision uint64, err error)
	// History returns the changes of revisions above after, oldest first, at
	// most limit of them; limit 0 means all.
	History(after uint64, limit int) ([]Change, error)
	// Refuse puts a refused update on the trail, durably.
	Refuse(Refusal) error
	// Refusals returns the refused updates, oldest first.
	Refusals() ([]Refusal, error)
	// Close ends the store. Updates under way finish first.
	Close() error
}

// Entry is one stored resource.
type Entry struct {
	Resource *model.Resource
	// JSON is the resource's document as stored.
	JSON []byte
	// Revision is the revision that last wrote the resource, from 1.
	Revision uint64
}

// Actor says who asks for an update, and when.
type Actor struct {
	At      time.Time
	Who     string // the principal, for people
	Request string // what correlates the change with a request
}

// Action is what a change did.
type Action string

// The actions.
const (
	ActionCreate Action = "create"
	ActionUpdate Action = "update"
	ActionDelete Action = "delete"
)

// Change is one line of the audit trail.
type Change struct {
	Revision uint64    `json:"revision"`
	At       time.Time `json:"at"`
	Who      string    `json:"who"`
	Request  string    `json:"request,omitempty"`
	Action   Action    `json:"action"`
	ID       string    `json:"id"`
}

// Options configure a store.
type Options struct {
	// Index returns the terms by which [View.Find] finds a resource. It must be
	// a pure function of the resource. Nil means no terms.
	Index func(*model.Resource) []string
}

// Put writes one resource if it is still at the revision the caller read; 0
// means it must not exist. Otherwise it returns ErrConflict.
func Put(s Store, by Actor, r *model.Resource, ifRevision uint64) (uint64, error) {
	return s.Update(by, func(tx *Tx) error {
		if e, _ := tx.Get(r.ID); e.Revision != ifRevision {
			return ErrConflict
		}
		return tx.Put(r)
	})
}

// Delete removes one resource if it is still at the revision the caller read.
// Otherwise it returns ErrConflict.
func Delete(s Store, by Actor, id model.ID, ifRevision uint64) (uint64, error) {
	return s.Update(by, func(tx *Tx) error {
		if e, ok := tx.Get(id); !ok || e.Revision != ifRevision {
			return ErrConflict
		}
		tx.Delete(id)
		return nil
	})
}
