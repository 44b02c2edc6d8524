package audit

import (
	"fmt"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// Rules of routes that cannot do what they say.
const (
	// RuleOwnSubnet is a next hop in a subnet that uses the table: what the
	// appliance forwards comes back to it.
	RuleOwnSubnet = "next-hop-in-own-subnet"
	// RuleNoNextHop is a next-hop address that nothing has.
	RuleNoNextHop = "next-hop-missing"
	// RuleNotForwarding is a next hop without IP forwarding.
	RuleNotForwarding = "next-hop-not-forwarding"
	// RuleUnusedRoute is a user route that loses everywhere to a better one.
	RuleUnusedRoute = "route-never-used"
)

// Routes returns a finding for every user route of the image that leads nowhere,
// back to itself, or is never used, sorted.
func Routes(resources []*model.Resource, img *fabric.Image) []Finding {
	byID := map[string]*model.Resource{}
	for _, r := range resources {
		byID[r.ID.Key()] = r
	}
	applied := appliedTo(img)
	told, used := map[string]bool{}, map[fabric.Origin]bool{}
	var findings []Finding
	tell := func(severity Severity, rule string, o fabric.Origin, what, fix string) {
		key := rule + " " + strings.ToLower(o.Resource) + " " + o.Name
		if told[key] {
			return
		}
		told[key] = true
		findings = append(findings, Finding{
			Severity: severity, Rule: rule, Resource: o.Resource, Pos: place(byID, o),
			What: fmt.Sprintf("route %q %s", o.Name, what), Fix: fix,
		})
	}
	for i := range img.Tables {
		if len(applied[fabric.TableID(i)]) == 0 {
			continue
		}
		for _, r := range img.Tables[i].Routes {
			used[r.Origin] = used[r.Origin] || !r.Inactive
		}
	}
	for i := range img.Tables {
		at := applied[fabric.TableID(i)]
		for _, r := range img.Tables[i].Routes {
			if r.Source != "User" || len(at) == 0 {
				continue
			}
			if !used[r.Origin] {
				tell(Note, RuleUnusedRoute, r.Origin, fmt.Sprintf("to %s is never used: a better one has the same prefix wherever the table applies", r.Prefix),
					"remove it, or the reason why the other is preferred")
			}
			switch r.Hop.Kind {
			case fabric.HopMissing:
				tell(Warning, RuleNoNextHop, r.Origin, fmt.Sprintf("leads %s to %s, which no interface within reach has: the packets are dropped", r.Prefix, r.Hop.Via),
					"give the address of an appliance in this network or a peered one")
			case fabric.HopPort:
				p := &img.Ports[r.Hop.Port]
				switch {
				case p.Forward == nil && p.Inward == nil:
					tell(Warning, RuleNotForwarding, r.Origin, fmt.Sprintf("leads %s to %s, which drops what is not for itself", r.Prefix, p.Name),
						"set enableIPForwarding on the interface")
				case p.Forward != nil && p.Routes == fabric.TableID(i) && at[p.Segment]:
					tell(Warning, RuleOwnSubnet, r.Origin, fmt.Sprintf("leads %s to %s in a subnet that uses the table: what it forwards comes back to it", r.Prefix, p.Name),
						"put the appliance into a subnet of its own, without this route")
				}
			}
		}
	}
	sortFindings(findings)
	return findings
}

// appliedTo returns the segments whose ports use each table.
func appliedTo(img *fabric.Image) map[fabric.TableID]map[fabric.SegmentID]bool {
	out := map[fabric.TableID]map[fabric.SegmentID]bool{}
	for i := range img.Ports {
		p := &img.Ports[i]
		if p.Kind == fabric.PortEdge {
			continue
		}
		if out[p.Routes] == nil {
			out[p.Routes] = map[fabric.SegmentID]bool{}
		}
		out[p.Routes][p.Segment] = true
	}
	return out
}
