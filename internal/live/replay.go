package live

import (
	"fmt"
	"slices"

	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
)

// replay sends a flow's first packet, and the answer to it, as bytes through a
// fresh engine and compares verdict, reason and path with a claim. It returns an
// error that names the first difference.
func replay(img *fabric.Image, claim *fabric.Connection) error {
	choices := slices.Concat(claim.Forward.Choices, claim.Reply.Choices)
	e := engine.New(img, engine.Options{MaxFlows: 16, Choose: fabric.Follow(choices, fabric.NewChooser(img).Pick)})
	b := engine.First(claim.Forward.Packet)
	r := e.Process(0, claim.Forward.From, b)
	if err := differs(img, e, r, &claim.Forward, false); err != nil {
		return err
	}
	if r.Verdict != fabric.VerdictAllow {
		return nil
	}
	arrived, _ := engine.Tuple(b)
	if arrived != claim.Forward.Final {
		return fmt.Errorf("%s: the packet arrives as %s, the claim says as %s", claim.Forward.Packet, arrived, claim.Forward.Final)
	}
	answer := []engine.Frame{{
		At: claim.Forward.End(), Packet: engine.Answer(arrived.Reverse()),
		Platform: claim.Forward.Reason.Code == fabric.CodePlatform,
	}}
	answered := make([]engine.Result, 1)
	e.ProcessBatch(0, answer, answered)
	return differs(img, e, answered[0], &claim.Reply, true)
}

// differs compares what the engine did with one packet with a trace.
func differs(img *fabric.Image, e *engine.Engine, r engine.Result, claim *fabric.Trace, reply bool) error {
	if r.Fault != fabric.FaultNone {
		return fmt.Errorf("%s: the engine loses the packet: %s", claim.Packet, r.Fault)
	}
	if r.Verdict != claim.Verdict || r.Reason != claim.Reason {
		return fmt.Errorf("%s: the packet meets %s (%s), the claim says %s (%s)",
			claim.Packet, r.Verdict, describe(img, r.Reason), claim.Verdict, describe(img, claim.Reason))
	}
	f, _ := e.Flow(r.Flow)
	path := f.Forward.Path
	if reply {
		path = f.Reply.Path
	}
	if !slices.Equal(path, claim.Path) {
		return fmt.Errorf("%s: the packet passes %v, the claim says %v", claim.Packet, names(img, path), names(img, claim.Path))
	}
	return nil
}
