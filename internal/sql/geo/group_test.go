package geo

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// world is what tests say works: servers that are down, pairs that are cut.
type world struct {
	down  map[string]bool
	cut   map[string]bool // "a b", in order of the alphabet
	delay time.Duration
}

func newWorld(delay time.Duration) *world {
	return &world{down: map[string]bool{}, cut: map[string]bool{}, delay: delay}
}

func (w *world) Up(server string) bool { return !w.down[server] }

func (w *world) Delay(from, to string) (time.Duration, bool) {
	return w.delay, !w.cut[pairOf(from, to)]
}

func pairOf(a, b string) string { return min(a, b) + " " + max(a, b) }

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// at is a time so many milliseconds after the start.
func at(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }

const delay = 10 * time.Millisecond

// caughtUp returns a group of two servers whose secondary is seeded, at 100 ms.
func caughtUp(t *testing.T, w *world, p Policy) *Group {
	t.Helper()
	g := New([]string{"west", "north"}, p)
	g.Add("d")
	g.Advance(at(0), w)
	if l, _ := g.Lag(at(0), "d", "north"); l.State != Seeding {
		t.Fatal(l)
	}
	g.Advance(at(100), w)
	if l, _ := g.Lag(at(100), "d", "north"); l.State != CatchUp {
		t.Fatal(l)
	}
	return g
}

func commit(t *testing.T, g *Group, w *world, ms int) Commit {
	t.Helper()
	c, err := g.Commit(at(ms), w, g.Primary(), "d", ms)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func whats(events []Event) (out []string) {
	for _, e := range events {
		text := string(e.What)
		if e.Commit.Number > 0 {
			text += fmt.Sprint(" ", e.Commit.Number)
		}
		if e.Server != "" {
			text += " " + e.Server
		}
		out = append(out, text)
	}
	return out
}

// "Failover groups overview": replication is asynchronous; a commit is at the
// secondary after the way there, in order.
func TestCommitsArriveInOrder(t *testing.T) {
	w := newWorld(delay)
	g := caughtUp(t, w, Policy{})
	commit(t, g, w, 100)
	w.delay = time.Millisecond // what comes later does not overtake
	commit(t, g, w, 101)
	if l, _ := g.Lag(at(105), "d", "north"); l.Commits != 2 || l.Age != 5*time.Millisecond {
		t.Error(l)
	}
	if got := g.Next(); !got.Equal(at(110)) {
		t.Error(got)
	}
	if got := whats(g.Advance(at(109), w)); got != nil {
		t.Error(got)
	}
	if got := whats(g.Advance(at(110), w)); !slices.Equal(got, []string{"applied 1 north", "applied 2 north"}) {
		t.Error(got)
	}
}

// "Planned failover": full synchronization first, no data loss; writes wait.
func TestPlannedFailoverWaitsForEverything(t *testing.T) {
	w := newWorld(delay)
	g := caughtUp(t, w, Policy{})
	commit(t, g, w, 100)
	if err := g.Plan(w, "north"); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Commit(at(101), w, "west", "d", nil); !errors.Is(err, ErrSwitching) {
		t.Error(err)
	}
	if got := whats(g.Advance(at(105), w)); got != nil {
		t.Error(got)
	}
	if got := whats(g.Advance(at(110), w)); !slices.Equal(got, []string{"applied 1 north", "moved north"}) {
		t.Error(got)
	}
	if _, err := g.Commit(at(111), w, "west", "d", nil); !errors.Is(err, ErrReadOnly) {
		t.Error(err)
	}
	if c := commit(t, g, w, 111); c.Number != 2 {
		t.Error(c)
	}
}

// A planned failover that loses the primary on the way changes nothing.
func TestPlannedFailoverIsAbandoned(t *testing.T) {
	w := newWorld(delay)
	g := caughtUp(t, w, Policy{})
	commit(t, g, w, 100)
	if err := g.Plan(w, "north"); err != nil {
		t.Fatal(err)
	}
	w.cut[pairOf("west", "north")] = true
	if got := whats(g.Advance(at(105), w)); !slices.Equal(got, []string{"abandoned north"}) {
		t.Error(got)
	}
	if err := g.Plan(w, "north"); err == nil {
		t.Error("a planned failover to a suspended secondary begins")
	}
	commit(t, g, w, 106)
	delete(w.cut, pairOf("west", "north"))
	g.Advance(at(107), w)
	if got := whats(g.Advance(at(117), w)); !slices.Equal(got, []string{"applied 1 north", "applied 2 north"}) {
		t.Error(got)
	}
}

// "failoverWithDataLossGracePeriodMinutes": an automatic failover waits for the
// primary that long, and loses what had not arrived; the old primary is seeded
// anew when it comes back.
func TestAutomaticFailoverAfterTheGracePeriod(t *testing.T) {
	w := newWorld(delay)
	g := caughtUp(t, w, Policy{Automatic: true, Grace: time.Second})
	commit(t, g, w, 100)
	g.Advance(at(110), w)
	commit(t, g, w, 195)
	commit(t, g, w, 196)
	w.down["west"] = true
	if got := whats(g.Advance(at(200), w)); !slices.Equal(got, []string{"outage west"}) {
		t.Error(got)
	}
	if l, _ := g.Lag(at(200), "d", "north"); l.State != Suspended || l.Commits != 2 {
		t.Error(l)
	}
	if got := g.Next(); !got.Equal(at(1200)) {
		t.Error(got)
	}
	events := g.Advance(at(1200), w)
	if got := whats(events); !slices.Equal(got, []string{"moved north"}) {
		t.Fatal(got)
	}
	lost := events[0].Lost
	if len(lost) != 1 || lost[0].First != 2 || lost[0].Last != 3 || len(lost[0].Commits) != 2 || !lost[0].Commits[0].At.Equal(at(195)) {
		t.Error(lost)
	}
	if c := commit(t, g, w, 1300); c.Number != 2 || c.Era != 2 {
		t.Error(c)
	}
	delete(w.down, "west")
	if got := whats(g.Advance(at(1400), w)); !slices.Equal(got, []string{"seeds 2 west"}) {
		t.Error(got)
	}
	if got := whats(g.Advance(at(1410), w)); !slices.Equal(got, []string{"seeded 2 west"}) {
		t.Error(got)
	}
}

// A primary that is back within the grace period goes on, and sends what was
// lost on the way again.
func TestPrimaryReturnsInTime(t *testing.T) {
	w := newWorld(delay)
	g := caughtUp(t, w, Policy{Automatic: true, Grace: time.Second})
	commit(t, g, w, 100)
	w.down["west"] = true
	g.Advance(at(105), w)
	delete(w.down, "west")
	if got := whats(g.Advance(at(300), w)); !slices.Equal(got, []string{"returned west"}) {
		t.Error(got)
	}
	if got := whats(g.Advance(at(310), w)); !slices.Equal(got, []string{"applied 1 north"}) {
		t.Error(got)
	}
}

// "Customer managed": nobody fails over but the customer.
func TestManualGroupWaits(t *testing.T) {
	w := newWorld(delay)
	g := caughtUp(t, w, Policy{Grace: time.Second})
	w.down["west"] = true
	g.Advance(at(200), w)
	if got := whats(g.Advance(at(100_000), w)); got != nil {
		t.Error(got)
	}
	if err := g.Plan(w, "north"); !errors.Is(err, ErrAway) {
		t.Error(err)
	}
	if _, err := g.Force(at(100_000), w, "north"); err != nil {
		t.Error(err)
	}
}

// A secondary that was never copied cannot take over.
func TestForceNeedsACopy(t *testing.T) {
	w := newWorld(delay)
	g := New([]string{"west", "north"}, Policy{})
	g.Add("d")
	w.cut[pairOf("west", "north")] = true
	g.Advance(at(0), w)
	if _, err := g.Force(at(1), w, "north"); err == nil {
		t.Error("an empty server took over")
	}
}

// A secondary that missed more than is kept is seeded anew.
func TestLongOutageSeedsAnew(t *testing.T) {
	w := newWorld(delay)
	g := caughtUp(t, w, Policy{})
	w.down["north"] = true
	g.Advance(at(100), w)
	for i := range maxTail + 1 {
		commit(t, g, w, 101+i)
	}
	delete(w.down, "north")
	if got := whats(g.Advance(at(20_000), w)); !slices.Equal(got, []string{fmt.Sprintf("seeds %d north", maxTail+1)}) {
		t.Error(got)
	}
}

// model is what a server holds: the payloads of its commits in order.
type model struct {
	held map[string][]int
	// seeds are contents on their way.
	seeds map[string][]int
	// acked are the commits that clients know of and that must not be gone.
	acked []int
}

// TestRandomHistories tries any order of commits, failures, cuts and failovers of
// three servers against a plain model: a secondary holds a beginning of what its
// primary holds, a planned failover loses nothing, and a forced one exactly what
// it says.
func TestRandomHistories(t *testing.T) {
	for seed := range uint64(400) {
		random := rand.New(rand.NewPCG(seed, 1))
		if err := history(random); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

func FuzzHistory(f *testing.F) {
	f.Add(uint64(1), uint64(2))
	f.Fuzz(func(t *testing.T, a, b uint64) {
		if err := history(rand.New(rand.NewPCG(a, b))); err != nil {
			t.Error(err)
		}
	})
}

func history(random *rand.Rand) error {
	servers := []string{"a", "b", "c"}[:2+random.IntN(2)]
	w := newWorld(time.Duration(random.IntN(3)*5) * time.Millisecond)
	g := New(servers, Policy{Automatic: random.IntN(2) == 0, Grace: time.Duration(random.IntN(50)) * time.Millisecond})
	g.Add("d")
	m := &model{held: map[string][]int{}, seeds: map[string][]int{}}
	now := start
	if err := m.take(g, g.Advance(now, w)); err != nil {
		return err
	}
	for step := range 150 {
		now = now.Add(time.Duration(random.IntN(8)) * time.Millisecond)
		if next := g.Next(); !next.IsZero() && next.Before(now) {
			now = next // it is called in time
		}
		s, other := servers[random.IntN(len(servers))], servers[random.IntN(len(servers))]
		switch random.IntN(12) {
		case 0:
			w.down[s] = !w.down[s]
		case 1:
			if s != other {
				w.cut[pairOf(s, other)] = !w.cut[pairOf(s, other)]
			}
		case 2:
			_ = g.Plan(w, s) // it may not be possible now
		case 3:
			if e, err := g.Force(now, w, s); err == nil && e.From != e.Server {
				if err := m.take(g, []Event{e}); err != nil {
					return fmt.Errorf("step %d: %w", step, err)
				}
			}
		case 4:
			if random.IntN(4) == 0 {
				g.Cancel()
			}
		default:
			if err := m.take(g, g.Advance(now, w)); err != nil {
				return fmt.Errorf("step %d: %w", step, err)
			}
			p := g.Primary()
			if c, err := g.Commit(now, w, s, "d", step); err == nil {
				if s != p {
					return fmt.Errorf("step %d: %s committed, and the primary is %s", step, s, p)
				}
				m.held[p] = append(m.held[p], step)
				m.acked = append(m.acked, step)
				if int(c.Number) != len(m.held[p]) {
					return fmt.Errorf("step %d: commit %d is the %d-th at %s", step, c.Number, len(m.held[p]), p)
				}
			}
		}
		if err := m.take(g, g.Advance(now, w)); err != nil {
			return fmt.Errorf("step %d: %w", step, err)
		}
		if err := m.check(g); err != nil {
			return fmt.Errorf("step %d: %w", step, err)
		}
	}
	// Everything works again: in the end everybody has everything.
	clear(w.down)
	clear(w.cut)
	for range 3 {
		now = now.Add(time.Second)
		if err := m.take(g, g.Advance(now, w)); err != nil {
			return err
		}
	}
	for _, s := range servers {
		if !slices.Equal(m.held[s], m.acked) {
			return fmt.Errorf("in the end %s holds %v, acknowledged and not lost are %v", s, m.held[s], m.acked)
		}
	}
	return nil
}

// take does what events say, as an owner of contents would.
func (m *model) take(g *Group, events []Event) error {
	for _, e := range events {
		switch e.What {
		case Applied:
			if int(e.Commit.Number) != len(m.held[e.Server])+1 {
				return fmt.Errorf("commit %d is applied at %s, which has %d", e.Commit.Number, e.Server, len(m.held[e.Server]))
			}
			m.held[e.Server] = append(m.held[e.Server], e.Commit.Payload.(int))
		case Seeds:
			m.seeds[e.Server] = slices.Clone(m.held[e.From])
		case Seeded:
			m.held[e.Server] = m.seeds[e.Server]
			if len(m.held[e.Server]) != int(e.Commit.Number) {
				return fmt.Errorf("%s is seeded with commit %d, and got %d", e.Server, e.Commit.Number, len(m.held[e.Server]))
			}
		case Moved:
			kept := m.held[e.Server]
			if len(kept) > len(m.acked) || !slices.Equal(kept, m.acked[:len(kept)]) {
				return fmt.Errorf("the new primary %s holds %v of %v", e.Server, kept, m.acked)
			}
			gone := m.acked[len(kept):]
			if !e.Forced && len(gone) > 0 {
				return fmt.Errorf("a planned failover lost %v", gone)
			}
			told := 0
			for _, l := range e.Lost {
				told += int(l.Last - l.First + 1)
				if int(l.First) != len(kept)+1 {
					return fmt.Errorf("lost from %d, and %d are kept", l.First, len(kept))
				}
				for i, c := range l.Commits {
					if c.Payload.(int) != gone[i] {
						return fmt.Errorf("lost %v, told %v", gone, l.Commits)
					}
				}
			}
			if told != len(gone) {
				return fmt.Errorf("a failover lost %v and told %d", gone, told)
			}
			m.acked = slices.Clone(kept)
		}
	}
	return nil
}

// check compares what the group says with what servers hold.
func (m *model) check(g *Group) error {
	p := m.held[g.Primary()]
	for _, s := range g.Servers()[1:] {
		l, _ := g.Lag(start, "d", s)
		if l.State != CatchUp && l.State != Suspended {
			continue
		}
		h := m.held[s]
		if len(h) != int(l.Applied) || len(h) > len(p) || !slices.Equal(h, p[:len(h)]) || int(l.Commits) != len(p)-len(h) {
			return fmt.Errorf("%s holds %v of %v, and is said to be %+v", s, h, p, l)
		}
	}
	return nil
}
