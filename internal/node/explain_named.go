package node

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/intent"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// NamedTarget is a DNS name that an explanation was asked for, and what it means to
// who sends: a record of a zone, the name of a service, or the listener of a
// failover group.
type NamedTarget struct {
	Name    string     `json:"name"`
	Aliases []string   `json:"aliases,omitempty"` // on the way, in order
	Addr    netip.Addr `json:"address"`
	Place   string     `json:"place,omitempty"` // of the record that has the address
}

// target reads where traffic goes: a place of the network, or a DNS name, which is
// what it means to the sender.
func (d *Design) target(from *model.Selector, to string) (model.Selector, []model.Traffic, *NamedTarget, error) {
	sel, traffic, err := intent.ParseTarget(d.Network(), to)
	if err == nil {
		return sel, traffic, nil, nil
	}
	name, rest := to, ""
	if i := strings.IndexAny(to, ": \t"); i >= 0 {
		name, rest = to[:i], to[i:]
	}
	name = strings.ToLower(strings.TrimSuffix(d.listener(name), "."))
	if !strings.Contains(name, ".") {
		return sel, nil, nil, err
	}
	named, why := d.means(from, name)
	if why != "" {
		return sel, nil, nil, fmt.Errorf("%w; as a DNS name: %s", err, why)
	}
	prefix := netip.PrefixFrom(named.Addr, named.Addr.BitLen())
	if sel, traffic, err = intent.ParseTarget(d.Network(), prefix.String()+rest); err != nil {
		return sel, nil, nil, err
	}
	sel.Text = name
	return sel, traffic, named, nil
}

// listener returns the name of the listener for reading and writing of a failover
// group that is named; any other name is as it was ("Failover groups overview").
func (d *Design) listener(name string) string {
	for _, r := range d.Network().Resources {
		if r.ID.Is(model.TypeSQLFailoverGroup) && strings.EqualFold(r.ID.Name(), name) {
			return name + "." + serviceSuffixes["microsoft.sql/servers"]
		}
	}
	return name
}

// means asks what a name means to the first of those that send, and says why it
// means nothing.
func (d *Design) means(from *model.Selector, name string) (*NamedTarget, string) {
	for i := range d.Image.Ports {
		p := &d.Image.Ports[i]
		if p.Space == fabric.None || p.Silent || !d.among(from, p) {
			continue
		}
		answer := d.Image.Resolve(fabric.PortID(i), name)
		switch {
		case answer.Verdict == fabric.VerdictUnknown:
			return nil, fmt.Sprintf("what %s means to %s is not known", name, p.Name)
		case len(answer.Addrs) == 0:
			return nil, fmt.Sprintf("%s finds no address of %s", p.Name, name)
		}
		out := &NamedTarget{Name: name, Addr: answer.Addrs[0], Place: answer.Origin.Place}
		for _, r := range d.Image.Spaces[p.Space].View.Follow(name).Aliases {
			out.Aliases = append(out.Aliases, r.Alias)
		}
		return out, ""
	}
	return nil, fmt.Sprintf("%s is in no virtual network, and asks no zone of it; use an address", from.Text)
}

// among reports whether a port of a virtual network is one that a selector means.
func (d *Design) among(sel *model.Selector, p *fabric.Port) bool {
	switch {
	case sel.Internet || sel.OnPrem:
		return false
	case len(sel.All) > 0 || sel.Any:
		return carriesAll(p, sel)
	}
	own := d.Image.Sets[p.Addrs]
	return slices.ContainsFunc(sel.Prefixes, func(q netip.Prefix) bool { return own.Overlaps(fabric.PrefixSet(q)) })
}

// String says where the name leads.
func (t *NamedTarget) String() string {
	text := t.Name
	for _, a := range t.Aliases {
		text += " -> " + a
	}
	text += " -> " + t.Addr.String()
	if t.Place != "" {
		text += "  [" + t.Place + "]"
	}
	return text
}
