package compile

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/traffic/trafficmanager"
	"github.com/ceruleannet/cerulean/model"
)

// labelTTL is the lifetime of the DNS name of a public IP, in seconds.
// Unconfirmed.
const labelTTL = 10

// TrafficManagers reads the Traffic Manager profiles among resources, in order of
// their IDs, with the addresses of their endpoints as far as the network has
// them. The error is everything that is wrong with them.
func TrafficManagers(resources []*model.Resource, opts Options) ([]trafficmanager.Profile, error) {
	c := &compiler{opts: opts, img: &fabric.Image{}}
	c.decode(resources)
	c.publicAddresses()
	c.doors = FrontDoors(resources, opts)
	c.readPublicZones()
	c.readManagers()
	if err := c.sortedProblems().Err(); err != nil {
		return nil, err
	}
	return c.managers, nil
}

// readManagers reads the profiles and checks them.
func (c *compiler) readManagers() {
	byID := map[string]*model.Resource{}
	for _, it := range c.docs.managers.list {
		byID[it.key] = it.res
		p, err := trafficmanager.FromDocument(it.res, c.endpointTarget)
		if err != nil {
			c.managerProblems(byID, err)
			continue
		}
		c.managers = append(c.managers, p)
	}
	if err := trafficmanager.Check(c.managers); err != nil {
		c.managerProblems(byID, err)
		c.managers = nil
	}
}

// managerProblems tells what is wrong with profiles, each at its place.
func (c *compiler) managerProblems(byID map[string]*model.Resource, err error) {
	var all trafficmanager.Problems
	if !errors.As(err, &all) {
		return
	}
	for _, p := range all {
		what := "correct the profile"
		if strings.HasPrefix(p.Pointer, "/properties/endpoints/") {
			what = "correct the endpoint"
		}
		c.problem(byID[strings.ToLower(p.Profile)], p.Pointer, p.Error(), what)
	}
}

var errNoDNSName = errors.New("the public IP has no DNS name; give it dnsSettings.domainNameLabel")

// endpointTarget says what an endpoint leads to: a public IP by its ID, or
// whatever has a name of the network's or of the declared internet.
func (c *compiler) endpointTarget(of string) (trafficmanager.Target, error) {
	if !strings.HasPrefix(of, "/") {
		for _, it := range c.docs.publicIPs.list {
			if p := c.publicAddrs[it.key]; p.addr.IsValid() && p.dnsName() == of {
				return trafficmanager.Target{Name: of, Addrs: []netip.Addr{p.addr}, Region: it.res.Location()}, nil
			}
		}
		for i := range c.opts.Internet {
			h := &c.opts.Internet[i]
			if slices.ContainsFunc(append([]string{h.Name}, h.Names...), func(name string) bool { return strings.EqualFold(name, of) }) {
				return trafficmanager.Target{Name: of, Addrs: h.Addrs}, nil
			}
		}
		if addrs := c.hostedAddrs(of); len(addrs) > 0 {
			return trafficmanager.Target{Name: of, Addrs: addrs}, nil
		}
		return trafficmanager.Target{}, fmt.Errorf("nothing of the network is called %s", of)
	}
	p, ok := c.publicAddrs[strings.ToLower(of)]
	if !ok {
		return trafficmanager.Target{}, fmt.Errorf("targetResourceId %s is no public IP of the network; other resources are not modelled as endpoints", of)
	}
	if p.dnsName() == "" {
		return trafficmanager.Target{}, errNoDNSName
	}
	return trafficmanager.Target{Name: p.dnsName(), Addrs: []netip.Addr{p.addr}, Region: p.item.res.Location()}, nil
}

// dnsName is the DNS name of a public IP, or "" ("Public IP addresses", DNS name
// label).
func (p publicAddr) dnsName() string {
	settings, _ := p.item.res.Properties()["dnsSettings"].(map[string]any)
	if fqdn, _ := settings["fqdn"].(string); fqdn != "" {
		return strings.ToLower(strings.TrimSuffix(fqdn, "."))
	}
	label, _ := settings["domainNameLabel"].(string)
	if label == "" {
		return ""
	}
	return strings.ToLower(label) + "." + p.item.res.Location() + ".cloudapp.azure.com"
}

// labelNames are the DNS names of public IPs.
func (c *compiler) labelNames() []fabric.Zone {
	var out []fabric.Zone
	for _, it := range c.docs.publicIPs.list {
		p := c.publicAddrs[it.key]
		name := ""
		if p.item != nil {
			name = p.dnsName()
		}
		if name == "" {
			continue
		}
		at := origin(it.res, "/properties/dnsSettings", "")
		out = append(out, fabric.Zone{Name: name, Origin: at, Records: []fabric.Record{{Name: name, Addrs: []netip.Addr{p.addr}, TTL: labelTTL, Origin: at}}})
	}
	return out
}

// managerNames are the names of Traffic Manager profiles, as the platform's
// resolver of a region gets them while every endpoint is well.
func (c *compiler) managerNames(region string) []fabric.Zone {
	d := trafficmanager.New(c.managers, nil)
	client := trafficmanager.Client{Place: trafficmanager.PlaceOf(region)}
	var out []fabric.Zone
	for i := range c.managers {
		p := &c.managers[i]
		res, _ := c.docs.managers.get(p.ID)
		at := origin(res.res, "", "")
		z := fabric.Zone{Name: p.FQDN, Origin: at, Chosen: true}
		if answer, ok := d.Answer(p.FQDN, &client); ok {
			z.Records = []fabric.Record{{Name: p.FQDN, Alias: answer.Alias, Addrs: answer.Addrs, TTL: answer.TTL, Origin: at}}
		}
		out = append(out, z)
	}
	return out
}
