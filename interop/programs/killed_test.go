package programs

import (
	"context"
	"math/rand/v2"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// Networks go up and down, in order and killed at random moments, with a program
// on a host and a forwarded port: nothing is left. CERULEAN_ROUNDS=100 does it a
// hundred times.
func TestNothingIsLeft(t *testing.T) {
	need(t)
	rounds := 10
	if s := os.Getenv("CERULEAN_ROUNDS"); s != "" {
		var err error
		if rounds, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	p := newPlace(t, build(t))
	dir := copyNetwork(t, "three-tier")
	for i := range rounds {
		p.round(i, dir, rng)
		if t.Failed() {
			return
		}
	}
}

// round is one up and down.
func (p *place) round(i int, dir string, rng *rand.Rand) {
	t := p.t
	n := p.start(dir)
	if i%5 == 4 { // while it comes up
		pause(t.Context(), time.Duration(rng.IntN(600))*time.Millisecond)
		_ = n.end([]syscall.Signal{syscall.SIGINT, syscall.SIGKILL}[rng.IntN(2)])
		p.forget()
		p.clean("after a signal at the start")
		return
	}
	n.up()
	n.must("app-1", "true")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	busy := n.command(ctx, "exec", "app-1", "--", "sh", "-c", "while :; do getent hosts app-2 >/dev/null; done")
	ports := n.command(ctx, "forward", "0:app-1:8080", "--from", "app-1")
	for _, c := range []interface{ Start() error }{busy, ports} {
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
	}
	ended := make(chan struct{}, 2)
	go func() { _ = busy.Wait(); ended <- struct{}{} }()
	go func() { _ = ports.Wait(); ended <- struct{}{} }()
	pause(t.Context(), time.Duration(rng.IntN(400))*time.Millisecond)
	when := ""
	switch i % 5 {
	case 0:
		when = "after Ctrl-C"
		if err := n.end(syscall.SIGINT); err != nil {
			t.Errorf("%v\n%s", err, n.out)
		}
	case 1:
		when = "after up was killed"
		_ = n.end(syscall.SIGKILL)
	case 2:
		when = "after exec was killed"
		_ = busy.Process.Kill()
	case 3:
		when = "after exec and forward were ended"
		_ = busy.Process.Signal(syscall.SIGTERM)
		_ = ports.Process.Signal(syscall.SIGINT)
	}
	switch i % 5 {
	case 2:
		cancel()
		<-ended
		<-ended
		n.must("app-1", "true") // the host takes the next one
	case 3:
		<-ended
		<-ended
		n.must("app-1", "true")
	}
	_ = n.end(syscall.SIGINT)
	if i%5 < 2 { // the network's end is theirs
		<-ended
		<-ended
	}
	p.forget()
	p.clean(when)
}

// forget lets the program clean up after a network that was killed: its socket
// cannot be gone, but nobody takes it for one that runs.
func (p *place) forget() {
	out, err := p.command(p.t.Context(), "status").CombinedOutput()
	if err != nil {
		p.t.Errorf("status: %v\n%s", err, out)
	}
}

// pause lets a random moment come; nothing waits for what happens in it.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
