package intent

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
)

var validType = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*(\.[A-Za-z][A-Za-z0-9]*)+(/[A-Za-z][A-Za-z0-9]*)+$`)

// rawResources reads the resources given in their Resource Manager shape. Their
// virtual networks take part in groups, names and checks like any other.
func (b *builder) rawResources() {
	for _, raw := range b.doc.Resources {
		switch {
		case !raw.Type.IsSet() || !raw.Name.IsSet():
			continue // reported by the decoder
		case !raw.Each.IsSet():
			b.rawResource(raw)
		case raw.Each.Value != "region":
			b.problem(raw.Each.Pos, "write each: region", "cannot repeat for each %q", raw.Each.Value)
		default:
			for _, region := range b.regions {
				one := substitute(b, raw, map[string]string{"region": region})
				one.Doc, _ = fillPlaceholders(raw.Doc, region).(map[string]any)
				b.rawResource(one)
			}
		}
	}
}

func fillPlaceholders(v any, region string) any {
	switch v := v.(type) {
	case string:
		return strings.ReplaceAll(v, "{region}", region)
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = fillPlaceholders(e, region)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[strings.ReplaceAll(k, "{region}", region)] = fillPlaceholders(e, region)
		}
		return out
	default:
		return v
	}
}

func (b *builder) rawResource(raw Raw) {
	types := strings.Split(raw.Type.Value, "/")
	names := strings.Split(raw.Name.Value, "/")
	if !validType.MatchString(raw.Type.Value) {
		b.problem(raw.Type.Pos, "write Namespace/type, for example Microsoft.Network/routeTables", "%q is not a resource type", raw.Type.Value)
		return
	}
	if known, near := nearType(raw.Type.Value); near {
		b.problem(raw.Type.Pos, fmt.Sprintf("did you mean %q?", known), "there is no resource type %q", raw.Type.Value)
		return
	}
	if len(names) != len(types)-1 {
		b.problem(raw.Name.Pos, "write one name for each part of the type, as in parent/child", "%q has %d names for type %s", raw.Name.Value, len(names), raw.Type.Value)
		return
	}
	for _, n := range names {
		if n == "" || strings.ContainsAny(n, "<>%&\\?#{}") {
			b.problem(raw.Name.Pos, "use letters, digits, '.', '_' and '-'", "%q is not a name for a resource", raw.Name.Value)
			return
		}
	}
	if t, ok := raw.Doc["properties"]; ok && t != nil {
		if _, isMap := t.(map[string]any); !isMap {
			b.problem(raw.At["/properties"], "write KEY: VALUE", "properties must be a map")
			return
		}
	}
	location, _ := raw.Doc["location"].(string)
	id := b.rawScope(raw, model.NormalizeLocation(location))
	if raw.Type.Value == model.TypeResourceGroup {
		id = model.GroupID(b.subscription, names[0])
	} else {
		id = id.Resource(types[0]+"/"+types[1], names[0])
		for i := 2; i < len(types); i++ {
			id = id.Child(types[i], names[i-1])
		}
	}
	doc, _ := model.CloneJSON(raw.Doc).(map[string]any)
	doc["id"], doc["name"], doc["type"] = id.String(), id.Name(), id.Type()
	if location != "" {
		if n := model.NormalizeLocation(location); n != "global" {
			b.region(Text{location, raw.At["/location"]})
		}
	}
	r := &model.Resource{ID: id, Doc: doc, Pos: raw.Pos, At: maps.Clone(raw.At)}
	if slices.ContainsFunc(b.raw, func(o *model.Resource) bool { return o.ID.Equal(id) }) {
		b.problem(raw.Pos, "rename one", "duplicate %s %q", r.Type(), raw.Name.Value)
		return
	}
	b.raw = append(b.raw, r)
	if r.ID.Is(model.TypeVirtualNetwork) {
		b.rawVNet(r)
	}
}

// nearType finds the type that another was surely meant to be: the same but for
// singular and plural. Types that nobody here has heard of are let through.
func nearType(given string) (known string, near bool) {
	stem := func(t string) string {
		parts := strings.Split(strings.ToLower(t), "/")
		for i, p := range parts[1:] {
			p = strings.TrimSuffix(strings.TrimSuffix(p, "s"), "e")
			parts[i+1] = strings.TrimSuffix(strings.TrimSuffix(p, "i"), "y")
		}
		return strings.Join(parts, "/")
	}
	for _, t := range []string{
		model.TypeResourceGroup, model.TypeVirtualNetwork, model.TypeSubnet, model.TypePeering, model.TypeNSG, model.TypeSecurityRule,
		model.TypeASG, model.TypeRouteTable, model.TypeRoute, model.TypeNIC, model.TypePublicIP, model.TypeNATGateway, model.TypeFirewall,
		model.TypeFirewallPolicy, model.TypeRuleCollectionGroup, model.TypeIPGroup, model.TypePrivateZone, model.TypePrivateZoneLink, model.TypePublicZone,
		model.TypeVM, model.TypeNetworkManager, model.TypeNetworkGroup, model.TypeStaticMember, model.TypeConnectivityConfig,
		model.TypeSecurityAdminConfig, model.TypeAdminRuleCollection, model.TypeAdminRule, model.TypeRoutingConfig,
		model.TypeRoutingRuleCollection, model.TypeRoutingRule, model.TypeLoadBalancer, model.TypePrivateEndpoint,
		model.TypePrivateZoneGroup, model.TypePrivateLinkService, model.TypeStorageAccount, model.TypeSQLServer, model.TypeSQLFirewallRule,
		model.TypeSQLNetworkRule, model.TypeKeyVault, typeGateway, typeSite, typeCircuit, typeConnection, typeVirtualHub,
	} {
		if stem(t) == stem(given) && !strings.EqualFold(t, given) {
			return t, true
		}
	}
	return "", false
}

// rawScope returns the resource group or subscription a resource belongs to.
func (b *builder) rawScope(raw Raw, location string) model.ID {
	namespace, _, _ := strings.Cut(raw.Type.Value, "/")
	_, isRegion := b.regionPos[location]
	switch {
	case raw.ResourceGroup.IsSet():
		return model.GroupID(b.subscription, raw.ResourceGroup.Value)
	case strings.EqualFold(namespace, "Microsoft.Authorization"):
		return model.SubscriptionID(b.subscription)
	case isRegion:
		return b.groupOf(location)
	}
	// A child without a location lives where its parent does.
	types, names := strings.Split(raw.Type.Value, "/"), strings.Split(raw.Name.Value, "/")
	if len(types) > 2 {
		for _, r := range b.raw {
			if r.ID.Is(types[0]+"/"+types[1]) && strings.EqualFold(r.ID.Name(), names[0]) {
				return model.GroupID(b.subscription, r.ID.ResourceGroup())
			}
		}
		if v, ok := b.vnetNamed[strings.ToLower(names[0])]; ok && strings.EqualFold(types[1], "virtualNetworks") {
			return b.groupOf(v.region)
		}
		for _, f := range b.firewalls {
			if strings.EqualFold(f.name, names[0]) && strings.EqualFold(types[1], "azureFirewalls") {
				return b.groupOf(f.vnet.region)
			}
		}
	}
	return b.globalGroup()
}

// rawVNet makes a virtual network of the topology out of its document.
func (b *builder) rawVNet(r *model.Resource) {
	v := &vnet{name: r.ID.Name(), region: r.Location(), role: roleNetwork, tags: r.Tags(), raw: true, explicit: true, id: r.ID, pos: r.Pos}
	var view wire.VirtualNetwork
	if err := r.Decode(&view); err != nil {
		b.problem(r.Pos, "correct the property", "the document is not a virtual network: %v", jsonCause(err))
		return
	}
	if v.region == "" {
		b.problem(r.Pos, "add location: REGION", "virtual network %s has no location", v.name)
	}
	prefix := func(text, pointer string) (netip.Prefix, bool) { return b.prefix(Text{text, r.PosOf(pointer)}) }
	for _, text := range view.Properties.AddressSpace.AddressPrefixes {
		if p, ok := prefix(text, "/properties/addressSpace/addressPrefixes"); ok {
			v.prefixes = append(v.prefixes, p)
		}
	}
	for _, sub := range view.Properties.Subnets {
		s := &subnet{vnet: v, name: sub.Name, id: r.ID.Child("subnets", sub.Name), explicit: true, pos: r.PosOf("/properties/subnets")}
		for _, text := range sub.Properties.Prefixes() {
			if p, ok := prefix(text, "/properties/subnets"); ok && !s.prefix.IsValid() {
				s.prefix = p
			}
		}
		v.subnets = append(v.subnets, s)
	}
	b.claimVNet(v)
}

// jsonCause returns what encoding/json has to say, without the resource's ID.
func jsonCause(err error) string {
	if te, ok := asTypeError(err); ok {
		return te.Field + " cannot be " + te.Value
	}
	return err.Error()
}

func asTypeError(err error) (*json.UnmarshalTypeError, bool) {
	for e := err; e != nil; {
		if te, ok := e.(*json.UnmarshalTypeError); ok {
			return te, true
		}
		u, ok := e.(interface{ Unwrap() error })
		if !ok {
			return nil, false
		}
		e = u.Unwrap()
	}
	return nil, false
}
