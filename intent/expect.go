package intent

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// expectations resolves the claims over the names of the finished network.
func (b *builder) expectations() []model.Expectation {
	var out []model.Expectation
	seen := map[string]Text{}
	var specs []Expectation
	for _, spec := range b.doc.Expectations {
		if over, ok := b.overDoors(spec); ok {
			specs = append(specs, over...)
			continue
		}
		specs = append(specs, b.overTargets(spec)...)
	}
	for _, spec := range specs {
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
				if !namesRegion(spec.To) {
					s.Resolves = nil
				}
				s = substitute(b, s, map[string]string{"region": region})
				if !namesRegion(spec.To) {
					s.Resolves = names
				}
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
	texts := Texts{spec.Deny, spec.Allow, spec.Symmetric, spec.From, spec.Of}
	return namesRegion(slices.Concat(texts, spec.Through, spec.NotThrough, spec.To))
}

// namesRegion reports whether a text speaks of each region.
func namesRegion(texts Texts) bool {
	return slices.ContainsFunc(texts, func(t Text) bool { return strings.Contains(t.Value, "{region}") })
}

func (b *builder) expectation(spec Expectation) (model.Expectation, bool) {
	before := len(*b.problems)
	e := model.Expectation{Pos: spec.Pos}
	verbs := map[string]Text{"deny": spec.Deny, "allow": spec.Allow, "symmetric": spec.Symmetric}
	sentences, others := 0, []string{}
	for _, t := range verbs {
		if t.IsSet() {
			sentences++
		}
	}
	if len(spec.Resolves) > 0 {
		others = append(others, "resolves")
	}
	if spec.NoMoreThan.IsSet() {
		others = append(others, "no-more-than")
	}
	switch {
	case len(others) > 1 || len(others) > 0 && sentences > 0:
		b.problem(spec.Pos, "make them two expectations", "an expectation has both %s and %s", others[0], append(others, "a sentence")[1])
		return e, false
	case len(spec.Resolves) > 0:
		b.resolves(&e, spec)
	case spec.NoMoreThan.IsSet():
		b.noMoreThan(&e, spec)
	case sentences == 0:
		b.problem(spec.Pos, "add deny, allow, symmetric, resolves or no-more-than", "an expectation claims nothing")
		return e, false
	default:
		verb, t, ok := b.ruleText(spec.Pos, verbs)
		if !ok {
			return e, false
		}
		b.claim(&e, model.Verb(verb), t, spec.fromEdges)
	}
	b.statuses(&e, spec)
	if spec.From.IsSet() && e.Verb != model.Resolves {
		b.problem(spec.From.Pos, "write the source before the arrow", "from belongs to resolves only")
	}
	if len(spec.To) > 0 && e.Verb != model.Resolves {
		b.problem(spec.To[0].Pos, "write the destination after the arrow", "to belongs to resolves only")
	}
	if spec.Of.IsSet() && e.Verb != model.NoMore {
		b.problem(spec.Of.Pos, "write the sentence after "+string(e.Verb), "of belongs to no-more-than only")
	}
	e.Name = spec.Name.Or(e.Text, e.Pos).Value
	b.pairs(&e, spec)
	b.waypoints(&e, spec)
	return e, len(*b.problems) == before
}

// claim reads the sentence of an expectation.
func (b *builder) claim(e *model.Expectation, verb model.Verb, t Text, edges bool) {
	e.Verb, e.Text, e.Pos = verb, string(verb)+" "+strings.Join(strings.Fields(t.Value), " "), t.Pos
	if u, from, ok := urlOf(t.Value); ok {
		b.request(e, Text{from, t.Pos}, u, t)
		return
	}
	s, c := parseSentence(t.Value)
	if c != nil {
		b.problem(t.Pos, c.fix, "%s", c.what)
		return
	}
	e.Both, e.Traffic = s.both, s.traffic
	e.From = b.selector(Text{s.from, t.Pos})
	if edges {
		e.From = edgesSelector(t)
		e.Text = string(verb) + " " + e.From.Text + strings.TrimPrefix(strings.Join(strings.Fields(t.Value), " "), s.from)
	}
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
		fix := "write a group, any, internet, on-premises or a prefix"
		if tag == "VirtualNetwork" {
			fix = "write any"
		}
		c = complain(fix, "%q is a service tag, which only rules can name", t.Value)
	}
	b.problem(t.Pos, c.fix, "%s", c.what)
	return sel
}

// noMoreThan reads a comparison with another declared network. Whether that is
// there is seen by [Load].
func (b *builder) noMoreThan(e *model.Expectation, spec Expectation) {
	t := spec.NoMoreThan
	if t.Value == "" || filepath.IsAbs(t.Value) {
		b.problem(t.Pos, "write a path from here, for example ../baseline", "%q is not the path of a network beside this one", t.Value)
	}
	if spec.Of.IsSet() {
		if b.claim(e, model.NoMore, spec.Of, false); e.Both {
			b.problem(spec.Of.Pos, "write two expectations with ->", "no-more-than compares one direction, not <->")
		}
		e.Text = strings.TrimPrefix(e.Text, string(model.NoMore)+" ")
	} else {
		// Sides without names and prefixes are everyone, inside and outside.
		e.From = model.Selector{Text: "anything", Pos: t.Pos}
		e.To = e.From
	}
	e.Verb, e.Baseline, e.Pos = model.NoMore, t.Value, t.Pos
	e.Text = strings.TrimSuffix("no more than "+t.Value+" of "+e.Text, " of ")
}

// pairs reads which pairs of ports a claim speaks of, and of how many.
func (b *builder) pairs(e *model.Expectation, spec Expectation) {
	t := spec.Pairs
	if !t.IsSet() {
		return
	}
	if e.Verb == model.Resolves || e.Verb == model.NoMore {
		b.problem(t.Pos, "remove it", "pairs has no meaning with %s", verbKey(e.Verb))
		return
	}
	words := strings.Fields(t.Value)
	if len(words) > 0 && (words[0] == "any" || words[0] == "all") {
		if words[0] == "any" {
			e.Quantity = model.Some
			if e.Verb != model.Allow {
				b.problem(t.Pos, "use it with allow", "any pair has no meaning with %s, which speaks of all", verbKey(e.Verb))
			}
		}
		if words = words[1:]; len(words) == 0 {
			return
		}
	}
	relations := []string{string(model.OtherRegion), string(model.SameRegion), string(model.OtherVNet)}
	if len(words) != 1 || !slices.Contains(relations, words[0]) {
		b.problem(t.Pos, suggestion(t.Value, append(relations, "all", "any"), ""), "%q is not a relation of pairs", t.Value)
		return
	}
	e.Relation = model.Relation(words[0])
}

// verbKey is the key that a verb is written as.
func verbKey(v model.Verb) string {
	if v == model.NoMore {
		return "no-more-than"
	}
	return string(v)
}

// waypoints reads what the traffic must and must not pass.
func (b *builder) waypoints(e *model.Expectation, spec Expectation) {
	if len(spec.Through) > 0 && e.Verb != model.Allow {
		fix := "use it with allow"
		if e.Verb == model.Deny {
			fix += ", or not-through with deny"
		}
		b.problem(spec.Through[0].Pos, fix, "through has no meaning with %s", verbKey(e.Verb))
		return
	}
	if len(spec.NotThrough) > 0 && e.Verb != model.Allow && e.Verb != model.Deny {
		b.problem(spec.NotThrough[0].Pos, "use it with allow or deny", "not-through has no meaning with %s", verbKey(e.Verb))
		return
	}
	for _, t := range spec.Through {
		if w, ok := b.waypoint(t); ok {
			e.Through = append(e.Through, w)
		}
	}
	for _, t := range spec.NotThrough {
		w, ok := b.waypoint(t)
		if ok && slices.Contains(e.Through, w) {
			b.problem(t.Pos, "keep one", "%q is in both through and not-through", t.Value)
		}
		if ok {
			e.NotThrough = append(e.NotThrough, w)
		}
	}
}

// waypointKinds are the kinds of name that traffic can pass.
func waypointKinds() map[model.LabelKind]model.WaypointKind {
	return map[model.LabelKind]model.WaypointKind{
		model.LabelFirewall: model.NamedFirewall, model.LabelHost: model.NamedHost,
		model.LabelGateway: model.NamedGateway, model.LabelBalancer: model.NamedBalancer,
	}
}

// waypoint resolves something that traffic can pass.
func (b *builder) waypoint(t Text) (model.Waypoint, bool) {
	const source, destination = "source firewall", "destination firewall"
	low := strings.ToLower(strings.Join(strings.Fields(t.Value), " "))
	switch low {
	case source:
		return model.Waypoint{Kind: model.SourceFirewall}, true
	case destination:
		return model.Waypoint{Kind: model.DestinationFirewall}, true
	}
	given, name, hasKind := strings.Cut(low, ":")
	if !hasKind {
		name = low
	}
	var found []model.Waypoint
	known := []string{source, destination}
	for _, k := range []model.LabelKind{model.LabelFirewall, model.LabelHost, model.LabelGateway, model.LabelBalancer} {
		if hasKind && given != string(k) {
			continue
		}
		if slices.Contains(b.names.kinds[name], k) {
			found = append(found, model.Waypoint{Kind: waypointKinds()[k], Name: name})
		}
		known = append(known, b.names.ofKind(string(k))...)
	}
	switch len(found) {
	case 0:
		b.problem(t.Pos, suggestion(t.Value, known, "write source firewall, destination firewall or the name of a firewall, host, gateway or load balancer"),
			"there is nothing to pass called %q", t.Value)
		return model.Waypoint{}, false
	case 1:
	default:
		b.problem(t.Pos, fmt.Sprintf("write %s:%s or %s:%s", found[0].Kind, name, found[1].Kind, name), "%q is ambiguous", t.Value)
		return model.Waypoint{}, false
	}
	if h := b.hostNamed[name]; found[0].Kind == model.NamedHost && h != nil && !h.spec.IPForwarding.Or(false) {
		b.problem(t.Pos, "add ip-forwarding: true to the host", "nothing passes host %s, which drops what others send through it", h.name)
		return model.Waypoint{}, false
	}
	return found[0], true
}
