package fabric

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// Describe writes the image as text: stable, one fact a line, without epoch
// and declared places. Two images that describe alike behave alike.
func (img *Image) Describe(w io.Writer) error {
	b := bufio.NewWriter(w)
	for i, s := range img.Sets {
		fmt.Fprintf(b, "set %d:", i)
		for _, r := range s {
			fmt.Fprintf(b, " %x.%x-%x.%x", r.Lo.Hi, r.Lo.Lo, r.Hi.Hi, r.Hi.Lo)
		}
		fmt.Fprintln(b)
	}
	fmt.Fprintf(b, "platform %d edge %d\n", img.Platform, img.Edge)
	for i, from := range img.Regions {
		fmt.Fprintf(b, "region %s: %v\n", from, img.Delay[i])
	}
	for _, p := range img.Placed {
		fmt.Fprintf(b, "outside %s: %v\n", p.Addr, p.Delay)
	}
	for i := range img.Spaces {
		s := &img.Spaces[i]
		fmt.Fprintf(b, "space %d %s %s region %d\n", i, s.Name, s.Origin.text(), s.Region)
		for _, o := range s.Owners {
			fmt.Fprintf(b, "  owner %s-%s port %d\n", o.Range.Lo.Addr(), o.Range.Hi.Addr(), o.Port)
		}
		if s.View.Elsewhere || s.View.Forwards || len(s.View.Servers) > 0 {
			fmt.Fprintf(b, "  names elsewhere %v forwarded %v servers %v\n", s.View.Elsewhere, s.View.Forwards, s.View.Servers)
		}
		if s.View.Own.Name != "" {
			s.View.Own.describe(b)
		}
		for j := range s.View.Zones {
			s.View.Zones[j].describe(b)
		}
	}
	for i := range img.Segments {
		s := &img.Segments[i]
		fmt.Fprintf(b, "segment %d %s %s space %d %v\n", i, s.Name, s.Origin.text(), s.Space, s.Prefixes)
	}
	for i := range img.Ports {
		p := &img.Ports[i]
		fmt.Fprintf(b, "port %d %s %s %s space %d segment %d region %d addresses %d out %v in %v table %d silent %v\n",
			i, p.Kind, p.Name, p.Origin.text(), p.Space, p.Segment, p.Region, p.Addrs, p.Egress, p.Ingress, p.Routes, p.Silent)
		if p.Behind {
			fmt.Fprintf(b, "  behind a balancer\n")
		}
		for _, l := range p.Labels {
			fmt.Fprintf(b, "  label %s %s\n", l.Kind, l.Name)
		}
		if len(p.Servers) > 0 {
			fmt.Fprintf(b, "  names from %v\n", p.Servers)
		}
		if o := p.Outbound; o != nil {
			fmt.Fprintf(b, "  outbound %s %s %v %v barred %v ports %v shared %v per host %v timers %v reset %s at %s %s\n",
				o.What, o.Origin.text(), o.Pairs, o.Pool, o.Barred, o.Ports, o.Shared, o.PerHost, o.Timers, o.Reset, o.Place.Kind, o.Place.Name)
		}
		if f := p.Forward; f != nil {
			fmt.Fprintf(b, "  forward %v stateful %v own %v private %d\n", f.Policy, f.Stateful, f.Own, f.Private)
		}
		if in := p.Inward; in != nil {
			fmt.Fprintf(b, "  inward %d\n", in.Addrs)
			for j := range in.Redirects {
				r := &in.Redirects[j]
				fmt.Fprintf(b, "    redirect %s %v %s floating %v apart %v source %s %s\n", r.Name, r.Match, r.Hash, r.Floating, r.Apart, r.Source, r.Origin.text())
				fmt.Fprintf(b, "      symmetric %v nearest %v ends all down %v drain %s timers %v reset %s\n", r.Symmetric, r.Nearest, r.EndsAllDown, r.Drain, r.Timers, r.Reset)
				for _, t := range r.Targets {
					fmt.Fprintf(b, "      target port %d %s:%d down %q closed %v\n", t.Port, t.Addr, t.DstPort, t.Down, t.Closed)
					if q := t.Probe; q != nil {
						fmt.Fprintf(b, "        probe %s %s %s:%d%s every %s threshold %d all up %v fails %q %s\n", q.Name, q.Kind, t.Own, q.Port, q.Path, q.Interval, q.Threshold, q.AllUp, t.Fails, q.Origin.text())
					}
				}
			}
		}
		for _, a := range p.Admits {
			fmt.Fprintf(b, "  admits segment %d %s\n", a.Segment, a.Origin.text())
		}
	}
	for i := range img.Filters {
		f := &img.Filters[i]
		fmt.Fprintf(b, "filter %d %s %s %s default %s\n", i, f.Stage, f.Name, f.Origin.text(), f.Default)
		for j := range f.Rules {
			r := &f.Rules[j]
			fmt.Fprintf(b, "  %d %s %v masquerade %v %s\n", r.Priority, r.Action, r.Match, r.Masquerade, r.Origin.text())
		}
	}
	for i := range img.Tables {
		t := &img.Tables[i]
		fmt.Fprintf(b, "table %d %s %s\n", i, t.Name, t.Origin.text())
		for _, r := range t.Routes {
			fmt.Fprintf(b, "  %s %s %s hop %v inactive %v %s\n", r.Prefix, r.Source, r.Kind, r.Hop, r.Inactive, r.Origin.text())
		}
	}
	for _, p := range img.Publics {
		fmt.Fprintf(b, "public %s port %d private %s unknown %v closed %v %s\n", p.Addr, p.Port, p.Private, p.Unknown, p.Closed, p.Origin.text())
	}
	for _, n := range img.Notes {
		fmt.Fprintf(b, "note %s %s\n", n.Origin.text(), n.What)
	}
	return b.Flush()
}

// text is the origin without its place; IDs compare without case.
func (o Origin) text() string { return strings.ToLower(o.Resource) + "#" + o.Name }

func (z *Zone) describe(b *bufio.Writer) {
	fmt.Fprintf(b, "  zone %s %s %q %d\n", z.Name, z.Origin.text(), z.SOA.Text, z.SOA.TTL)
	for i := range z.Records {
		r := &z.Records[i]
		fmt.Fprintf(b, "    %s %d %v %s %s registered %v\n", r.Name, r.TTL, r.Addrs, r.Alias, r.Origin.text(), r.Registered)
		if r.Follows != "" {
			fmt.Fprintf(b, "      follows %s\n", r.Follows)
		}
		for _, d := range r.Data {
			fmt.Fprintf(b, "      %d %d %s\n", d.Type, d.TTL, d.Text)
		}
		for _, d := range r.Data {
			fmt.Fprintf(b, "      %d %d %q\n", d.Type, d.TTL, d.Text)
		}
	}
}
