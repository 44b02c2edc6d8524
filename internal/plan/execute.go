package plan

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// Client is the cloud a plan runs against. Its methods return when the
// operation has ended, may be called by many goroutines at once and are
// idempotent: a plan computed after an interruption may repeat a call.
type Client interface {
	// Put creates or replaces a resource.
	Put(ctx context.Context, r *model.Resource) error
	// Delete deletes a resource; one that does not exist is deleted.
	Delete(ctx context.Context, id model.ID) error
	// Commit puts configurations of a network manager in force.
	Commit(ctx context.Context, manager model.ID, c Commit) error
}

// EventKind says what happened to a step.
type EventKind string

// The kinds of event. Every step ends in exactly one of Succeeded, Failed and
// Skipped.
const (
	Started   EventKind = "started"
	Succeeded EventKind = "succeeded"
	Failed    EventKind = "failed"
	Skipped   EventKind = "skipped" // never started
)

// Event is progress on one step.
type Event struct {
	Kind  EventKind
	Index int // of the step, from 0
	Step  Step
	Err   error // of a failure; of a skipped step why
	Ended int   // steps that have succeeded, failed or been skipped so far
	Total int
}

// ExecuteOptions bound the execution of a plan.
type ExecuteOptions struct {
	// Concurrency is the number of calls at the same time; below 1 means 16.
	Concurrency int
	// OnEvent, if not nil, hears of every event, one at a time and in order.
	OnEvent func(Event)
}

// Result says how an execution ended.
type Result struct {
	Succeeded []Step
	Failures  []Failure
	Skipped   []Skip
}

// Failure is a step that failed.
type Failure struct {
	Step Step
	Err  error
}

// Error names the declared place, the step, the resource and what went wrong.
func (f Failure) Error() string {
	at := ""
	if !f.Step.Pos.IsZero() {
		at = f.Step.Pos.String() + ": "
	}
	text := f.Err.Error()
	if id := f.Step.ID.String(); !strings.Contains(text, id) {
		text = id + ": " + text
	}
	return at + string(f.Step.Action) + " failed: " + text
}

// Unwrap returns the cloud's error.
func (f Failure) Unwrap() error { return f.Err }

// Skip is a step that was never started.
type Skip struct {
	Step  Step
	Cause error // the failure it depends on, or why nothing more was started
}

// Execute runs a plan: every step after the steps it needs, as many at a time
// as the options allow. After a failure, or when ctx ends, it starts no more
// steps but waits for those that run; they keep a context that is not
// cancelled with ctx, so that none is cut in the middle. The error joins every
// [Failure] and the cause of ctx. Whatever was left undone is in the plan that
// Compute returns next.
func Execute(ctx context.Context, p *Plan, client Client, opts ExecuteOptions) (Result, error) {
	e := &execution{plan: p, opts: opts, failed: map[int]error{}, locks: map[string]bool{}, ended: make(chan ended)}
	if e.opts.Concurrency < 1 {
		e.opts.Concurrency = 16
	}
	e.dependents = make([][]int, len(p.steps))
	e.waiting = make([]int, len(p.steps))
	e.state = make([]EventKind, len(p.steps))
	for i, s := range p.steps {
		e.waiting[i] = len(s.Needs)
		for _, n := range s.Needs {
			e.dependents[n] = append(e.dependents[n], i)
		}
		if len(s.Needs) == 0 {
			e.ready = append(e.ready, i)
		}
	}
	work := context.WithoutCancel(ctx)
	for {
		if ctx.Err() == nil && len(e.result.Failures) == 0 {
			e.start(work, client)
		}
		if e.running == 0 {
			break
		}
		select {
		case done := <-e.ended:
			e.end(done)
		case <-ctx.Done():
			// Nothing new starts; wait for what runs.
			for e.running > 0 {
				e.end(<-e.ended)
			}
		}
	}
	return e.finish(ctx)
}

// execution is the state of one Execute; one goroutine owns it.
type execution struct {
	plan       *Plan
	opts       ExecuteOptions
	dependents [][]int
	waiting    []int       // needs that have not succeeded
	state      []EventKind // "" until started
	ready      []int       // steps whose needs have succeeded, in the plan's order
	failed     map[int]error
	locks      map[string]bool
	running    int
	count      int
	ended      chan ended
	result     Result
}

type ended struct {
	index int
	err   error
}

// start starts ready steps while there is room.
func (e *execution) start(ctx context.Context, client Client) {
	left := e.ready[:0]
	for _, i := range e.ready {
		s := e.plan.steps[i]
		if e.running >= e.opts.Concurrency || e.locked(s) {
			left = append(left, i)
			continue
		}
		for _, l := range s.locks {
			e.locks[l] = true
		}
		e.running++
		e.emit(Started, i, nil)
		go func() { e.ended <- ended{i, call(ctx, client, s)} }()
	}
	e.ready = left
}

func (e *execution) locked(s Step) bool {
	for _, l := range s.locks {
		if e.locks[l] {
			return true
		}
	}
	return false
}

// call makes the one call of a step.
func call(ctx context.Context, client Client, s Step) error {
	switch s.Action {
	case Create, Update, Record:
		return client.Put(ctx, s.Resource)
	case Delete:
		return client.Delete(ctx, s.ID)
	case Deploy:
		return client.Commit(ctx, s.ID, *s.Commit)
	}
	return fmt.Errorf("no such action: %q", s.Action)
}

func (e *execution) end(d ended) {
	s := e.plan.steps[d.index]
	for _, l := range s.locks {
		delete(e.locks, l)
	}
	e.running--
	e.count++
	if d.err != nil {
		f := Failure{s, d.err}
		e.result.Failures = append(e.result.Failures, f)
		e.failed[d.index] = f
		e.emit(Failed, d.index, d.err)
		return
	}
	e.result.Succeeded = append(e.result.Succeeded, s)
	e.emit(Succeeded, d.index, nil)
	for _, n := range e.dependents[d.index] {
		if e.waiting[n]--; e.waiting[n] == 0 {
			e.ready = insert(e.ready, n)
		}
	}
}

// insert keeps the ready steps in the plan's order.
func insert(list []int, n int) []int {
	at := len(list)
	for at > 0 && list[at-1] > n {
		at--
	}
	list = append(list, 0)
	copy(list[at+1:], list[at:])
	list[at] = n
	return list
}

func (e *execution) emit(kind EventKind, i int, err error) {
	e.state[i] = kind
	if e.opts.OnEvent != nil {
		e.opts.OnEvent(Event{kind, i, e.plan.steps[i], err, e.count, len(e.plan.steps)})
	}
}

// errStopped is why an independent step was not started after a failure.
var errStopped = errors.New("not started, because another step failed")

// finish reports the steps that were never started, each with its cause.
func (e *execution) finish(ctx context.Context) (Result, error) {
	causes := make([]error, len(e.plan.steps))
	for i, err := range e.failed {
		causes[i] = err
	}
	for i, s := range e.plan.steps {
		if e.state[i] != "" {
			continue
		}
		cause := errStopped
		if len(e.result.Failures) == 0 {
			cause = context.Cause(ctx)
		}
		for _, n := range s.Needs {
			if causes[n] != nil && !errors.Is(causes[n], errStopped) && len(e.result.Failures) > 0 {
				cause = causes[n]
				break
			}
		}
		causes[i] = cause
		e.result.Skipped = append(e.result.Skipped, Skip{s, cause})
		e.count++
		e.emit(Skipped, i, cause)
	}
	var errs []error
	for _, f := range e.result.Failures {
		errs = append(errs, f)
	}
	if ctx.Err() != nil && len(e.result.Skipped) > 0 {
		errs = append(errs, fmt.Errorf("stopped with %d of %d steps not started: %w",
			len(e.result.Skipped), len(e.plan.steps), context.Cause(ctx)))
	}
	return e.result, errors.Join(errs...)
}
