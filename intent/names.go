package intent

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
)

// names knows what every name in a network stands for. It is built from the
// resources, so that the same words work in the network's own sentences and on
// the command line.
type names struct {
	kinds map[string][]model.LabelKind // by lower-case name
	shown []string                     // names as spelt, for suggestions
	// managed are the DNS names of Traffic Manager profiles.
	managed map[string][]string
	// public are the addresses of declared hosts of the internet by DNS name.
	public map[string][]netip.Addr
}

// namesOf collects the names of resources and of hosts of the internet.
func namesOf(resources []*model.Resource, internet []model.PublicHost) *names {
	n := &names{kinds: map[string][]model.LabelKind{}, managed: managedNames(resources), public: map[string][]netip.Addr{}}
	for _, h := range internet {
		for _, name := range append([]string{h.Name}, h.Names...) {
			n.public[name] = h.Addrs
		}
	}
	for _, r := range resources {
		switch {
		case r.ID.Is(model.TypeVirtualNetwork):
			n.add(model.LabelVNet, r.ID.Name())
			n.add(model.LabelRegion, r.Location())
			n.addTags(r)
			list, _ := r.Properties()["subnets"].([]any)
			for _, e := range list {
				m, _ := e.(map[string]any)
				name, _ := m["name"].(string)
				n.add(model.LabelSubnet, name)
			}
		case r.ID.Is(model.TypeSubnet):
			n.add(model.LabelSubnet, r.ID.Name())
		case r.ID.Is(model.TypeVM):
			n.add(model.LabelHost, r.ID.Name())
		case r.ID.Is(model.TypeNIC):
			n.addTags(r)
		case r.ID.Is(model.TypeNetworkGroup):
			n.add(model.LabelGroup, r.ID.Name())
		case r.ID.Is(model.TypeFirewall):
			n.add(model.LabelFirewall, r.ID.Name())
		case r.ID.Is(model.TypeASG):
			n.add(model.LabelASG, r.ID.Name())
		case r.ID.Is(model.TypeLoadBalancer):
			n.add(model.LabelBalancer, r.ID.Name())
		case r.ID.Is(model.TypeStorageAccount), r.ID.Is(model.TypeSQLServer), r.ID.Is(model.TypeKeyVault), r.ID.Is(model.TypePrivateLinkService):
			n.add(model.LabelService, r.ID.Name())
		case r.ID.Is(model.TypePrivateEndpoint):
			n.add(model.LabelEndpoint, r.ID.Name())
		case r.ID.Is(model.TypeAppGateway):
			n.add(model.LabelAppGateway, r.ID.Name())
			n.addTags(r)
		case r.ID.Is(typeGateway):
			n.add(model.LabelGateway, r.ID.Name())
		case r.ID.Is(typeSite), r.ID.Is(typeCircuit):
			n.add(model.LabelSite, r.ID.Name())
		}
	}
	return n
}

func (n *names) addTags(r *model.Resource) {
	for k, v := range r.Tags() {
		if !strings.HasPrefix(strings.ToLower(k), carrierPrefix) {
			n.add(model.LabelTag, k+"="+v)
		}
	}
}

func (n *names) add(kind model.LabelKind, name string) {
	low := strings.ToLower(name)
	if name == "" || slices.Contains(n.kinds[low], kind) {
		return
	}
	if len(n.kinds[low]) == 0 {
		n.shown = append(n.shown, name)
	}
	n.kinds[low] = append(n.kinds[low], kind)
}

// labelKinds are the kinds that may stand before a colon.
func labelKinds() []string {
	return []string{
		"host", "subnet", "vnet", "group", "tag", "region", "firewall", "asg",
		"balancer", "service", "endpoint", "gateway", "app-gateway", "site",
	}
}

// label resolves one name, which kind: may precede.
func (n *names) label(text string) (model.Label, *complaint) {
	low := strings.ToLower(text)
	if kind, name, ok := strings.Cut(low, ":"); ok {
		if !slices.Contains(labelKinds(), kind) {
			return model.Label{}, complain(suggestion(kind, labelKinds(), "the kinds are "+strings.Join(labelKinds(), ", ")), "%q is not a kind of name", kind)
		}
		if !slices.Contains(n.kinds[name], model.LabelKind(kind)) {
			return model.Label{}, complain(suggestion(name, n.ofKind(kind), "declare it"), "there is no %s %q", kind, text[len(kind)+1:])
		}
		return model.Label{Kind: model.LabelKind(kind), Name: name}, nil
	}
	kinds := n.kinds[low]
	switch len(kinds) {
	case 1:
		return model.Label{Kind: kinds[0], Name: low}, nil
	case 0:
		candidates := append(slices.Sorted(maps.Keys(n.public)), n.shown...)
		candidates = append(candidates, "any", "internet", onPremises)
		if strings.Contains(text, "=") {
			return model.Label{}, complain(suggestion(text, n.ofKind("tag"), "tag a virtual network or host with it"), "no virtual network or host has the tag %q", text)
		}
		fallback := "name something of the network (a group, virtual network, subnet, host, service, site and so on), internet, on-premises, any, a tag key=value or a prefix"
		if near, ok := nearest(text, candidates); ok {
			return model.Label{}, complain("did you mean \""+near+"\"?", "nothing in the network is called %q", text)
		}
		return model.Label{}, complain(fallback, "nothing in the network is called %q", text)
	default:
		var is, write []string
		for _, k := range kinds {
			is = append(is, "a "+string(k))
			write = append(write, string(k)+":"+text)
		}
		return model.Label{}, complain("write "+strings.Join(write, " or "), "%q is ambiguous: it is %s", text, strings.Join(is, " and "))
	}
}

func (n *names) ofKind(kind string) []string {
	var out []string
	for _, s := range n.shown {
		if slices.Contains(n.kinds[strings.ToLower(s)], model.LabelKind(kind)) {
			out = append(out, s)
		}
	}
	return out
}

// onPremises is the word for every on-premises site.
const onPremises = "on-premises"

// selector resolves one side of a sentence: internet, on-premises, any, a
// prefix or several with commas, a name, NAME in NAME, or the DNS name of a
// declared host of the internet.
func (n *names) selector(text string) (model.Selector, *complaint) {
	sel := model.Selector{Text: text}
	low := strings.ToLower(strings.TrimSpace(text))
	switch low {
	case "":
		return sel, complain("write any for everything in the network", "a side is empty")
	case "internet":
		sel.Internet = true
		return sel, nil
	case "any":
		sel.Any = true
		return sel, nil
	case onPremises:
		if len(n.ofKind(string(model.LabelSite))) == 0 {
			return sel, complain("declare it under sites", "the network has no on-premises site")
		}
		sel.OnPrem = true
		return sel, nil
	}
	if c := n.managedSide(text); c != nil {
		return sel, c
	}
	words := strings.Fields(text)
	prefixes := 0
	for i := 0; i < len(words); i++ {
		w := words[i]
		if i > 0 && strings.EqualFold(w, "in") {
			if i == len(words)-1 {
				return sel, complain("write NAME in NAME", "%q ends with \"in\"", text)
			}
			prefixes = 0
			continue
		}
		for part := range strings.SplitSeq(strings.Trim(w, ","), ",") {
			p, isPrefix, c := sidePrefix(part)
			switch {
			case c != nil:
				return sel, c
			case isPrefix:
				if len(sel.Prefixes) > 0 && prefixes == 0 {
					return sel, complain("write one list of prefixes", "%q narrows the addresses twice", text)
				}
				sel.Prefixes = append(sel.Prefixes, p)
				prefixes++
			case len(words) == 1 && len(n.public[strings.ToLower(part)]) > 0 && len(n.kinds[strings.ToLower(part)]) == 0:
				for _, a := range n.public[strings.ToLower(part)] {
					sel.Prefixes = append(sel.Prefixes, netip.PrefixFrom(a, a.BitLen()))
					prefixes++
				}
			case i > 0 && !strings.EqualFold(words[i-1], "in") || prefixes > 0 || strings.Contains(strings.Trim(w, ","), ","):
				fix := "name a group to speak of several, or write NAME in NAME to narrow"
				if near, ok := nearest(part, trafficWords()); ok {
					fix = fmt.Sprintf("did you mean %q?", near)
				}
				return sel, complain(fix, "%q does not say how %q and the word before it go together", text, part)
			case strings.EqualFold(part, "any") || strings.EqualFold(part, "internet") || strings.EqualFold(part, onPremises):
				return sel, complain("write it alone, or leave it out", "%q: %s cannot be narrowed by a name, nor narrow one", text, part)
			default:
				l, c := n.label(part)
				if c != nil {
					return sel, c
				}
				sel.All = append(sel.All, l)
			}
		}
	}
	if len(sel.All) == 0 {
		// Bare prefixes: whatever has those addresses, inside or outside.
		return sel, nil
	}
	return sel, nil
}

// sidePrefix reads an address or a prefix; text that is neither is a name.
func sidePrefix(s string) (netip.Prefix, bool, *complaint) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), true, nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		if strings.Contains(s, "/") {
			return p, false, complain("write address/length, for example 10.0.0.0/16", "%q is not a prefix", s)
		}
		return p, false, nil
	}
	if p != p.Masked() {
		return p, false, complain("write "+p.Masked().String(), "prefix %s has host bits set", s)
	}
	return p, true, nil
}

// serviceTag returns the spelling of a service tag that Azure's rules accept.
func serviceTag(s string) (string, bool) {
	for _, tag := range []string{"VirtualNetwork", "Internet", "AzureLoadBalancer", "AzurePlatformDNS", "AzurePlatformIMDS", "AzurePlatformLKM"} {
		if strings.EqualFold(s, tag) {
			return tag, true
		}
	}
	if strings.ContainsAny(s, " /:=,-") {
		return "", false
	}
	if _, ok := catalog.ServiceTag(s); !ok {
		return "", false
	}
	for _, tag := range catalog.ServiceTags() {
		if strings.EqualFold(s, tag) {
			return tag, true
		}
	}
	return "", false
}

// ParseEndpoint resolves one side of a sentence, for example "app in prod",
// "internet" or "db-prod-westeurope", against a network.
func ParseEndpoint(n *model.Network, text string) (model.Selector, error) {
	sel, c := namesOf(n.Resources, n.Internet).selector(text)
	if c != nil {
		return model.Selector{}, c
	}
	return sel, nil
}

// ParseTarget resolves a side that traffic may follow, as "NAME:443",
// "NAME:udp/53" or "NAME tcp/443 udp/53"; a bare port is TCP. No traffic means
// every protocol and port.
func ParseTarget(n *model.Network, text string) (model.Selector, []model.Traffic, error) {
	words := strings.Fields(text)
	if len(words) == 0 {
		return model.Selector{}, nil, complain("write NAME or NAME:443", "the destination is empty")
	}
	last := words[len(words)-1]
	if i := strings.LastIndexByte(last, ':'); i > 0 && !isTraffic(last) && !slices.Contains(labelKinds(), strings.ToLower(last[:i])) {
		if _, err := netip.ParseAddr(last); err != nil {
			port := last[i+1:]
			if port != "" && port[0] >= '0' && port[0] <= '9' {
				port = "tcp/" + port
			}
			if isTraffic(port) {
				words[len(words)-1] = last[:i]
				words = append(words, port)
			}
		}
	}
	side, traffic, c := splitTarget(words)
	if c != nil {
		return model.Selector{}, nil, c
	}
	sel, c := namesOf(n.Resources, n.Internet).selector(side)
	if c != nil {
		return model.Selector{}, nil, c
	}
	return sel, traffic, nil
}
