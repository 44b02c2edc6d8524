package compile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model/wire"
)

// Defaults of probes ("LoadBalancers - Create Or Update", REST reference) and
// the shortest interval ("Azure Load Balancer health probes").
const (
	probeInterval    = 15
	minProbeInterval = 5
)

// question returns the redirect's probe as its targets share it; nil if it has
// none. probeThreshold counts answers in a row either way; the older
// numberOfProbes is taken for the same.
func (d *redirection) question() *fabric.Probe {
	if d.probe == nil || d.asks != nil {
		return d.asks
	}
	p, b := &d.probe.Properties, d.frontend.balancer
	i := slices.IndexFunc(b.view.Properties.Probes, func(q wire.Probe) bool { return q.Name == d.probe.Name })
	d.asks = &fabric.Probe{
		Name: d.probe.Name, Origin: origin(b.res, fmt.Sprintf("/properties/probes/%d", i), d.probe.Name),
		Port: uint16(p.Port), Interval: time.Duration(max(cmp.Or(p.IntervalInSeconds, probeInterval), minProbeInterval)) * time.Second,
		Threshold: max(cmp.Or(p.ProbeThreshold, p.NumberOfProbes), 1),
		AllUp:     strings.EqualFold(p.NoHealthyBackendsBehavior, "AllProbedUp"),
	}
	switch strings.ToLower(p.Protocol) {
	case "http":
		d.asks.Kind, d.asks.Path = fabric.ProbeHTTP, p.RequestPath
	case "https":
		d.asks.Kind, d.asks.Path = fabric.ProbeHTTPS, p.RequestPath
	}
	return d.asks
}
