package intent

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// Tags that carry what a Resource Manager document has no property for: on an
// interface what its appliance does, on a circuit what is learned over it. They
// are no tags of the network's own.
const (
	carrierPrefix   = "cerulean-"
	carrierPolicy   = carrierPrefix + "policy"   // resource ID of the firewall policy an appliance enforces
	carrierSNAT     = carrierPrefix + "snat"     // "true": what is forwarded leaves with the appliance's address
	carrierStateful = carrierPrefix + "stateful" // "false": replies need a rule of their own
	carrierAsks     = carrierPrefix + "asks"     // TCP ports at which an application gateway asks issuers of tokens
	carrierRoutes   = carrierPrefix + "routes"   // prefixes with commas, continued in -2, -3 and so on
)

// maxTagValue is the longest value of a tag ("Use tags to organize your Azure
// resources and management hierarchy", limitations).
const maxTagValue = 256

// routeTags spreads prefixes over as many tags as they need.
func routeTags(prefixes []string) map[string]string {
	tags := map[string]string{}
	key, value := carrierRoutes, ""
	for _, p := range prefixes {
		if value != "" && len(value)+1+len(p) > maxTagValue {
			tags[key] = value
			key, value = carrierRoutes+"-"+strconv.Itoa(len(tags)+1), ""
		}
		if value != "" {
			value += ","
		}
		value += p
	}
	if value != "" {
		tags[key] = value
	}
	return tags
}

// rawSitePrefixes returns the prefixes of a site given in its Resource Manager
// shape: of a local network gateway, or learned over a circuit. What is no prefix
// is reported by the compiler.
func rawSitePrefixes(r *model.Resource) []netip.Prefix {
	var written []string
	space, _ := r.Properties()["localNetworkAddressSpace"].(map[string]any)
	in, _ := space["addressPrefixes"].([]any)
	for _, v := range in {
		text, _ := v.(string)
		written = append(written, text)
	}
	for k, v := range r.Tags() {
		if r.ID.Is(typeCircuit) && (k == carrierRoutes || strings.HasPrefix(k, carrierRoutes+"-")) {
			written = append(written, strings.Split(v, ",")...)
		}
	}
	var out []netip.Prefix
	for _, text := range written {
		if p, err := netip.ParsePrefix(strings.TrimSpace(text)); err == nil {
			out = append(out, p.Masked())
		}
	}
	return out
}

// applianceTags returns the tags of an appliance's interface.
func (b *builder) applianceTags(h *host) map[string]string {
	tags := map[string]string{}
	sp := h.spec
	if !sp.IPForwarding.Or(false) {
		for _, key := range []struct {
			name string
			pos  model.Pos
		}{{"policy", sp.Policy.Pos}, {"snat", sp.SNAT.Pos}, {"stateful", sp.Stateful.Pos}, {"advertises", texts0(sp.Advertises)}} {
			if !key.pos.IsZero() {
				b.problem(key.pos, "add ip-forwarding: true", "%s of host %s has no meaning: it forwards nothing", key.name, h.name)
			}
		}
		return tags
	}
	if sp.Policy.IsSet() && sp.Policy.Value != none {
		if id, ok := b.policyFor(sp.Policy, h.subnet.vnet.region); ok {
			tags[carrierPolicy] = id.String()
		}
	}
	if sp.SNAT.Or(false) {
		tags[carrierSNAT] = "true"
	}
	if !sp.Stateful.Or(true) {
		tags[carrierStateful] = "false"
	}
	var prefixes []netip.Prefix
	for _, t := range sp.Advertises {
		if p, ok := b.prefix(t); ok {
			prefixes = append(prefixes, p)
		}
	}
	if len(prefixes) > 0 && !b.isPeer(h) {
		b.problem(sp.Advertises[0].Pos, "name the host under peers of a route-servers entry", "host %s announces prefixes to nobody", h.name)
	}
	for k, v := range routeTags(texts(prefixes)) {
		tags[k] = v
	}
	return tags
}

// texts0 is the place of a list, if it was given.
func texts0(ts Texts) model.Pos {
	if len(ts) == 0 {
		return model.Pos{}
	}
	return ts[0].Pos
}

// isPeer reports whether a Route Server learns from a host.
func (b *builder) isPeer(h *host) bool {
	for _, r := range b.routeServers {
		for _, p := range r.peers {
			if p.host == h {
				return true
			}
		}
	}
	return false
}
