package intent

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
)

// appGateway is one application gateway.
type appGateway struct {
	name   string
	spec   AppGateway
	subnet *subnet
	holder *holder // of its private frontend, nil if it has none
	public bool
	addr   netip.Addr // of its public frontend
	id     model.ID
	extra  model.AppGateway
}

const (
	publicFrontend  = "public"
	privateFrontend = "private"
	selfSigned      = "self"    // a certificate of the network's own authority
	ownAuthority    = "network" // that authority
)

func (b *builder) declareAppGateways() {
	taken := map[string]model.Pos{}
	for _, spec := range b.doc.AppGateways {
		for _, p := range place(b, spec, head{"an application gateway", spec.Each, spec.Name, spec.Region, spec.Pos}) {
			if b.claimName(taken, p.spec.Name, "application gateway") {
				b.declareAppGateway(p.spec, p.region)
			}
		}
	}
}

func (b *builder) declareAppGateway(spec AppGateway, region string) {
	g := &appGateway{name: spec.Name.Value, spec: spec}
	if !spec.Subnet.IsSet() {
		b.problem(spec.Name.Pos, "add subnet: NAME", "application gateway %s has no subnet", g.name)
		return
	}
	var ok bool
	if g.subnet, ok = b.subnetNamed(spec.Subnet, region); !ok {
		return
	}
	_, reserved := catalog.ReservedSubnet(g.subnet.name)
	switch {
	case reserved:
		b.problem(spec.Subnet.Pos, "put it into another subnet", "application gateway %s cannot be in %s, which Azure reserves", g.name, g.subnet.name)
		return
	case len(g.subnet.hosts) > 0:
		b.problem(spec.Subnet.Pos, "give it a subnet of its own", "application gateway %s cannot be in %s, where host %s is", g.name, g.subnet.name, g.subnet.hosts[0].name)
		return
	case region != "" && spec.Region.IsSet() && g.subnet.vnet.region != region:
		b.problem(spec.Region.Pos, "remove it", "subnet %s of application gateway %s is in %s", g.subnet.name, g.name, g.subnet.vnet.region)
		return
	}
	g.id = b.groupOf(g.subnet.vnet.region).Resource(model.TypeAppGateway, g.name)
	g.extra = model.AppGateway{Gateway: g.id, Pos: spec.Name.Pos}
	g.public = spec.PublicIP.Wanted || spec.PublicIP.Pos.IsZero() && !spec.Private.Wanted
	if spec.Private.Wanted {
		g.holder = &holder{what: "frontend", name: g.name + "/" + privateFrontend, given: spec.Private.Address, pos: spec.Private.Pos}
		g.subnet.holders = append(g.subnet.holders, g.holder)
	}
	if !g.public && g.holder == nil {
		b.problem(spec.Name.Pos, "add public-ip: true or private: true", "application gateway %s has no frontend", g.name)
	}
	b.appGateways = append(b.appGateways, g)
}

func (b *builder) emitAppGateways() {
	for _, g := range b.appGateways {
		w := &gatewayWriter{b: b, g: g, at: map[string]model.Pos{}, taken: map[string]string{}}
		w.emit()
	}
}

// emitAppGatewayExtras returns what gateways have that no property of their
// resources holds.
func (b *builder) emitAppGatewayExtras() []model.AppGateway {
	var out []model.AppGateway
	for _, g := range b.appGateways {
		out = append(out, g.extra)
	}
	return out
}

// gatewayWriter collects the parts of one application gateway's document.
type gatewayWriter struct {
	b  *builder
	g  *appGateway
	at map[string]model.Pos
	// taken are the listeners by frontend, port and host.
	taken map[string]string
	// Parts that several others stand for.
	ports     list
	maps      list
	redirects list
	rewrites  list
	shares    list
}

func (w *gatewayWriter) mark(part string, i int, pos model.Pos) {
	w.at["/properties/"+part+"/"+strconv.Itoa(i)] = pos
}

func (w *gatewayWriter) part(list, name string) object { return ref(w.g.id.Child(list, name)) }

func (w *gatewayWriter) emit() {
	b, g, sp := w.b, w.g, &w.g.spec
	tier := b.oneOf("tier", sp.Tier, map[bool]string{true: "WAF_v2", false: "Standard_v2"}[sp.WAFPolicy.IsSet()], map[string]string{"Standard_v2": "Standard_v2", "WAF_v2": "WAF_v2"})
	w.at["/properties/sku"] = placeOr(sp.Tier.Pos, sp.Name.Pos)
	w.at["/properties/gatewayIPConfigurations/0"] = sp.Subnet.Pos
	p := object{
		"sku":                      object{"name": tier, "tier": tier},
		"gatewayIPConfigurations":  list{object{"name": "gateway", "properties": object{"subnet": ref(g.subnet.id)}}},
		"frontendIPConfigurations": w.frontends(), "sslPolicy": w.tlsPolicy(sp.TLSPolicy),
		"enableHttp2": sp.HTTP2.Or(true),
	}
	n := b.inRange(sp.Instances, 2, 1, catalog.MaxAppGatewayInstances, "a number of instances")
	if sp.MaxInstances.IsSet() {
		p["autoscaleConfiguration"] = object{"minCapacity": n, "maxCapacity": b.inRange(sp.MaxInstances, n, max(n, 2), catalog.MaxAppGatewayInstances, "a number of instances")}
	} else {
		p["sku"].(object)["capacity"] = n
	}
	if id, ok := w.policy(sp.WAFPolicy); ok {
		p["firewallPolicy"] = id
	}
	w.authorities()
	p["httpListeners"] = w.listeners()
	p["sslCertificates"] = w.certificates()
	p["trustedRootCertificates"], p["trustedClientCertificates"], p["sslProfiles"] = w.roots(), w.clients(), w.profiles()
	p["backendAddressPools"], p["probes"], p["backendHttpSettingsCollection"] = w.pools(), w.probes(), w.settings()
	p["requestRoutingRules"] = w.rules()
	p["frontendPorts"], p["urlPathMaps"], p["redirectConfigurations"], p["rewriteRuleSets"] = w.ports, w.maps, w.redirects, w.rewrites
	if len(w.shares) > 0 {
		p["loadDistributionPolicies"] = w.shares
	}
	for key, v := range p {
		if l, ok := v.(list); ok && len(l) == 0 {
			delete(p, key)
		}
	}
	doc := object{"location": g.subnet.vnet.region, "properties": p}
	if ports := w.policies(); ports != "" {
		doc["tags"] = object{carrierAsks: ports}
	}
	b.emit(g.id, doc, sp.Name.Pos, w.at)
}

func (w *gatewayWriter) frontends() list {
	g, out := w.g, list{}
	if g.public {
		w.mark("frontendIPConfigurations", len(out), placeOr(g.spec.PublicIP.Pos, g.spec.Name.Pos))
		id := w.b.emitPublicIP(g.subnet.vnet.region, g.name, "Standard", g.addr, g.spec.PublicIP.Pos, g.spec.Name.Pos)
		out = append(out, object{"name": publicFrontend, "properties": object{"publicIPAddress": ref(id)}})
	}
	if g.holder != nil {
		w.mark("frontendIPConfigurations", len(out), g.spec.Private.Pos)
		p := object{"subnet": ref(g.subnet.id), "privateIPAllocationMethod": "Static"}
		if g.holder.addr.IsValid() {
			p["privateIPAddress"] = g.holder.addr.String()
		}
		out = append(out, object{"name": privateFrontend, "properties": p})
	}
	return out
}

// tlsPolicies are Azure's predefined ones ("Application Gateway TLS policy
// overview").
var tlsPolicies = []string{"AppGwSslPolicy20150501", "AppGwSslPolicy20170401", "AppGwSslPolicy20170401S", "AppGwSslPolicy20220101", "AppGwSslPolicy20220101S"}

func (w *gatewayWriter) tlsPolicy(t Text) object {
	name := t.Or("AppGwSslPolicy20220101", w.g.spec.Name.Pos).Value
	if !slices.Contains(tlsPolicies, name) {
		w.b.problem(t.Pos, suggestion(name, tlsPolicies, ""), "there is no TLS policy %q", name)
	}
	return object{"policyType": "Predefined", "policyName": name}
}

// policy resolves a web application firewall policy.
func (w *gatewayWriter) policy(t Text) (object, bool) {
	if !t.IsSet() {
		return nil, false
	}
	var names []string
	for _, r := range w.b.raw {
		if !r.ID.Is(model.TypeWAFPolicy) {
			continue
		}
		if strings.EqualFold(r.ID.Name(), t.Value) {
			return ref(r.ID), true
		}
		names = append(names, r.ID.Name())
	}
	w.b.problem(t.Pos, suggestion(t.Value, names, "declare it under resources, of type "+model.TypeWAFPolicy), "there is no web application firewall policy %q", t.Value)
	return nil, false
}

// named resolves the name of a part, or the only one there is.
func (w *gatewayWriter) named(t Text, names []string, what, list string, pos model.Pos) (object, bool) {
	switch {
	case !t.IsSet() && len(names) == 1:
		return w.part(list, names[0]), true
	case !t.IsSet():
		w.b.problem(pos, "add "+what+": NAME", "application gateway %s has %d %s, and none is named", w.g.name, len(names), plural(what))
	case slices.Contains(names, t.Value):
		return w.part(list, t.Value), true
	default:
		w.b.problem(t.Pos, suggestion(t.Value, names, "declare it under "+plural(what)), "application gateway %s has no %s %q", w.g.name, what, t.Value)
	}
	return nil, false
}

func plural(what string) string { return strings.TrimSuffix(what, "s") + "s" }

func (w *gatewayWriter) listeners() list {
	out := list{}
	for _, e := range w.g.spec.Listeners {
		w.b.checkName(e.Key, "a listener")
		l := e.Value
		secure := w.b.oneOf("protocol", l.Protocol, map[bool]string{true: "https", false: "http"}[l.Certificate.IsSet()], map[string]string{"http": "Http", "https": "Https"}) == "Https"
		p := object{"protocol": map[bool]string{true: "Https", false: "Http"}[secure]}
		usual := privateFrontend
		if w.g.public {
			usual = publicFrontend
		}
		front := w.b.oneOf("frontend", l.Frontend, usual, map[string]string{publicFrontend: publicFrontend, privateFrontend: privateFrontend})
		if front == publicFrontend && !w.g.public || front == privateFrontend && w.g.holder == nil {
			w.b.problem(l.Frontend.Pos, "write public-ip: true or private: true", "application gateway %s has no %s frontend", w.g.name, front)
		}
		p["frontendIPConfiguration"] = w.part("frontendIPConfigurations", front)
		port := w.b.inRange(l.Port, map[bool]int{true: 443, false: 80}[secure], 1, 64999, "a port of a listener")
		w.takes(e, front, port)
		p["frontendPort"] = w.port(port, e.Key.Pos)
		switch {
		case secure && (!l.Certificate.IsSet() || l.Certificate.Value == selfSigned):
			p["sslCertificate"] = w.part("sslCertificates", selfSigned)
		case secure:
			if id, ok := w.named(l.Certificate, w.g.spec.Certificates.Keys(), "certificate", "sslCertificates", e.Key.Pos); ok {
				p["sslCertificate"] = id
			}
		case l.Certificate.IsSet():
			w.b.problem(l.Certificate.Pos, "write protocol: https", "listener %s of %s has a certificate and speaks http", e.Key.Value, w.g.name)
		}
		var hosts list
		for _, t := range l.Hosts {
			hosts = append(hosts, strings.ToLower(t.Value))
		}
		switch {
		case len(hosts) == 1 && !strings.ContainsAny(l.Hosts[0].Value, "*?"):
			p["hostName"] = hosts[0]
		case len(hosts) > 0:
			p["hostNames"] = hosts
		}
		if len(l.ClientAuthorities) > 0 {
			if !secure {
				w.b.problem(l.ClientAuthorities[0].Pos, "write protocol: https", "listener %s of %s asks for certificates and speaks http", e.Key.Value, w.g.name)
			}
			p["sslProfile"] = w.part("sslProfiles", e.Key.Value)
		}
		if id, ok := w.policy(l.WAFPolicy); ok {
			p["firewallPolicy"] = id
		}
		w.mark("httpListeners", len(out), e.Key.Pos)
		out = append(out, object{"name": e.Key.Value, "properties": p})
	}
	if len(out) == 0 {
		w.b.problem(w.g.spec.Name.Pos, "add listeners: {NAME: {port: 80}}", "application gateway %s has no listener", w.g.name)
	}
	return out
}

// takes notes what requests a listener takes. Two with the same frontend and port
// differ in their hosts, and one of them at most has none ("Application Gateway
// multiple site hosting").
func (w *gatewayWriter) takes(e Entry[GatewayListener], front string, port int) {
	hosts := []string{""}
	if len(e.Value.Hosts) > 0 {
		hosts = hosts[:0]
		for _, t := range e.Value.Hosts {
			hosts = append(hosts, strings.ToLower(t.Value))
		}
	}
	for _, host := range hosts {
		key := fmt.Sprintf("%s %d %s", front, port, host)
		if first, ok := w.taken[key]; ok {
			what, fix := "every host", "give one of them hosts: [NAME]"
			if host != "" {
				what, fix = host, "take the host from one of them"
			}
			w.b.problem(e.Key.Pos, fix+", or another port", "listeners %s and %s of %s both take %s at port %d", first, e.Key.Value, w.g.name, what, port)
			return
		}
		w.taken[key] = e.Key.Value
	}
}

// port returns a frontend port, made on first use.
func (w *gatewayWriter) port(n int, pos model.Pos) object {
	name := "port-" + strconv.Itoa(n)
	if !slices.ContainsFunc(w.ports, func(v any) bool { return v.(object)["name"] == name }) {
		w.mark("frontendPorts", len(w.ports), pos)
		w.ports = append(w.ports, object{"name": name, "properties": object{"port": n}})
	}
	return w.part("frontendPorts", name)
}

func (w *gatewayWriter) certificates() list {
	out := list{}
	for _, e := range w.g.spec.Listeners {
		l := e.Value
		if (l.Protocol.Value == "https" && !l.Certificate.IsSet() || l.Certificate.Value == selfSigned) && len(out) == 0 {
			w.mark("sslCertificates", 0, e.Key.Pos)
			out = append(out, object{"name": selfSigned, "properties": object{}})
		}
	}
	for _, e := range w.g.spec.Certificates {
		c, p := e.Value, object{}
		w.b.checkName(e.Key, "a certificate")
		switch {
		case e.Key.Value == selfSigned:
			w.b.problem(e.Key.Pos, "use another name", "%q is the certificate of the network's own authority", selfSigned)
		case c.Secret.IsSet() == (c.Certificate.IsSet() || c.Key.IsSet()):
			w.b.problem(e.Key.Pos, "write secret: NAME in VAULT, or certificate: FILE and key: FILE", "certificate %s of %s must be of a key vault or of files", e.Key.Value, w.g.name)
		case c.Secret.IsSet():
			words := strings.Fields(c.Secret.Value)
			if len(words) != 3 || words[1] != "in" || !isSecretName(words[0]) {
				w.b.problem(c.Secret.Pos, "write NAME in VAULT", "%q does not name a secret of a key vault", c.Secret.Value)
				break
			}
			if !slices.ContainsFunc(w.b.services, func(s *service) bool { return s.kind.word == "key-vault" && strings.EqualFold(s.name, words[2]) }) {
				w.b.problem(c.Secret.Pos, "declare it under services", "there is no key vault %q", words[2])
			}
			p["keyVaultSecretId"] = "https://" + strings.ToLower(words[2]) + ".vault.azure.net/secrets/" + words[0]
		case !c.Certificate.IsSet() || !c.Key.IsSet():
			w.b.problem(e.Key.Pos, "add certificate: FILE and key: FILE", "certificate %s of %s needs two files", e.Key.Value, w.g.name)
		default:
			w.g.extra.Certificates = append(w.g.extra.Certificates, model.CertificateFiles{Name: e.Key.Value, Certificate: c.Certificate.Value, Key: c.Key.Value, Pos: e.Key.Pos})
		}
		w.mark("sslCertificates", len(out), e.Key.Pos)
		out = append(out, object{"name": e.Key.Value, "properties": p})
	}
	return out
}

// authorities notes the files of authorities.
func (w *gatewayWriter) authorities() {
	for _, e := range w.g.spec.Authorities {
		w.b.checkName(e.Key, "an authority")
		switch {
		case e.Key.Value == ownAuthority:
			w.b.problem(e.Key.Pos, "use another name", "%q is the network's own authority", ownAuthority)
		case !e.Value.File.IsSet():
			w.b.problem(e.Key.Pos, "add file: FILE", "authority %s of %s has no file", e.Key.Value, w.g.name)
		default:
			w.g.extra.Authorities = append(w.g.extra.Authorities, model.CertificateFiles{Name: e.Key.Value, Certificate: e.Value.File.Value, Pos: e.Key.Pos})
		}
	}
}

// used returns the authorities that some lists name, in the order of their
// first mention.
func (w *gatewayWriter) used(each func(func(Texts)), own bool) []Text {
	var out []Text
	names := w.g.spec.Authorities.Keys()
	each(func(ts Texts) {
		for _, t := range ts {
			switch {
			case slices.ContainsFunc(out, func(x Text) bool { return x.Value == t.Value }):
			case own && t.Value == ownAuthority, slices.Contains(names, t.Value):
				out = append(out, t)
			default:
				w.b.problem(t.Pos, suggestion(t.Value, append(names, ownAuthority), "declare it under authorities"), "application gateway %s has no authority %q", w.g.name, t.Value)
			}
		}
	})
	return out
}

func (w *gatewayWriter) roots() list {
	out := list{}
	for _, t := range w.used(func(f func(Texts)) {
		for _, e := range w.g.spec.Settings {
			f(e.Value.Authorities)
		}
	}, false) {
		w.mark("trustedRootCertificates", len(out), t.Pos)
		out = append(out, object{"name": t.Value, "properties": object{}})
	}
	return out
}

func (w *gatewayWriter) clients() list {
	out := list{}
	for _, t := range w.used(func(f func(Texts)) {
		for _, e := range w.g.spec.Listeners {
			f(e.Value.ClientAuthorities)
		}
	}, true) {
		w.mark("trustedClientCertificates", len(out), t.Pos)
		out = append(out, object{"name": t.Value, "properties": object{}})
	}
	return out
}

// profiles are those of listeners that ask for certificates.
func (w *gatewayWriter) profiles() list {
	out := list{}
	for _, e := range w.g.spec.Listeners {
		if len(e.Value.ClientAuthorities) == 0 {
			continue
		}
		refs := list{}
		for _, t := range e.Value.ClientAuthorities {
			refs = append(refs, w.part("trustedClientCertificates", t.Value))
		}
		w.mark("sslProfiles", len(out), e.Key.Pos)
		out = append(out, object{"name": e.Key.Value, "properties": object{"trustedClientCertificates": refs, "sslPolicy": w.tlsPolicy(w.g.spec.TLSPolicy)}})
	}
	return out
}

// pools lists members: hosts by their addresses, addresses, and names.
func (w *gatewayWriter) pools() list {
	out := list{}
	for _, e := range w.g.spec.Pools {
		w.b.checkName(e.Key, "a pool")
		members := list{}
		for i, t := range w.members(e) {
			m := object{"fqdn": strings.ToLower(strings.TrimSuffix(t.Value, "."))}
			if a, err := netip.ParseAddr(t.Value); err == nil {
				m = object{"ipAddress": a.String()}
			} else if h := w.b.hostNamed[strings.ToLower(t.Value)]; h != nil {
				if !h.addr.IsValid() {
					continue // reported
				}
				m = object{"ipAddress": h.addr.String()}
			} else if !strings.Contains(t.Value, ".") || !validDomain(strings.ToLower(strings.TrimSuffix(t.Value, "."))) {
				w.b.problem(t.Pos, suggestion(t.Value, w.b.hostNames(), "write a host, an address or a DNS name"), "there is no host %q", t.Value)
				continue
			}
			w.at[fmt.Sprintf("/properties/backendAddressPools/%d/properties/backendAddresses/%d", len(out), i)] = t.Pos
			members = append(members, m)
		}
		w.mark("backendAddressPools", len(out), e.Key.Pos)
		out = append(out, object{"name": e.Key.Value, "properties": object{"backendAddresses": members}})
	}
	return out
}

func (w *gatewayWriter) probes() list {
	out := list{}
	for _, e := range w.g.spec.Probes {
		w.b.checkName(e.Key, "a probe")
		s := e.Value
		protocol := w.b.oneOf("protocol", s.Protocol, "http", map[string]string{"http": "Http", "https": "Https"})
		p := object{
			"protocol": protocol, "path": s.Path.Or("/", e.Key.Pos).Value,
			"interval":           w.b.inRange(s.Interval, 30, 1, 86400, "a number of seconds"),
			"timeout":            w.b.inRange(s.Timeout, 30, 1, 86400, "a number of seconds"),
			"unhealthyThreshold": w.b.inRange(s.Threshold, 3, 1, 20, "a number of failures"),
		}
		if s.Host.IsSet() {
			p["host"] = s.Host.Value
		} else {
			p["pickHostNameFromBackendHttpSettings"] = w.overridden(e.Key.Value)
			if p["pickHostNameFromBackendHttpSettings"] == false {
				p["host"] = "127.0.0.1"
			}
		}
		if s.Port.IsSet() {
			p["port"] = w.b.inRange(s.Port, 0, 1, 65535, "a port")
		}
		match := object{}
		if len(s.Statuses) > 0 {
			codes := list{}
			for _, t := range s.Statuses {
				codes = append(codes, t.Value)
			}
			match["statusCodes"] = codes
		} else {
			match["statusCodes"] = list{"200-399"}
		}
		if s.Body.IsSet() {
			match["body"] = s.Body.Value
		}
		p["match"] = match
		w.mark("probes", len(out), e.Key.Pos)
		out = append(out, object{"name": e.Key.Value, "properties": p})
	}
	return out
}

// overridden reports whether all settings with a probe say for which host
// members are asked: only then can the probe take it from them.
func (w *gatewayWriter) overridden(probe string) bool {
	found := false
	for _, e := range w.g.spec.Settings {
		if e.Value.Probe.Value == probe {
			if !e.Value.Host.IsSet() && !e.Value.HostOfMember.Or(false) {
				return false
			}
			found = true
		}
	}
	return found
}

func (w *gatewayWriter) settings() list {
	out := list{}
	for _, e := range w.g.spec.Settings {
		w.b.checkName(e.Key, "backend settings")
		s := e.Value
		protocol := w.b.oneOf("protocol", s.Protocol, "http", map[string]string{"http": "Http", "https": "Https"})
		p := object{
			"protocol": protocol, "port": w.b.inRange(s.Port, map[string]int{"Http": 80, "Https": 443}[protocol], 1, 65535, "a port"),
			"requestTimeout":      w.b.inRange(s.Timeout, 20, 1, 86400, "a number of seconds"),
			"cookieBasedAffinity": map[bool]string{true: "Enabled", false: "Disabled"}[s.Affinity.Or(false)],
		}
		if s.Affinity.Or(false) {
			p["affinityCookieName"] = "ApplicationGatewayAffinity"
		}
		if s.Drain.IsSet() {
			p["connectionDraining"] = object{"enabled": true, "drainTimeoutInSec": w.b.inRange(s.Drain, 1, 1, 3600, "a number of seconds")}
		}
		switch {
		case s.Host.IsSet() && s.HostOfMember.Or(false):
			w.b.problem(s.HostOfMember.Pos, "keep one", "settings %s of %s have both host and host-of-member", e.Key.Value, w.g.name)
		case s.Host.IsSet():
			p["hostName"] = s.Host.Value
		case s.HostOfMember.Or(false):
			p["pickHostNameFromBackendAddress"] = true
		}
		if s.Path.IsSet() {
			p["path"] = s.Path.Value
		}
		if s.Probe.IsSet() {
			if id, ok := w.named(s.Probe, w.g.spec.Probes.Keys(), "probe", "probes", e.Key.Pos); ok {
				p["probe"] = id
			}
		}
		if len(s.Authorities) > 0 {
			refs := list{}
			for _, t := range s.Authorities {
				refs = append(refs, w.part("trustedRootCertificates", t.Value))
			}
			p["trustedRootCertificates"] = refs
		}
		w.mark("backendHttpSettingsCollection", len(out), e.Key.Pos)
		out = append(out, object{"name": e.Key.Value, "properties": p})
	}
	return out
}

// policies notes what Azure's resource has no property for, and returns the
// ports at which issuers of tokens are asked.
func (w *gatewayWriter) policies() string {
	var ports []string
	for _, e := range w.g.spec.Policies {
		rule, path, _ := strings.Cut(e.Key.Value, "/")
		if !w.hasPath(rule, path) {
			w.b.problem(e.Key.Pos, "name a rule, or RULE/PATH", "application gateway %s has no rule or path %q", w.g.name, e.Key.Value)
			continue
		}
		w.g.extra.Policies = append(w.g.extra.Policies, model.AppGatewayPolicy{Rule: rule, Path: path, Doc: e.Value.Doc, At: e.Value.At, Pos: e.Key.Pos})
		token, _ := e.Value.Doc["token"].(map[string]any)
		for _, key := range []string{"issuer", "keys"} {
			text, _ := token[key].(string)
			u, err := url.Parse(text)
			if err != nil || u.Host == "" {
				continue // reported by who reads policies
			}
			port := u.Port()
			if port == "" {
				port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
			}
			if port != "" && !slices.Contains(ports, port) {
				ports = append(ports, port)
			}
		}
	}
	slices.Sort(ports)
	return strings.Join(ports, " ")
}
