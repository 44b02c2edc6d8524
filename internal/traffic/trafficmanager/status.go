package trafficmanager

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/model/catalog"
)

// Status is an endpoint's monitor status, in Azure's spelling ("Traffic Manager
// endpoint monitoring", endpoint monitor status).
type Status string

// The states of endpoints.
const (
	Online      Status = "Online"
	Degraded    Status = "Degraded"
	Checking    Status = "CheckingEndpoint" // no verdict of its probes yet: it is served
	Disabled    Status = "Disabled"
	Inactive    Status = "Inactive"    // its profile is disabled
	Stopped     Status = "Stopped"     // what it names does not run
	Unmonitored Status = "Unmonitored" // always served
)

// ProfileStatus is a profile's monitor status.
type ProfileStatus string

// The states of profiles.
const (
	ProfileOnline   ProfileStatus = "Online"
	ProfileDegraded ProfileStatus = "Degraded"
	ProfileChecking ProfileStatus = "CheckingEndpoints"
	ProfileDisabled ProfileStatus = "Disabled"
	ProfileInactive ProfileStatus = "Inactive"
)

// Key names an endpoint: the profile's resource ID in lower case, and the
// endpoint's name in lower case.
type Key struct{ Profile, Endpoint string }

// KeyOf returns the key of an endpoint.
func KeyOf(p *Profile, e *Endpoint) Key {
	return Key{strings.ToLower(p.ID), strings.ToLower(e.Name)}
}

// Findings are what probes found: Online, Degraded or Stopped. What is not there
// was not asked yet.
type Findings map[Key]Status

// Directory is a set of profiles with their states, ready to decide. It never
// changes.
type Directory struct {
	profiles []*standing
	byName   map[string]*standing
	byID     map[string]*standing
}

// standing is a profile with its states.
type standing struct {
	*Profile
	status    ProfileStatus
	endpoints []state
	// best are the endpoints that take part, as indices: those that are served,
	// or, if none is, the degraded ones.
	best     []int
	fallback bool // best are degraded ones
	done     bool
}

// state is what is known of an endpoint.
type state struct {
	status Status
	child  *standing
	// v4 and v6 count what it can answer with, for the minima of families.
	v4, v6 bool
}

// New computes the states of profiles that [Check] found right.
func New(profiles []Profile, found Findings) *Directory {
	d := &Directory{byName: map[string]*standing{}, byID: map[string]*standing{}}
	for i := range profiles {
		s := &standing{Profile: &profiles[i]}
		d.profiles = append(d.profiles, s)
		d.byName[s.FQDN] = s
		d.byID[strings.ToLower(s.ID)] = s
	}
	for _, s := range d.profiles {
		d.settle(s, found)
	}
	return d
}

// settle computes the states of a profile, children first.
func (d *Directory) settle(s *standing, found Findings) {
	if s.done {
		return
	}
	s.done = true
	s.endpoints = make([]state, len(s.Endpoints))
	for i := range s.Endpoints {
		e := &s.Endpoints[i]
		st := &s.endpoints[i]
		if e.Kind == Nested {
			st.child = d.byID[strings.ToLower(e.Child)]
			d.settle(st.child, found)
		}
		for _, a := range e.Addrs {
			st.v4, st.v6 = st.v4 || a.Is4(), st.v6 || a.Is6()
		}
		st.status = d.statusOf(s, e, st, found)
	}
	s.status = s.overall()
	for i := range s.endpoints {
		if served(s.endpoints[i].status) {
			s.best = append(s.best, i)
		}
	}
	if len(s.best) == 0 {
		// "If all enabled endpoints in a profile are degraded, then Traffic Manager
		// treats all enabled endpoints as healthy."
		for i := range s.endpoints {
			if s.endpoints[i].status == Degraded {
				s.best = append(s.best, i)
			}
		}
		s.fallback = len(s.best) > 0
	}
}

func served(s Status) bool { return s == Online || s == Checking || s == Unmonitored }

func (d *Directory) statusOf(s *standing, e *Endpoint, st *state, found Findings) Status {
	switch {
	case s.Disabled:
		return Inactive
	case e.Disabled:
		return Disabled
	case e.AlwaysServe:
		return Unmonitored
	case st.child != nil:
		return st.nested(e)
	}
	if f, ok := found[KeyOf(s.Profile, e)]; ok {
		return f
	}
	return Checking
}

// nested is the state of an endpoint that stands for a profile ("Nested Traffic
// Manager profiles", monitoring of nested endpoints).
func (st *state) nested(e *Endpoint) Status {
	c := st.child
	if c.status == ProfileDisabled || c.status == ProfileInactive {
		return Stopped
	}
	enough := func(count func(Status) bool) bool {
		n, v4, v6 := 0, 0, 0
		for i := range c.endpoints {
			x := &c.endpoints[i]
			if !count(x.status) {
				continue
			}
			n++
			if x.v4 {
				v4++
			}
			if x.v6 {
				v6++
			}
		}
		return n >= e.MinChild && v4 >= e.MinIPv4 && v6 >= e.MinIPv6
	}
	for i := range c.endpoints {
		st.v4, st.v6 = st.v4 || c.endpoints[i].v4, st.v6 || c.endpoints[i].v6
	}
	switch {
	case enough(func(s Status) bool { return s == Online || s == Unmonitored }):
		return Online
	case enough(served):
		return Checking
	default:
		return Degraded
	}
}

// overall is the state of a profile: degraded if an endpoint is, online if one
// is and none is degraded.
func (s *standing) overall() ProfileStatus {
	if s.Disabled {
		return ProfileDisabled
	}
	has := map[Status]bool{}
	for i := range s.endpoints {
		has[s.endpoints[i].status] = true
	}
	switch {
	case has[Degraded]:
		return ProfileDegraded
	case has[Online] || has[Unmonitored]:
		return ProfileOnline
	case has[Checking]:
		return ProfileChecking
	default:
		return ProfileInactive
	}
}

// EndpointState is an endpoint of a profile and its state.
type EndpointState struct {
	Endpoint *Endpoint
	Status   Status
}

// ProfileState is a profile and the states of it and its endpoints.
type ProfileState struct {
	Profile   *Profile
	Status    ProfileStatus
	Endpoints []EndpointState // in the profile's order
}

// States returns the states of all profiles, in their order.
func (d *Directory) States() []ProfileState {
	out := make([]ProfileState, len(d.profiles))
	for i, s := range d.profiles {
		out[i] = ProfileState{Profile: s.Profile, Status: s.status}
		for j := range s.endpoints {
			out[i].Endpoints = append(out[i].Endpoints, EndpointState{&s.Endpoints[j], s.endpoints[j].status})
		}
	}
	return out
}

// Names returns the names of the profiles that resolve: those that are not
// disabled, sorted.
func (d *Directory) Names() []string {
	var out []string
	for _, s := range d.profiles {
		if !s.Disabled {
			out = append(out, s.FQDN)
		}
	}
	slices.Sort(out)
	return out
}

// Profile returns the profile that has a name.
func (d *Directory) Profile(name string) (*Profile, bool) {
	s := d.byName[strings.ToLower(strings.TrimSuffix(name, "."))]
	if s == nil {
		return nil, false
	}
	return s.Profile, true
}

// Place is where a client is.
type Place struct {
	// Region is the Azure region that its network is nearest to, normalised;
	// empty if that is not known.
	Region string
	// Country is an ISO 3166-1 code of two letters, State one of ISO 3166-2
	// without the country ("CA"); empty if they are not known.
	Country, State string
}

// PlaceOf returns the place of an Azure region.
func PlaceOf(region string) Place {
	info, ok := catalog.Region(region)
	if !ok {
		return Place{}
	}
	return Place{Region: info.Name, Country: countryOf(info)}
}

// Client is who asks for a name: whoever resolves it, or who that says it asks
// for (EDNS client subnet).
type Client struct {
	Addr   netip.Addr
	Place  Place
	Random uint64
}
