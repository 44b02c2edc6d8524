package intent

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
)

// service is one platform service.
type service struct {
	name, region string
	spec         PlatformService
	kind         serviceKind
	id           model.ID
}

// serviceKind is what Azure says of a kind of platform service.
type serviceKind struct {
	word         string // in the declared language
	resourceType string
	endpoint     string // name of its service endpoint
	validName    *regexp.Regexp
	nameRule     string
	groups       []string          // of private endpoints, the default first
	members      map[string]string // of a group, where it has another name
}

// serviceKinds are the kinds of platform service ("Naming rules and
// restrictions for Azure resources", "What is a private endpoint?").
func serviceKinds() []serviceKind {
	return []serviceKind{
		{
			word: "storage", resourceType: model.TypeStorageAccount, endpoint: "Microsoft.Storage",
			validName: regexp.MustCompile(`^[a-z0-9]{3,24}$`), nameRule: "use 3 to 24 lower-case letters and digits",
			groups: []string{"blob", "file", "queue", "table", "dfs", "web"},
		},
		{
			word: "sql", resourceType: model.TypeSQLServer, endpoint: "Microsoft.Sql",
			validName: regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`), nameRule: "use 1 to 63 lower-case letters, digits and '-', not at its ends",
			groups: []string{"sqlServer"},
		},
		{
			word: "key-vault", resourceType: model.TypeKeyVault, endpoint: "Microsoft.KeyVault",
			validName: regexp.MustCompile(`^[A-Za-z]([A-Za-z0-9]|-[A-Za-z0-9]){2,23}$`), nameRule: "use 3 to 24 letters, digits and single '-', starting with a letter",
			groups: []string{"vault"}, members: map[string]string{"vault": "default"},
		},
	}
}

func serviceWords() []string {
	var words []string
	for _, k := range serviceKinds() {
		words = append(words, k.word)
	}
	return words
}

func (b *builder) serviceKind(t Text) (serviceKind, bool) {
	for _, k := range serviceKinds() {
		if k.word == t.Value {
			return k, true
		}
	}
	b.problem(t.Pos, suggestion(t.Value, serviceWords(), ""), "%q is not a kind of service", t.Value)
	return serviceKind{}, false
}

func (b *builder) declareServices() {
	taken := map[string]model.Pos{}
	for _, spec := range b.doc.Services {
		for _, p := range place(b, spec, head{"a service", spec.Each, spec.Name, spec.Region, spec.Pos}) {
			s := &service{name: p.spec.Name.Value, region: p.region, spec: p.spec}
			if !b.regionOf(p.region, p.spec.Name, "service") || !b.claimName(taken, p.spec.Name, "service") {
				continue
			}
			if !spec.Kind.IsSet() {
				b.problem(spec.Name.Pos, "add kind: storage, sql or key-vault", "service %s has no kind", s.name)
				continue
			}
			var ok bool
			if s.kind, ok = b.serviceKind(spec.Kind); !ok {
				continue
			}
			if !s.kind.validName.MatchString(s.name) {
				b.problem(p.spec.Name.Pos, s.kind.nameRule, "%q is not a name for a service of kind %s", s.name, s.kind.word)
			}
			s.id = b.groupOf(s.region).Resource(s.kind.resourceType, s.name)
			b.services = append(b.services, s)
		}
	}
}

// endpointsOf returns the service endpoints of a subnet.
func (b *builder) endpointsOf(s *subnet) []wire.ServiceEndpoint {
	var out []wire.ServiceEndpoint
	used := map[string]model.Pos{}
	for _, t := range s.spec.ServiceEndpoints {
		if k, ok := b.serviceKind(t); ok && b.claimPart(used, k.word, t.Pos, "the service endpoint "+k.word) {
			out = append(out, wire.ServiceEndpoint{Service: k.endpoint})
		}
	}
	return out
}

// endpointPolicies returns what the private endpoints of a subnet obey.
func (b *builder) endpointPolicies(s *subnet) string {
	t := s.spec.PrivateEndpointPolicies
	if !t.IsSet() {
		return ""
	}
	return b.oneOf("private-endpoint-policies", t, "disabled", map[string]string{
		"enabled": "Enabled", "disabled": "Disabled", "nsg": "NetworkSecurityGroupEnabled", "routes": "RouteTableEnabled",
	})
}

// admitted is what a service's firewall lets in.
type admitted struct {
	prefixes []netip.Prefix
	subnets  []*subnet
	at       map[string]model.Pos // "prefix/0", "subnet/1"
}

// admits reads the firewall of a service. A subnet needs the service endpoint:
// Azure refuses a rule about one without it.
func (b *builder) admits(s *service) admitted {
	a := admitted{at: map[string]model.Pos{}}
	f := s.spec.Firewall
	if f == nil {
		return a
	}
	used := map[string]model.Pos{}
	for _, t := range f.Addresses {
		p, isPrefix, c := sidePrefix(t.Value)
		switch {
		case c != nil:
			b.problem(t.Pos, c.fix, "%s", c.what)
		case !isPrefix || !p.Addr().Is4():
			b.problem(t.Pos, "write a public IPv4 address or prefix, for example 203.0.113.0/24", "%q is not a public IPv4 prefix", t.Value)
		case p.Addr().IsPrivate():
			b.problem(t.Pos, "name the subnet under subnets, or use a private endpoint", "%s is private, and the firewall of a service sees public addresses", p)
		case b.claimPart(used, p.String(), t.Pos, p.String()):
			a.at["prefix/"+strconv.Itoa(len(a.prefixes))] = t.Pos
			a.prefixes = append(a.prefixes, p)
		}
	}
	for _, t := range f.Subnets {
		sub, ok := b.subnetNamed(t, s.region)
		if !ok || !b.claimPart(used, sub.id.Key(), t.Pos, "subnet "+sub.name) {
			continue
		}
		has := sub.vnet.raw // its own document says
		for _, e := range sub.spec.ServiceEndpoints {
			has = has || e.Value == s.kind.word
		}
		if !has {
			b.problem(t.Pos, fmt.Sprintf("add service-endpoints: [%s] to the subnet", s.kind.word), "subnet %s of %s has no service endpoint for %s", sub.name, sub.vnet.name, s.kind.word)
		}
		a.at["subnet/"+strconv.Itoa(len(a.subnets))] = t.Pos
		a.subnets = append(a.subnets, sub)
	}
	return a
}

func (b *builder) emitServices() {
	for _, s := range b.services {
		a := b.admits(s)
		open := "deny"
		if f := s.spec.Firewall; f == nil && s.kind.word != "sql" {
			open = "allow"
		} else if f != nil {
			open = strings.ToLower(b.oneOf("default", f.Default, "deny", map[string]string{"deny": "Deny", "allow": "Allow"}))
		}
		switch s.kind.word {
		case "storage":
			b.emitStorage(s, a, open)
		case "sql":
			b.emitSQL(s, a, open)
			b.databasesOf(s, s.spec.Databases)
		case "key-vault":
			b.emitVault(s, a, open)
		}
	}
}

// networkACLs is the firewall of a storage account or key vault.
func networkACLs(s *service, a admitted, open string) (object, map[string]model.Pos) {
	at := map[string]model.Pos{}
	bypass := "None"
	if f := s.spec.Firewall; f != nil && f.AzureServices.Or(false) {
		bypass = "AzureServices"
	}
	addresses, subnets := list{}, list{}
	for i, p := range a.prefixes {
		text := p.String()
		if p.IsSingleIP() {
			text = p.Addr().String() // "/31 and /32 are not supported"
		}
		at["/properties/networkAcls/ipRules/"+strconv.Itoa(i)] = a.at["prefix/"+strconv.Itoa(i)]
		addresses = append(addresses, object{"value": text, "action": "Allow"})
	}
	for i, sub := range a.subnets {
		at["/properties/networkAcls/virtualNetworkRules/"+strconv.Itoa(i)] = a.at["subnet/"+strconv.Itoa(i)]
		subnets = append(subnets, object{"id": sub.id.String(), "action": "Allow"})
	}
	action := map[string]string{"allow": "Allow", "deny": "Deny"}[open]
	return object{"defaultAction": action, "bypass": bypass, "ipRules": addresses, "virtualNetworkRules": subnets}, at
}

func publicAccess(s *service) string {
	if s.spec.Public.Or(true) {
		return "Enabled"
	}
	return "Disabled"
}

func (b *builder) emitStorage(s *service, a admitted, open string) {
	acls, at := networkACLs(s, a, open)
	b.emit(s.id, object{
		"location": s.region, "kind": "StorageV2", "sku": object{"name": "Standard_LRS"},
		"properties": object{"minimumTlsVersion": "TLS1_2", "publicNetworkAccess": publicAccess(s), "networkAcls": acls},
	}, s.spec.Name.Pos, at)
}

// noTenant stands for the directory of a key vault, which is no matter of the
// network.
const noTenant = "00000000-0000-0000-0000-000000000000"

func (b *builder) emitVault(s *service, a admitted, open string) {
	acls, at := networkACLs(s, a, open)
	for _, r := range append(acls["ipRules"].(list), acls["virtualNetworkRules"].(list)...) {
		delete(r.(object), "action") // vaults have none
	}
	b.emit(s.id, object{
		"location": s.region,
		"properties": object{
			"sku": object{"family": "A", "name": "standard"}, "tenantId": noTenant, "enableRbacAuthorization": true,
			"publicNetworkAccess": publicAccess(s), "networkAcls": acls,
		},
	}, s.spec.Name.Pos, at)
}

// emitSQL makes a server and its rules, which are resources of their own ("Azure
// SQL Database and Azure Synapse IP firewall rules").
func (b *builder) emitSQL(s *service, a admitted, open string) {
	b.emit(s.id, object{
		"location":   s.region,
		"properties": object{"version": "12.0", "minimalTlsVersion": "1.2", "publicNetworkAccess": publicAccess(s)},
	}, s.spec.Name.Pos, nil)
	rule := func(name string, first, last netip.Addr, pos model.Pos) {
		b.emit(s.id.Child("firewallRules", name), object{
			"properties": object{"startIpAddress": first.String(), "endIpAddress": last.String()},
		}, pos, nil)
	}
	if f := s.spec.Firewall; f != nil && f.AzureServices.Or(false) {
		rule("AllowAllWindowsAzureIps", netip.IPv4Unspecified(), netip.IPv4Unspecified(), f.AzureServices.Pos)
	}
	if open == "allow" {
		everything, _ := spanOf(netip.MustParsePrefix("0.0.0.0/0"))
		rule("everybody", addr4(everything.lo), addr4(everything.hi), s.spec.Firewall.Default.Pos)
	}
	for i, p := range a.prefixes {
		whole, _ := spanOf(p)
		rule("addresses-"+strconv.Itoa(i+1), addr4(whole.lo), addr4(whole.hi), a.at["prefix/"+strconv.Itoa(i)])
	}
	for i, sub := range a.subnets {
		b.emit(s.id.Child("virtualNetworkRules", sub.vnet.name+"-"+sub.name), object{
			"properties": object{"virtualNetworkSubnetId": sub.id.String()},
		}, a.at["subnet/"+strconv.Itoa(i)], nil)
	}
}
