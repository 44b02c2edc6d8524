package state

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/ceruleannet/cerulean/model"
)

// journal makes revisions durable and keeps the audit trail.
type journal interface {
	// append writes the revisions in order, all or none.
	append([]*revision) error
	history(after uint64, limit int) ([]Change, error)
	refuse(Refusal) error
	refusals() ([]Refusal, error)
	close() error
}

// revision is what one update wrote, on its way to the journal. done and err
// are guarded by store.writing.
type revision struct {
	view   *View
	writes []write
	done   bool
	err    error
}

// store is both stores; they differ by their journal.
type store struct {
	index     func(*model.Resource) []string
	published atomic.Pointer[View]

	// planning guards what follows; it is held while an update's function runs.
	planning sync.Mutex
	head     *View // the newest state, durable or not
	queue    []*revision
	closed   bool

	// writing is held while the journal is written. It is taken before planning.
	writing sync.Mutex
	journal journal
}

var _ Store = (*store)(nil)

func newStore(v *View, j journal, o Options) *store {
	s := &store{index: o.Index, head: v, journal: j}
	s.published.Store(v)
	return s
}

func (s *store) View() *View { return s.published.Load() }

func (s *store) Update(by Actor, fn func(*Tx) error) (uint64, error) {
	r, err := s.plan(by, fn)
	if err != nil {
		return 0, err
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	// Another writer may have written this revision along with its own.
	if !r.done {
		s.flush()
	}
	return r.view.revision, r.err
}

// plan runs fn and queues what it wrote. An update that wrote nothing is
// queued too: what it read may not be durable yet.
func (s *store) plan(by Actor, fn func(*Tx) error) (*revision, error) {
	s.planning.Lock()
	defer s.planning.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	tx := &Tx{View: s.head.fork(), by: by, index: s.index}
	if err := fn(tx); err != nil {
		return nil, err
	}
	r := &revision{view: tx.View, writes: tx.writes}
	if len(r.writes) == 0 {
		r.view = s.head
	}
	s.head = r.view
	s.queue = append(s.queue, r)
	return r, nil
}

// flush writes every queued revision; s.writing is held.
func (s *store) flush() {
	s.planning.Lock()
	batch := s.queue
	s.queue = nil
	s.planning.Unlock()

	err := s.journal.append(batch)
	if err != nil {
		err = fmt.Errorf("writing the journal: %w", err)
		// What was planned meanwhile stands on what could not be written.
		s.planning.Lock()
		batch = append(batch, s.queue...)
		s.queue = nil
		s.head = s.published.Load()
		s.planning.Unlock()
	}
	for _, r := range batch {
		r.done, r.err = true, err
	}
	if err != nil {
		return
	}
	newest := batch[len(batch)-1].view
	if old := s.published.Swap(newest); old != newest {
		close(old.next)
	}
}

func (s *store) History(after uint64, limit int) ([]Change, error) {
	return s.journal.history(after, limit)
}

func (s *store) Close() error {
	s.planning.Lock()
	already := s.closed
	s.closed = true
	s.planning.Unlock()
	if already {
		return nil
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	s.planning.Lock()
	waiting := len(s.queue) > 0
	s.planning.Unlock()
	if waiting {
		s.flush()
	}
	return s.journal.close()
}
