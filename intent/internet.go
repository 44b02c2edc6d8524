package intent

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
)

// publicName is the form of a DNS name of a public host (RFC 1123 section 2.1),
// of at least two labels.
var publicName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+$`)

// emitInternet returns the declared hosts of the internet.
func (b *builder) emitInternet() []model.PublicHost {
	own := map[netip.Addr]string{}
	for _, r := range b.resources {
		if !r.ID.Is(model.TypePublicIP) {
			continue
		}
		text, _ := r.Properties()["ipAddress"].(string)
		if a, err := netip.ParseAddr(text); err == nil {
			own[a] = "the public address " + r.ID.Name() + " of the network"
		}
	}
	names := map[string]model.Pos{}
	var out []model.PublicHost
	for _, e := range b.doc.Internet {
		host := model.PublicHost{Name: b.publicName(names, e.Key), Pos: e.Key.Pos}
		if t := e.Value.Region; t.IsSet() {
			info, ok := catalog.Region(t.Value)
			if !ok {
				b.problem(t.Pos, suggestion(t.Value, azureRegions(), "write one like westeurope"), "%q is no Azure region", t.Value)
			}
			host.Region = info.Name
		}
		for _, t := range e.Value.Names {
			if name := b.publicName(names, t); name != "" {
				host.Names = append(host.Names, name)
			}
		}
		if len(e.Value.Address) == 0 {
			b.problem(e.Key.Pos, "add address: ADDRESS, for example 192.0.2.80", "%s has no address", e.Key.Value)
		}
		for _, t := range e.Value.Address {
			a, err := netip.ParseAddr(t.Value)
			switch {
			case err != nil || !a.IsGlobalUnicast() || a.IsPrivate() || a.Zone() != "":
				b.problem(t.Pos, "write one like 192.0.2.80", "%q is not a public address", t.Value)
			case own[a] != "":
				b.problem(t.Pos, "use another; 192.0.2.0/24 is for examples", "%s is %s", a, own[a])
			default:
				own[a] = "an address of " + e.Key.Value
				host.Addrs = append(host.Addrs, a)
			}
		}
		host.Services = b.servicesOf("host "+e.Key.Value, e.Value.Serves)
		if len(e.Value.Serves) == 0 {
			host.Services = []model.Service{{Kind: model.ServiceWhoAmI, Port: 80, Pos: e.Key.Pos}}
		}
		if host.Name != "" && len(host.Addrs) > 0 {
			out = append(out, host)
		}
	}
	slices.SortFunc(out, func(x, y model.PublicHost) int { return strings.Compare(x.Name, y.Name) })
	return out
}

// publicName checks a name of a public host; "" if it is none.
func (b *builder) publicName(taken map[string]model.Pos, t Text) string {
	name := strings.ToLower(strings.TrimSuffix(t.Value, "."))
	if !publicName.MatchString(name) || len(name) > 253 {
		b.problem(t.Pos, "write one like api.example.com", "%q is not a public DNS name", t.Value)
		return ""
	}
	if _, zone := b.doc.DNS.Get(name); zone {
		b.problem(t.Pos, "use another name, or add a record to the zone", "%s is a private DNS zone of the network", name)
		return ""
	}
	if !b.claimPart(taken, name, t.Pos, "the name "+name) {
		return ""
	}
	return name
}
