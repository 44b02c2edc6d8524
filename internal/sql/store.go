package sql

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"
)

// store is a database as one server has it: its committed content, and engines
// that work on it.
type store struct {
	name string
	// writing is held by the session whose transaction may change it.
	writing chan struct{}

	mu    sync.Mutex
	pages []byte // the committed image; replaced, never changed in place
	count uint64 // of images
	// work is the writer's engine; it has the image of workAt, and while
	// somebody writes what that one has not committed.
	work   *engine
	workAt uint64
	closed bool

	// look is for those who read while another writes.
	looking sync.Mutex
	look    *engine
	lookAt  uint64
}

func newStore(name string) *store { return &store{name: name, writing: make(chan struct{}, 1)} }

// delta is what a commit changed of an image: whole pages.
type delta struct {
	size  int // of the image, in bytes
	pages map[int][]byte
}

// difference returns what leads from one image to another.
func difference(before, after []byte) *delta {
	d := &delta{size: len(after), pages: map[int][]byte{}}
	for at := 0; at < len(after); at += pageSize {
		page := after[at:min(at+pageSize, len(after))]
		if at+len(page) > len(before) || !bytes.Equal(before[at:at+len(page)], page) {
			d.pages[at/pageSize] = page
		}
	}
	return d
}

// apply returns an image with a delta in it.
func (d *delta) apply(before []byte) []byte {
	out := make([]byte, d.size)
	copy(out, before)
	for n, page := range d.pages {
		if at := n * pageSize; at < len(out) {
			copy(out[at:], page)
		}
	}
	return out
}

// errBusy is the error of a change that waits for another one's transaction.
var errBusy = errors.New("another transaction holds the database")

// lockPatience is how long a statement waits for another's transaction.
const lockPatience = 10 * time.Second

// acquire waits for the right to change the database and returns its engine.
func (s *store) acquire(ctx context.Context) (*engine, error) {
	timer := time.NewTimer(lockPatience)
	defer timer.Stop()
	select {
	case s.writing <- struct{}{}:
	case <-timer.C:
		return nil, errBusy
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	e, err := s.writer()
	if err != nil {
		<-s.writing
	}
	return e, err
}

// release gives the right back.
func (s *store) release() { <-s.writing }

// writer returns the engine that changes the database. The caller has the right
// to.
func (s *store) writer() (*engine, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, context.Canceled
	}
	if s.work != nil && s.workAt == s.count {
		return s.work, nil
	}
	e, err := openEngine(s.pages, true)
	if err != nil {
		return nil, err
	}
	s.work.close()
	s.work, s.workAt = e, s.count
	return e, nil
}

// committed takes the image that the writer has committed and returns what it
// changed. The caller has the right to write.
func (s *store) committed() (*delta, error) {
	image, err := s.work.image()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d := difference(s.pages, image)
	s.pages = image
	s.count++
	s.workAt = s.count
	return d, nil
}

// image returns the committed content.
func (s *store) image() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pages
}

// arrive puts a commit of the primary into a secondary.
func (s *store) arrive(d *delta) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages = d.apply(s.pages)
	s.count++
}

// seed makes the content another's.
func (s *store) seed(image []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages = image
	s.count++
}

// read calls f with an engine that has the committed content.
func (s *store) read(f func(*engine) error) error {
	s.looking.Lock()
	defer s.looking.Unlock()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return context.Canceled
	}
	pages, count := s.pages, s.count
	s.mu.Unlock()
	if s.look == nil || s.lookAt != count {
		e, err := openEngine(pages, false)
		if err != nil {
			return err
		}
		s.look.close()
		s.look, s.lookAt = e, count
	}
	return f(s.look)
}

// idle calls f with the writer's engine if nobody writes; it reports whether it
// did.
func (s *store) idle(f func(*engine) error) (bool, error) {
	select {
	case s.writing <- struct{}{}:
	default:
		return false, nil
	}
	defer s.release()
	e, err := s.writer()
	if err != nil {
		return true, err
	}
	return true, f(e)
}

// close ends it. Nobody may write or read any more.
func (s *store) close() {
	s.looking.Lock()
	defer s.looking.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.work.close()
	s.look.close()
	s.work, s.look = nil, nil
}
