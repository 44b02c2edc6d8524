package audit

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
	"github.com/ceruleannet/cerulean/model/wire"
)

// Resource types of hybrid networks.
const (
	typeGateway       = "Microsoft.Network/virtualNetworkGateways"
	typeConnection    = "Microsoft.Network/connections"
	typeHubIP         = "Microsoft.Network/virtualHubs/ipConfigurations"
	typeBGPConnection = "Microsoft.Network/virtualHubs/bgpConnections" // a peer of a Route Server
)

// tagRoutes begins the names of tags that list announced prefixes.
const tagRoutes = "cerulean-routes"

// announced returns the prefixes that the tags of a resource list, each once. What
// is no prefix is left to the compiler.
func announced(tags map[string]string) map[netip.Prefix]bool {
	out := map[netip.Prefix]bool{}
	for name, list := range tags {
		if lower := strings.ToLower(name); lower != tagRoutes && !strings.HasPrefix(lower, tagRoutes+"-") {
			continue
		}
		for text := range strings.SplitSeq(list, ",") {
			if p, err := netip.ParsePrefix(strings.TrimSpace(text)); err == nil {
				out[p] = true
			}
		}
	}
	return out
}

// gateway remembers which gateways are of ExpressRoute.
func (t *tally) gateway(r *model.Resource) {
	var v wire.Gateway
	if t.view(r, &v) && strings.EqualFold(v.Properties.GatewayType, "ExpressRoute") {
		t.express[r.ID.Key()] = true
	}
}

// connection counts what comes over BGP through a connection.
func (t *tally) connection(r *model.Resource) {
	var v wire.Connection
	if !t.view(r, &v) {
		return
	}
	switch p := &v.Properties; strings.ToLower(p.ConnectionType) {
	case "ipsec":
		if p.EnableBGP && p.LocalGateway != nil {
			t.site(p.LocalGateway.ID)
		}
	case "expressroute":
		if p.Peer != nil {
			t.circuit(r, p.Peer.ID)
		}
	}
}

// site counts the prefixes of a local network gateway with BGP.
func (t *tally) site(id string) {
	r := t.byID[strings.ToLower(id)]
	if r == nil {
		return // the compiler says so: what it announces is unknown
	}
	var v wire.LocalGateway
	if !t.view(r, &v) {
		return
	}
	c := t.of("prefixes-per-vpn-peer", id)
	for _, p := range v.Properties.AddressSpace.AddressPrefixes {
		c.add(p)
	}
}

// circuit counts what is learned over a circuit: what the connection's tags
// list, else the circuit's.
func (t *tally) circuit(connection *model.Resource, id string) {
	circuit := t.byID[strings.ToLower(id)]
	prefixes := announced(connection.Tags())
	if len(prefixes) == 0 && circuit != nil {
		prefixes = announced(circuit.Tags())
	}
	used := 0
	for p := range prefixes {
		if p.Addr().Is4() {
			used++
		}
	}
	var v struct {
		SKU struct {
			Tier string `json:"tier"`
		} `json:"sku"`
	}
	if circuit == nil {
		if used*100 >= catalog.MaxCircuitPrefixes*nearPercent {
			t.found = append(t.found, Finding{
				Severity: Note, Rule: RuleUncounted, Resource: connection.ID.String(), Pos: connection.Pos, Used: used,
				What: fmt.Sprintf("%d IPv4 prefixes come over a circuit that is not declared: whether it is premium and takes more than %d is not known", used, catalog.MaxCircuitPrefixes),
				Fix:  "declare the circuit with the tier of its SKU",
			})
		}
		return
	}
	if !t.view(circuit, &v) {
		return
	}
	limit := "prefixes-learned-per-circuit"
	if strings.EqualFold(v.SKU.Tier, "Premium") {
		limit = "prefixes-learned-per-premium-circuit"
	}
	c := t.of(limit, id)
	for p := range prefixes {
		if p.Addr().Is4() {
			c.add(p.String())
		}
	}
}
