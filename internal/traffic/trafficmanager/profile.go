package trafficmanager

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Zone is the domain of all profiles.
const Zone = "trafficmanager.net"

// Method is a profile's routing method, in Azure's spelling.
type Method string

// The routing methods ("Traffic Manager routing methods").
const (
	Performance Method = "Performance"
	Weighted    Method = "Weighted"
	Priority    Method = "Priority"
	Geographic  Method = "Geographic"
	MultiValue  Method = "MultiValue"
	Subnet      Method = "Subnet"
)

// Kind is the kind of an endpoint.
type Kind string

// The kinds of endpoint ("Traffic Manager endpoints").
const (
	Azure    Kind = "azureEndpoints"
	External Kind = "externalEndpoints"
	Nested   Kind = "nestedEndpoints"
)

// Limits of a profile ("Azure subscription and service limits", Traffic
// Manager; "Traffic Manager endpoint monitoring").
const (
	maxEndpoints = 200
	maxWeight    = 1000
	maxTolerated = 9
	maxHeaders   = 8
	maxRanges    = 8
	maxDepth     = 10 // of nested profiles, "Nested Traffic Manager profiles"
	MaxTTL       = 1<<31 - 1
)

// Profile is one Traffic Manager profile.
type Profile struct {
	ID       string // of the resource; what nested endpoints name
	Name     string
	FQDN     string // lower case, without final dot
	Disabled bool
	Method   Method
	TTL      uint32 // seconds
	// MaxReturn is how many addresses MultiValue answers with, at most.
	MaxReturn int
	Monitor   Monitor
	Endpoints []Endpoint
	// Pos is where it was declared, for people.
	Pos string
}

// Endpoint is one place that a profile's name may lead to.
type Endpoint struct {
	Name        string
	Kind        Kind
	Disabled    bool
	AlwaysServe bool   // not probed, always served
	Target      string // a DNS name, lower case, or an address; empty for nested
	// Addrs are the addresses that Target has, as far as they are known here:
	// whom probes ask.
	Addrs    []netip.Addr
	Region   string // normalised; for Performance
	Weight   int    // 1..1000
	Priority int    // 1..1000, unique
	Geo      []string
	Subnets  []Range
	// Of nested endpoints: the profile, and how many of its endpoints must be
	// well; 0 for the families means that they do not matter.
	Child                      string
	MinChild, MinIPv4, MinIPv6 int
}

// Range is a range of client addresses, both ends included.
type Range struct{ First, Last netip.Addr }

// Contains reports whether an address is in the range.
func (r Range) Contains(a netip.Addr) bool {
	return a.BitLen() == r.First.BitLen() && r.First.Compare(a) <= 0 && a.Compare(r.Last) <= 0
}

// Monitor says how the endpoints of a profile are asked.
type Monitor struct {
	Protocol  string // HTTP, HTTPS or TCP
	Port      uint16
	Path      string
	Interval  time.Duration // 30 s or 10 s
	Timeout   time.Duration // 5 to 10 s, with an interval of 10 s to 9 s
	Tolerated int           // failures in a row that do not matter, 0..9
	Headers   []Header
	Expected  []StatusRange // empty is 200
}

// Header is a header of probes.
type Header struct{ Name, Value string }

// StatusRange is a range of HTTP status codes, both ends included.
type StatusRange struct{ Min, Max int }

// Accepts reports whether a status is a good answer. Redirects are not followed:
// they are good only if they are expected.
func (m *Monitor) Accepts(status int) bool {
	if len(m.Expected) == 0 {
		return status == 200
	}
	return slices.ContainsFunc(m.Expected, func(r StatusRange) bool { return r.Min <= status && status <= r.Max })
}

// Problem is what is wrong with a profile.
type Problem struct {
	Profile string // its ID
	Pointer string // the part of its document, a JSON pointer (RFC 6901)
	Err     error
}

// Error says what is wrong with which profile and endpoint.
func (p *Problem) Error() string { return p.Err.Error() }

// Unwrap returns what is wrong.
func (p *Problem) Unwrap() error { return p.Err }

// Problems are everything that is wrong.
type Problems []*Problem

// Error tells all of it, a line each.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, x := range p {
		lines[i] = x.Error()
	}
	return strings.Join(lines, "\n")
}

// err is nil if nothing is wrong.
func (p Problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return p
}

// The parts of a profile's document.
const (
	atName      = "/properties/dnsConfig/relativeName"
	atMonitor   = "/properties/monitorConfig"
	atEndpoints = "/properties/endpoints"
)

// Check finds everything wrong with a set of profiles. The error is [Problems].
func Check(profiles []Profile) error {
	var errs Problems
	names, ids := map[string]bool{}, map[string]*Profile{}
	for i := range profiles {
		p := &profiles[i]
		if names[p.FQDN] {
			errs = append(errs, &Problem{p.ID, atName, fmt.Errorf("profile %s: its name %s is another profile's; choose another relativeName", p.Name, p.FQDN)})
		}
		names[p.FQDN] = true
		ids[strings.ToLower(p.ID)] = p
	}
	for i := range profiles {
		errs = append(errs, profiles[i].check(ids)...)
	}
	for i := range profiles {
		if depth(&profiles[i], ids, 0) > maxDepth {
			errs = append(errs, &Problem{profiles[i].ID, atEndpoints, fmt.Errorf("profile %s: profiles are nested in a circle, or deeper than %d", profiles[i].Name, maxDepth)})
		}
	}
	return errs.err()
}

func depth(p *Profile, ids map[string]*Profile, at int) int {
	most := at
	if at > maxDepth {
		return at
	}
	for i := range p.Endpoints {
		if child := ids[strings.ToLower(p.Endpoints[i].Child)]; p.Endpoints[i].Kind == Nested && child != nil {
			most = max(most, depth(child, ids, at+1))
		}
	}
	return most
}

func (p *Profile) check(ids map[string]*Profile) (errs Problems) {
	bad := func(pointer, format string, args ...any) {
		errs = append(errs, &Problem{p.ID, pointer, fmt.Errorf("profile %s: %w", p.Name, fmt.Errorf(format, args...))})
	}
	if !slices.Contains([]Method{Performance, Weighted, Priority, Geographic, MultiValue, Subnet}, p.Method) {
		bad("/properties/trafficRoutingMethod", "routing method %q: use Performance, Weighted, Priority, Geographic, MultiValue or Subnet", p.Method)
	}
	if p.TTL > MaxTTL {
		bad("/properties/dnsConfig/ttl", "TTL %d: use 0 to %d seconds", p.TTL, MaxTTL)
	}
	if p.Method == MultiValue && p.MaxReturn < 1 {
		bad("/properties/maxReturn", "MultiValue needs maxReturn, from 1")
	}
	if len(p.Endpoints) > maxEndpoints {
		bad(atEndpoints, "%d endpoints: at most %d", len(p.Endpoints), maxEndpoints)
	}
	for _, err := range p.Monitor.check() {
		bad(atMonitor, "monitor: %w", err)
	}
	names, priorities, geo := map[string]bool{}, map[int]string{}, map[string]string{}
	fallback := ""
	for i := range p.Endpoints {
		e := &p.Endpoints[i]
		// part is the property of the endpoint that is wrong; empty for all of it.
		wrong := func(part, format string, args ...any) {
			at := fmt.Sprintf("%s/%d", atEndpoints, i)
			if part != "" {
				at += "/" + part
			}
			bad(at, "endpoint %s: %s", e.Name, fmt.Sprintf(format, args...))
		}
		if key := strings.ToLower(e.Name); names[key] {
			wrong("name", "another has the name")
		} else {
			names[key] = true
		}
		switch {
		case e.Kind == Nested && ids[strings.ToLower(e.Child)] == nil:
			wrong("properties/targetResourceId", "its profile %s does not exist", e.Child)
		case e.Kind == Nested && e.MinChild < 1:
			wrong("properties/minChildEndpoints", "minChildEndpoints %d: use 1 or more", e.MinChild)
		case e.Kind != Nested && e.Target == "":
			wrong("properties/target", "it has no target: a DNS name, or an address")
		}
		if e.Weight < 1 || e.Weight > maxWeight {
			wrong("properties/weight", "weight %d: use 1 to %d", e.Weight, maxWeight)
		}
		if e.Priority < 1 || e.Priority > maxWeight {
			wrong("properties/priority", "priority %d: use 1 to %d", e.Priority, maxWeight)
		}
		if other := priorities[e.Priority]; other != "" && p.Method == Priority {
			wrong("properties/priority", "priority %d is %s's", e.Priority, other)
		}
		priorities[e.Priority] = e.Name
		switch p.Method {
		case Performance:
			if e.Region == "" {
				wrong("properties/endpointLocation", "Performance needs to know where it is: give endpointLocation")
			}
		case MultiValue:
			if _, err := netip.ParseAddr(e.Target); err != nil || e.Kind != External {
				wrong("properties/target", "MultiValue takes external endpoints with an address as target")
			}
		case Geographic:
			if len(e.Geo) == 0 {
				wrong("properties/geoMapping", "Geographic needs geoMapping")
			}
			for _, code := range e.Geo {
				if other := geo[strings.ToUpper(code)]; other != "" {
					wrong("properties/geoMapping", "region %s is %s's", code, other)
				}
				geo[strings.ToUpper(code)] = e.Name
			}
		case Subnet:
			if len(e.Subnets) == 0 && fallback != "" {
				wrong("properties/subnets", "it has no subnets, and the fallback is %s", fallback)
			}
			if len(e.Subnets) == 0 {
				fallback = e.Name
			}
		}
	}
	return errs
}

func (m *Monitor) check() (errs []error) {
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	switch m.Protocol {
	case "HTTP", "HTTPS":
		if !strings.HasPrefix(m.Path, "/") {
			bad("path %q: it begins with /", m.Path)
		}
	case "TCP":
		if m.Path != "" {
			bad("path %q: TCP has none", m.Path)
		}
	default:
		bad("protocol %q: use HTTP, HTTPS or TCP", m.Protocol)
	}
	if m.Port == 0 {
		bad("port 0: use 1 to 65535")
	}
	longest := 10 * time.Second
	switch m.Interval {
	case 30 * time.Second:
	case 10 * time.Second:
		longest = 9 * time.Second
	default:
		bad("interval %s: use 30 or 10 seconds", m.Interval)
	}
	if m.Timeout < 5*time.Second || m.Timeout > longest {
		bad("timeout %s: use 5 s to %s", m.Timeout, longest)
	}
	if m.Tolerated < 0 || m.Tolerated > maxTolerated {
		bad("%d tolerated failures: use 0 to %d", m.Tolerated, maxTolerated)
	}
	if len(m.Headers) > maxHeaders || len(m.Expected) > maxRanges {
		bad("%d headers and %d ranges of status codes: at most %d of each", len(m.Headers), len(m.Expected), maxHeaders)
	}
	for _, r := range m.Expected {
		if r.Min < 100 || r.Max > 999 || r.Min > r.Max {
			bad("status codes %d-%d: use 100 to 999, the lower first", r.Min, r.Max)
		}
	}
	return errs
}
