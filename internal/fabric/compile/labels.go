package compile

import (
	"slices"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
)

// labels names every port in the ways selectors can.
func (c *compiler) labels() {
	bySubnet := map[*subnet][]string{} // network groups of single subnets
	for _, g := range c.effect.Groups {
		for _, v := range g.VNets {
			c.vnets[v].labels = append(c.vnets[v].labels, label(model.LabelGroup, g.Name))
		}
		for _, id := range g.Subnets {
			s := c.subnetBy[id.Key()]
			bySubnet[s] = append(bySubnet[s], g.Name)
		}
	}
	for _, v := range c.vnets {
		v.labels = append(v.labels, label(model.LabelVNet, v.res.ID.Name()), label(model.LabelRegion, v.region))
		v.labels = append(v.labels, tagLabels(v.view.Tags)...)
	}
	shared := map[*subnet][]fabric.Label{}
	for _, s := range c.subnets {
		list := append(slices.Clone(s.vnet.labels), label(model.LabelSubnet, s.name))
		for _, g := range bySubnet[s] {
			list = append(list, label(model.LabelGroup, g))
		}
		shared[s] = unique(list)
	}
	for _, p := range c.ports {
		out := &c.img.Ports[p.id]
		switch {
		case p.wall != nil:
			out.Labels = unique([]fabric.Label{
				label(model.LabelFirewall, p.wall.res.ID.Name()),
				label(model.LabelVNet, p.subnet.vnet.res.ID.Name()),
				label(model.LabelRegion, p.subnet.vnet.region),
			})
		case p.nic != nil:
			list := slices.Clone(shared[p.subnet])
			if p.vm != nil {
				list = append(list, label(model.LabelHost, p.vm.res.ID.Name()))
			}
			for _, asg := range p.asgs {
				list = append(list, label(model.LabelASG, asg[strings.LastIndexByte(asg, '/')+1:]))
			}
			out.Labels = unique(append(list, tagLabels(p.nic.view.Tags)...))
		default:
			out.Labels = shared[p.subnet]
		}
	}
}

func label(kind model.LabelKind, name string) fabric.Label {
	return fabric.Label{Kind: string(kind), Name: strings.ToLower(name)}
}

func tagLabels(tags map[string]string) []fabric.Label {
	list := make([]fabric.Label, 0, len(tags))
	for k, v := range tags {
		list = append(list, label(model.LabelTag, k+"="+v))
	}
	return list
}

// unique sorts labels and removes repetitions.
func unique(list []fabric.Label) []fabric.Label {
	slices.SortFunc(list, func(a, b fabric.Label) int {
		if x := strings.Compare(a.Kind, b.Kind); x != 0 {
			return x
		}
		return strings.Compare(a.Name, b.Name)
	})
	return slices.Clip(slices.Compact(list))
}

// finish adds what concerns the image as a whole: the internet, the platform,
// regions with the delays between them, and the sets.
func (c *compiler) finish() {
	c.edge()
	c.img.Platform = c.sets.id(fabric.AddrSet(catalog.PlatformAddresses()...))
	c.regions()
	c.img.Sets = c.sets.list
	slices.SortStableFunc(c.img.Notes, func(a, b fabric.Note) int {
		if x := strings.Compare(a.Origin.Resource, b.Origin.Resource); x != 0 {
			return x
		}
		return strings.Compare(a.What, b.What)
	})
}

// regions lists the regions in use and half the round trip between them: as
// published, else estimated from the distance.
func (c *compiler) regions() {
	ids := map[string]fabric.RegionID{}
	for _, v := range c.vnets {
		ids[v.region] = 0
	}
	for name := range ids {
		c.img.Regions = append(c.img.Regions, name)
	}
	slices.Sort(c.img.Regions)
	for i, name := range c.img.Regions {
		ids[name] = fabric.RegionID(i)
	}
	for i, v := range c.vnets {
		c.img.Spaces[i].Region = ids[v.region]
	}
	for _, p := range c.ports {
		c.img.Ports[p.id].Region = ids[p.subnet.vnet.region]
	}
	c.img.Delay = make([][]time.Duration, len(c.img.Regions))
	for i, from := range c.img.Regions {
		c.img.Delay[i] = make([]time.Duration, len(c.img.Regions))
		for j, to := range c.img.Regions {
			rtt, ok := catalog.RTT(from, to)
			if !ok {
				rtt, _ = catalog.EstimateRTT(from, to)
			}
			c.img.Delay[i][j] = rtt / 2
		}
	}
}
