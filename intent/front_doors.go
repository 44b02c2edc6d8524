package intent

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
)

// Forms of names ("Naming rules and restrictions for Azure resources",
// Microsoft.Cdn): of profiles, endpoints and origin groups, and of rule sets and
// their rules.
var (
	doorName    = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,88}[A-Za-z0-9])?$`)
	doorSetName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]{0,89}$`)
)

// frontDoor is one front door.
type frontDoor struct {
	name  string
	spec  FrontDoor
	id    model.ID
	extra model.FrontDoor
}

// declareFrontDoors finds them. They are global; their documents stand in the
// group of the network's first region.
func (b *builder) declareFrontDoors() {
	taken := map[string]model.Pos{}
	for _, spec := range b.doc.FrontDoors {
		if !spec.Name.IsSet() {
			b.problem(spec.Pos, "add name: NAME", "a front door has no name")
			continue
		}
		if !b.doorNamed(spec.Name, "a front door") || !b.claimName(taken, spec.Name, "front door") || len(b.regions) == 0 {
			continue
		}
		id := b.groupOf(b.regions[0]).Resource(model.TypeFrontDoor, spec.Name.Value)
		b.frontDoors = append(b.frontDoors, &frontDoor{name: spec.Name.Value, spec: spec, id: id, extra: model.FrontDoor{Profile: id, Pos: spec.Name.Pos}})
	}
}

func (b *builder) doorNamed(t Text, what string) bool {
	if doorName.MatchString(t.Value) {
		return true
	}
	b.problem(t.Pos, "use 1 to 90 letters, digits and '-', not at its ends", "%q is not a name for %s", t.Value, what)
	return false
}

// emitFrontDoors makes their documents, after those of the public addresses that
// their origins have.
func (b *builder) emitFrontDoors() {
	for _, d := range b.frontDoors {
		w := &doorWriter{b: b, d: d, domains: map[string]model.ID{}, taken: map[string]string{}}
		w.emit()
	}
}

// emitFrontDoorExtras returns what front doors have that no property of their
// resources holds.
func (b *builder) emitFrontDoorExtras() []model.FrontDoor {
	var out []model.FrontDoor
	for _, d := range b.frontDoors {
		out = append(out, d.extra)
	}
	return out
}

// doorWriter makes the documents of one front door.
type doorWriter struct {
	b       *builder
	d       *frontDoor
	domains map[string]model.ID // by host name
	taken   map[string]string   // routes by host and path
}

func (w *doorWriter) emit() {
	b, s := w.b, &w.d.spec
	tier := b.oneOf("tier", s.Tier, map[bool]string{true: "premium", false: "standard"}[s.WAFPolicy.IsSet()], map[string]string{
		"standard": "Standard_AzureFrontDoor", "premium": "Premium_AzureFrontDoor",
	})
	doc := object{
		"location": "global", "sku": object{"name": tier},
		"properties": object{"originResponseTimeoutSeconds": number(b.inRange(s.Timeout, 60, 16, 240, "a number of seconds"))},
	}
	if edges := w.edges(); edges != "" {
		doc["tags"] = object{model.EdgesTag: edges}
	}
	b.emit(w.d.id, doc, s.Name.Pos, nil)
	endpoint := s.Endpoint.Or(w.d.name, s.Name.Pos)
	b.doorNamed(endpoint, "an endpoint")
	at := w.d.id.Child("afdEndpoints", endpoint.Value)
	b.emit(at, object{"location": "global", "properties": object{"enabledState": "Enabled"}}, endpoint.Pos, nil)
	for _, e := range s.Domains {
		w.domain(e.Key, e.Value)
	}
	for _, e := range s.OriginGroups {
		w.group(e.Key, e.Value)
	}
	if len(s.OriginGroups) == 0 {
		b.problem(s.Name.Pos, "add origin-groups: {NAME: {origins: {NAME: {}}}}", "front door %s has no origin group", w.d.name)
	}
	for _, e := range s.RuleSets {
		w.ruleSet(e.Key, e.Value)
	}
	routes := s.Routes
	if len(routes) == 0 {
		routes = Map[DoorRoute]{{Key: Text{"all", s.Name.Pos}}}
	}
	for _, e := range routes {
		w.route(at, e.Key, e.Value)
	}
	w.policy(at)
}

func number(n int) json.Number { return json.Number(strconv.Itoa(n)) }

// edges is the tag of the regions that are given.
func (w *doorWriter) edges() string {
	var out []string
	for _, t := range w.d.spec.Edges {
		info, ok := catalog.Region(t.Value)
		switch {
		case !ok:
			w.b.problem(t.Pos, suggestion(t.Value, azureRegions(), "write one like westeurope"), "%q is no Azure region", t.Value)
		case slices.Contains(out, info.Name):
			w.b.problem(t.Pos, "keep one", "front door %s has two edges in %s", w.d.name, info.Name)
		default:
			out = append(out, info.Name)
		}
	}
	text := strings.Join(out, ",")
	if len(text) > maxTagValue {
		w.b.problem(w.d.spec.Edges[0].Pos, fmt.Sprintf("name fewer; %d characters are what a tag holds", maxTagValue), "front door %s has edges in too many regions", w.d.name)
	}
	return text
}

// partName is the name of the part that stands for a host name.
func partName(host string) string {
	return strings.Trim(strings.NewReplacer(".", "-", "*", "any").Replace(strings.ToLower(host)), "-")
}

func (w *doorWriter) domain(key Text, d DoorDomain) {
	b := w.b
	host := strings.ToLower(strings.TrimSuffix(key.Value, "."))
	if !publicName.MatchString(strings.TrimPrefix(host, "*.")) {
		b.problem(key.Pos, "write one like www.example.com", "%q is not a domain", key.Value)
		return
	}
	tls := object{"certificateType": "ManagedCertificate", "minimumTlsVersion": "TLS12"}
	switch d.MinTLS.Value {
	case "", "1.2":
	case "1.3":
		tls["minimumTlsVersion"] = "TLS13"
	default:
		b.problem(d.MinTLS.Pos, "write 1.2 or 1.3", "%q is no version of TLS", d.MinTLS.Value)
	}
	switch {
	case d.Secret.IsSet() && (d.Certificate.IsSet() || d.Key.IsSet()):
		b.problem(d.Secret.Pos, "keep one", "domain %s has its certificate both of a key vault and of files", host)
	case d.Secret.IsSet():
		if id, ok := w.secret(host, d.Secret); ok {
			tls["certificateType"], tls["secret"] = "CustomerCertificate", ref(id)
		}
	case d.Certificate.IsSet() != d.Key.IsSet():
		b.problem(key.Pos, "add certificate: FILE and key: FILE", "the certificate of domain %s needs two files", host)
	case d.Certificate.IsSet():
		w.d.extra.Certificates = append(w.d.extra.Certificates, model.CertificateFiles{Name: host, Certificate: d.Certificate.Value, Key: d.Key.Value, Pos: key.Pos})
	}
	id := w.d.id.Child("customDomains", partName(host))
	w.domains[host] = id
	b.emit(id, object{"properties": object{"hostName": host, "tlsSettings": tls}}, key.Pos, nil)
}

// secret makes the front door's secret for one of a key vault.
func (w *doorWriter) secret(host string, t Text) (model.ID, bool) {
	words := strings.Fields(t.Value)
	if len(words) != 3 || words[1] != "in" || !isSecretName(words[0]) {
		w.b.problem(t.Pos, "write NAME in VAULT", "%q does not name a secret of a key vault", t.Value)
		return model.ID{}, false
	}
	for _, r := range w.b.resources {
		if r.ID.Is(model.TypeKeyVault) && strings.EqualFold(r.ID.Name(), words[2]) {
			id := w.d.id.Child("secrets", partName(host))
			w.b.emit(id, object{"properties": object{"parameters": object{
				"type": "CustomerCertificate", "useLatestVersion": true, "secretSource": ref(r.ID.Child("secrets", words[0])),
			}}}, t.Pos, nil)
			return id, true
		}
	}
	w.b.problem(t.Pos, "declare it under services", "there is no key vault %q", words[2])
	return model.ID{}, false
}

func (w *doorWriter) group(key Text, g OriginGroup) {
	b := w.b
	if !b.doorNamed(key, "an origin group") {
		return
	}
	samples := b.inRange(g.Samples, 4, 1, 255, "a number of probes")
	p := object{
		"loadBalancingSettings": object{
			"sampleSize":                      number(samples),
			"successfulSamplesRequired":       number(b.inRange(g.Successful, min(3, samples), 1, samples, "a number of the probes that count")),
			"additionalLatencyInMilliseconds": number(b.inRange(g.Sensitivity, 0, 0, 1000, "a number of milliseconds")),
		},
		"sessionAffinityState": status(g.Affinity.Or(false)),
	}
	if q := g.Probe; q != nil {
		path := q.Path.Or("/", q.Pos)
		if !strings.HasPrefix(path.Value, "/") {
			b.problem(path.Pos, "write /"+path.Value, "the path %q does not begin with /", path.Value)
		}
		p["healthProbeSettings"] = object{
			"probePath": path.Value, "probeRequestType": b.oneOf("method", q.Method, "HEAD", map[string]string{"HEAD": "HEAD", "GET": "GET"}),
			"probeProtocol":          b.oneOf("protocol", q.Protocol, "http", map[string]string{"http": "Http", "https": "Https"}),
			"probeIntervalInSeconds": number(b.inRange(q.Interval, 30, 5, 255, "a number of seconds between probes")),
		}
	}
	id := w.d.id.Child("originGroups", key.Value)
	b.emit(id, object{"properties": p}, key.Pos, nil)
	count := 0
	for _, e := range g.Origins {
		regions := []string{""}
		if strings.Contains(e.Key.Value+e.Value.Target.Value, "{region}") {
			regions = b.regions
		}
		for _, region := range regions {
			o := e.Value
			o.Target.Value = strings.ReplaceAll(o.Target.Value, "{region}", region)
			o.HostHeader.Value = strings.ReplaceAll(o.HostHeader.Value, "{region}", region)
			w.origin(id, Text{strings.ReplaceAll(e.Key.Value, "{region}", region), e.Key.Pos}, o)
			count++
		}
	}
	if count == 0 {
		b.problem(key.Pos, "add origins: {NAME: {}}", "origin group %s of front door %s has no origin", key.Value, w.d.name)
	}
}

func (w *doorWriter) origin(group model.ID, key Text, o DoorOrigin) {
	b := w.b
	host, ok := w.hostOf(o.Target.Or(key.Value, key.Pos))
	if !ok {
		return
	}
	p := object{
		"hostName": host, "httpPort": number(b.inRange(o.Port, 80, 1, 65535, "a port")), "httpsPort": number(b.inRange(o.TLSPort, 443, 1, 65535, "a port")),
		"priority": number(b.inRange(o.Priority, 1, 1, 5, "a priority")), "weight": number(b.inRange(o.Weight, 50, 1, 1000, "a weight")),
		"enabledState": status(o.Enabled.Or(true)), "enforceCertificateNameCheck": o.CheckName.Or(true),
	}
	if o.HostHeader.IsSet() {
		p["originHostHeader"] = o.HostHeader.Value
	}
	b.emit(group.Child("origins", partName(key.Value)), object{"properties": p}, key.Pos, nil)
}

// hostOf is the host name of an origin: of something with a public address its DNS
// name, which it gets if it has none.
func (w *doorWriter) hostOf(t Text) (string, bool) {
	name := strings.ToLower(strings.TrimSuffix(t.Value, "."))
	if a, err := netip.ParseAddr(name); err == nil {
		if a.IsPrivate() || !a.IsGlobalUnicast() {
			w.b.problem(t.Pos, "name something with a public address", "front door %s cannot reach %s from the internet", w.d.name, a)
			return "", false
		}
		return a.String(), true
	}
	if publicName.MatchString(name) {
		return name, true
	}
	public, ok := w.b.publicFor(t)
	if !ok {
		return "", false
	}
	w.b.labelPublic(public)
	settings, _ := public.Properties()["dnsSettings"].(object)
	label, _ := settings["domainNameLabel"].(string)
	return label + "." + public.Location() + ".cloudapp.azure.com", true
}

// policy gives the front door's domains its firewall.
func (w *doorWriter) policy(endpoint model.ID) {
	t := w.d.spec.WAFPolicy
	if !t.IsSet() {
		return
	}
	var names []string
	for _, r := range w.b.raw {
		if !r.ID.Is(model.TypeDoorWAFPolicy) {
			continue
		}
		names = append(names, r.ID.Name())
		if !strings.EqualFold(r.ID.Name(), t.Value) {
			continue
		}
		domains := list{ref(endpoint)}
		for _, e := range w.d.spec.Domains {
			if id, ok := w.domains[strings.ToLower(e.Key.Value)]; ok {
				domains = append(domains, ref(id))
			}
		}
		w.b.emit(w.d.id.Child("securityPolicies", partName(t.Value)), object{"properties": object{"parameters": object{
			"type": "WebApplicationFirewall", "wafPolicy": ref(r.ID), "associations": list{object{"domains": domains, "patternsToMatch": list{"/*"}}},
		}}}, t.Pos, nil)
		return
	}
	w.b.problem(t.Pos, suggestion(t.Value, names, "declare it under resources, of type "+model.TypeDoorWAFPolicy), "there is no web application firewall policy of Front Door %q", t.Value)
}
