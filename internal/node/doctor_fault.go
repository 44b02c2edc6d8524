package node

import (
	"fmt"

	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/live"
	"github.com/ceruleannet/cerulean/model"
)

// fault says why the network lost a packet that nothing denies.
func (d *doctor) fault(denied *live.DeniedError) DoctorCause {
	if denied.Fault != fabric.FaultPortsExhausted {
		return DoctorCause{What: denied.Text}
	}
	at := d.host.Port()
	var pool *engine.PoolStats
	for _, p := range d.s.Net.Pools() {
		// The host's own ports before those that it shares.
		if p.Exhausted > 0 && p.Proto == denied.Packet.Proto && (p.Port == at || p.Port == fabric.None && pool == nil) {
			pool = &p
		}
	}
	if pool == nil {
		return DoctorCause{What: denied.Text}
	}
	name := pool.Origin.Resource
	if id, err := model.ParseID(name); err == nil {
		name = id.Name()
	}
	whose := "its"
	if pool.Port != fabric.None {
		whose = d.host.Name + "'s"
	}
	return DoctorCause{
		What:  fmt.Sprintf("%s %s has none of %s %d source ports left towards %s", pool.What, name, whose, pool.Allocated, denied.Packet.Dst),
		Place: pool.Origin.Place,
		Fix:   "give it more ports or public addresses, or keep connections open and use them again",
	}
}
