package audit

import (
	"fmt"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// How many ends stand for all that are alike: enough for pairs within a virtual
// network and across.
const (
	perClass = 4
	perSpace = 2
)

// maxRuled is how many more are tried because they have other rules than those.
const maxRuled = 32

// alike tells which ends are steered alike: they have the same groups, their
// tables lead to the same appliances, and all tables lead to the same
// appliances on the way to them.
type alike struct {
	img      *fabric.Image
	steering map[fabric.TableID]string // what a table leads to appliances
	tables   []fabric.TableID          // one for each steering
	classes  map[string]*kept
	left     []leftEnd
	ruled    int
}

// kept are the ends that stand for a class.
type kept struct {
	spaces map[fabric.SpaceID]int
	total  int
	rules  map[string]bool // that they have
}

// leftEnd is an end that others stand for.
type leftEnd struct {
	port  fabric.PortID
	class *kept
	rules string
}

func newAlike(img *fabric.Image) *alike {
	a := &alike{img: img, steering: map[fabric.TableID]string{}, classes: map[string]*kept{}}
	seen := map[string]bool{}
	for i := range img.Tables {
		var b strings.Builder
		for _, r := range img.Tables[i].Routes {
			if !r.Inactive && r.Hop.Kind == fabric.HopPort {
				fmt.Fprintf(&b, "%s>%d ", r.Prefix, r.Hop.Port)
			}
		}
		id := fabric.TableID(i)
		a.steering[id] = b.String()
		if !seen[b.String()] {
			seen[b.String()] = true
			a.tables = append(a.tables, id)
		}
	}
	return a
}

// rules names the filters of a port by where they come from: filters that one
// group makes in different networks are the same rules.
func (a *alike) rules(p *fabric.Port) string {
	if len(p.Egress)+len(p.Ingress) == 0 {
		return ""
	}
	var b strings.Builder
	for _, list := range [][]fabric.FilterID{p.Egress, p.Ingress} {
		for _, id := range list {
			b.WriteString(a.img.Filters[id].Origin.Resource)
			b.WriteByte(' ')
		}
		b.WriteByte('|')
	}
	return b.String()
}

// leftOut returns the ends left out whose rules none of those kept of their class
// has, one for each class and rules.
func (a *alike) leftOut() []fabric.PortID {
	type key struct {
		class *kept
		rules string
	}
	var out []fabric.PortID
	told := map[key]bool{}
	for _, l := range a.left {
		if k := (key{l.class, l.rules}); !l.class.rules[l.rules] && !told[k] {
			told[k] = true
			out = append(out, l.port)
		}
	}
	return out
}

// fresh reports whether an end with some rules is one of the few that stand for
// their class. Only the first of its segment can be.
func (a *alike) fresh(e end, rules string, first bool) bool {
	p := &a.img.Ports[e.port]
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", p.Kind, a.steering[p.Routes])
	for _, l := range p.Labels {
		if l.Kind == string(model.LabelGroup) {
			b.WriteString(" " + l.Name)
		}
	}
	addr := e.addr.Addr()
	for _, id := range a.tables {
		t := &a.img.Tables[id]
		if i, ok := t.Lookup(addr); ok && t.Routes[i].Hop.Kind == fabric.HopPort {
			fmt.Fprintf(&b, " %d", t.Routes[i].Hop.Port)
		} else {
			b.WriteString(" -")
		}
	}
	c := a.classes[b.String()]
	if c == nil {
		c = &kept{spaces: map[fabric.SpaceID]int{}, rules: map[string]bool{}}
		a.classes[b.String()] = c
	}
	if !first || c.spaces[p.Space] >= perSpace || c.total >= perClass {
		if c.rules[rules] || a.ruled == maxRuled {
			a.left = append(a.left, leftEnd{e.port, c, rules})
			return false
		}
		a.ruled++
	}
	c.spaces[p.Space]++
	c.total++
	c.rules[rules] = true
	return true
}
