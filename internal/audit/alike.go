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

// alike tells which ends are steered alike: they have the same groups, their
// tables lead to the same appliances, and all tables lead to the same
// appliances on the way to them.
type alike struct {
	img      *fabric.Image
	steering map[fabric.TableID]string // what a table leads to appliances
	tables   []fabric.TableID          // one for each steering
	classes  map[string]map[fabric.SpaceID]int
}

func newAlike(img *fabric.Image) *alike {
	a := &alike{img: img, steering: map[fabric.TableID]string{}, classes: map[string]map[fabric.SpaceID]int{}}
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

// fresh reports whether an end is one of the few that stand for their class.
func (a *alike) fresh(e end) bool {
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
	spaces := a.classes[b.String()]
	if spaces == nil {
		spaces = map[fabric.SpaceID]int{}
		a.classes[b.String()] = spaces
	}
	total := 0
	for _, n := range spaces {
		total += n
	}
	if spaces[p.Space] == perSpace || total == perClass {
		return false
	}
	spaces[p.Space]++
	return true
}
