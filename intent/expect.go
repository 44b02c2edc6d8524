package intent

import (
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// expectations resolves the claims over the names of the finished network.
func (b *builder) expectations() []model.Expectation {
	var out []model.Expectation
	seen := map[string]Text{}
	for _, spec := range b.doc.Expectations {
		// A sentence with {region} is a claim about each region; names to
		// resolve are one claim about them all.
		regions := []string{""}
		if b.perRegion(spec) {
			regions = b.regions
		}
		for _, region := range regions {
			s := spec
			if region != "" {
				names := s.Resolves
				s.Resolves = nil
				s = substitute(b, s, map[string]string{"region": region})
				s.Resolves = names
				if s.Name.IsSet() && s.Name.Value == spec.Name.Value {
					s.Name.Value += " (" + region + ")"
				}
			}
			e, ok := b.expectation(s)
			if !ok {
				continue
			}
			if first, dup := seen[e.Name]; dup && s.Name.IsSet() {
				b.problem(s.Name.Pos, "it is already at "+first.Pos.String()+"; rename one", "duplicate expectation %q", e.Name)
			}
			seen[e.Name] = Text{e.Name, e.Pos}
			out = append(out, e)
		}
	}
	return out
}

func (b *builder) perRegion(spec Expectation) bool {
	texts := append(Texts{spec.Deny, spec.Allow, spec.Symmetric, spec.From}, spec.Through...)
	for _, t := range texts {
		if strings.Contains(t.Value, "{region}") {
			return true
		}
	}
	return false
}

func (b *builder) expectation(spec Expectation) (model.Expectation, bool) {
	before := len(*b.problems)
	e := model.Expectation{Pos: spec.Pos}
	verbs := map[string]Text{"deny": spec.Deny, "allow": spec.Allow, "symmetric": spec.Symmetric}
	sentences := 0
	for _, t := range verbs {
		if t.IsSet() {
			sentences++
		}
	}
	switch {
	case len(spec.Resolves) > 0 && sentences > 0:
		b.problem(spec.Pos, "make them two expectations", "an expectation has both resolves and a sentence")
		return e, false
	case len(spec.Resolves) > 0:
		b.resolves(&e, spec)
	case sentences == 0:
		b.problem(spec.Pos, "add deny, allow, symmetric or resolves", "an expectation claims nothing")
		return e, false
	default:
		verb, t, ok := b.ruleText(spec.Pos, verbs)
		if !ok {
			return e, false
		}
		b.claim(&e, model.Verb(verb), t)
		if spec.From.IsSet() {
			b.problem(spec.From.Pos, "write the source before the arrow", "from belongs to resolves only")
		}
	}
	e.Name = spec.Name.Or(e.Text, e.Pos).Value
	b.relation(&e, spec)
	b.through(&e, spec)
	return e, len(*b.problems) == before
}

// claim reads the sentence of an expectation.
func (b *builder) claim(e *model.Expectation, verb model.Verb, t Text) {
	e.Verb, e.Text, e.Pos = verb, string(verb)+" "+strings.Join(strings.Fields(t.Value), " "), t.Pos
	s, c := parseSentence(t.Value)
	if c != nil {
		b.problem(t.Pos, c.fix, "%s", c.what)
		return
	}
	e.Both, e.Traffic = s.both, s.traffic
	e.From = b.selector(Text{s.from, t.Pos})
	e.To = b.selector(Text{s.to, t.Pos})
	if e.From.Internet && e.To.Internet {
		b.problem(t.Pos, "put something of the network on one side", "%q says nothing about the network", t.Value)
	}
}

// selector resolves a side, reporting what is wrong with it.
func (b *builder) selector(t Text) model.Selector {
	sel, c := b.names.selector(t.Value)
	sel.Pos = t.Pos
	if c == nil {
		return sel
	}
	if tag, ok := serviceTag(t.Value); ok {
		fix := "write a group, any, internet or a prefix"
		if tag == "VirtualNetwork" {
			fix = "write any"
		}
		c = complain(fix, "%q is a service tag, which only rules can name", t.Value)
	}
	b.problem(t.Pos, c.fix, "%s", c.what)
	return sel
}

func (b *builder) resolves(e *model.Expectation, spec Expectation) {
	e.Verb, e.Pos = model.Resolves, spec.Resolves[0].Pos
	e.Text = "resolves " + spec.Resolves.Join()
	e.From = b.selector(spec.From.Or("any", e.Pos))
	e.To = model.Selector{Text: "any", Any: true, Pos: e.Pos}
	if spec.From.IsSet() {
		e.Text += " from " + spec.From.Value
	}
	if e.From.Internet {
		b.problem(spec.From.Pos, "name something of the network", "the internet does not use private DNS zones")
	}
	for _, t := range spec.Resolves {
		regions := []string{""}
		if strings.Contains(t.Value, "{region}") {
			regions = b.regions
		}
		for _, region := range regions {
			name := strings.TrimSuffix(strings.ToLower(strings.ReplaceAll(t.Value, "{region}", region)), ".")
			if !validDomain(name) {
				b.problem(t.Pos, "write a name such as db.example.com", "%q is not a domain name", t.Value)
				break
			}
			e.Names = append(e.Names, name)
		}
	}
}

func (b *builder) relation(e *model.Expectation, spec Expectation) {
	if !spec.Pairs.IsSet() {
		return
	}
	switch r := model.Relation(spec.Pairs.Value); r {
	case model.OtherRegion, model.SameRegion, model.OtherVNet:
		e.Relation = r
	default:
		b.problem(spec.Pairs.Pos, suggestion(spec.Pairs.Value, []string{"other-region", "same-region", "other-vnet"}, ""), "%q is not a relation of pairs", spec.Pairs.Value)
	}
}

func (b *builder) through(e *model.Expectation, spec Expectation) {
	if len(spec.Through) > 0 && e.Verb != model.Allow {
		b.problem(spec.Through[0].Pos, "use it with allow", "through has no meaning with %s", e.Verb)
		return
	}
	for _, t := range spec.Through {
		switch strings.ToLower(strings.Join(strings.Fields(t.Value), " ")) {
		case "source firewall":
			e.Through = append(e.Through, model.Waypoint{Kind: model.SourceFirewall})
			continue
		case "destination firewall":
			e.Through = append(e.Through, model.Waypoint{Kind: model.DestinationFirewall})
			continue
		}
		known := b.names.ofKind(string(model.LabelFirewall))
		found := false
		for _, f := range known {
			found = found || strings.EqualFold(f, t.Value)
		}
		if !found {
			b.problem(t.Pos, suggestion(t.Value, append(known, "source firewall", "destination firewall"), "write source firewall, destination firewall or a firewall's name"), "there is no firewall %q", t.Value)
			continue
		}
		e.Through = append(e.Through, model.Waypoint{Kind: model.NamedFirewall, Name: strings.ToLower(t.Value)})
	}
}
