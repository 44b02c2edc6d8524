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
			out.Labels = unique(append([]fabric.Label{
				label(model.LabelFirewall, p.wall.res.ID.Name()),
				label(model.LabelVNet, p.subnet.vnet.res.ID.Name()),
				label(model.LabelRegion, p.subnet.vnet.region),
			}, zoneLabels(p.wall.res)...))
		case p.undecided, p.paths:
		case p.gateway != nil:
			out.Labels = unique([]fabric.Label{
				label(model.LabelGateway, p.gateway.res.ID.Name()),
				label(model.LabelVNet, p.subnet.vnet.res.ID.Name()),
				label(model.LabelRegion, p.subnet.vnet.region),
			})
		case p.appGateway != nil:
			out.Labels = c.appLabels(p, shared[p.subnet])
		case p.site != nil:
			out.Labels = []fabric.Label{label(model.LabelSite, p.site.name)}
		case p.balancer != nil, p.endpoint != nil, p.link != nil, p.service != nil:
			out.Labels = c.deviceLabels(p, shared[p.subnet])
		case p.nic != nil:
			list := slices.Clone(shared[p.subnet])
			if p.vm != nil {
				list = append(list, label(model.LabelHost, p.vm.res.ID.Name()))
				list = append(list, zoneLabels(p.vm.res)...)
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

// deviceLabels names a load balancer, private endpoint, private link service or
// platform service. What has addresses in a subnet carries its labels as well,
// and an endpoint the name of the service it reaches.
func (c *compiler) deviceLabels(p *port, subnet []fabric.Label) []fabric.Label {
	var list []fabric.Label
	switch {
	case p.balancer != nil:
		list = append(slices.Clone(subnet), label(model.LabelBalancer, p.balancer.res.ID.Name()))
		if p.subnet.vnet.item == nil && !p.balancer.isGlobal() {
			list = append(list, label(model.LabelRegion, p.balancer.res.Location()))
		}
		list = append(list, tagLabels(p.balancer.view.Tags)...)
	case p.endpoint != nil:
		list = append(slices.Clone(subnet), label(model.LabelEndpoint, p.endpoint.res.ID.Name()))
		if p.endpoint.target != "" {
			list = append(list, label(model.LabelService, lastSegment(p.endpoint.target)))
		}
		for _, asg := range p.asgs {
			list = append(list, label(model.LabelASG, lastSegment(asg)))
		}
	case p.link != nil:
		list = append(slices.Clone(subnet), label(model.LabelService, p.link.res.ID.Name()))
	case p.service != nil:
		list = append(list, label(model.LabelService, p.service.res.ID.Name()), label(model.LabelRegion, p.service.res.Location()))
	}
	return unique(list)
}

// zoneLabels names the availability zone of what is in one; what is in several,
// or in none, survives the loss of each.
func zoneLabels(r *model.Resource) []fabric.Label {
	zones, _ := r.Doc["zones"].([]any)
	if len(zones) != 1 {
		return nil
	}
	zone, ok := zones[0].(string)
	if !ok || zone == "" {
		return nil
	}
	return []fabric.Label{label(model.LabelZone, r.Location()+"/"+zone)}
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
	for _, p := range c.ports {
		ids[p.subnet.vnet.region] = 0
	}
	delete(ids, "")
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
		c.img.Ports[p.id].Region = fabric.None
		if id, ok := ids[p.subnet.vnet.region]; ok {
			c.img.Ports[p.id].Region = id
		}
	}
	c.img.Delay = make([][]time.Duration, len(c.img.Regions))
	for i, from := range c.img.Regions {
		c.img.Delay[i] = make([]time.Duration, len(c.img.Regions))
		for j, to := range c.img.Regions {
			c.img.Delay[i][j] = delay(from, to)
		}
	}
	for i := range c.opts.Internet {
		h := &c.opts.Internet[i]
		if h.Region == "" {
			continue
		}
		for _, a := range h.Addrs {
			p := fabric.Placed{Addr: a, Delay: make([]time.Duration, len(c.img.Regions))}
			for j, to := range c.img.Regions {
				p.Delay[j] = delay(h.Region, to)
			}
			c.img.Placed = append(c.img.Placed, p)
		}
	}
	slices.SortStableFunc(c.img.Placed, func(a, b fabric.Placed) int { return a.Addr.Compare(b.Addr) })
	c.img.Placed = slices.CompactFunc(c.img.Placed, func(a, b fabric.Placed) bool { return a.Addr == b.Addr })
}

// delay is the one-way delay between two regions: as published, else estimated.
func delay(from, to string) time.Duration {
	rtt, ok := catalog.RTT(from, to)
	if !ok {
		rtt, _ = catalog.EstimateRTT(from, to)
	}
	return rtt / 2
}
