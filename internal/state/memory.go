package state

import (
	"sort"
	"sync"
)

// Memory returns a store that forgets everything when the process ends.
func Memory(o Options) Store { return newStore(newView(), &memoryJournal{}, o) }

// memoryJournal keeps only the audit trail.
type memoryJournal struct {
	mu      sync.RWMutex
	changes []Change
	refused []Refusal
	closed  bool
}

func (j *memoryJournal) append(batch []*revision) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, r := range batch {
		for i := range r.writes {
			j.changes = append(j.changes, r.writes[i].change)
		}
	}
	return nil
}

func (j *memoryJournal) history(after uint64, limit int) ([]Change, error) {
	j.mu.RLock()
	defer j.mu.RUnlock()
	if j.closed {
		return nil, ErrClosed
	}
	i := sort.Search(len(j.changes), func(i int) bool { return j.changes[i].Revision > after })
	rest := j.changes[i:]
	if limit > 0 && len(rest) > limit {
		rest = rest[:limit]
	}
	return append([]Change(nil), rest...), nil
}

func (j *memoryJournal) close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.closed = true
	return nil
}
