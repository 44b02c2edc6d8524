package drill

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// Kinds are what can fail, in the order of the documentation.
var Kinds = []string{"region", "zone", "host", "appliance", "gateway", "link", "probe"}

// Target is something that can fail.
type Target struct {
	Kind  string
	Names []string // one; of a link the two ends, of a probe "BALANCER/HOST"
}

// String is the target as it is written: "region eastus".
func (t Target) String() string { return t.Kind + " " + strings.Join(t.Names, " ") }

// Parse reads what is to fail: region NAME, zone REGION/ZONE, host NAME,
// appliance NAME (a host that forwards, or a firewall), gateway NAME, link A B
// (regions, zones, hosts, sites or internet) or probe BALANCER/HOST. The error
// of a name that the image does not have says which there are.
func Parse(img *fabric.Image, words ...string) (Target, error) {
	if len(words) == 1 {
		words = strings.Fields(words[0])
	}
	if len(words) == 0 || !slices.Contains(Kinds, words[0]) {
		return Target{}, fmt.Errorf("what is to fail? Write one of %s, and its name", strings.Join(Kinds, ", "))
	}
	t := Target{Kind: words[0]}
	for _, w := range words[1:] {
		t.Names = append(t.Names, strings.ToLower(w))
	}
	if want := map[bool]int{true: 2, false: 1}[t.Kind == "link"]; len(t.Names) != want {
		named := map[string]string{"zone": "zone REGION/ZONE", "link": "link A B", "probe": "probe BALANCER/HOST"}
		return Target{}, fmt.Errorf("%s: %d names given, %d wanted; write %s", t.Kind, len(t.Names), want, cmp.Or(named[t.Kind], t.Kind+" NAME"))
	}
	_, err := t.Failure(img)
	return t, err
}

// Failure is the target in terms of an image.
func (t Target) Failure(img *fabric.Image) (fabric.Failure, error) {
	f := fabric.Failure{Name: t.String()}
	switch t.Kind {
	case "link":
		for _, name := range t.Names {
			if _, ok := place(img, name); !ok {
				return f, fmt.Errorf("link: nothing is called %q; use a region, REGION/ZONE, a host, a site or internet", name)
			}
		}
		a, _ := place(img, t.Names[0])
		b, _ := place(img, t.Names[1])
		f.Cuts = []fabric.Cut{{A: a, B: b}}
		return f, nil
	case "probe":
		return f, t.probes(img, &f)
	}
	var names []string
	for i := range img.Ports {
		for _, name := range t.namesOf(img, &img.Ports[i]) {
			if name == t.Names[0] {
				f.Ports = append(f.Ports, fabric.PortID(i))
			}
			names = append(names, name)
		}
	}
	if t.Kind == "zone" {
		f.Places = t.places(img, &names)
	}
	if len(f.Ports)+len(f.Places) == 0 {
		return f, unknownName(t.Kind, t.Names[0], names)
	}
	return f, nil
}

// places returns the zone itself if something that is no port stands in it, such
// as a NAT gateway.
func (t Target) places(img *fabric.Image, names *[]string) (out []fabric.Label) {
	for i := range img.Ports {
		o := img.Ports[i].Outbound
		if o == nil || o.Place.Kind != string(model.LabelZone) {
			continue
		}
		*names = append(*names, o.Place.Name)
		if o.Place.Name == t.Names[0] && len(out) == 0 {
			out = append(out, o.Place)
		}
	}
	return out
}

// namesOf returns the names by which a kind of target means a port.
func (t Target) namesOf(img *fabric.Image, p *fabric.Port) []string {
	kinds := map[string][]model.LabelKind{
		"zone": {model.LabelZone}, "host": {model.LabelHost}, "gateway": {model.LabelGateway},
		"appliance": {model.LabelFirewall, model.LabelHost},
	}
	if t.Kind == "region" {
		// Sites are elsewhere, and so is the internet.
		if p.Region == fabric.None || p.Kind == fabric.PortSite || p.Kind == fabric.PortEdge {
			return nil
		}
		return []string{img.Regions[p.Region]}
	}
	var out []string
	for _, l := range p.Labels {
		if !slices.Contains(kinds[t.Kind], model.LabelKind(l.Kind)) {
			continue
		}
		if t.Kind == "appliance" && p.Forward == nil && l.Kind == string(model.LabelHost) {
			continue
		}
		out = append(out, l.Name)
	}
	return out
}

// place finds what a link's end means.
func place(img *fabric.Image, name string) (fabric.Label, bool) {
	for _, kind := range []string{"region", "internet", string(model.LabelZone), string(model.LabelSite), string(model.LabelHost)} {
		if kind == "internet" && name != "internet" {
			continue
		}
		l := fabric.Label{Kind: kind, Name: name}
		for i := range img.Ports {
			if img.Ports[i].At(img, l) {
				return l, true
			}
		}
	}
	return fabric.Label{}, false
}

// probes adds the probes of a member of a load balancer.
func (t Target) probes(img *fabric.Image, f *fabric.Failure) error {
	var names []string
	for i := range img.Ports {
		p := &img.Ports[i]
		if p.Inward == nil {
			continue
		}
		for j := range p.Inward.Redirects {
			for k := range p.Inward.Redirects[j].Targets {
				asked, ok := p.Inward.Redirects[j].Targets[k].Asked()
				if !ok {
					continue
				}
				for _, b := range labels(p, model.LabelBalancer) {
					for _, h := range labels(&img.Ports[asked.Port], model.LabelHost) {
						names = append(names, b+"/"+h)
						if b+"/"+h == t.Names[0] && !slices.Contains(f.Probes, asked) {
							f.Probes = append(f.Probes, asked)
						}
					}
				}
			}
		}
	}
	if len(f.Probes) == 0 {
		return unknownName("probe", t.Names[0], names)
	}
	return nil
}

func labels(p *fabric.Port, kind model.LabelKind) []string {
	var out []string
	for _, l := range p.Labels {
		if l.Kind == string(kind) {
			out = append(out, l.Name)
		}
	}
	return out
}

// maxNamed bounds the names that an error lists.
const maxNamed = 20

func unknownName(kind, name string, have []string) error {
	sort.Strings(have)
	have = slices.Compact(have)
	if len(have) == 0 {
		return fmt.Errorf("%s: the network has none", kind)
	}
	more := ""
	if len(have) > maxNamed {
		more = fmt.Sprintf(" and %d more", len(have)-maxNamed)
		have = have[:maxNamed]
	}
	return fmt.Errorf("%s: none is called %q; there is %s%s", kind, name, strings.Join(have, ", "), more)
}

// All returns every target of an image: what a fuzzer or a game day picks from.
// Links are those between two regions.
func All(img *fabric.Image) []Target {
	var out []Target
	add := func(t Target) {
		if !slices.ContainsFunc(out, func(x Target) bool { return x.String() == t.String() }) {
			out = append(out, t)
		}
	}
	for _, kind := range Kinds {
		switch kind {
		case "link":
			for i, a := range img.Regions {
				for _, b := range img.Regions[i+1:] {
					add(Target{kind, []string{a, b}})
				}
			}
		case "probe":
			for i := range img.Ports {
				p := &img.Ports[i]
				if p.Inward == nil {
					continue
				}
				for j := range p.Inward.Redirects {
					for k := range p.Inward.Redirects[j].Targets {
						if asked, ok := p.Inward.Redirects[j].Targets[k].Asked(); ok {
							for _, b := range labels(p, model.LabelBalancer) {
								for _, h := range labels(&img.Ports[asked.Port], model.LabelHost) {
									add(Target{kind, []string{b + "/" + h}})
								}
							}
						}
					}
				}
			}
		default:
			for i := range img.Ports {
				for _, name := range (Target{Kind: kind}).namesOf(img, &img.Ports[i]) {
					add(Target{kind, []string{name}})
				}
				if o := img.Ports[i].Outbound; kind == "zone" && o != nil && o.Place.Kind == kind {
					add(Target{kind, []string{o.Place.Name}})
				}
			}
		}
	}
	return out
}
