package intent

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
)

// managerName is the form of a profile's DNS label ("Naming rules and
// restrictions for Azure resources", trafficManagerProfiles).
var managerName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-.]{0,61}[A-Za-z0-9])?$`)

// manager is one Traffic Manager profile.
type manager struct {
	name string
	spec TrafficManager
	id   model.ID
}

// managerMethods are Azure's names of the routing methods.
func managerMethods() map[string]string {
	return map[string]string{
		"performance": "Performance", "weighted": "Weighted", "priority": "Priority", "geographic": "Geographic", "multivalue": "MultiValue", "subnet": "Subnet",
	}
}

// declareManagers finds the profiles. They are global; their documents stand in
// the network's first region's group.
func (b *builder) declareManagers() {
	taken := map[string]model.Pos{}
	for _, spec := range b.doc.TrafficManagers {
		if !spec.Name.IsSet() {
			b.problem(spec.Pos, "add name: NAME", "a Traffic Manager profile has no name")
			continue
		}
		if !managerName.MatchString(spec.Name.Value) {
			b.problem(spec.Name.Pos, "use 1 to 63 letters, digits, '-' and '.', not at its ends", "%q is not a name for a Traffic Manager profile", spec.Name.Value)
			continue
		}
		if !b.claimName(taken, spec.Name, "Traffic Manager profile") || len(b.regions) == 0 {
			continue
		}
		id := b.groupOf(b.regions[0]).Resource(model.TypeTrafficManager, spec.Name.Value)
		b.managers = append(b.managers, &manager{name: spec.Name.Value, spec: spec, id: id})
	}
}

// emitManagers makes their documents, after those of the public addresses that
// their endpoints have.
func (b *builder) emitManagers() {
	for _, m := range b.managers {
		b.emitManager(m)
	}
}

func (b *builder) emitManager(m *manager) {
	s := &m.spec
	at := map[string]model.Pos{}
	method, ok := managerMethods()[s.Method.Value]
	if !ok {
		b.problem(placeOr(s.Method.Pos, s.Name.Pos), "write performance, weighted, priority, geographic, multivalue or subnet", "profile %s has the method %q", m.name, s.Method.Value)
		return
	}
	label := s.DNS.Or(m.name, s.Name.Pos)
	if !managerName.MatchString(label.Value) {
		b.problem(label.Pos, "use 1 to 63 letters, digits, '-' and '.', not at its ends", "%q is not a DNS name of a profile", label.Value)
		return
	}
	properties := object{
		"profileStatus": status(s.Enabled.Or(true)), "trafficRoutingMethod": method,
		"dnsConfig":     object{"relativeName": label.Value, "ttl": json.Number(strconv.Itoa(b.inRange(s.TTL, 60, 0, 1<<31-1, "a TTL")))},
		"monitorConfig": b.managerProbe(s.Probe),
	}
	if method == "MultiValue" {
		properties["maxReturn"] = json.Number(strconv.Itoa(b.inRange(s.MaxReturn, 2, 1, 10, "a number of addresses")))
	}
	if len(s.Endpoints) == 0 {
		b.problem(s.Name.Pos, "add endpoints: {NAME: {target: NAME}}", "profile %s has no endpoint", m.name)
	}
	var endpoints list
	for i, e := range s.Endpoints {
		if doc, ok := b.managerEndpoint(m, e.Key, e.Value, i); ok {
			at[fmt.Sprintf("/properties/endpoints/%d", len(endpoints))] = e.Key.Pos
			endpoints = append(endpoints, doc)
		}
	}
	properties["endpoints"] = endpoints
	b.emit(m.id, object{"location": "global", "properties": properties}, s.Name.Pos, at)
}

func status(enabled bool) string {
	if enabled {
		return "Enabled"
	}
	return "Disabled"
}

// managerProbe is the document of how endpoints are asked.
func (b *builder) managerProbe(p *ManagerProbe) object {
	if p == nil {
		p = &ManagerProbe{}
	}
	protocol := b.oneOf("protocol", p.Protocol, "http", map[string]string{"tcp": "TCP", "http": "HTTP", "https": "HTTPS"})
	port := map[bool]int{true: 443, false: 80}[protocol == "HTTPS"]
	number := func(n int) json.Number { return json.Number(strconv.Itoa(n)) }
	interval := p.Interval.Or(30)
	if interval != 30 && interval != 10 {
		b.problem(p.Interval.Pos, "write 30 or 10", "Traffic Manager cannot ask every %d seconds", interval)
		interval = 30
	}
	longest := map[bool]int{true: 9, false: 10}[interval == 10]
	out := object{
		"protocol": protocol, "port": number(b.inRange(p.Port, port, 1, 65535, "a port")), "intervalInSeconds": number(interval),
		"timeoutInSeconds":          number(b.inRange(p.Timeout, longest, 5, longest, "a timeout at this interval")),
		"toleratedNumberOfFailures": number(b.inRange(p.Tolerated, 3, 0, 9, "a number of failures")),
	}
	if protocol != "TCP" {
		path := p.Path.Or("/", p.Pos)
		if !strings.HasPrefix(path.Value, "/") {
			b.problem(path.Pos, "write /"+path.Value, "the path %q does not begin with /", path.Value)
		}
		out["path"] = path.Value
	} else if p.Path.IsSet() {
		b.problem(p.Path.Pos, "remove it", "a tcp probe has no path")
	}
	var headers, ranges list
	for _, h := range p.Headers {
		headers = append(headers, object{"name": h.Key.Value, "value": h.Value.Value})
	}
	for _, t := range p.Expect {
		lo, hi, both := strings.Cut(t.Value, "-")
		if !both {
			hi = lo
		}
		from, errA := strconv.Atoi(lo)
		to, errB := strconv.Atoi(hi)
		if errA != nil || errB != nil || from < 100 || to > 999 || from > to {
			b.problem(t.Pos, "write 200 or 200-299", "%q is no range of statuses", t.Value)
			continue
		}
		ranges = append(ranges, object{"min": number(from), "max": number(to)})
	}
	if headers != nil {
		out["customHeaders"] = headers
	}
	if ranges != nil {
		out["expectedStatusCodeRanges"] = ranges
	}
	return out
}

// managerEndpoint is the document of an endpoint.
func (b *builder) managerEndpoint(m *manager, key Text, e ManagerEndpoint, i int) (object, bool) {
	number := func(n int) json.Number { return json.Number(strconv.Itoa(n)) }
	p := object{
		"endpointStatus": status(e.Enabled.Or(true)), "alwaysServe": status(e.AlwaysServe.Or(false)),
		"weight": number(b.inRange(e.Weight, 1, 1, 1000, "a weight")), "priority": number(b.inRange(e.Priority, i+1, 1, 1000, "a priority")),
	}
	kinds := 0
	for _, t := range []Text{e.Target, e.Address, e.Profile} {
		if t.IsSet() {
			kinds++
		}
	}
	if kinds != 1 {
		b.problem(key.Pos, "write one of target, address and profile", "endpoint %s of profile %s has %d of target, address and profile", key.Value, m.name, kinds)
		return nil, false
	}
	kind := ""
	switch {
	case e.Target.IsSet():
		kind = "azureEndpoints"
		public, ok := b.publicFor(e.Target)
		if !ok {
			return nil, false
		}
		p["targetResourceId"] = public.ID.String()
		b.labelPublic(public)
		if e.Region.IsSet() {
			b.problem(e.Region.Pos, "remove it", "%s is where its public address is", e.Target.Value)
		}
	case e.Address.IsSet():
		kind = "externalEndpoints"
		address := strings.ToLower(strings.TrimSuffix(e.Address.Value, "."))
		if _, err := netip.ParseAddr(address); err != nil && !publicName.MatchString(address) {
			b.problem(e.Address.Pos, "write a DNS name or an address", "%q is neither", e.Address.Value)
			return nil, false
		}
		p["target"] = address
	default:
		kind = "nestedEndpoints"
		child, ok := b.managerCalled(e.Profile)
		if !ok {
			return nil, false
		}
		p["targetResourceId"] = child.id.String()
		p["minChildEndpoints"] = number(b.inRange(e.MinChildren, 1, 1, 200, "a number of endpoints"))
	}
	if e.MinChildren.IsSet() && kind != "nestedEndpoints" {
		b.problem(e.MinChildren.Pos, "remove it", "min-children belongs to endpoints with profile")
	}
	if e.Region.IsSet() {
		region, ok := catalog.Region(e.Region.Value)
		if !ok {
			b.problem(e.Region.Pos, suggestion(e.Region.Value, azureRegions(), "write one like westeurope"), "%q is no Azure region", e.Region.Value)
			return nil, false
		}
		p["endpointLocation"] = region.Name
	}
	if len(e.Geo) > 0 {
		var codes list
		for _, t := range e.Geo {
			codes = append(codes, strings.ToUpper(t.Value))
		}
		p["geoMapping"] = codes
	}
	var subnets list
	for _, t := range e.Subnets {
		doc, ok := clientRange(t.Value)
		if !ok {
			b.problem(t.Pos, "write 10.0.0.0/8 or 10.0.0.0-10.0.0.9", "%q is no range of addresses", t.Value)
			continue
		}
		subnets = append(subnets, doc)
	}
	if subnets != nil {
		p["subnets"] = subnets
	}
	return object{"name": key.Value, "type": model.TypeTrafficManager + "/" + kind, "properties": p}, true
}

// clientRange reads a prefix or a range of addresses.
func clientRange(text string) (object, bool) {
	if first, last, both := strings.Cut(text, "-"); both {
		a, errA := netip.ParseAddr(strings.TrimSpace(first))
		z, errZ := netip.ParseAddr(strings.TrimSpace(last))
		return object{"first": a.String(), "last": z.String()}, errA == nil && errZ == nil && a.BitLen() == z.BitLen() && !z.Less(a)
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return nil, false
	}
	return object{"first": p.Masked().Addr().String(), "scope": json.Number(strconv.Itoa(p.Bits()))}, true
}

func (b *builder) managerCalled(t Text) (*manager, bool) {
	var names []string
	for _, m := range b.managers {
		if strings.EqualFold(m.name, t.Value) {
			return m, true
		}
		names = append(names, m.name)
	}
	b.problem(t.Pos, suggestion(t.Value, names, "declare it under traffic-managers"), "there is no Traffic Manager profile %q", t.Value)
	return nil, false
}

// publicFor returns the public IP of something of the network: the first of
// several frontends.
func (b *builder) publicFor(t Text) (*model.Resource, bool) {
	if r := b.publicCalled(t.Value); r != nil {
		return r, true
	}
	if b.failed(t.Value) {
		return nil, false
	}
	b.problem(t.Pos, suggestion(t.Value, b.publicOwners(), "name a host, load balancer or application gateway that has public-ip"), "nothing called %q has a public address", t.Value)
	return nil, false
}

// publicCalled is publicFor without a complaint: nil if nothing has the name.
func (b *builder) publicCalled(name string) *model.Resource {
	owners := []string{name}
	for _, l := range b.balancers {
		if !strings.EqualFold(l.name, name) {
			continue
		}
		for _, f := range l.frontends {
			if f.subnet == nil {
				owners = append(owners, f.publicName(l))
			}
		}
	}
	for _, owner := range owners {
		for _, r := range b.resources {
			if r.ID.Is(model.TypePublicIP) && strings.EqualFold(r.ID.Name(), owner+publicSuffix) {
				return r
			}
		}
	}
	for _, r := range b.resources {
		if r.ID.Is(model.TypePublicIP) && strings.EqualFold(r.ID.Name(), name) {
			return r
		}
	}
	return nil
}

// publicOwners are the names of what has a public address of its own.
func (b *builder) publicOwners() []string {
	var out []string
	for _, r := range b.resources {
		if name, ok := strings.CutSuffix(r.ID.Name(), publicSuffix); ok && r.ID.Is(model.TypePublicIP) {
			out = append(out, name)
		}
	}
	return out
}

// labelPublic gives a public IP a DNS name, which Traffic Manager needs.
func (b *builder) labelPublic(public *model.Resource) {
	p := public.Properties()
	if settings, _ := p["dnsSettings"].(object); settings["domainNameLabel"] != nil {
		return
	}
	p["dnsSettings"] = object{"domainNameLabel": strings.ToLower(b.doc.Network.Value + "-" + strings.TrimSuffix(public.ID.Name(), publicSuffix))}
}
