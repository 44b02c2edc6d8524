package trafficmanager

import (
	"fmt"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/model/catalog"
)

// Outcome is what a name means to a client.
type Outcome uint8

// The outcomes.
const (
	Answered Outcome = iota
	NoData           // the name exists, and leads nowhere for this client
	NoName           // the profile is disabled, or there is none
)

// subnetFallsBack says what becomes of a client whose endpoint, by Subnet, is
// degraded: true hands it to the endpoint without subnets, as other methods go
// on to the next. Unconfirmed.
const subnetFallsBack = true

// Decision is what a name means to a client.
type Decision struct {
	Outcome Outcome
	// Endpoint is the endpoint chosen, of Profile, which is another than was asked
	// for where profiles are nested. Nil for MultiValue.
	Profile  *Profile
	Endpoint *Endpoint
	// From and Count are the endpoints of MultiValue: Count of those that take
	// part, from the From-th on, in a circle.
	From, Count int
	TTL         uint32
	// ByAddress means that the client's address decided, ByPlace that its place
	// did, ByChance that it may be another the next time.
	ByAddress, ByPlace, ByChance bool
}

// Why says what became of an endpoint.
type Why struct {
	Profile  string
	Endpoint string
	Status   Status
	Chosen   bool
	Text     string
}

// tracer hears why; nil for nobody.
type tracer func(s *standing, i int, chosen bool, format string, args ...any)

// Decide says what a name means to a client. It allocates nothing.
func (d *Directory) Decide(name string, c *Client) Decision {
	s := d.byName[name]
	if s == nil {
		return Decision{Outcome: NoName}
	}
	return s.decide(c, nil)
}

// Fixed returns what a name means to every client, as long as nothing changes; ok is
// false if that depends on who asks, or on chance.
func (d *Directory) Fixed(name string) (dec Decision, ok bool) {
	dec = d.Decide(name, &Client{})
	return dec, !dec.ByAddress && !dec.ByPlace && !dec.ByChance
}

// Explain decides, and says of every endpoint why it was chosen or not.
func (d *Directory) Explain(name string, c *Client) (Decision, []Why) {
	s := d.byName[strings.ToLower(strings.TrimSuffix(name, "."))]
	if s == nil {
		return Decision{Outcome: NoName}, nil
	}
	var out []Why
	told := map[Key]bool{}
	dec := s.decide(c, func(s *standing, i int, chosen bool, format string, args ...any) {
		e := &s.Endpoints[i]
		if key := KeyOf(s.Profile, e); !told[key] {
			told[key] = true
			out = append(out, Why{s.Name, e.Name, s.endpoints[i].status, chosen, fmt.Sprintf(format, args...)})
		}
	})
	return dec, out
}

// Values returns the endpoints of a MultiValue decision.
func (d *Directory) Values(dec *Decision) []*Endpoint {
	s := d.byName[dec.Profile.FQDN]
	out := make([]*Endpoint, dec.Count)
	for i := range out {
		out[i] = &s.Endpoints[s.best[(dec.From+i)%len(s.best)]]
	}
	return out
}

func (s *standing) decide(c *Client, tell tracer) Decision {
	dec := Decision{Profile: s.Profile, TTL: s.TTL}
	if s.Disabled {
		dec.Outcome = NoName
		return dec
	}
	if tell != nil {
		s.tellUnserved(tell)
	}
	pick := -1
	switch s.Method {
	case Priority:
		pick = s.byPriority(tell)
	case Weighted:
		dec.ByChance = len(s.best) > 1
		pick = s.byWeight(c, tell)
	case Performance:
		dec.ByPlace = true
		pick = s.byPerformance(c, tell)
	case Geographic:
		dec.ByPlace = true
		pick = s.byGeography(c, tell)
	case Subnet:
		dec.ByAddress = true
		pick = s.bySubnet(c, tell)
	case MultiValue:
		return s.several(c, dec, tell)
	}
	if pick < 0 {
		dec.Outcome = NoData
		return dec
	}
	child := s.endpoints[pick].child
	if child == nil {
		dec.Endpoint = &s.Endpoints[pick]
		return dec
	}
	next := *c
	next.Random = mix(c.Random)
	inner := child.decide(&next, tell)
	// The TTL is of the profile that was asked for ("Nested Traffic Manager
	// profiles", FAQ).
	inner.TTL = s.TTL
	inner.ByAddress, inner.ByPlace = inner.ByAddress || dec.ByAddress, inner.ByPlace || dec.ByPlace
	inner.ByChance = inner.ByChance || dec.ByChance
	if inner.Outcome == NoName {
		inner.Outcome = NoData
	}
	return inner
}

// tellUnserved says why endpoints take no part.
func (s *standing) tellUnserved(tell tracer) {
	for i := range s.endpoints {
		st := &s.endpoints[i]
		if served(st.status) || s.fallback && st.status == Degraded || s.Method == Geographic && st.status != Disabled {
			continue
		}
		switch st.status {
		case Degraded:
			if st.child != nil {
				tell(s, i, false, "fewer than %d endpoints of %s are well", s.Endpoints[i].MinChild, st.child.Name)
			} else {
				tell(s, i, false, "its probes fail")
			}
		case Disabled:
			tell(s, i, false, "it is disabled")
		case Stopped:
			tell(s, i, false, "what it names does not run")
		}
	}
}

// asWell says beside a reason that nobody is well.
func (s *standing) asWell() string {
	if s.fallback {
		return "; every endpoint is degraded, so all are served"
	}
	return ""
}

func (s *standing) byPriority(tell tracer) int {
	pick := -1
	for _, i := range s.best {
		if pick < 0 || s.Endpoints[i].Priority < s.Endpoints[pick].Priority {
			pick = i
		}
	}
	if tell != nil && pick >= 0 {
		first := s.Endpoints[pick].Priority
		tell(s, pick, true, "priority %d is the first that is served%s", first, s.asWell())
		for _, i := range s.best {
			tell(s, i, false, "priority %d comes after %d", s.Endpoints[i].Priority, first)
		}
	}
	return pick
}

func (s *standing) byWeight(c *Client, tell tracer) int {
	total := 0
	for _, i := range s.best {
		total += s.Endpoints[i].Weight
	}
	if total == 0 {
		return -1
	}
	at := int(mix(c.Random) % uint64(total))
	pick := -1
	for _, i := range s.best {
		if at -= s.Endpoints[i].Weight; at < 0 {
			pick = i
			break
		}
	}
	if tell != nil {
		tell(s, pick, true, "drawn by chance, with weight %d of %d%s", s.Endpoints[pick].Weight, total, s.asWell())
		for _, i := range s.best {
			tell(s, i, false, "not drawn, with weight %d of %d", s.Endpoints[i].Weight, total)
		}
	}
	return pick
}

// byPerformance chooses the nearest region, and evenly among its endpoints.
func (s *standing) byPerformance(c *Client, tell tracer) int {
	nearest, region, ties := time.Duration(-1), "", 0
	for _, i := range s.best {
		e := &s.Endpoints[i]
		switch d := distance(c.Place.Region, e.Region); {
		case nearest < 0 || d < nearest || d == nearest && e.Region < region:
			nearest, region, ties = d, e.Region, 1
		case e.Region == region:
			ties++
		}
	}
	if ties == 0 {
		return -1
	}
	at, pick := int(mix(c.Random)%uint64(ties)), -1
	for _, i := range s.best {
		if s.Endpoints[i].Region != region {
			continue
		}
		if at == 0 {
			pick = i
			break
		}
		at--
	}
	if tell == nil {
		return pick
	}
	for _, i := range s.best {
		e := &s.Endpoints[i]
		switch {
		case c.Place.Region == "" && i == pick:
			tell(s, i, true, "where the client is is not known; %s is the first region by its name%s", region, s.asWell())
		case c.Place.Region == "":
			tell(s, i, false, "where the client is is not known; %s comes first by its name", region)
		case i == pick && ties > 1:
			tell(s, i, true, "%s is nearest to %s (%s), one of %d endpoints there%s", region, c.Place.Region, nearest, ties, s.asWell())
		case i == pick:
			tell(s, i, true, "%s is nearest to %s (%s)%s", region, c.Place.Region, nearest, s.asWell())
		case e.Region == region:
			tell(s, i, false, "another endpoint in %s was drawn", region)
		default:
			tell(s, i, false, "%s is %s from %s, %s is nearer (%s)", e.Region, distance(c.Place.Region, e.Region), c.Place.Region, region, nearest)
		}
	}
	return pick
}

// distance is the round-trip time between two regions as published, else as
// estimated. What is not known is as far as can be.
func distance(from, to string) time.Duration {
	if from == "" {
		return 0
	}
	if d, ok := catalog.RTT(from, to); ok {
		return d
	}
	if d, ok := catalog.EstimateRTT(from, to); ok {
		return d
	}
	return time.Hour
}

// byGeography chooses the endpoint that has the smallest region around the
// client. Its health does not matter ("Geographic traffic-routing method": the
// endpoint is returned whether it is healthy or not).
func (s *standing) byGeography(c *Client, tell tracer) int {
	var around [4]string
	codes := around[:hierarchy(&around, c.Place)]
	for _, code := range codes {
		for i := range s.Endpoints {
			if !covers(&s.Endpoints[i], code, c.Place) {
				continue
			}
			switch s.endpoints[i].status {
			case Disabled, Inactive:
				continue
			case Stopped:
				if tell != nil {
					tell(s, i, false, "it has %s and does not run: there is no data", code)
				}
				return -1
			}
			if tell != nil {
				tell(s, i, true, "it has %s, the smallest region around the client that an endpoint has", code)
				for j := range s.Endpoints {
					tell(s, j, false, "none of its regions (%s) is a smaller one around the client", strings.Join(s.Endpoints[j].Geo, ", "))
				}
			}
			return i
		}
	}
	if tell != nil {
		for j := range s.Endpoints {
			tell(s, j, false, "none of its regions (%s) is around the client", strings.Join(s.Endpoints[j].Geo, ", "))
		}
	}
	return -1
}

// covers reports whether an endpoint has a region of a client. Codes of states
// carry their country: "US-CA".
func covers(e *Endpoint, code string, p Place) bool {
	for _, g := range e.Geo {
		if strings.EqualFold(g, code) {
			return true
		}
		if code == stateLevel && len(g) == len(p.Country)+1+len(p.State) && g[len(p.Country)] == '-' &&
			strings.EqualFold(g[:len(p.Country)], p.Country) && strings.EqualFold(g[len(p.Country)+1:], p.State) {
			return true
		}
	}
	return false
}

// bySubnet chooses the endpoint that has the client's address, else the one
// without subnets.
func (s *standing) bySubnet(c *Client, tell tracer) int {
	pick, other := -1, -1
	for i := range s.Endpoints {
		e := &s.Endpoints[i]
		mine := false
		for _, r := range e.Subnets {
			mine = mine || r.Contains(c.Addr)
		}
		if !s.isBest(i) {
			if mine && !subnetFallsBack {
				return -1
			}
			continue
		}
		switch {
		case mine && pick < 0:
			pick = i
		case len(e.Subnets) == 0 && other < 0:
			other = i
		}
	}
	how := "its subnets have %s%s"
	if pick < 0 {
		pick, how = other, "it is for clients that no other has (%s)%s"
	}
	if tell != nil {
		if pick >= 0 {
			tell(s, pick, true, how, c.Addr, s.asWell())
		}
		for i := range s.Endpoints {
			if len(s.Endpoints[i].Subnets) == 0 {
				tell(s, i, false, "another has %s", c.Addr)
			} else {
				tell(s, i, false, "its subnets do not have %s", c.Addr)
			}
		}
	}
	return pick
}

func (s *standing) isBest(i int) bool {
	for _, j := range s.best {
		if j == i {
			return true
		}
	}
	return false
}

// several answers with the addresses of endpoints, up to MaxReturn.
func (s *standing) several(c *Client, dec Decision, tell tracer) Decision {
	if len(s.best) == 0 {
		dec.Outcome = NoData
		return dec
	}
	dec.Count = min(s.MaxReturn, len(s.best))
	if dec.ByChance = dec.Count < len(s.best); dec.ByChance {
		dec.From = int(mix(c.Random) % uint64(len(s.best)))
	}
	if tell != nil {
		for k := range s.best {
			i := s.best[(dec.From+k)%len(s.best)]
			if k < dec.Count {
				tell(s, i, true, "one of up to %d that are answered%s", s.MaxReturn, s.asWell())
			} else {
				tell(s, i, false, "no more than %d are answered, and it was not drawn", s.MaxReturn)
			}
		}
	}
	return dec
}

// mix makes another number of a random one, so that choices of nested profiles
// are independent (SplitMix64).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
