package live

import (
	"time"

	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
)

// underlay is what lies beneath the virtual network: it decides when a
// delivered packet arrives.
type underlay struct {
	latency float64 // scale of the propagation delays; 0 is none
}

// cross returns how long a packet is under way, or that it is lost there.
func (u *underlay) cross(_ time.Time, _ *fabric.Image, _ *engine.Frame, r *engine.Result) (delay time.Duration, lost bool) {
	return time.Duration(float64(r.Delay) * u.latency), false
}

func (u *underlay) cut([]fabric.Cut) {}
