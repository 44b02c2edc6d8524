package intent

import (
	"fmt"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
	"github.com/ceruleannet/cerulean/model/wire"
)

// role says which of the document's three lists a virtual network stands in.
type role string

const (
	roleHub     role = "hub"
	roleSpoke   role = "spoke"
	roleNetwork role = "network"
)

// vnet is one virtual network, each: region already followed.
type vnet struct {
	name, region string
	role         role
	spec         VNet
	tags         map[string]string
	prefixes     []netip.Prefix
	explicit     bool // the prefixes were given, not assigned
	raw          bool // declared in its Resource Manager shape
	subnets      []*subnet
	firewall     *firewall
	id           model.ID
	pos          model.Pos
}

// subnet is one subnet of a vnet.
type subnet struct {
	vnet     *vnet
	name     string
	spec     Subnet
	prefix   netip.Prefix
	explicit bool
	hosts    []*host
	holders  []*holder // of addresses: the hosts and what is not one
	id       model.ID
	pos      model.Pos
}

// host is one virtual machine with its interface.
type host struct {
	holder
	subnet   *subnet
	spec     Host
	public   netip.Addr
	pools    []wire.Ref // of load balancers
	natRules []wire.Ref
}

const hostWord = "host"

// firewall is one Azure Firewall.
type firewall struct {
	vnet   *vnet
	name   string
	spec   Firewall
	subnet *subnet
	addr   netip.Addr
	public netip.Addr
	id     model.ID
	pos    model.Pos
}

// firewallSubnet is the name Azure demands of a firewall's subnet.
const firewallSubnet = "AzureFirewallSubnet"

// builder turns a document into a network, step by step in the order of the
// package comment. It belongs to one call of Parse.
type builder struct {
	doc      *Document
	opts     Options
	problems *model.Problems
	warnings model.Problems
	old      *Lock // what was assigned before
	lock     *Lock // what is assigned now

	name, subscription string
	regions            []string
	regionPos          map[string]model.Pos
	blocks             map[string]netip.Prefix // region: its block

	vnets     []*vnet
	hosts     []*host
	firewalls []*firewall
	groups    []*group

	balancers    []*balancer
	appGateways  []*appGateway
	natGateways  []*natGateway
	services     []*service
	databases    map[string]model.Pos // of SQL servers, by lower-case ID
	managers     []*manager
	frontDoors   []*frontDoor
	endpoints    []*endpoint
	gateways     []*gateway
	routeServers []*routeServer
	sites        []*site

	vnetNamed map[string]*vnet // by lower-case name
	hostNamed map[string]*host
	groupName map[string]*group

	raw            []*model.Resource // declared in their Resource Manager shape
	uses           []usage
	routings       []routing           // what b.doc.Routing asks of the network manager
	connected      []link              // virtual networks that reach each other
	ipGroups       map[string]model.ID // by what the IP group stands for
	firewallRoutes map[*firewall][]regionRoute
	resources      []*model.Resource
	byKey          map[string]*model.Resource // by model.ID.Key
	names          *names
	claimed        []claim
	internet       []model.PublicHost
	net            *model.Network
}

func newBuilder(doc *Document, old *Lock, opts Options, problems *model.Problems) *builder {
	return &builder{
		doc: doc, old: old, opts: opts, problems: problems, lock: NewLock(),
		regionPos: map[string]model.Pos{}, blocks: map[string]netip.Prefix{},
		vnetNamed: map[string]*vnet{}, hostNamed: map[string]*host{}, groupName: map[string]*group{},
		byKey: map[string]*model.Resource{}, ipGroups: map[string]model.ID{}, firewallRoutes: map[*firewall][]regionRoute{},
	}
}

func (b *builder) problem(pos model.Pos, fix, format string, args ...any) {
	*b.problems = append(*b.problems, model.Problem{Pos: pos, What: fmt.Sprintf(format, args...), Fix: fix})
}

func (b *builder) warn(pos model.Pos, fix, format string, args ...any) {
	b.warnings = append(b.warnings, model.Problem{Pos: pos, What: fmt.Sprintf(format, args...), Fix: fix})
}

// build runs every step. A step that meets problems notes them and leaves the
// rest to go on, so that all are found in one run.
func (b *builder) build() {
	b.header()
	b.topology()
	b.rawResources()
	b.declareNouns()
	b.assignAddresses()
	b.declareGroups()
	b.planRouting()

	b.emitPlaces()
	for _, r := range b.raw {
		b.add(r)
	}
	b.emitGroups()
	b.names = b.namesSoFar()
	b.emitRules()
	b.emitConfigurations()
	b.emitZones()
	b.emitPublicZones()
	b.emitPeerings()
	b.emitResourceGroups()

	b.completeReferences()
	b.checkPlaces()
	b.checkOverlaps()
	b.checkReferences()

	b.sortResources()
	b.internet = b.emitInternet()
	b.names = b.namesSoFar()
	b.net = &model.Network{Name: b.name, Subscription: b.subscription, Resources: b.resources, Hosts: b.emitHosts()}
	b.net.Underlay = b.underlay()
	b.net.Contents, b.net.Access, b.net.Internet = b.emitContents(), b.emitAccess(), b.internet
	b.net.AppGateways = b.emitAppGatewayExtras()
	b.net.FrontDoors = b.emitFrontDoorExtras()
	b.net.Expectations = b.expectations()
}

// sortResources puts the resources into the order of their IDs.
func (b *builder) sortResources() {
	keys := make(map[*model.Resource]string, len(b.resources))
	for _, r := range b.resources {
		keys[r] = r.ID.Key()
	}
	slices.SortFunc(b.resources, func(x, y *model.Resource) int { return strings.Compare(keys[x], keys[y]) })
}

// validName is what Azure accepts as the name of most network resources.
var validName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_.-]{0,78}[A-Za-z0-9_])?$`)

func (b *builder) checkName(t Text, what string) bool {
	if validName.MatchString(t.Value) {
		return true
	}
	b.problem(t.Pos, "use 1 to 80 letters, digits, '.', '_' and '-', starting with a letter or digit", "%q is not a name for %s", t.Value, what)
	return false
}

// header reads the name, the subscription and the regions.
func (b *builder) header() {
	b.name = b.doc.Network.Value
	if !b.doc.Network.IsSet() {
		b.problem(b.doc.start, "add the line network: NAME", "the network has no name")
		b.name = "unnamed"
	} else if b.checkName(b.doc.Network, "a network") && len(b.name) > 60 {
		b.problem(b.doc.Network.Pos, "use at most 60 characters", "the name %q is too long for its resource groups", b.name)
	}
	b.subscription = b.doc.Subscription.Or(DefaultSubscription, model.Pos{}).Value
	if b.doc.Subscription.IsSet() && !validName.MatchString(b.subscription) {
		b.problem(b.doc.Subscription.Pos, "write the subscription's ID, a GUID", "%q is not a subscription", b.subscription)
	}
	if b.opts.Subscription != "" {
		b.subscription = b.opts.Subscription
	}
	known := azureRegions()
	for _, t := range b.doc.Regions {
		info, ok := catalog.Region(t.Value)
		if !ok {
			b.problem(t.Pos, suggestion(t.Value, known, "name an Azure region, for example westeurope"), "unknown region %q", t.Value)
			continue
		}
		if first, dup := b.regionPos[info.Name]; dup {
			b.problem(t.Pos, fmt.Sprintf("it is already at %s; keep one", first), "region %q is listed twice", t.Value)
			continue
		}
		b.regionPos[info.Name] = t.Pos
		b.regions = append(b.regions, info.Name)
	}
	switch {
	case b.old.Home != "":
		b.lock.Home = b.old.Home
	case len(b.regions) > 0:
		b.lock.Home = b.regions[0]
	}
	if len(b.regions) == 0 && len(b.doc.Regions) == 0 {
		b.problem(placeOr(b.doc.Network.Pos, b.doc.start), "add the line regions: [westeurope]", "the network has no regions")
	}
}

func azureRegions() []string {
	var names []string
	for _, r := range catalog.Regions() {
		names = append(names, r.Name)
	}
	return names
}

// region resolves the name of a region of the network.
func (b *builder) region(t Text) (string, bool) {
	name := model.NormalizeLocation(t.Value)
	if _, ok := b.regionPos[name]; ok {
		return name, true
	}
	if _, ok := catalog.Region(name); ok {
		b.problem(t.Pos, fmt.Sprintf("add %s to regions", name), "region %q is not one of the network's", t.Value)
	} else if near, ok := nearest(name, b.regions); ok {
		b.problem(t.Pos, fmt.Sprintf("did you mean %q?", near), "unknown region %q", t.Value)
	} else {
		b.problem(t.Pos, suggestion(name, azureRegions(), "name one of "+strings.Join(b.regions, ", ")), "unknown region %q", t.Value)
	}
	return "", false
}

// regionsOf resolves a list of regions.
func (b *builder) regionsOf(ts Texts) []string {
	var out []string
	for _, t := range ts {
		if r, ok := b.region(t); ok {
			out = append(out, r)
		}
	}
	return out
}

// topology makes the virtual networks, subnets, hosts and firewalls.
func (b *builder) topology() {
	lists := []struct {
		role  role
		specs []VNet
	}{{roleHub, b.doc.Hubs}, {roleSpoke, b.doc.Spokes}, {roleNetwork, b.doc.Networks}}
	for _, l := range lists {
		for _, spec := range l.specs {
			b.expandVNet(l.role, spec)
		}
	}
}

func (b *builder) expandVNet(role role, spec VNet) {
	if !spec.Name.IsSet() {
		b.problem(spec.Pos, "add name: NAME", "a %s has no name", role)
		return
	}
	switch {
	case spec.Each.IsSet():
		if spec.Each.Value != "region" {
			b.problem(spec.Each.Pos, "write each: region", "cannot repeat for each %q", spec.Each.Value)
			return
		}
		if spec.Region.IsSet() {
			b.problem(spec.Region.Pos, "remove one of them", "%s has both each and region", spec.Name.Value)
			return
		}
		if !strings.Contains(spec.Name.Value, "{region}") && len(b.regions) > 1 {
			b.problem(spec.Name.Pos, fmt.Sprintf("write %s-{region}", spec.Name.Value), "the name %q would be the same in every region", spec.Name.Value)
			return
		}
		except := b.regionsOf(spec.Except)
		for _, region := range b.regions {
			if !slices.Contains(except, region) {
				b.addVNet(role, region, spec)
			}
		}
	case spec.Region.IsSet():
		if region, ok := b.region(spec.Region); ok {
			b.addVNet(role, region, spec)
		}
	case len(b.regions) == 1:
		b.addVNet(role, b.regions[0], spec)
	case len(b.regions) > 1:
		b.problem(spec.Pos, "add region: NAME, or each: region", "%s %s has no region", role, spec.Name.Value)
	}
}

func (b *builder) addVNet(role role, region string, spec VNet) {
	name := strings.ReplaceAll(spec.Name.Value, "{region}", region)
	spec = substitute(b, spec, map[string]string{"region": region, "name": name})
	v := &vnet{
		name: name, region: region, role: role, spec: spec, tags: tagMap(spec.Tags),
		id: b.groupOf(region).Resource(model.TypeVirtualNetwork, name), pos: spec.Name.Pos,
	}
	if !b.checkName(spec.Name, "a virtual network") || !b.claimVNet(v) {
		return
	}
	b.checkTags(spec.Tags)
	if f := spec.Firewall; f != nil {
		b.addFirewall(v, *f)
	}
	seen := map[string]bool{}
	for _, e := range spec.Subnets {
		s := &subnet{vnet: v, name: e.Key.Value, spec: e.Value, id: v.id.Child("subnets", e.Key.Value), pos: e.Key.Pos}
		low := strings.ToLower(s.name)
		if !b.checkName(e.Key, "a subnet") {
			continue
		}
		if seen[low] || v.firewall != nil && strings.EqualFold(s.name, firewallSubnet) {
			b.problem(s.pos, "remove it", "%s has a subnet %s already", v.name, s.name)
			continue
		}
		if in := b.regionsOf(e.Value.Regions); len(e.Value.Regions) > 0 && !slices.Contains(in, region) {
			continue
		}
		seen[low] = true
		v.subnets = append(v.subnets, s)
		for _, h := range e.Value.Hosts {
			b.addHost(s, h.Key, h.Value)
		}
	}
}

// claimVNet enters a virtual network under its name, which must be free.
func (b *builder) claimVNet(v *vnet) bool {
	low := strings.ToLower(v.name)
	if first, dup := b.vnetNamed[low]; dup {
		b.problem(v.pos, fmt.Sprintf("it is already at %s; rename one", first.pos), "duplicate virtual network %q", v.name)
		return false
	}
	b.vnetNamed[low] = v
	b.vnets = append(b.vnets, v)
	return true
}

func (b *builder) addFirewall(v *vnet, spec Firewall) {
	f := &firewall{vnet: v, spec: spec, name: spec.Name.Or(v.name+"-firewall", spec.Pos).Value, pos: spec.Pos}
	f.id = b.groupOf(v.region).Resource(model.TypeFirewall, f.name)
	f.subnet = &subnet{
		vnet: v, name: firewallSubnet, id: v.id.Child("subnets", firewallSubnet), pos: spec.Pos,
		spec: Subnet{Address: spec.Address, Length: Int{26, spec.Pos}, Pos: spec.Pos},
	}
	v.firewall = f
	v.subnets = append(v.subnets, f.subnet)
	b.firewalls = append(b.firewalls, f)
}

func (b *builder) addHost(s *subnet, name Text, spec Host) {
	if !b.checkName(name, "a host") {
		return
	}
	low := strings.ToLower(name.Value)
	if first, dup := b.hostNamed[low]; dup {
		b.problem(name.Pos, fmt.Sprintf("it is already at %s; rename one", first.pos), "duplicate host %q", name.Value)
		return
	}
	if _, reserved := catalog.ReservedSubnet(s.name); reserved {
		b.problem(name.Pos, "put it into another subnet", "host %s cannot be in %s, which Azure reserves", name.Value, s.name)
		return
	}
	b.checkTags(spec.Tags)
	h := &host{subnet: s, spec: spec, holder: holder{what: hostWord, name: name.Value, given: spec.Address, pos: name.Pos}}
	b.hostNamed[low] = h
	b.hosts = append(b.hosts, h)
	s.hosts = append(s.hosts, h)
	s.holders = append(s.holders, &h.holder)
}

// groupOf returns the resource group of a region.
func (b *builder) groupOf(region string) model.ID {
	return model.GroupID(b.subscription, b.name+"-"+region)
}

// globalGroup is the resource group of what belongs to no region.
func (b *builder) globalGroup() model.ID { return model.GroupID(b.subscription, b.name+"-global") }

// checkTags refuses tags that Azure refuses ("Use tags to organize your Azure
// resources and management hierarchy", limitations).
func (b *builder) checkTags(tags Map[Text]) {
	const most, longestName, longestValue, forbidden = 50, 512, 256, `<>%&\?/`
	for i, e := range tags {
		switch k := e.Key.Value; {
		case k == "" || len(k) > longestName || strings.ContainsAny(k, forbidden):
			b.problem(e.Key.Pos, fmt.Sprintf("use 1 to %d characters and none of %s", longestName, forbidden), "%q is not a name for a tag", k)
		case len(e.Value.Value) > longestValue:
			b.problem(e.Value.Pos, fmt.Sprintf("use at most %d characters", longestValue), "the value of tag %s has %d characters", k, len(e.Value.Value))
		case i == most:
			b.problem(e.Key.Pos, "remove some", "%d tags are more than the %d that Azure allows", len(tags), most)
		}
	}
}

func tagMap(m Map[Text]) map[string]string {
	tags := make(map[string]string, len(m))
	for _, e := range m {
		tags[e.Key.Value] = e.Value.Value
	}
	return tags
}

// substitute returns a copy of a declared value with its placeholders filled
// in. What is left between braces is a problem.
func substitute[T any](b *builder, v T, with map[string]string) T {
	fill := func(t Text) Text {
		if !strings.Contains(t.Value, "{") {
			return t
		}
		for k, s := range with {
			t.Value = strings.ReplaceAll(t.Value, "{"+k+"}", s)
		}
		if m := placeholder.FindStringSubmatch(t.Value); m != nil {
			fix := "the placeholders here are " + placeholderList(with)
			if len(with) == 0 {
				fix = "add each: region, or write the name out"
			}
			b.problem(t.Pos, fix, "unknown placeholder %s in %q", m[0], t.Value)
			t.Value = strings.ReplaceAll(t.Value, m[0], "")
		}
		return t
	}
	return mapTexts(reflect.ValueOf(v), fill).Interface().(T)
}

var placeholder = regexp.MustCompile(`\{[^{}]*\}`)

func placeholderList(with map[string]string) string {
	var keys []string
	for k := range with {
		keys = append(keys, "{"+k+"}")
	}
	return strings.Join(sortedCopy(keys), " and ")
}

// mapTexts copies a value deeply and applies f to every Text in it, but those in
// fields with the tag literal:"".
func mapTexts(v reflect.Value, f func(Text) Text) reflect.Value {
	if t, ok := v.Interface().(Text); ok {
		return reflect.ValueOf(f(t))
	}
	switch v.Kind() {
	case reflect.Struct:
		c := reflect.New(v.Type()).Elem()
		c.Set(v)
		for i := range v.NumField() {
			if _, literal := v.Type().Field(i).Tag.Lookup("literal"); literal {
				continue
			}
			switch v.Field(i).Kind() {
			case reflect.Struct, reflect.Slice, reflect.Pointer:
				c.Field(i).Set(mapTexts(v.Field(i), f))
			}
		}
		return c
	case reflect.Slice:
		if v.IsNil() {
			return v
		}
		c := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			c.Index(i).Set(mapTexts(v.Index(i), f))
		}
		return c
	case reflect.Pointer:
		if v.IsNil() {
			return v
		}
		c := reflect.New(v.Type().Elem())
		c.Elem().Set(mapTexts(v.Elem(), f))
		return c
	}
	return v
}
