package live

import (
	"sync"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/traffic/trafficmanager"
)

// resolvers are the platform's resolvers of all regions, as far as names are
// concerned that move when something fails over: each keeps an answer for its
// TTL, so that a name moves within the TTL and not before.
type resolvers struct {
	mu   sync.Mutex
	kept map[keptName]keptRecord
	pace float64 // a TTL is so many times shorter
}

type keptRecord struct {
	record fabric.Record
	until  time.Time
}

// answer returns what the resolver of a region says of a name that leads to
// current now.
func (r *resolvers) answer(region string, current *fabric.Record, now time.Time) *fabric.Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := keptName{region, current.Name}
	k, ok := r.kept[key]
	if !ok || !now.Before(k.until) {
		k = keptRecord{*current, now.Add(trafficmanager.Scaled(time.Duration(current.TTL)*time.Second, r.pace))}
		if r.kept == nil || len(r.kept) >= maxKept {
			r.kept = map[keptName]keptRecord{}
		}
		r.kept[key] = k
	}
	out := k.record
	out.TTL = uint32(max(0, (k.until.Sub(now)+time.Second-1)/time.Second))
	return &out
}

// setPace changes the pace; what was kept at another one is forgotten.
func (r *resolvers) setPace(pace float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pace = pace
	clear(r.kept)
}

// nameNow returns what names mean now at a port's region that are chosen, or that
// move.
func (n *Network) nameNow(img *fabric.Image, at fabric.PortID) func(string) (*fabric.Record, bool) {
	view := viewAt(img, at)
	if view == nil {
		return nil
	}
	region := ""
	if r := img.Ports[at].Region; r != fabric.None {
		region = img.Regions[r]
	}
	return func(name string) (*fabric.Record, bool) {
		now := time.Now()
		if n.director != nil {
			if r, known := n.director.resolve(region, name, now); known {
				return r, true
			}
		}
		if z := view.Apex(name); z != nil && z.Moves && len(z.Records) == 1 {
			return n.resolvers.answer(region, &z.Records[0], now), true
		}
		return nil, false
	}
}

// NamePace returns how many times faster than declared the answers of resolvers
// run out: as fast as health probes are sent, and as declared in a network that
// sends none.
func (n *Network) NamePace() float64 {
	n.resolvers.mu.Lock()
	defer n.resolvers.mu.Unlock()
	return n.resolvers.pace
}
