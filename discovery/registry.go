package discovery

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Errors of a registry.
var (
	// ErrNoLease means that the lease is over, or was never given: register again.
	ErrNoLease = errors.New("no such lease")
	// ErrTaken means that somebody else holds the instance's lease.
	ErrTaken = errors.New("the instance is registered by somebody else")
	// ErrFull means that a limit is reached.
	ErrFull = errors.New("the registry is full")
)

// CompactedError is the error of a watch from a version that the registry has
// forgotten, or never had: list again, and watch from the list's version.
type CompactedError struct {
	Epoch  string `json:"epoch"`
	Oldest uint64 `json:"oldest"` // the oldest version that can be watched from
}

// Error implements error.
func (e *CompactedError) Error() string {
	return fmt.Sprintf("changes before version %d of %s are not kept; list again and watch from there", e.Oldest, e.Epoch)
}

// Change is one change of an instance.
type Change struct {
	Version  uint64   `json:"version"`
	Gone     bool     `json:"gone,omitempty"` // deregistered, or its lease is over
	Why      string   `json:"why,omitempty"`  // of one that is gone
	Instance Instance `json:"instance"`
}

// List is what a registry knew at a version.
type List struct {
	Epoch     string     `json:"epoch"` // of the registry's run: versions of another mean nothing
	Version   uint64     `json:"version"`
	Instances []Instance `json:"instances"` // sorted by service and ID
}

// DefaultHistory is how many changes a registry remembers unless told otherwise.
const DefaultHistory = 16384

// Registry holds instances. Its methods may be called by several goroutines.
type Registry struct {
	epoch   string
	history int

	mu       sync.Mutex
	version  uint64
	services map[string]map[string]*entry
	total    int       // instances of all services
	soonest  time.Time // no lease is over before; zero if there is none
	changes  []Change  // the last, oldest first, without gaps
	changed  chan struct{}
}

type entry struct {
	Instance
	lease   string
	ttl     time.Duration
	expires time.Time
}

// New returns an empty registry that remembers so many changes; 0 means
// [DefaultHistory].
func New(history int) *Registry {
	if history <= 0 {
		history = DefaultHistory
	}
	return &Registry{epoch: rand.Text(), history: history, services: map[string]map[string]*entry{}, changed: make(chan struct{})}
}

// Register adds an instance, or changes the one that lease holds, and returns its
// lease, which ends ttl after now unless it is renewed. ttl is from [MinTTL] to
// [MaxTTL].
func (r *Registry) Register(now time.Time, i Instance, ttl time.Duration, lease string) (string, uint64, error) {
	if err := i.check(); err != nil {
		return "", 0, err
	}
	if ttl < MinTTL || ttl > MaxTTL {
		return "", 0, fmt.Errorf("ttl %s: use %s to %s", ttl, MinTTL, MaxTTL)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.expire(now)
	service := r.services[i.Service]
	if e := service[i.ID]; e != nil {
		if e.lease != lease {
			return "", 0, ErrTaken
		}
		e.ttl = ttl
		r.lend(e, now)
		if !e.Instance.same(i) {
			e.Instance = i.clone()
			r.note(&e.Instance, false, "")
		}
		return e.lease, e.Version, nil
	}
	if len(service) >= MaxInstances || service == nil && len(r.services) >= MaxServices || r.total >= MaxTotal {
		return "", 0, ErrFull
	}
	if service == nil {
		service = map[string]*entry{}
		r.services[i.Service] = service
	}
	e := &entry{Instance: i.clone(), lease: rand.Text(), ttl: ttl}
	service[i.ID] = e
	r.total++
	r.lend(e, now)
	r.note(&e.Instance, false, "")
	return e.lease, e.Version, nil
}

// Renew renews a lease; health, if not empty, is how the instance is now.
func (r *Registry) Renew(now time.Time, service, id, lease string, health Health) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.expire(now)
	e := r.services[service][id]
	if e == nil || e.lease != lease {
		return ErrNoLease
	}
	switch health {
	case "", e.Health:
	case Passing, Critical:
		e.Health = health
		r.note(&e.Instance, false, "")
	default:
		return fmt.Errorf("health %q: use passing or critical", health)
	}
	r.lend(e, now)
	return nil
}

// lend begins an instance's lease anew. The caller holds mu.
func (r *Registry) lend(e *entry, now time.Time) {
	e.expires = now.Add(e.ttl)
	if r.soonest.IsZero() || e.expires.Before(r.soonest) {
		r.soonest = e.expires
	}
}

// Deregister removes the instance of a lease.
func (r *Registry) Deregister(now time.Time, service, id, lease string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.expire(now)
	e := r.services[service][id]
	if e == nil || e.lease != lease {
		return ErrNoLease
	}
	r.remove(e, "deregistered")
	return nil
}

// Expire removes the instances whose lease is over, and says before when no other
// ends; zero if there is none.
func (r *Registry) Expire(now time.Time) (next time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.expire(now)
	return r.soonest
}

// expire removes what is over, in order of time. It looks at all leases only once
// one of them may be. The caller holds mu.
func (r *Registry) expire(now time.Time) {
	if r.soonest.IsZero() || now.Before(r.soonest) {
		return
	}
	r.soonest = time.Time{}
	var over []*entry
	for _, s := range r.services {
		for _, e := range s {
			switch {
			case !now.Before(e.expires):
				over = append(over, e)
			case r.soonest.IsZero() || e.expires.Before(r.soonest):
				r.soonest = e.expires
			}
		}
	}
	slices.SortFunc(over, func(a, b *entry) int {
		return cmp.Or(a.expires.Compare(b.expires), strings.Compare(a.Service, b.Service), strings.Compare(a.ID, b.ID))
	})
	for _, e := range over {
		r.remove(e, "its lease is over")
	}
}

func (r *Registry) remove(e *entry, why string) {
	delete(r.services[e.Service], e.ID)
	r.total--
	if len(r.services[e.Service]) == 0 {
		delete(r.services, e.Service)
	}
	r.note(&e.Instance, true, why)
}

// note gives a change its version and tells who waits. The caller holds mu.
func (r *Registry) note(i *Instance, gone bool, why string) {
	r.version++
	i.Version = r.version
	if len(r.changes) == r.history {
		r.changes = slices.Delete(r.changes, 0, max(1, r.history/4)) // seldom, so that it costs little
	}
	r.changes = append(r.changes, Change{Version: r.version, Gone: gone, Why: why, Instance: i.clone()})
	close(r.changed)
	r.changed = make(chan struct{})
}

// List returns the instances of a service, or of all if it is empty, with the
// version from which a watch goes on.
func (r *Registry) List(now time.Time, service string) List {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.expire(now)
	out := List{Epoch: r.epoch, Version: r.version, Instances: []Instance{}}
	for name, s := range r.services {
		if service != "" && name != service {
			continue
		}
		for _, e := range s {
			out.Instances = append(out.Instances, e.clone())
		}
	}
	slices.SortFunc(out.Instances, func(a, b Instance) int {
		return cmp.Or(strings.Compare(a.Service, b.Service), strings.Compare(a.ID, b.ID))
	})
	return out
}

// Changes returns the changes of a service, or of all, after a version, the last
// version looked at, and a channel that is closed when there are more. An epoch
// that is not the registry's, and a version that is forgotten or yet to come, are
// a [*CompactedError].
func (r *Registry) Changes(now time.Time, service, epoch string, after uint64) ([]Change, uint64, <-chan struct{}, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.expire(now)
	oldest := r.version - uint64(len(r.changes))
	if epoch != r.epoch || after < oldest || after > r.version {
		return nil, 0, nil, &CompactedError{Epoch: r.epoch, Oldest: oldest}
	}
	var out []Change
	for _, c := range r.changes[after-oldest:] {
		if service == "" || c.Instance.Service == service {
			c.Instance = c.Instance.clone()
			out = append(out, c)
		}
	}
	return out, r.version, r.changed, nil
}
