package live

import (
	"context"
	"net/netip"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// Requester is a host that sends the requests of an expectation, from one of its
// addresses.
type Requester struct{ from sender }

// Requesters returns who sends the requests of an expectation: as [Network.Request]
// asks.
func (n *Network) Requesters(e *model.Expectation) []Requester {
	var out []Requester
	for _, s := range n.senders(&e.From) {
		out = append(out, Requester{s})
	}
	return out
}

// Name is the host's.
func (r Requester) Name() string { return r.from.host.Name }

// Port is where the host is, in the image in force; [fabric.None] if it is not there.
func (r Requester) Port() fabric.PortID { return r.from.host.Port() }

// Outside reports whether the host is on the internet.
func (r Requester) Outside() bool { return r.from.host.edge || len(r.from.host.public) > 0 }

// Get sends a GET of a URL, as [Host.Get] does.
func (r Requester) Get(ctx context.Context, rawURL string, otherwise []netip.Addr) Requested {
	return r.from.get(ctx, rawURL, otherwise)
}
