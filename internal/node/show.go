package node

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// Summary is what a network consists of, for people.
type Summary struct {
	Network   string          `json:"network"`
	Resources int             `json:"resources"`
	VNets     []VNetSummary   `json:"virtualNetworks"`
	Warnings  []model.Problem `json:"warnings,omitempty"`
}

// VNetSummary is one virtual network of a summary.
type VNetSummary struct {
	Name     string          `json:"name"`
	Region   string          `json:"region"`
	Prefixes []netip.Prefix  `json:"prefixes"`
	Subnets  []SubnetSummary `json:"subnets"`
}

// SubnetSummary is one subnet of a summary.
type SubnetSummary struct {
	Name     string         `json:"name"`
	Prefixes []netip.Prefix `json:"prefixes"`
	Ports    []PortSummary  `json:"ports,omitempty"`
}

// PortSummary is something at an address of a subnet.
type PortSummary struct {
	Name     string       `json:"name"`
	Kind     string       `json:"kind"`
	Addrs    []netip.Addr `json:"addresses"`
	Public   []netip.Addr `json:"public,omitempty"`
	Services []string     `json:"services,omitempty"`
}

// Summary lists the virtual networks, subnets, hosts and firewalls.
func (d *Design) Summary() *Summary {
	img, n := d.Image, d.Network()
	s := &Summary{Network: n.Name, Resources: len(n.Resources), Warnings: d.Declared.Warnings}
	services := map[string][]string{}
	for _, h := range n.Hosts {
		for _, v := range h.Services {
			key := strings.ToLower(h.Name)
			services[key] = append(services[key], fmt.Sprintf("%s/%d", v.Kind, v.Port))
		}
	}
	vnets := make([]VNetSummary, len(img.Spaces))
	subnets := make([]SubnetSummary, len(img.Segments))
	for i := range img.Ports {
		p := &img.Ports[i]
		if p.Kind != fabric.PortHost && p.Kind != fabric.PortForwarder {
			continue
		}
		port := PortSummary{Name: p.Name, Kind: p.Kind.String()}
		if host := labelOf(p, string(model.LabelHost)); host != "" {
			port.Name, port.Services = host, services[host]
		}
		for _, r := range img.Sets[p.Addrs] {
			port.Addrs = append(port.Addrs, r.Lo.Addr())
		}
		if o := p.Outbound; o != nil && o.What != "default outbound access" {
			for _, pair := range o.Pairs {
				port.Public = append(port.Public, pair.Public)
			}
			port.Public = append(port.Public, o.Pool...)
		}
		subnets[p.Segment].Ports = append(subnets[p.Segment].Ports, port)
	}
	for i := range img.Segments {
		g := &img.Segments[i]
		subnets[i].Name, subnets[i].Prefixes = g.Name, g.Prefixes
		vnets[g.Space].Subnets = append(vnets[g.Space].Subnets, subnets[i])
	}
	for i := range img.Spaces {
		sp := &img.Spaces[i]
		vnets[i].Name, vnets[i].Prefixes = sp.Name, d.prefixesOf(sp)
		if sp.Region != fabric.None {
			vnets[i].Region = img.Regions[sp.Region]
		}
	}
	s.VNets = vnets
	return s
}

// prefixesOf returns the address space of a virtual network.
func (d *Design) prefixesOf(s *fabric.Space) []netip.Prefix {
	for _, r := range d.Network().Resources {
		if !strings.EqualFold(r.ID.String(), s.Origin.Resource) {
			continue
		}
		space, _ := r.Properties()["addressSpace"].(map[string]any)
		texts, _ := space["addressPrefixes"].([]any)
		var out []netip.Prefix
		for _, t := range texts {
			if p, err := netip.ParsePrefix(fmt.Sprint(t)); err == nil {
				out = append(out, p)
			}
		}
		return out
	}
	return nil
}

func labelOf(p *fabric.Port, kind string) string {
	for _, l := range p.Labels {
		if l.Kind == kind {
			return l.Name
		}
	}
	return ""
}

// WriteSummary writes the summary.
func (d *Design) WriteSummary(w io.Writer, asJSON bool) error {
	s := d.Summary()
	if asJSON {
		return writeJSON(w, s)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "%s: %d resources, %d virtual networks\n", s.Network, s.Resources, len(s.VNets))
	for _, v := range s.VNets {
		fmt.Fprintf(t, "\n%s\t%s\t%s\n", v.Name, join(v.Prefixes), v.Region)
		for _, n := range v.Subnets {
			fmt.Fprintf(t, "  %s\t%s\t\n", n.Name, join(n.Prefixes))
			for _, p := range n.Ports {
				what := strings.Join(p.Services, " ")
				if p.Kind != "host" {
					what = p.Kind
				}
				if len(p.Public) > 0 {
					what += " public " + join(p.Public)
				}
				fmt.Fprintf(t, "    %s\t%s\t%s\n", p.Name, join(p.Addrs), strings.TrimSpace(what))
			}
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, p := range s.Warnings {
		if _, err := fmt.Fprintf(w, "warning: %s\n", p.Error()); err != nil {
			return err
		}
	}
	return nil
}

// WriteExpanded writes every resource the network stands for.
func (d *Design) WriteExpanded(w io.Writer, asJSON bool) error {
	write := d.Declared.Expanded
	if asJSON {
		write = d.Declared.ExpandedJSON
	}
	b, err := write()
	if err == nil {
		_, err = w.Write(b)
	}
	return err
}

// port finds the port of a host, interface, firewall or address.
func (d *Design) port(name string) (*fabric.Port, error) {
	img := d.Image
	key := strings.ToLower(name)
	addr, addrErr := netip.ParseAddr(name)
	var names []string
	for i := range img.Ports {
		p := &img.Ports[i]
		switch {
		case p.Kind == fabric.PortEdge:
			continue
		case strings.EqualFold(p.Name, name), strings.EqualFold(p.Origin.Resource, name),
			strings.HasSuffix(strings.ToLower(p.Origin.Resource), "/networkinterfaces/"+key),
			p.Has(fabric.Label{Kind: string(model.LabelHost), Name: key}),
			p.Kind == fabric.PortForwarder && p.Has(fabric.Label{Kind: string(model.LabelFirewall), Name: key}),
			addrErr == nil && img.Sets[p.Addrs].Contains(fabric.AddrValue(addr)):
			return p, nil
		}
		if host := labelOf(p, string(model.LabelHost)); host != "" {
			names = append(names, host)
		}
	}
	return nil, fmt.Errorf("nothing is called %q; name a host, a network interface, a firewall or an address (hosts: %s)", name, shorten(names))
}

// shorten lists a few names.
func shorten(names []string) string {
	slices.Sort(names)
	if len(names) > 8 {
		return strings.Join(names[:8], ", ") + fmt.Sprintf(" and %d more", len(names)-8)
	}
	return strings.Join(names, ", ")
}

func join[T fmt.Stringer](items []T) string {
	texts := make([]string, len(items))
	for i, x := range items {
		texts[i] = x.String()
	}
	return strings.Join(texts, ", ")
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
