package balance

import (
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Strategy says how a [Balancer] chooses.
type Strategy struct {
	name  string
	timed bool // measures how long requests take
	named bool // needs the members' names
	// prepare readies a choice among members; group is the number of all, those
	// that may not be chosen included.
	prepare func(loads []*Load, names []string, group int) chooser
}

// String returns the strategy's name.
func (s Strategy) String() string { return s.name }

// chooser chooses among the members it was prepared for, of which there is at
// least one. It is called by many goroutines at once.
type chooser interface {
	choose(key uint64) int
}

// Load is how busy a member is.
type Load struct {
	weight atomic.Int64
	active atomic.Int64

	mu    sync.Mutex
	stamp time.Time
	ewma  atomic.Uint64 // a float64 of nanoseconds; 0 if unknown

	failures atomic.Int64 // in a row, for Outliers
}

// decay is the time after which a measured latency counts for 1/e.
const decay = 10 * time.Second

// observe adds a request's latency. A worse one counts at once and a better one
// by and by (the "peak EWMA" of Twitter's Finagle), so that a member that slows
// down is spared before many requests have found out.
func (l *Load) observe(now, start time.Time) {
	took := float64(max(now.Sub(start), 1))
	l.mu.Lock()
	defer l.mu.Unlock()
	before := math.Float64frombits(l.ewma.Load())
	if took < before {
		w := math.Exp(-float64(now.Sub(l.stamp)) / float64(decay))
		took = before*w + took*(1-w)
	}
	l.stamp = now
	l.ewma.Store(math.Float64bits(took))
}

func (l *Load) latency() time.Duration { return time.Duration(math.Float64frombits(l.ewma.Load())) }

// RoundRobin chooses one member after the other, whatever their weights.
func RoundRobin() Strategy {
	return Strategy{name: "round robin", prepare: func(loads []*Load, _ []string, _ int) chooser {
		return newSequence(len(loads), nil)
	}}
}

// WeightedRoundRobin chooses members in turn, as often as their weights say and
// evenly mixed: with weights 5, 1, 1 the order is a a b a c a a.
func WeightedRoundRobin() Strategy {
	return Strategy{name: "weighted round robin", prepare: func(loads []*Load, _ []string, _ int) chooser {
		return newSequence(len(loads), smooth(loads))
	}}
}

// sequence goes round a fixed order.
type sequence struct {
	next atomic.Uint64
	size uint64
	turn []uint16 // nil means 0, 1, 2, and so on
}

func newSequence(size int, turn []uint16) *sequence {
	s := &sequence{size: uint64(size), turn: turn}
	if turn != nil {
		s.size = uint64(len(turn))
	}
	if s.size > 0 {
		// Balancers of many processes must not begin with the same member.
		s.next.Store(rand.Uint64N(s.size))
	}
	return s
}

func (s *sequence) choose(uint64) int {
	i := (s.next.Add(1) - 1) % s.size
	if s.turn == nil {
		return int(i)
	}
	return int(s.turn[i])
}

// maxTurns bounds the length of a sequence: beyond it weights are rounded.
const maxTurns = 1 << 16

// smooth returns one round of smooth weighted round robin: in each turn everyone
// gains its weight and the richest pays the sum.
func smooth(loads []*Load) []uint16 {
	if len(loads) == 0 || len(loads) > maxTurns {
		return nil
	}
	weights := make([]int64, len(loads))
	var common, sum int64
	for i, l := range loads {
		weights[i] = l.weight.Load()
		common = gcd(common, weights[i])
		sum += weights[i]
	}
	if sum/common > maxTurns {
		scale := float64(maxTurns) / 2 / float64(sum)
		common, sum = 1, 0
		for i := range weights {
			weights[i] = max(int64(float64(weights[i])*scale), 1)
			sum += weights[i]
		}
	}
	total := sum / common
	turn := make([]uint16, 0, total)
	credit := make([]int64, len(loads))
	for range total {
		best := 0
		for i := range credit {
			credit[i] += weights[i] / common
			if credit[i] > credit[best] {
				best = i
			}
		}
		credit[best] -= total
		turn = append(turn, uint16(best))
	}
	return turn
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// LeastConnections chooses the member with the fewest requests under way for its
// weight, looking at all of them: for small groups. Equals take turns.
func LeastConnections() Strategy {
	return Strategy{name: "least connections", prepare: func(loads []*Load, _ []string, _ int) chooser {
		return &least{loads: loads}
	}}
}

type least struct {
	next  atomic.Uint64
	loads []*Load
}

func (l *least) choose(uint64) int {
	n := len(l.loads)
	first := int((l.next.Add(1) - 1) % uint64(n))
	best := first
	active, weight := l.loads[first].active.Load()+1, l.loads[first].weight.Load()
	for k := 1; k < n; k++ {
		i := first + k
		if i >= n {
			i -= n
		}
		a, w := l.loads[i].active.Load()+1, l.loads[i].weight.Load()
		if a*weight < active*w {
			best, active, weight = i, a, w
		}
	}
	return best
}

// Random chooses by chance, by weight.
func Random() Strategy {
	return Strategy{name: "random", prepare: func(loads []*Load, _ []string, _ int) chooser { return newLottery(loads) }}
}

// PeakEWMA chooses the better of two members taken by chance: the one whose
// average latency, times the requests under way, is less for its weight
// (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing").
func PeakEWMA() Strategy {
	return Strategy{name: "power of two choices, peak EWMA", timed: true, prepare: func(loads []*Load, _ []string, _ int) chooser {
		return twoChoices{loads, true}
	}}
}

// LeastOfTwo is [PeakEWMA] by requests under way alone: for large groups, where
// [LeastConnections] would look at too many.
func LeastOfTwo() Strategy {
	return Strategy{name: "power of two choices", prepare: func(loads []*Load, _ []string, _ int) chooser {
		return twoChoices{loads, false}
	}}
}

// lottery is Walker's alias method: one draw, whatever the number of members.
type lottery struct {
	keep  []float64
	other []int32
}

func newLottery(loads []*Load) *lottery {
	n := len(loads)
	l := &lottery{keep: make([]float64, n), other: make([]int32, n)}
	var sum float64
	for _, x := range loads {
		sum += float64(x.weight.Load())
	}
	var small, large []int32
	for i, x := range loads {
		l.keep[i] = float64(x.weight.Load()) * float64(n) / sum
		if l.keep[i] < 1 {
			small = append(small, int32(i))
		} else {
			large = append(large, int32(i))
		}
	}
	for len(small) > 0 && len(large) > 0 {
		s, g := small[len(small)-1], large[len(large)-1]
		small = small[:len(small)-1]
		l.other[s] = g
		l.keep[g] -= 1 - l.keep[s]
		if l.keep[g] < 1 {
			large = large[:len(large)-1]
			small = append(small, g)
		}
	}
	for _, i := range append(small, large...) {
		l.keep[i] = 1
	}
	return l
}

func (l *lottery) choose(uint64) int {
	i := rand.IntN(len(l.keep))
	if rand.Float64() < l.keep[i] {
		return i
	}
	return int(l.other[i])
}

type twoChoices struct {
	loads []*Load
	timed bool
}

func (t twoChoices) choose(uint64) int {
	n := len(t.loads)
	if n == 1 {
		return 0
	}
	i := rand.IntN(n)
	j := rand.IntN(n - 1)
	if j >= i {
		j++
	}
	if t.cost(j) < t.cost(i) {
		return j
	}
	return i
}

// unknown is the latency that a member without one is thought to have while it
// has requests under way: long, so that the first answers decide.
const unknown = float64(time.Second)

func (t twoChoices) cost(i int) float64 {
	l := t.loads[i]
	active := float64(l.active.Load())
	cost := active + 1
	if t.timed {
		ewma := math.Float64frombits(l.ewma.Load())
		if ewma == 0 && active > 0 {
			ewma = unknown
		}
		cost *= ewma
	}
	return cost / float64(l.weight.Load())
}

// ConsistentHash chooses by the key of a request, the same member as long as the
// group stays the same, by a [Maglev] table, in which a member has as many shares
// as its weight says.
func ConsistentHash() Strategy {
	return Strategy{name: "consistent hash", named: true, prepare: newHashed}
}

type hashed struct {
	table *Maglev
	owner []int32 // of the table's names
}

func newHashed(loads []*Load, names []string, group int) chooser {
	equal := true
	var common int64
	for _, l := range loads {
		w := l.weight.Load()
		equal = equal && w == loads[0].weight.Load()
		common = gcd(common, w)
	}
	h := &hashed{}
	var shares []string
	for i, l := range loads {
		n := int64(1)
		if !equal {
			n = l.weight.Load() / common
		}
		for range n {
			if len(shares) == MaxMaglev {
				break
			}
			shares = append(shares, names[i])
			h.owner = append(h.owner, int32(i))
		}
	}
	if !equal {
		group = MaglevFew + 1 // the number of shares changes with who is well, the table's size must not
	}
	h.table = NewMaglev(shares, group)
	return h
}

func (h *hashed) choose(key uint64) int { return int(h.owner[h.table.Pick(key)]) }
