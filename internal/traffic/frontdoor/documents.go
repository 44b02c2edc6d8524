package frontdoor

import (
	"crypto/tls"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
)

// Documents is a profile with the resources around it.
type Documents struct {
	Profile   *model.Resource
	Resources []*model.Resource // its parts and the policies they name may be among others
	// Edges are where it has them; without any it is only looked at.
	Edges []Edge
	// Region returns where an origin is, "" if nobody knows.
	Region func(host string) string
	// Certificate returns that of a host name: of a secret of a key vault if one is
	// given by its resource ID, with its version if that is fixed; else what stands
	// for the certificate that Azure manages. nil leaves domains without.
	Certificate func(domain model.ID, host, secret, version string) (*tls.Certificate, error)
}

// Finding is something in a document that is not done as it is written.
type Finding struct {
	Place Place
	What  string
}

// String is a line for people.
func (f Finding) String() string { return string(f.Place) + ": " + f.What }

// FromDocuments returns the profile of documents, and what of them is not done. The
// error is [Problems], each with its place.
func FromDocuments(d Documents) (*Config, []Finding, error) {
	c := &converter{
		Documents: d, byKey: map[string]*model.Resource{}, hosts: map[string][]string{},
		config: &Config{Name: d.Profile.ID.Name(), ID: model.FrontDoorID(d.Profile.ID), Edges: d.Edges, Place: placeIn(d.Profile, "")},
	}
	for _, r := range d.Resources {
		c.byKey[r.ID.Key()] = r
		if p := r.ID; strings.HasPrefix(p.Key(), d.Profile.ID.Key()+"/") {
			c.parts = append(c.parts, r)
		}
	}
	var p profileView
	if c.decode(d.Profile, &p) && p.Properties.Timeout != 0 {
		c.config.Timeout = seconds(p.Properties.Timeout)
	}
	c.domains()
	c.groups()
	c.ruleSets()
	c.routes()
	c.firewalls()
	if len(c.problems) > 0 {
		return nil, c.findings, c.problems
	}
	if len(c.config.Domains) == 0 {
		// Without an endpoint there is no name to speak TLS for.
		c.config.Edges = slices.Clone(d.Edges)
		for i := range c.config.Edges {
			c.config.Edges[i].Secure = netip.AddrPort{}
		}
	}
	if len(d.Edges) == 0 {
		// Whoever only looks needs one to be whole.
		c.config.Edges = []Edge{{Name: "any", Region: "westeurope", Address: netip.AddrPortFrom(netip.IPv4Unspecified(), 80)}}
	}
	if err := c.config.Check(); err != nil {
		return nil, c.findings, err
	}
	return c.config, c.findings, nil
}

// converter makes one profile.
type converter struct {
	Documents
	config   *Config
	byKey    map[string]*model.Resource
	parts    []*model.Resource   // of the profile
	hosts    map[string][]string // host names by the lower-case ID of an endpoint or custom domain
	problems Problems
	findings []Finding
}

// placeIn is where a part was declared: its file, or the resource's ID.
func placeIn(r *model.Resource, pointer string) Place {
	if pos := r.PosOf(pointer); !pos.IsZero() {
		return Place(pos.String())
	}
	if pointer == "" {
		return Place(r.ID.String())
	}
	return Place(r.ID.String() + "#" + pointer)
}

func (c *converter) problem(r *model.Resource, pointer, format string, args ...any) {
	c.problems.add(placeIn(r, pointer), format, args...)
}

func (c *converter) finding(r *model.Resource, pointer, format string, args ...any) {
	c.findings = append(c.findings, Finding{placeIn(r, pointer), fmt.Sprintf(format, args...)})
}

// decode reads a document; one of the wrong shape is a problem.
func (c *converter) decode(r *model.Resource, view any) bool {
	if err := wire.Decode(r.Doc, view); err != nil {
		c.problem(r, "", "%v", err)
		return false
	}
	return true
}

// of returns the parts of a type, in order of their IDs.
func (c *converter) of(kind string) []*model.Resource {
	var out []*model.Resource
	for _, r := range c.parts {
		if r.ID.Is(kind) {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b *model.Resource) int { return strings.Compare(a.ID.Key(), b.ID.Key()) })
	return out
}

// named returns the name of the part that a reference leads to; one that leads
// nowhere is a problem.
func (c *converter) named(r *model.Resource, pointer string, ref *wire.Ref, kind string) string {
	if ref == nil || ref.ID == "" {
		return ""
	}
	x := c.byKey[strings.ToLower(ref.ID)]
	if x == nil || !x.ID.Is(kind) {
		c.problem(r, pointer, "there is no %s %s", kind[strings.LastIndexByte(kind, '/')+1:], ref.ID)
		return ""
	}
	return x.ID.Name()
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

func disabled(state string) bool { return strings.EqualFold(state, "Disabled") }

type profileView struct {
	Properties struct {
		Timeout int `json:"originResponseTimeoutSeconds"`
	} `json:"properties"`
}

type customDomainView struct {
	Properties struct {
		HostName string `json:"hostName"`
		TLS      *struct {
			Type    string    `json:"certificateType"`
			Minimum string    `json:"minimumTlsVersion"`
			Secret  *wire.Ref `json:"secret"`
		} `json:"tlsSettings"`
	} `json:"properties"`
}

type secretView struct {
	Properties struct {
		Parameters struct {
			Type    string    `json:"type"`
			Source  *wire.Ref `json:"secretSource"`
			Latest  *bool     `json:"useLatestVersion"`
			Version string    `json:"secretVersion"`
		} `json:"parameters"`
	} `json:"properties"`
}

// domains finds the host names: of endpoints, and custom ones.
func (c *converter) domains() {
	add := func(r *model.Resource, host, endpoint, secret, version string, oldest uint16) {
		d := Domain{Name: host, Endpoint: endpoint, MinTLS: oldest, Place: placeIn(r, "")}
		c.hosts[r.ID.Key()] = append(c.hosts[r.ID.Key()], host)
		if c.Certificate != nil {
			cert, err := c.Certificate(r.ID, host, secret, version)
			if err != nil {
				c.problem(r, "/properties/tlsSettings", "certificate of %s: %v", host, err)
			}
			d.Certificate = cert
		}
		c.config.Domains = append(c.config.Domains, d)
	}
	for _, r := range c.of(model.TypeDoorEndpoint) {
		var v struct {
			Properties struct {
				State string `json:"enabledState"`
			} `json:"properties"`
		}
		if c.decode(r, &v) && !disabled(v.Properties.State) {
			add(r, model.EndpointHost(r.ID), model.EndpointHost(r.ID), "", "", 0)
		}
	}
	for _, r := range c.of(model.TypeCustomDomain) {
		var v customDomainView
		if !c.decode(r, &v) {
			continue
		}
		host := strings.ToLower(strings.TrimSuffix(v.Properties.HostName, "."))
		secret, version, oldest := "", "", uint16(0)
		if t := v.Properties.TLS; t != nil {
			if t.Minimum == "TLS13" {
				oldest = tls.VersionTLS13
			}
			secret, version = c.secret(r, t.Secret)
		}
		add(r, host, "", secret, version, oldest)
	}
}

// secret returns the secret of a key vault that a secret of the profile stands for.
func (c *converter) secret(r *model.Resource, ref *wire.Ref) (id, version string) {
	const at = "/properties/tlsSettings/secret"
	if c.named(r, at, ref, model.TypeDoorSecret) == "" {
		return "", ""
	}
	var v secretView
	if !c.decode(c.byKey[strings.ToLower(ref.ID)], &v) {
		return "", ""
	}
	p := &v.Properties.Parameters
	if !strings.EqualFold(p.Type, "CustomerCertificate") || p.Source == nil {
		c.finding(r, at, "a secret of type %s is no certificate of one's own: one of the network's authority stands for it", p.Type)
		return "", ""
	}
	if p.Latest != nil && *p.Latest {
		return p.Source.ID, ""
	}
	return p.Source.ID, p.Version
}

type groupView struct {
	Properties struct {
		Balancing *struct {
			Samples    int `json:"sampleSize"`
			Successful int `json:"successfulSamplesRequired"`
			Latency    int `json:"additionalLatencyInMilliseconds"`
		} `json:"loadBalancingSettings"`
		Probe *struct {
			Path     string `json:"probePath"`
			Method   string `json:"probeRequestType"`
			Protocol string `json:"probeProtocol"`
			Interval int    `json:"probeIntervalInSeconds"`
		} `json:"healthProbeSettings"`
		Affinity string `json:"sessionAffinityState"`
	} `json:"properties"`
}

type originView struct {
	Properties struct {
		HostName string    `json:"hostName"`
		HTTP     int       `json:"httpPort"`
		HTTPS    int       `json:"httpsPort"`
		Header   string    `json:"originHostHeader"`
		Priority int       `json:"priority"`
		Weight   int       `json:"weight"`
		State    string    `json:"enabledState"`
		Check    *bool     `json:"enforceCertificateNameCheck"`
		Private  *struct{} `json:"sharedPrivateLinkResource"`
	} `json:"properties"`
}

func (c *converter) groups() {
	origins := c.of(model.TypeOrigin)
	for _, r := range c.of(model.TypeOriginGroup) {
		var v groupView
		if !c.decode(r, &v) {
			continue
		}
		g := Group{Name: r.ID.Name(), Affinity: strings.EqualFold(v.Properties.Affinity, "Enabled"), Place: placeIn(r, "")}
		if b := v.Properties.Balancing; b != nil {
			g.Samples, g.Successful, g.Sensitivity = b.Samples, b.Successful, time.Duration(b.Latency)*time.Millisecond
		}
		if p := v.Properties.Probe; p != nil && !strings.EqualFold(p.Method, "NotSet") && !strings.EqualFold(p.Protocol, "NotSet") {
			g.Probe = &Probe{
				Path: or(p.Path, "/"), Method: strings.ToUpper(p.Method), Secure: strings.EqualFold(p.Protocol, "Https"), Interval: seconds(p.Interval),
				Place: placeIn(r, "/properties/healthProbeSettings"),
			}
		}
		for _, o := range origins {
			if o.ID.Parent().Equal(r.ID) {
				c.origin(&g, o)
			}
		}
		if len(g.Origins) == 0 {
			// It is being made, or nobody uses it; a route that does is told.
			c.finding(r, "", "origin group %s has no origin", g.Name)
			continue
		}
		c.config.Groups = append(c.config.Groups, g)
	}
}

func (c *converter) origin(g *Group, r *model.Resource) {
	var v originView
	if !c.decode(r, &v) {
		return
	}
	p := &v.Properties
	o := Origin{
		Name: r.ID.Name(), Host: strings.ToLower(strings.TrimSuffix(p.HostName, ".")), HostHeader: p.Header, Priority: p.Priority, Weight: p.Weight,
		Disabled: disabled(p.State), AnyName: p.Check != nil && !*p.Check, Place: placeIn(r, ""),
	}
	for _, x := range []struct {
		n    int
		into *uint16
		at   string
	}{{p.HTTP, &o.Port, "httpPort"}, {p.HTTPS, &o.SecurePort, "httpsPort"}} {
		if x.n < 0 || x.n > 65535 {
			c.problem(r, "/properties/"+x.at, "origin %s: %d is no port", o.Name, x.n)
			continue
		}
		*x.into = uint16(x.n)
	}
	if p.Private != nil {
		c.finding(r, "/properties/sharedPrivateLinkResource", "origin %s: private links of origins are not done: it is asked at its public name", o.Name)
	}
	if c.Region != nil {
		o.Region = c.Region(o.Host)
	}
	g.Origins = append(g.Origins, o)
}
