package intent

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// managerDomain ends the DNS names of Traffic Manager profiles.
const managerDomain = ".trafficmanager.net"

// isManaged reports whether a text is the DNS name of a profile.
func isManaged(text string) bool {
	return strings.HasSuffix(strings.ToLower(strings.TrimSuffix(text, ".")), managerDomain)
}

// managedTargets returns what a profile's name may lead to, as sides of
// sentences: the targets of all its endpoints, nested ones' too.
func (b *builder) managedTargets(name Text) []string {
	label := strings.TrimSuffix(strings.ToLower(strings.TrimSuffix(name.Value, ".")), managerDomain)
	var known []string
	for _, m := range b.managers {
		own := m.spec.DNS.Or(m.name, m.spec.Pos).Value
		if strings.EqualFold(own, label) {
			return b.targetsOf(m, map[*manager]bool{})
		}
		known = append(known, strings.ToLower(own)+managerDomain)
	}
	b.problem(name.Pos, suggestion(name.Value, known, "declare it under traffic-managers"), "no Traffic Manager profile has the name %s", name.Value)
	return nil
}

func (b *builder) targetsOf(m *manager, seen map[*manager]bool) []string {
	if seen[m] {
		return nil // the circle is told where the network is compiled
	}
	seen[m] = true
	var out []string
	for _, e := range m.spec.Endpoints {
		switch {
		case e.Value.Target.IsSet():
			out = append(out, b.publicOwner(e.Value.Target.Value))
		case e.Value.Profile.IsSet():
			if child, ok := b.managerCalled(e.Value.Profile); ok {
				out = append(out, b.targetsOf(child, seen)...)
			}
		default:
			out = append(out, b.outsideAddresses(e.Value.Address)...)
		}
	}
	return out
}

// publicOwner is the name of what has a public address, with its kind where the
// name alone is ambiguous.
func (b *builder) publicOwner(name string) string {
	kinds := b.names.kinds[strings.ToLower(name)]
	if len(kinds) < 2 {
		return name
	}
	for _, k := range []model.LabelKind{model.LabelHost, model.LabelBalancer, model.LabelAppGateway, model.LabelFirewall} {
		if slices.Contains(kinds, k) {
			return string(k) + ":" + name
		}
	}
	return name
}

// outsideAddresses are the addresses of an external endpoint: itself, or those of
// the declared host of the internet that has the name.
func (b *builder) outsideAddresses(t Text) []string {
	if _, err := netip.ParseAddr(t.Value); err == nil {
		return []string{t.Value}
	}
	for _, h := range b.doc.Internet {
		names := append(Texts{h.Key}, h.Value.Names...)
		for _, n := range names {
			if strings.EqualFold(n.Value, t.Value) {
				var out []string
				for _, a := range h.Value.Address {
					out = append(out, a.Value)
				}
				return out
			}
		}
	}
	b.problem(t.Pos, "declare it under internet, or name the endpoints themselves in the sentence", "nobody knows the addresses of %s, so nothing can be proved of them", t.Value)
	return nil
}

// overTargets returns an expectation about a profile's name as one about each
// thing that the name may lead to; others as they are. The name may lead to any
// of them, so the claim is about all.
func (b *builder) overTargets(spec Expectation) []Expectation {
	out := []Expectation{spec}
	for _, field := range []func(*Expectation) *Text{
		func(e *Expectation) *Text { return &e.Deny },
		func(e *Expectation) *Text { return &e.Allow },
	} {
		t := *field(&spec)
		for word := range strings.FieldsSeq(t.Value) {
			if !isManaged(word) {
				continue
			}
			targets := b.managedTargets(Text{word, t.Pos})
			out = nil
			for _, target := range targets {
				if _, err := netip.ParseAddr(target); err == nil && strings.HasPrefix(strings.TrimSpace(t.Value), "internet ") {
					continue // from outside to outside: nothing of the network
				}
				one := spec
				*field(&one) = Text{strings.Replace(t.Value, word, target, 1), t.Pos}
				one.Name = Text{spec.Name.Or(t.Value, t.Pos).Value + " (" + target + ")", t.Pos}
				out = append(out, one)
			}
			return out
		}
	}
	return out
}

// managedNames are the names of profiles with those of their endpoints, for
// messages.
func managedNames(resources []*model.Resource) map[string][]string {
	out := map[string][]string{}
	for _, r := range resources {
		if !r.ID.Is(model.TypeTrafficManager) {
			continue
		}
		dns, _ := r.Properties()["dnsConfig"].(map[string]any)
		label, _ := dns["relativeName"].(string)
		endpoints, _ := r.Properties()["endpoints"].([]any)
		names := []string{}
		for _, e := range endpoints {
			doc, _ := e.(map[string]any)
			name, _ := doc["name"].(string)
			names = append(names, name)
		}
		out[strings.ToLower(label)+managerDomain] = names
	}
	return out
}

// managedSide says what to write in place of a profile's name where one place is
// wanted; nil if the text is no such name.
func (n *names) managedSide(text string) *complaint {
	name := strings.ToLower(strings.TrimSuffix(strings.TrimSpace(text), "."))
	if !isManaged(name) {
		return nil
	}
	endpoints, ok := n.managed[name]
	if !ok {
		known := make([]string, 0, len(n.managed))
		for k := range n.managed {
			known = append(known, k)
		}
		return complain(suggestion(name, sortedCopy(known), "declare it under traffic-managers"), "no Traffic Manager profile has the name %s", text)
	}
	return complain("name what one of them leads to; 'cerulean explain "+name+"' says which is chosen", "%s may lead to any of its endpoints %s", text, strings.Join(endpoints, ", "))
}
