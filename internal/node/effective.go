package node

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/ceruleannet/cerulean/internal/diagnose"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// RouteRow is one effective route as Azure's effectiveRouteTable answers it, with
// where it came from.
type RouteRow struct {
	diagnose.EffectiveRoute
	Resource string `json:"resource"`
	Place    string `json:"place,omitempty"`
}

// Routes returns the effective routes of a host, interface or firewall.
func (d *Design) Routes(name string) ([]RouteRow, error) {
	p, err := d.port(name)
	if err != nil {
		return nil, err
	}
	table := &d.Image.Tables[p.Routes]
	var declared *model.Resource
	for _, r := range d.Network().Resources {
		if r.ID.Is(model.TypeRouteTable) && strings.EqualFold(r.ID.String(), table.Origin.Resource) {
			declared = r
		}
	}
	routes, err := diagnose.EffectiveRoutes(table, declared)
	if err != nil {
		return nil, err
	}
	rows := make([]RouteRow, len(routes))
	for i, r := range routes {
		rows[i] = RouteRow{r, r.Origin.Resource, r.Origin.Place}
	}
	return rows, nil
}

// WriteRoutes writes the effective routes of a host, interface or firewall.
func (d *Design) WriteRoutes(w io.Writer, name string, asJSON bool) error {
	rows, err := d.Routes(name)
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(w, map[string]any{"value": rows})
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SOURCE\tSTATE\tPREFIX\tNEXT HOP\tFROM")
	for _, r := range rows {
		hop := strings.TrimSpace(r.HopType + " " + strings.Join(r.HopAddress, " "))
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", r.Source, r.State, few(r.Prefixes), hop, from(r.Origin))
	}
	return t.Flush()
}

// RuleRow is one effective security rule.
type RuleRow struct {
	Direction        string   `json:"direction"` // Outbound, Inbound
	Stage            string   `json:"stage"`
	Group            string   `json:"group"`
	Name             string   `json:"name"`
	Priority         int32    `json:"priority"`
	Access           string   `json:"access"`
	Protocol         string   `json:"protocol"`
	Sources          []string `json:"sources"`
	SourcePorts      string   `json:"sourcePorts"`
	Destinations     []string `json:"destinations"`
	DestinationPorts string   `json:"destinationPorts"`
	Place            string   `json:"place,omitempty"`
}

// Rules returns the effective security rules of a host, interface or firewall
// in the order a packet meets them: outbound, then inbound, then the policy of
// a firewall.
func (d *Design) Rules(name string) ([]RuleRow, error) {
	p, err := d.port(name)
	if err != nil {
		return nil, err
	}
	rows := []RuleRow{}
	add := func(direction string, filters []fabric.FilterID) {
		for _, id := range filters {
			f := &d.Image.Filters[id]
			for i := range f.Rules {
				rows = append(rows, d.ruleRow(direction, f, &f.Rules[i]))
			}
		}
	}
	add("Outbound", p.Egress)
	add("Inbound", p.Ingress)
	if p.Forward != nil {
		add("Forwarding", p.Forward.Policy)
	}
	return rows, nil
}

func (d *Design) ruleRow(direction string, f *fabric.Filter, r *fabric.Rule) RuleRow {
	set := func(field fabric.Field) fabric.Set { return d.Image.Sets[r.Match[field]] }
	return RuleRow{
		Direction: direction, Stage: f.Stage.String(), Group: f.Name, Name: r.Origin.Name, Priority: r.Priority,
		Access: r.Action.String(), Protocol: protocols(set(fabric.Proto)),
		Sources: prefixes(set(fabric.Src)), SourcePorts: ports(set(fabric.SrcPort)),
		Destinations: prefixes(set(fabric.Dst)), DestinationPorts: ports(set(fabric.DstPort)), Place: r.Origin.Place,
	}
}

// WriteRules writes the effective security rules of a host, interface or
// firewall.
func (d *Design) WriteRules(w io.Writer, name string, asJSON bool) error {
	rows, err := d.Rules(name)
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(w, map[string]any{"value": rows})
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	last := ""
	for _, r := range rows {
		if head := r.Direction + ", " + r.Stage + ": " + r.Group; head != last {
			// Each list has columns of its own, as wide as it needs.
			if err := t.Flush(); err != nil {
				return err
			}
			if last != "" {
				fmt.Fprintln(w)
			}
			fmt.Fprintln(w, head)
			fmt.Fprintln(t, "PRIO\tACCESS\tSOURCE\tDESTINATION\tTRAFFIC\tRULE")
			last = head
		}
		traffic := r.Protocol
		if r.DestinationPorts != "any" {
			traffic += "/" + r.DestinationPorts
		}
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\n", r.Priority, r.Access, few(r.Sources), few(r.Destinations), traffic, r.Name)
	}
	return t.Flush()
}

// from names the origin of a row: its declared place, without the folder, or its
// resource.
func from(o fabric.Origin) string {
	if o.Place != "" {
		return filepath.Base(o.Place)
	}
	if o.Resource == "" {
		return ""
	}
	return o.Resource[strings.LastIndexByte(o.Resource, '/')+1:]
}

func few(texts []string) string {
	if len(texts) > 1 {
		return fmt.Sprintf("%s +%d", texts[0], len(texts)-1)
	}
	return strings.Join(texts, "")
}

func prefixes(s fabric.Set) []string {
	if s.IsAll() {
		return []string{"any"}
	}
	out := []string{}
	for _, p := range s.Prefixes() {
		out = append(out, p.String())
	}
	return out
}

func ports(s fabric.Set) string {
	if s.IsAll() {
		return "any"
	}
	var out []string
	for _, r := range s {
		if r.Lo == r.Hi {
			out = append(out, fmt.Sprint(r.Lo.Lo))
		} else {
			out = append(out, fmt.Sprintf("%d-%d", r.Lo.Lo, r.Hi.Lo))
		}
	}
	return strings.Join(out, ",")
}

func protocols(s fabric.Set) string {
	if s.IsAll() {
		return "any"
	}
	var out []string
	for _, r := range s {
		for v := r.Lo.Lo; v <= r.Hi.Lo && v <= 255; v++ {
			out = append(out, fabric.ProtoName(uint8(v)))
		}
	}
	return strings.Join(out, ",")
}
