package intent

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// urlOf returns the URL of a sentence "FROM -> https://...", if that is one.
func urlOf(text string) (to, from string, ok bool) {
	words := strings.Fields(text)
	n := len(words)
	if n < 2 || words[n-2] != "->" {
		return "", "", false
	}
	low := strings.ToLower(words[n-1])
	if !strings.HasPrefix(low, "http://") && !strings.HasPrefix(low, "https://") {
		return "", "", false
	}
	return words[n-1], strings.Join(words[:n-2], " "), true
}

// request reads a claim about a request: the gateway that listens for its URL is
// what its packets go to.
func (b *builder) request(e *model.Expectation, from Text, rawURL string, t Text) {
	if e.Verb != model.Allow {
		b.problem(t.Pos, "write allow, with status: \"403\" or what else it should be", "a URL has no meaning with %s", verbKey(e.Verb))
		return
	}
	u, err := url.Parse(rawURL)
	if err != nil || u.Hostname() == "" || u.User != nil {
		b.problem(t.Pos, "write https://HOST/PATH", "%q is no URL", rawURL)
		return
	}
	port := map[string]int{"http": 80, "https": 443}[u.Scheme]
	if p := u.Port(); p != "" {
		if port, err = strconv.Atoi(p); err != nil || port < 1 || port > 65535 {
			b.problem(t.Pos, "use a port from 1 to 65535", "%q is no URL", rawURL)
			return
		}
	}
	e.From = b.selector(from)
	e.Request = &model.Request{URL: rawURL}
	e.Traffic = []model.Traffic{{Protocol: protocolTCP, Ports: []model.PortRange{{Lo: uint16(port), Hi: uint16(port)}}}}
	e.To = model.Selector{Text: rawURL, Pos: t.Pos}
	if b.doorRequest(e, u, t) {
		return
	}
	found, known := b.listeningFor(u, port)
	switch len(found) {
	case 0:
		fix := "declare a listener for it"
		if len(known) > 0 {
			fix = suggestion(u.Hostname(), known, fix)
		}
		b.problem(t.Pos, fix, "no application gateway listens for %s at port %d", u.Hostname(), port)
	case 1:
		e.To.All = []model.Label{{Kind: model.LabelAppGateway, Name: strings.ToLower(found[0].ID.Name())}}
	default:
		b.problem(t.Pos, "give the listeners hosts of their own", "application gateways %s and %s both listen for %s", found[0].ID.Name(), found[1].ID.Name(), u.Hostname())
	}
}

// statuses reads those that an answer may have.
func (b *builder) statuses(e *model.Expectation, spec Expectation) {
	for _, s := range spec.Status {
		if e.Request == nil {
			b.problem(s.Pos, "write allow: FROM -> https://HOST/PATH", "status belongs to a URL only")
			return
		}
		low, high, ranged := strings.Cut(s.Value, "-")
		x, err := strconv.Atoi(low)
		y, err2 := x, error(nil)
		if ranged {
			y, err2 = strconv.Atoi(high)
		}
		if err != nil || err2 != nil || x < 100 || y > 599 || x > y {
			b.problem(s.Pos, "write \"200\" or \"200-299\", of 100 to 599", "%q is no status", s.Value)
			continue
		}
		e.Request.Statuses = append(e.Request.Statuses, s.Value)
	}
	if e.Request != nil && len(spec.Status) > 0 {
		e.Text += " (status " + spec.Status.Join() + ")"
	}
}

// listeningFor returns the application gateways with a listener for a URL: those
// that name its host, else those that take every host. known are the hosts that
// listeners name.
func (b *builder) listeningFor(u *url.URL, port int) (found []*model.Resource, known []string) {
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	addr, addrErr := netip.ParseAddr(host)
	var basic []*model.Resource
	for _, r := range b.resources {
		if !r.ID.Is(model.TypeAppGateway) {
			continue
		}
		p := r.Properties()
		ports := map[string]string{} // by lower-case ID
		for _, x := range parts(p, "frontendPorts") {
			props, _ := x["properties"].(map[string]any)
			ports[strings.ToLower(r.ID.String()+"/frontendPorts/"+fmt.Sprint(x["name"]))] = fmt.Sprint(props["port"])
		}
		named, every := false, false
		for _, l := range parts(p, "httpListeners") {
			props, _ := l["properties"].(map[string]any)
			at, _ := props["frontendPort"].(map[string]any)
			if ports[strings.ToLower(fmt.Sprint(at["id"]))] != strconv.Itoa(port) || !strings.EqualFold(fmt.Sprint(props["protocol"]), u.Scheme) {
				continue
			}
			hosts := []string{}
			if h, _ := props["hostName"].(string); h != "" {
				hosts = append(hosts, h)
			}
			list, _ := props["hostNames"].([]any)
			for _, h := range list {
				hosts = append(hosts, fmt.Sprint(h))
			}
			known = append(known, hosts...)
			every = every || len(hosts) == 0
			for _, h := range hosts {
				named = named || likeHost(strings.ToLower(h), host)
			}
		}
		switch {
		case addrErr == nil:
			if (named || every) && b.frontedBy(r, addr) {
				found = append(found, r)
			}
		case named:
			found = append(found, r)
		case every:
			basic = append(basic, r)
		}
	}
	if len(found) == 0 && addrErr != nil {
		found = basic
	}
	return found, known
}

// frontedBy reports whether an address is of a gateway's frontends.
func (b *builder) frontedBy(r *model.Resource, a netip.Addr) bool {
	for _, f := range parts(r.Properties(), "frontendIPConfigurations") {
		p, _ := f["properties"].(map[string]any)
		if p["privateIPAddress"] == a.String() {
			return true
		}
		public, _ := p["publicIPAddress"].(map[string]any)
		if id, _ := public["id"].(string); id != "" {
			if x := b.byKey[strings.ToLower(id)]; x != nil && x.Properties()["ipAddress"] == a.String() {
				return true
			}
		}
	}
	return false
}

func parts(p map[string]any, list string) []map[string]any {
	var out []map[string]any
	all, _ := p[list].([]any)
	for _, e := range all {
		if m, ok := e.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

// likeHost matches a host with a listener's pattern: * is any characters, ? one.
func likeHost(pattern, host string) bool {
	if pattern == "" {
		return host == ""
	}
	switch pattern[0] {
	case '*':
		for i := 0; i <= len(host); i++ {
			if likeHost(pattern[1:], host[i:]) {
				return true
			}
		}
		return false
	case '?':
		return host != "" && likeHost(pattern[1:], host[1:])
	}
	return host != "" && host[0] == pattern[0] && likeHost(pattern[1:], host[1:])
}
