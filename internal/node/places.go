package node

import (
	"net/netip"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/traffic/trafficmanager"
	"github.com/ceruleannet/cerulean/model/catalog"
)

// places says where clients are by their addresses: what the user says, the
// network's own address spaces, and the published addresses of Azure's regions.
type places struct {
	byPrefix map[netip.Prefix]trafficmanager.Place
	lengths4 []int // that occur, the longest first
	lengths6 []int
}

// regionTag begins the service tags of the addresses of a region.
const regionTag = "AzureCloud."

func newPlaces(img *fabric.Image, given map[netip.Prefix]string) places {
	p := places{byPrefix: map[netip.Prefix]trafficmanager.Place{}}
	for _, r := range catalog.Regions() {
		prefixes, _ := catalog.ServiceTag(regionTag + r.Name)
		for _, prefix := range prefixes {
			p.byPrefix[prefix] = trafficmanager.PlaceOf(r.Name)
		}
	}
	for i := range img.Ports {
		port := &img.Ports[i]
		if port.Kind != fabric.PortHost || port.Region == fabric.None {
			continue
		}
		for _, r := range img.Sets[port.Addrs] {
			a := r.Lo.Addr()
			p.byPrefix[netip.PrefixFrom(a, a.BitLen())] = trafficmanager.PlaceOf(img.Regions[port.Region])
		}
	}
	for prefix, region := range given {
		p.byPrefix[prefix.Masked()] = trafficmanager.PlaceOf(strings.ToLower(region))
	}
	var seen [2][129]bool
	for prefix := range p.byPrefix {
		family := 0
		if prefix.Addr().Is6() {
			family = 1
		}
		seen[family][prefix.Bits()] = true
	}
	for n := 128; n >= 0; n-- {
		if n <= 32 && seen[0][n] {
			p.lengths4 = append(p.lengths4, n)
		}
		if seen[1][n] {
			p.lengths6 = append(p.lengths6, n)
		}
	}
	return p
}

// of returns the place of a client of whose address so many bits are known, and
// for how many bits that is so.
func (p *places) of(a netip.Addr, known uint8) (trafficmanager.Place, uint8) {
	lengths := p.lengths4
	if a.Is6() {
		lengths = p.lengths6
	}
	for _, n := range lengths {
		if n > int(known) {
			continue
		}
		prefix, err := a.Prefix(n)
		if err != nil {
			continue
		}
		if place, ok := p.byPrefix[prefix]; ok {
			return place, known
		}
	}
	return trafficmanager.Place{}, known
}
