package engine

import (
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// End is what ended a flow.
type End uint8

// The ends of flows.
const (
	EndIdle      End = iota // it was silent for too long
	EndFIN                  // both ends closed it
	EndReset                // one end reset it
	EndReplaced             // another flow took its place
	EndSwap                 // another image has no place for it
	EndDrained              // its target was taken out, and its time to drain is over
	EndForgotten            // [Engine.Forget]
	endKinds
)

// String returns the end's name, for example "idle".
func (x End) String() string {
	return [...]string{"idle", "fin", "reset", "replaced", "swap", "drained", "forgotten"}[x]
}

// FlowEnd tells that a flow ended, with all it did. A TCP flow that closed is
// told 2 seconds later, so that its last packets count. Of a denied flow it
// tells how many packets were denied by its first one's verdict.
type FlowEnd struct {
	Now   time.Duration
	Why   End
	Image *fabric.Image
	Flow  Flow
}

// ending is what ended a flow whose time is over.
func (f *flow) ending() End {
	switch {
	case f.state&sawReset != 0:
		return EndReset
	case f.closed():
		return EndFIN
	default:
		return EndIdle
	}
}

// tell reports a flow's end, once.
func (e *Engine) tell(now time.Duration, n uint32, f *flow, why End) {
	if f.told {
		return
	}
	f.told = true
	e.stats.Ended[why]++
	if e.opts.OnClose != nil {
		e.opts.OnClose(FlowEnd{Now: now, Why: why, Image: e.prog.img, Flow: e.export(n, f)})
	}
}

// forget ends a flow and frees its record.
func (e *Engine) forget(now time.Duration, n uint32, why End) {
	f := e.table.flow(n)
	e.tell(now, n, f, why)
	f.count()
	f.lease.free()
	e.table.remove(n)
}
