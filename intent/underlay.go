package intent

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
)

// Limits of what an underlay may be: what a person could mean.
const (
	longestRTT = 10 * time.Second
	mostBits   = 400e9
	mostQueue  = 1 << 30
	// queueTime is how long a full queue takes to drain unless it is given.
	queueTime = 50 * time.Millisecond
	// leastQueue holds one unsegmented packet of the largest size.
	leastQueue = 64 << 10
)

// underlay reads what lies beneath the network.
func (b *builder) underlay() model.Underlay {
	u := b.doc.Underlay
	if u == nil {
		return model.Underlay{}
	}
	out := model.Underlay{Seed: uint64(b.inRange(u.Seed, 1, 0, math.MaxInt32, "a seed"))}
	for _, spec := range u.Links {
		l := model.UnderlayLink{Pos: spec.Pos}
		if len(spec.Between) != 2 {
			b.problem(spec.Pos, "write between: [A, B]", "a link of the underlay has %d ends", len(spec.Between))
			continue
		}
		ok := true
		for i, t := range spec.Between {
			if l.Between[i], ok = b.place(t); !ok {
				break
			}
		}
		if !ok {
			continue
		}
		if l.Between[0] == l.Between[1] && l.Between[0].Kind != model.PlaceRegion {
			b.problem(spec.Between[1].Pos, "name two places", "a link leads from %s to itself", l.Between[0].Name)
			continue
		}
		l.RTT = b.duration(spec.RTT, longestRTT)
		l.Jitter = b.duration(spec.Jitter, longestRTT)
		l.HollowCore = b.oneOf("fibre", spec.Fibre, "solid-core", map[string]string{"solid-core": "solid-core", "hollow-core": "hollow-core"}) == "hollow-core"
		l.Loss = b.share(spec.Loss)
		l.Bandwidth = int64(b.quantity(spec.Bandwidth, bitUnits, mostBits, "a bandwidth", "write it like 100Mbps or 1Gbps"))
		l.Queue = int64(b.quantity(spec.Queue, byteUnits, mostQueue, "a number of bytes", "write it like 64KB"))
		l.MTU = b.inRange(spec.MTU, 0, 576, 9000, "a number of bytes that an IP packet may have (RFC 791: 576 at least)")
		if spec.Queue.IsSet() && l.Bandwidth == 0 {
			b.problem(spec.Queue.Pos, "add bandwidth: RATE", "a link without a bandwidth has no queue")
		}
		if l.Bandwidth > 0 && l.Queue == 0 {
			l.Queue = max(int64(float64(l.Bandwidth)/8*queueTime.Seconds()), leastQueue)
		}
		out.Links = append(out.Links, l)
	}
	return out
}

// place finds what a name in the underlay means.
func (b *builder) place(t Text) (model.Place, bool) {
	name := strings.ToLower(t.Value)
	region, zone, zoned := strings.Cut(name, "/")
	switch {
	case name == "internet":
		return model.Place{Kind: model.PlaceInternet}, true
	case zoned:
		n, err := strconv.Atoi(zone)
		info, known := catalog.Region(region)
		if !known || err != nil || n < 1 || n > info.Zones {
			b.problem(t.Pos, "write REGION/ZONE, as in westeurope/1", "%q is no availability zone", t.Value)
			return model.Place{}, false
		}
		return model.Place{Kind: model.PlaceZone, Name: info.Name + "/" + zone}, true
	}
	for _, s := range b.sites {
		if strings.EqualFold(s.name, name) {
			return model.Place{Kind: model.PlaceSite, Name: name}, true
		}
	}
	if b.hostNamed[name] != nil {
		return model.Place{Kind: model.PlaceHost, Name: name}, true
	}
	if info, known := catalog.Region(name); known {
		if _, used := b.regionPos[info.Name]; !used {
			b.problem(t.Pos, "name one of its regions", "the network has nothing in %s", t.Value)
			return model.Place{}, false
		}
		return model.Place{Kind: model.PlaceRegion, Name: info.Name}, true
	}
	b.problem(t.Pos, "use a region, REGION/ZONE, a host, a site or internet", "%q is no place of the network", t.Value)
	return model.Place{}, false
}

// duration reads a length of time from 0 up to a limit.
func (b *builder) duration(t Text, most time.Duration) time.Duration {
	if !t.IsSet() {
		return 0
	}
	d, err := time.ParseDuration(strings.ReplaceAll(t.Value, " ", ""))
	if err != nil || d < 0 || d > most {
		b.problem(t.Pos, "write it like 5ms, up to "+most.String(), "%q is not a length of time", t.Value)
		return 0
	}
	return d
}

// share reads a percentage.
func (b *builder) share(t Text) float64 {
	if !t.IsSet() {
		return 0
	}
	text, percent := strings.CutSuffix(strings.TrimSpace(t.Value), "%")
	f, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if !percent || err != nil || !(f >= 0 && f <= 100) {
		b.problem(t.Pos, "write it like 0.1%", "%q is not a percentage", t.Value)
		return 0
	}
	return f / 100
}

// unit is what a number counts.
type unit struct {
	name string
	of   float64
}

var (
	bitUnits  = []unit{{"gbps", 1e9}, {"mbps", 1e6}, {"kbps", 1e3}, {"bps", 1}}
	byteUnits = []unit{{"gb", 1 << 30}, {"mb", 1 << 20}, {"kb", 1 << 10}, {"b", 1}}
)

// quantity reads a number with its unit, above 0.
func (b *builder) quantity(t Text, units []unit, most float64, what, fix string) float64 {
	if !t.IsSet() {
		return 0
	}
	low := strings.ToLower(strings.ReplaceAll(t.Value, " ", ""))
	for _, u := range units {
		if text, ok := strings.CutSuffix(low, u.name); ok {
			if f, err := strconv.ParseFloat(text, 64); err == nil && f*u.of >= 1 && f*u.of <= most {
				return f * u.of
			}
			break
		}
	}
	b.problem(t.Pos, fix, "%q is not %s", t.Value, what)
	return 0
}

// zoneOf returns the availability zone of a host, which its region must have.
func (b *builder) zoneOf(h *host) int {
	zone := b.inRange(h.spec.Zone, 0, 1, 3, "an availability zone")
	if info, ok := catalog.Region(h.subnet.vnet.region); ok && zone > info.Zones {
		b.problem(h.spec.Zone.Pos, "leave zone out", "host %s is in zone %d, and %s has %d zones", h.name, zone, info.Name, info.Zones)
	}
	return zone
}
