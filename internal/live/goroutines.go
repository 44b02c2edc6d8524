package live

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"runtime/pprof"
	"strings"
	"time"
)

// label marks every goroutine of a network, those that its stacks and services
// start included: goroutines inherit the labels of their creator.
const label = "cerulean-network"

// labelled runs f on a labelled goroutine, so that the caller's labels stay its
// own, and waits for it.
func (n *Network) labelled(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), pprof.Labels(label, n.id())))
		f()
	}()
	<-done
}

func (n *Network) id() string { return fmt.Sprintf("%p", n) }

// Goroutines returns the stacks of the goroutines that the network started and
// that still run, grouped; "" if there are none.
func (n *Network) Goroutines() string {
	var b bytes.Buffer
	// Writing to memory does not fail.
	_ = pprof.Lookup("goroutine").WriteTo(&b, 1)
	mark := fmt.Sprintf("%q:%q", label, n.id())
	var out []string
	for _, group := range strings.Split(b.String(), "\n\n") {
		if strings.Contains(group, mark) {
			out = append(out, group)
		}
	}
	return strings.Join(out, "\n\n")
}

// Leaked returns what Goroutines does after Close, giving goroutines that have
// been told to end the time to be scheduled.
func (n *Network) Leaked() string {
	for start := time.Now(); ; runtime.Gosched() {
		left := n.Goroutines()
		if left == "" || time.Since(start) > time.Minute {
			return left
		}
	}
}
