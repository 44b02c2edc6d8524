package audit

import (
	"fmt"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// RuleSubnetFull is a subnet with few addresses left.
const RuleSubnetFull = "addresses-per-subnet"

// reservedAddresses are those that Azure keeps in every subnet ("Azure Virtual
// Network FAQ": the first four and the last).
const reservedAddresses = 5

// Subnets returns a note for every subnet whose IPv4 addresses are used to 80 %
// or more, sorted. The platform's own subnets are as small as they have to be and
// left out.
func Subnets(resources []*model.Resource, img *fabric.Image) []Finding {
	byID := map[string]*model.Resource{}
	for _, r := range resources {
		byID[r.ID.Key()] = r
	}
	used := make([]int, len(img.Segments))
	for i := range img.Spaces {
		for _, o := range img.Spaces[i].Owners {
			p := &img.Ports[o.Port]
			if p.Kind != fabric.PortVacant && p.Kind != fabric.PortSite && p.Segment != fabric.None && o.Range.Lo.Addr().Is4() {
				used[p.Segment] += int(o.Range.Hi.Lo-o.Range.Lo.Lo) + 1
			}
		}
	}
	var findings []Finding
	for i := range img.Segments {
		s := &img.Segments[i]
		size := 0
		for _, p := range s.Prefixes {
			if p.Addr().Is4() && p.Bits() >= 8 {
				size += 1<<(32-p.Bits()) - reservedAddresses
			}
		}
		if size <= 0 || reserved(s.Origin.Resource) || used[i]*100 < size*nearPercent {
			continue
		}
		findings = append(findings, Finding{
			Severity: Note, Rule: RuleSubnetFull, Resource: s.Origin.Resource, Pos: place(byID, s.Origin), Used: used[i], Limit: size,
			What: fmt.Sprintf("%d of the %d addresses of subnet %s are used", used[i], size, s.Name),
			Fix:  "add a prefix to the subnet, or place what comes next in another",
		})
	}
	sortFindings(findings)
	return findings
}
