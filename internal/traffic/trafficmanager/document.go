package trafficmanager

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
)

// document is the document of a profile, as far as it matters here
// ("Microsoft.Network trafficManagerProfiles").
type document struct {
	Properties struct {
		ProfileStatus string `json:"profileStatus"`
		Method        string `json:"trafficRoutingMethod"`
		MaxReturn     int    `json:"maxReturn"`
		DNS           struct {
			RelativeName string  `json:"relativeName"`
			TTL          *uint32 `json:"ttl"`
		} `json:"dnsConfig"`
		Monitor struct {
			Protocol  string `json:"protocol"`
			Port      uint16 `json:"port"`
			Path      string `json:"path"`
			Interval  int    `json:"intervalInSeconds"`
			Timeout   int    `json:"timeoutInSeconds"`
			Tolerated *int   `json:"toleratedNumberOfFailures"`
			Headers   []struct {
				Name  string `json:"name"`
				Value string `json:"value"`
			} `json:"customHeaders"`
			Expected []struct {
				Min int `json:"min"`
				Max int `json:"max"`
			} `json:"expectedStatusCodeRanges"`
		} `json:"monitorConfig"`
		Endpoints []endpointDocument `json:"endpoints"`
	} `json:"properties"`
}

type endpointDocument struct {
	Name       string `json:"name"`
	Type       string `json:"type"`
	Properties struct {
		Status      string   `json:"endpointStatus"`
		AlwaysServe string   `json:"alwaysServe"`
		Target      string   `json:"target"`
		Resource    string   `json:"targetResourceId"`
		Location    string   `json:"endpointLocation"`
		Weight      *int     `json:"weight"`
		Priority    *int     `json:"priority"`
		MinChild    *int     `json:"minChildEndpoints"`
		MinIPv4     int      `json:"minChildEndpointsIPv4"`
		MinIPv6     int      `json:"minChildEndpointsIPv6"`
		Geo         []string `json:"geoMapping"`
		Subnets     []struct {
			First string `json:"first"`
			Last  string `json:"last"`
			Scope *int   `json:"scope"`
		} `json:"subnets"`
	} `json:"properties"`
}

// Defaults that the documentation gives ("Traffic Manager endpoint monitoring",
// configure endpoint monitoring; "Traffic Manager FAQ"). That of the TTL and of
// minChildEndpoints is unconfirmed.
const (
	defaultTTL       = 60
	defaultInterval  = 30
	defaultTolerated = 3
	defaultMinChild  = 1
)

// Target is what a resource that an endpoint names has: its DNS name, addresses
// and region.
type Target struct {
	Name   string
	Addrs  []netip.Addr
	Region string
	// Stopped means that it exists and does not run.
	Stopped bool
}

// FromDocument reads a profile from its resource. lookup says what a resource
// that an azureEndpoint names is, and by DNS name what an external one is; its
// error says why that is not known. The error is [Problems].
func FromDocument(r *model.Resource, lookup func(idOrName string) (Target, error)) (Profile, error) {
	var doc document
	if err := r.Decode(&doc); err != nil {
		return Profile{}, Problems{{r.ID.String(), "/properties", fmt.Errorf("%s: %w", r.ID, err)}}
	}
	in := &doc.Properties
	p := Profile{
		ID: r.ID.String(), Name: r.ID.Name(), FQDN: strings.ToLower(in.DNS.RelativeName) + "." + Zone,
		Disabled: strings.EqualFold(in.ProfileStatus, "Disabled"), Method: method(in.Method), TTL: defaultTTL, MaxReturn: in.MaxReturn,
		Pos: r.Pos.String(),
	}
	if in.DNS.RelativeName == "" {
		return p, Problems{{p.ID, atName, fmt.Errorf("%s: it has no dnsConfig.relativeName", r.ID)}}
	}
	if in.DNS.TTL != nil {
		p.TTL = *in.DNS.TTL
	}
	p.Monitor = doc.monitor()
	var errs Problems
	for i := range in.Endpoints {
		e, err := in.Endpoints[i].endpoint(i, lookup)
		if err != nil {
			errs = append(errs, &Problem{p.ID, fmt.Sprintf("%s/%d", atEndpoints, i), fmt.Errorf("%s: endpoint %s: %w", r.ID, in.Endpoints[i].Name, err)})
		}
		p.Endpoints = append(p.Endpoints, e)
	}
	return p, errs.err()
}

func method(text string) Method {
	for _, m := range []Method{Performance, Weighted, Priority, Geographic, MultiValue, Subnet} {
		if strings.EqualFold(text, string(m)) {
			return m
		}
	}
	if text == "" {
		return Performance
	}
	return Method(text)
}

func (d *document) monitor() Monitor {
	in := &d.Properties.Monitor
	m := Monitor{Protocol: strings.ToUpper(in.Protocol), Port: in.Port, Path: in.Path, Tolerated: defaultTolerated}
	if m.Protocol == "" {
		m.Protocol = "HTTP"
	}
	if m.Port == 0 {
		m.Port = map[string]uint16{"HTTPS": 443}[m.Protocol]
		if m.Port == 0 {
			m.Port = 80
		}
	}
	if m.Path == "" && m.Protocol != "TCP" {
		m.Path = "/"
	}
	if in.Tolerated != nil {
		m.Tolerated = *in.Tolerated
	}
	seconds := func(n, other int) time.Duration {
		if n == 0 {
			n = other
		}
		return time.Duration(n) * time.Second
	}
	m.Interval = seconds(in.Interval, defaultInterval)
	m.Timeout = seconds(in.Timeout, map[bool]int{true: 9, false: 10}[m.Interval == 10*time.Second])
	for _, h := range in.Headers {
		m.Headers = append(m.Headers, Header(h))
	}
	for _, r := range in.Expected {
		m.Expected = append(m.Expected, StatusRange(r))
	}
	return m
}

func (d *endpointDocument) endpoint(i int, lookup func(string) (Target, error)) (Endpoint, error) {
	in := &d.Properties
	e := Endpoint{
		Name: d.Name, Kind: Kind(d.Type[strings.LastIndexByte(d.Type, '/')+1:]), Disabled: strings.EqualFold(in.Status, "Disabled"),
		AlwaysServe: strings.EqualFold(in.AlwaysServe, "Enabled"), Target: strings.ToLower(strings.TrimSuffix(in.Target, ".")),
		Weight: 1, Priority: i + 1, MinChild: defaultMinChild, MinIPv4: in.MinIPv4, MinIPv6: in.MinIPv6,
	}
	if in.Weight != nil {
		e.Weight = *in.Weight
	}
	if in.Priority != nil {
		e.Priority = *in.Priority
	}
	if in.MinChild != nil {
		e.MinChild = *in.MinChild
	}
	for _, g := range in.Geo {
		if !KnownGeography(g) {
			return e, fmt.Errorf("region %q: use WORLD, a grouping such as GEO-EU, a country such as DE, or a state such as US-CA", g)
		}
		e.Geo = append(e.Geo, strings.ToUpper(g))
	}
	for _, s := range in.Subnets {
		r, err := parseRange(s.First, s.Last, s.Scope)
		if err != nil {
			return e, err
		}
		e.Subnets = append(e.Subnets, r)
	}
	e.Region = in.Location
	switch {
	case strings.EqualFold(string(e.Kind), string(Nested)):
		e.Kind, e.Child = Nested, in.Resource
	case strings.EqualFold(string(e.Kind), string(Azure)):
		e.Kind = Azure
		t, err := lookup(in.Resource)
		if err != nil {
			return e, err
		}
		e.Target, e.Addrs, e.Region = strings.ToLower(t.Name), t.Addrs, t.Region
	case strings.EqualFold(string(e.Kind), string(External)):
		e.Kind = External
		if a, err := netip.ParseAddr(e.Target); err == nil {
			e.Addrs = []netip.Addr{a}
		} else if t, err := lookup(e.Target); err == nil {
			e.Addrs = t.Addrs
		}
	default:
		return e, fmt.Errorf("type %q: use azureEndpoints, externalEndpoints or nestedEndpoints", d.Type)
	}
	if e.Region != "" {
		info, ok := catalog.Region(e.Region)
		if !ok {
			return e, fmt.Errorf("%q is no Azure region", e.Region)
		}
		e.Region = info.Name
	}
	return e, nil
}

// parseRange reads a subnet: a first address with a prefix length, or with a
// last address, or alone.
func parseRange(first, last string, scope *int) (Range, error) {
	a, err := netip.ParseAddr(first)
	if err != nil {
		return Range{}, fmt.Errorf("subnet %q: %w", first, err)
	}
	switch {
	case scope != nil && last != "":
		return Range{}, fmt.Errorf("subnet %s: give scope or last, not both", first)
	case scope != nil:
		p, err := a.Prefix(*scope)
		if err != nil {
			return Range{}, fmt.Errorf("subnet %s/%d: %w", first, *scope, err)
		}
		b := p.Addr().AsSlice()
		for i := *scope; i < a.BitLen(); i++ {
			b[i/8] |= 0x80 >> (i % 8)
		}
		end, _ := netip.AddrFromSlice(b)
		return Range{p.Addr(), end}, nil
	case last != "":
		z, err := netip.ParseAddr(last)
		if err != nil || z.BitLen() != a.BitLen() || z.Less(a) {
			return Range{}, fmt.Errorf("subnet %s-%s: give the lower address first, both of one family", first, last)
		}
		return Range{a, z}, nil
	default:
		return Range{a, a}, nil
	}
}

// Regions returns the regions of the endpoints of a profile, sorted.
func (p *Profile) Regions() []string {
	var out []string
	for i := range p.Endpoints {
		if r := p.Endpoints[i].Region; r != "" && !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	slices.Sort(out)
	return out
}
