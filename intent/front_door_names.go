package intent

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
)

// doorSuffix ends the DNS names of endpoints of Front Door. In sentences
// NAME.azurefd.net stands for the endpoint of that name, whose own has a hash.
const doorSuffix = ".azurefd.net"

// door is a front door that a name leads to.
type door struct {
	profile  *model.Resource
	endpoint *model.Resource
	domain   model.ID // zero: the endpoint's own name
}

// doorCalled returns the front door that a name leads to. known are the names of
// all of them.
func (b *builder) doorCalled(name string) (d *door, known []string) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	for _, e := range b.resources {
		if !e.ID.Is(model.TypeDoorEndpoint) {
			continue
		}
		profile := b.byKey[e.ID.Parent().Key()]
		if profile == nil || !model.IsFrontDoor(profile) {
			continue
		}
		short := strings.ToLower(e.ID.Name()) + doorSuffix
		known = append(known, short)
		if name == short || name == model.EndpointHost(e.ID) {
			d = &door{profile: profile, endpoint: e}
		}
		for _, route := range b.doorRoutes(e.ID) {
			for _, id := range refsOf(route, "customDomains") {
				domain := b.byKey[strings.ToLower(id)]
				if domain == nil {
					continue
				}
				host, _ := domain.Properties()["hostName"].(string)
				host = strings.ToLower(host)
				if !slices.Contains(known, host) {
					known = append(known, host)
				}
				parent, wild := strings.CutPrefix(host, "*.")
				_, rest, _ := strings.Cut(name, ".")
				if host == name || wild && rest == parent && d == nil {
					d = &door{profile, e, domain.ID}
				}
			}
		}
	}
	return d, known
}

// doorRoutes are the routes of an endpoint that are enabled.
func (b *builder) doorRoutes(endpoint model.ID) []*model.Resource {
	var out []*model.Resource
	for _, r := range b.resources {
		state, _ := r.Properties()["enabledState"].(string)
		if r.ID.Is(model.TypeDoorRoute) && r.ID.Parent().Equal(endpoint) && !strings.EqualFold(state, "Disabled") {
			out = append(out, r)
		}
	}
	return out
}

// refsOf returns the IDs of a list of references.
func refsOf(r *model.Resource, list string) []string {
	var out []string
	for _, ref := range parts(r.Properties(), list) {
		if id, _ := ref["id"].(string); id != "" {
			out = append(out, id)
		}
	}
	return out
}

// isDoor reports whether a text is a name that leads to a front door, or is meant
// to be.
func (b *builder) isDoor(text string) bool {
	name := strings.ToLower(strings.TrimSuffix(text, "."))
	if strings.HasSuffix(name, doorSuffix) {
		return true
	}
	if !strings.Contains(name, ".") {
		return false
	}
	d, _ := b.doorCalled(name)
	return d != nil
}

// doorOrigin is where an edge asks for a request over TLS, or a plain one.
type doorOriginAt struct {
	host   string
	port   int
	secure bool
}

// doorOrigins returns every origin to which requests for a name may go: those of
// the groups of its routes, and of the groups that their rules name.
func (b *builder) doorOrigins(d *door, secure bool) []doorOriginAt {
	var out []doorOriginAt
	add := func(groupID, forwarding string) {
		for _, o := range b.resources {
			if !o.ID.Is(model.TypeOrigin) || !strings.EqualFold(o.ID.Parent().String(), groupID) {
				continue
			}
			p := o.Properties()
			if state, _ := p["enabledState"].(string); strings.EqualFold(state, "Disabled") {
				continue
			}
			over := secure && !strings.EqualFold(forwarding, "HttpOnly") || strings.EqualFold(forwarding, "HttpsOnly")
			port, key := 80, "httpPort"
			if over {
				port, key = 443, "httpsPort"
			}
			if n, err := strconv.Atoi(textOf(p[key])); err == nil {
				port = n
			}
			host, _ := p["hostName"].(string)
			at := doorOriginAt{strings.ToLower(strings.TrimSuffix(host, ".")), port, over}
			if !slices.Contains(out, at) {
				out = append(out, at)
			}
		}
	}
	for _, r := range b.doorRoutes(d.endpoint.ID) {
		p := r.Properties()
		linked, _ := p["linkToDefaultDomain"].(string)
		custom := slices.ContainsFunc(refsOf(r, "customDomains"), func(id string) bool { return strings.EqualFold(id, d.domain.String()) })
		if d.domain.IsZero() && !strings.EqualFold(linked, "Enabled") || !d.domain.IsZero() && !custom {
			continue
		}
		redirect, _ := p["httpsRedirect"].(string)
		if !secure && strings.EqualFold(redirect, "Enabled") {
			continue // the edge answers itself
		}
		if protocols, ok := p["supportedProtocols"].([]any); ok && len(protocols) > 0 {
			want := map[bool]string{true: "Https", false: "Http"}[secure]
			if !slices.ContainsFunc(protocols, func(v any) bool { s, _ := v.(string); return strings.EqualFold(s, want) }) {
				continue
			}
		}
		forwarding, _ := p["forwardingProtocol"].(string)
		group, _ := p["originGroup"].(map[string]any)
		id, _ := group["id"].(string)
		add(id, forwarding)
		for _, set := range refsOf(r, "ruleSets") {
			for _, rule := range b.resources {
				if !rule.ID.Is(model.TypeDoorRule) || !strings.EqualFold(rule.ID.Parent().String(), set) {
					continue
				}
				for _, a := range parts(rule.Properties(), "actions") {
					params, _ := a["parameters"].(map[string]any)
					over, _ := params["originGroupOverride"].(map[string]any)
					group, _ := over["originGroup"].(map[string]any)
					if id, _ := group["id"].(string); id != "" {
						way, _ := over["forwardingProtocol"].(string)
						if way == "" {
							way = forwarding
						}
						add(id, way)
					}
				}
			}
		}
	}
	return out
}

func textOf(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case interface{ String() string }:
		return v.String()
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return ""
}

// overDoors returns an expectation about a front door's name as those about the
// connections that make it true: from the client to its edges, unless it is outside
// as well, and from all edges to each origin that its routes lead to. A claim that
// nothing is delivered is of the edges if the client is inside, of the origins if it
// is not. ok is false if no such name is in it.
func (b *builder) overDoors(spec Expectation) (out []Expectation, ok bool) {
	allow := spec.Allow.IsSet()
	t := spec.Deny
	if allow {
		t = spec.Allow
	}
	if _, _, isURL := urlOf(t.Value); isURL || !t.IsSet() {
		return nil, false
	}
	word := ""
	for w := range strings.FieldsSeq(t.Value) {
		if b.isDoor(w) {
			word = w
		}
	}
	if word == "" {
		return nil, false
	}
	d, known := b.doorCalled(word)
	if d == nil {
		b.problem(t.Pos, suggestion(word, known, "declare it under front-doors"), "no front door has the name %s", word)
		return nil, true
	}
	s, c := parseSentence(t.Value)
	if c != nil {
		b.problem(t.Pos, c.fix, "%s", c.what)
		return nil, true
	}
	if s.both || !strings.EqualFold(s.to, word) {
		b.problem(t.Pos, "write CLIENT -> "+word, "a front door takes connections; it makes none that a claim could be about but those to its origins")
		return nil, true
	}
	secure, plain := doorTraffic(s.traffic)
	if !secure && !plain {
		b.problem(t.Pos, "write https, http, or nothing", "the edges of %s take HTTP at ports 80 and 443 only", word)
		return nil, true
	}
	outside := strings.EqualFold(s.from, "internet")
	add := func(from, to, traffic, what string, edges bool) {
		one := spec
		text := Text{from + " -> " + to + " " + traffic, t.Pos}
		one.Deny, one.Allow = text, Text{}
		if allow {
			one.Deny, one.Allow = Text{}, text
		}
		one.fromEdges = edges
		one.Name = Text{spec.Name.Or(strings.Join(strings.Fields(t.Value), " "), t.Pos).Value + " (" + what + ")", t.Pos}
		if edges {
			one.Through, one.NotThrough, one.Pairs = nil, nil, Text{}
		}
		out = append(out, one)
	}
	ports := map[bool]string{true: "https", false: "http"}
	if !outside {
		edge := catalog.FrontDoorAddress(d.profile.ID.Key()).String()
		for _, over := range []bool{true, false} {
			if over && secure || !over && plain {
				add(s.from, edge, ports[over], "client to edge, "+ports[over], false)
			}
		}
		if !allow {
			return out, true
		}
	}
	seen := map[string]bool{}
	for _, over := range []bool{true, false} {
		if over && !secure || !over && !plain {
			continue
		}
		for _, o := range b.doorOrigins(d, over) {
			to, inside := b.originSide(o.host)
			traffic := "tcp/" + strconv.Itoa(o.port)
			if !inside || seen[to+traffic] {
				continue // it is outside as well: nothing of the network
			}
			seen[to+traffic] = true
			add("internet", to, traffic, "edge to "+o.host+":"+strconv.Itoa(o.port), true)
		}
	}
	if len(out) == 0 {
		b.problem(t.Pos, "give it an origin that is of the network, or drop the claim", "nothing of %s is of the network: no route leads to an origin with a public address here", word)
	}
	return out, true
}

// doorTraffic reports which of HTTPS and HTTP a traffic has.
func doorTraffic(traffic []model.Traffic) (secure, plain bool) {
	if len(traffic) == 0 {
		return true, true
	}
	for _, t := range traffic {
		if t.Protocol != protocolTCP {
			continue
		}
		has := func(n uint16) bool {
			return len(t.Ports) == 0 || slices.ContainsFunc(t.Ports, func(p model.PortRange) bool { return p.Lo <= n && n <= p.Hi })
		}
		secure, plain = secure || has(443), plain || has(80)
	}
	return secure, plain
}

// originSide is an origin as a side of a sentence: what has its public address; an
// address that nothing here has is outside.
func (b *builder) originSide(host string) (side string, inside bool) {
	addr, _ := netip.ParseAddr(host)
	for _, r := range b.resources {
		if !r.ID.Is(model.TypePublicIP) {
			continue
		}
		p := r.Properties()
		settings, _ := p["dnsSettings"].(map[string]any)
		label, _ := settings["domainNameLabel"].(string)
		fqdn, _ := settings["fqdn"].(string)
		text, _ := p["ipAddress"].(string)
		own, err := netip.ParseAddr(text)
		named := label != "" && strings.EqualFold(label+"."+r.Location()+".cloudapp.azure.com", host) || fqdn != "" && strings.EqualFold(fqdn, host)
		if !named && (err != nil || own != addr) {
			continue
		}
		owner := strings.TrimSuffix(r.ID.Name(), publicSuffix)
		for _, l := range b.balancers {
			for _, f := range l.frontends {
				if strings.EqualFold(f.publicName(l), owner) {
					owner = l.name
				}
			}
		}
		if len(b.names.kinds[strings.ToLower(owner)]) > 0 {
			return b.publicOwner(owner), true
		}
		if err == nil {
			return text, true
		}
		return "", false
	}
	return "", false
}

// edgesSelector is everything that edges of front doors ask from.
func edgesSelector(at Text) model.Selector {
	sel := model.Selector{Text: catalog.FrontDoorBackendTag, Internet: true, Pos: at.Pos}
	all, _ := catalog.ServiceTag(catalog.FrontDoorBackendTag)
	for _, p := range all {
		if p.Addr().Is4() {
			sel.Prefixes = append(sel.Prefixes, p)
		}
	}
	return sel
}

// doorRequest makes a claim about a URL one about the front door that its host
// leads to, if it does.
func (b *builder) doorRequest(e *model.Expectation, u *url.URL, t Text) bool {
	if !b.isDoor(u.Hostname()) {
		return false
	}
	d, known := b.doorCalled(u.Hostname())
	if d == nil {
		b.problem(t.Pos, suggestion(u.Hostname(), known, "declare it under front-doors"), "no front door has the name %s", u.Hostname())
		return true
	}
	if host := strings.ToLower(u.Hostname()); host == strings.ToLower(d.endpoint.ID.Name())+doorSuffix {
		b.problem(t.Pos, "write "+model.EndpointHost(d.endpoint.ID)+", or a domain of its own", "%s stands for an endpoint in sentences; nothing has the name", host)
		return true
	}
	a := catalog.FrontDoorAddress(d.profile.ID.Key())
	e.Request.FrontDoor = d.profile.ID.Name()
	e.To.Prefixes = []netip.Prefix{netip.PrefixFrom(a, a.BitLen())}
	return true
}
