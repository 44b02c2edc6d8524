package drill

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// stalls watches whether this machine keeps up. A packet that passes a network
// wakes a dozen goroutines one after the other: where each of them waits for its
// turn, what is well answers too late, and that says nothing of the network.
type stalls struct {
	stop chan struct{}
	done chan struct{}
	once sync.Once

	busy    atomic.Bool
	longest time.Duration // of the watching goroutine until done
}

// How the watch looks: it sleeps for a stallBeat again and again. A machine is
// too busy if in some stallWindow it was late for so great a share of the time: a
// goroutine that waits for more than 20 ms for its turn, as a connection waits two
// dozen times, or a machine that stood still for 400 ms, of the second that probes
// and trials wait.
const (
	stallBeat   = 5 * time.Millisecond
	stallWindow = 500 * time.Millisecond
	stallShare  = 0.8
)

func watchStalls() *stalls {
	s := &stalls{stop: make(chan struct{}), done: make(chan struct{})}
	go s.run()
	return s
}

func (s *stalls) run() {
	defer close(s.done)
	ticks := time.NewTimer(stallBeat)
	defer ticks.Stop()
	asleep := time.Now()
	begun, late := asleep, time.Duration(0)
	for {
		select {
		case <-s.stop:
			return
		case <-ticks.C:
		}
		now := time.Now()
		late += s.wake(now.Sub(asleep))
		if took := now.Sub(begun); took >= stallWindow {
			if tooBusy(late, took) {
				s.busy.Store(true)
			}
			begun, late = now, 0
		}
		asleep = now
		ticks.Reset(stallBeat)
	}
}

// wake notes how long a sleep was, and returns what was too long of it.
func (s *stalls) wake(slept time.Duration) time.Duration {
	late := slept - stallBeat
	s.longest = max(s.longest, late)
	return late
}

func tooBusy(late, of time.Duration) bool { return float64(late) > stallShare*float64(of) }

// end stops the watch and says in words that this machine was too busy, or "".
func (s *stalls) end() string {
	s.once.Do(func() { close(s.stop) })
	<-s.done
	if !s.busy.Load() {
		return ""
	}
	return fmt.Sprintf("this machine was too busy to tell: it was up to %s late", round(s.longest))
}
