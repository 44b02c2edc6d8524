package arm

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/ceruleannet/cerulean/internal/diagnose"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/model"
)

// watcherGroup is the resource group of the network watchers that Azure makes,
// and watcherPrefix begins their names ("Enable or disable Azure Network
// Watcher").
const (
	watcherGroup  = "NetworkWatcherRG"
	watcherPrefix = "NetworkWatcher_"
)

// watcherVerbs are the diagnostics of a network watcher, and its flow logs.
func watcherVerbs() []verb {
	return append(flowLogVerbs(), []verb{
		{name: "ipFlowVerify", body: withBody, long: true, network: true, answer: ipFlowVerify},
		{name: "nextHop", body: withBody, long: true, network: true, answer: nextHop},
		{name: "securityGroupView", body: withBody, long: true, network: true, answer: securityGroupView},
		{name: "connectivityCheck", body: withBody, long: true, network: true, answer: connectivityCheck},
		{name: "networkConfigurationDiagnostic", body: withBody, long: true, network: true, answer: networkConfigurationDiagnostic},
		{name: "topology", body: withBody, answer: topology},
	}...)
}

// settleNetwork follows a stored virtual network with what Azure makes of it:
// the other sides of its peerings, and a network watcher in its region if there
// is none.
func settleNetwork(c *change) *Fault {
	if c.doc != nil {
		if f := c.enableWatcher(text(c.doc, "location")); f != nil {
			return f
		}
	}
	return settlePeerings(c)
}

func automaticWatcher(subscription, region string) model.ID {
	return model.GroupID(subscription, watcherGroup).Resource(typeWatcher, watcherPrefix+region)
}

// watchersIn returns the network watchers of a subscription in a region.
func watchersIn(v *state.View, subscription, region string) []model.ID {
	var out []model.ID
	for _, e := range findExact(v, termType+strings.ToLower(typeWatcher)) {
		if id := e.Resource.ID; strings.EqualFold(id.Subscription(), subscription) && e.Resource.Location() == region {
			out = append(out, id)
		}
	}
	return out
}

// enableWatcher makes the network watcher of a region, with its resource group.
func (c *change) enableWatcher(region string) *Fault {
	subscription := c.id.Subscription()
	if len(watchersIn(c.tx.View, subscription, region)) > 0 {
		return nil
	}
	id := automaticWatcher(subscription, region)
	for _, at := range []model.ID{id.Parent(), id} {
		if has(c.tx, at) {
			continue
		}
		part := &change{
			kinds: c.kinds, tx: c.tx, kind: c.kinds[strings.ToLower(at.Type())], id: at, etag: newEtag(), by: c.by,
			doc: map[string]any{"location": region},
		}
		if _, f := part.store(); f != nil {
			return f
		}
	}
	return nil
}

// checkWatcher allows one network watcher per subscription and region. The one
// that Azure makes by itself gives way to one that a client makes: subscriptions
// may opt out of the automatic one, and clients written for those must work.
func checkWatcher(c *change) *Fault {
	region := text(c.doc, "location")
	automatic := automaticWatcher(c.id.Subscription(), region)
	for _, id := range watchersIn(c.tx.View, c.id.Subscription(), region) {
		switch {
		case id.Equal(c.id):
		case id.Equal(automatic):
			c.tx.Delete(id)
		default:
			return badRequest("NetworkWatcherCountLimitReached", "Cannot create more than 1 network watchers for this subscription in this region.")
		}
	}
	return nil
}

// ipFlowVerify answers whether security rules let a flow pass at an interface.
func ipFlowVerify(q *question) (any, *Fault) {
	dir, f := q.direction(q.body)
	if f != nil {
		return nil, f
	}
	if f := oneOf(q.on.ID, "protocol", q.body["protocol"], "TCP", "UDP"); f != nil {
		return nil, f
	}
	proto := uint16(fabric.ProtoTCP)
	if strings.EqualFold(text(q.body, "protocol"), "UDP") {
		proto = fabric.ProtoUDP
	}
	var addresses [2]netip.Addr
	var ports [2]fabric.Set
	for i, side := range []string{"local", "remote"} {
		if addresses[i], f = q.address(side + "IPAddress"); f != nil {
			return nil, f
		}
		if ports[i], f = q.ports(q.body, side+"Port"); f != nil {
			return nil, f
		}
	}
	if addresses[0].Is4() != addresses[1].Is4() {
		return nil, invalidProperty(q.on.ID, "remoteIPAddress", addresses[1].String(), "it must be of the same family as localIPAddress")
	}
	at, f := q.local(addresses[0])
	if f != nil {
		return nil, f
	}
	from, to := 0, 1
	if dir == fabric.In {
		from, to = 1, 0
	}
	return diagnose.VerifyFlow(q.img, at, dir, diagnose.Between(
		fabric.AddrSet(addresses[from]), fabric.AddrSet(addresses[to]), ports[from], ports[to], fabric.NumSet(proto, proto))), nil
}

// nextHop answers where an interface sends packets for an address.
func nextHop(q *question) (any, *Fault) {
	src, f := q.address("sourceIPAddress")
	if f != nil {
		return nil, f
	}
	dst, f := q.address("destinationIPAddress")
	if f != nil {
		return nil, f
	}
	at, f := q.local(src)
	if f != nil {
		return nil, f
	}
	if q.img.Ports[at].Routes == fabric.None {
		return nil, fault(http.StatusConflict, "NetworkNotCompiled", "The interface has no route table in the compiled network.")
	}
	return diagnose.NextHop(q.img, at, dst), nil
}
