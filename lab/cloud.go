package lab

import (
	"fmt"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/ceruleannet/cerulean/internal/arm"
	"github.com/ceruleannet/cerulean/internal/paas"
	"github.com/ceruleannet/cerulean/model"
)

// cloud is a lab's own: it holds in memory what the platform's services must
// know of the network, and is made when the first program asks for something of
// them. It implements [live.Services].
type cloud struct {
	network *model.Network
	planes  func() (*paas.Planes, error)
	control paas.Cloud // once planes were asked for
}

// tokenLife is how long tokens of managed identities are good in a lab. azidentity
// keeps a machine's tokens for the whole process and uses none of the last five
// minutes before they expire: a lab, where one process is many machines, has no
// others.
const tokenLife = 4 * time.Minute

func newCloud(n *model.Network) (*cloud, error) {
	c := &cloud{network: n}
	c.planes = sync.OnceValues(c.open)
	if len(n.Contents)+len(n.Access) > 0 {
		// What was declared wrongly is to be told at once.
		if _, err := c.planes(); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *cloud) open() (*paas.Planes, error) {
	identity, err := arm.OpenIdentity("")
	if err != nil {
		return nil, err
	}
	store, err := arm.OpenStore("")
	if err != nil {
		return nil, err
	}
	server, err := arm.New(arm.Config{Store: store, Identity: identity})
	if err != nil {
		return nil, err
	}
	if err := server.Hold(c.network.Resources); err != nil {
		return nil, err
	}
	for i := range c.network.Access {
		a := &c.network.Access[i]
		if err := server.Grant(a.VM, a.Role, a.Scope); err != nil {
			return nil, fmt.Errorf("%s: role of host %s: %w", a.Pos, a.Host, err)
		}
	}
	c.control = server.DataPlane()
	planes := paas.New(c.control, time.Now, paas.Limits{TokenLife: tokenLife})
	return planes, planes.Fill(c.network.Contents)
}

// Metadata implements [live.Services].
func (c *cloud) Metadata(vm model.ID) http.Handler {
	return c.with(func(p *paas.Planes) http.Handler { return p.Metadata(vm) })
}

// Names implements [live.Services].
func (c *cloud) Names(resource model.ID) []string { return paas.Serves(resource) }

// Plane implements [live.Services].
func (c *cloud) Plane(resource model.ID, from netip.Addr, refused bool) http.Handler {
	return c.with(func(p *paas.Planes) http.Handler { return p.Plane(resource, from, refused) })
}

// with answers by the data planes, or says why there are none.
func (c *cloud) with(f func(*paas.Planes) http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, err := c.planes()
		if err != nil {
			http.Error(w, "the lab's cloud cannot be made: "+err.Error(), http.StatusInternalServerError)
			return
		}
		f(p).ServeHTTP(w, r)
	})
}
