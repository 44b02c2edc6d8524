package live

import (
	"time"

	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
)

// Flow returns a flow of the engine's table.
func (n *Network) Flow(id engine.FlowID) (engine.Flow, bool) {
	n.wire.mu.Lock()
	defer n.wire.mu.Unlock()
	return n.wire.engine.Flow(id)
}

// Uptime returns how long the network has run: the time of its flows.
func (n *Network) Uptime() time.Duration { return time.Since(n.wire.start) }

// EachFlow calls f with every flow of the engine's table, until f returns false.
// It asks for a few at a time, so that packets do not wait long: flows that begin
// or end meanwhile may be missing.
func (n *Network) EachFlow(f func(engine.Flow) bool) {
	var some []engine.Flow
	for from := uint32(0); ; {
		some = some[:0]
		n.wire.mu.Lock()
		from = n.wire.engine.Scan(from, func(x engine.Flow) { some = append(some, x) })
		n.wire.mu.Unlock()
		for _, x := range some {
			if !f(x) {
				return
			}
		}
		if from == 0 {
			return
		}
	}
}

// Hits returns the image in force, and how many first packets each rule of each
// of its filters decided since then, as [engine.Engine.Hits] counts them.
func (n *Network) Hits() (*fabric.Image, [][]uint64) {
	n.wire.mu.Lock()
	defer n.wire.mu.Unlock()
	e := n.wire.engine
	out := make([][]uint64, len(e.Image().Filters))
	for i := range out {
		out[i] = e.Hits(fabric.FilterID(i))
	}
	return e.Image(), out
}

// Pools returns how the pools of source ports are used.
func (n *Network) Pools() []engine.PoolStats {
	n.wire.mu.Lock()
	defer n.wire.mu.Unlock()
	return n.wire.engine.Pools()
}
