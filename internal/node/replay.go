package node

import (
	"fmt"
	"time"

	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
)

// replay sends a flow's first packet, and the reply if it was delivered,
// through a fresh engine as real bytes, and demands the verdicts and reasons the
// flow has. A difference is a fault of Cerulean.
func replay(img *fabric.Image, c *fabric.Connection) error {
	e := engine.New(img, engine.Options{MaxFlows: 16})
	pkt := engine.First(c.Forward.Packet)
	got := e.Process(0, c.Forward.From, pkt)
	if err := same("the packet", c.Forward.Packet, got, c.Forward.Verdict, c.Forward.Reason); err != nil {
		return err
	}
	if c.Forward.Verdict != fabric.VerdictAllow || c.Forward.Reason.Code == fabric.CodePlatform {
		return nil
	}
	answer := engine.Answer(c.Reply.Packet)
	got = e.Process(time.Millisecond, got.Out, answer)
	return same("the reply", c.Reply.Packet, got, c.Reply.Verdict, c.Reply.Reason)
}

func same(what string, p fabric.Packet, got engine.Result, verdict fabric.Verdict, reason fabric.Reason) error {
	if got.Fault != fabric.FaultNone || got.Verdict != verdict || got.Reason != reason {
		return fmt.Errorf("%s %s: the engine says %s because %s (fault %s), the proof %s because %s: please report this",
			what, p, got.Verdict, got.Reason.Code, got.Fault, verdict, reason.Code)
	}
	return nil
}
