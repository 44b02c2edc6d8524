package proof

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// Level is how far traffic gets.
type Level uint8

// The levels, each more than the one before.
const (
	LevelDenied    Level = iota // the first packet is dropped
	LevelUnknown                // what becomes of it is unknown
	LevelDelivered              // the first packet is delivered, its reply is not, or it is unknown
	LevelWorks                  // the reply comes back as well
)

// String returns "denied", "unknown", "one way" or "works".
func (l Level) String() string { return [...]string{"denied", "unknown", "one way", "works"}[l] }

// MarshalText implements encoding.TextMarshaler.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// Change is traffic of which two versions of a network make something else.
type Change struct {
	Before Level `json:"before"`
	After  Level `json:"after"`
	// Elsewhere means that it gets as far, but to another port.
	Elsewhere bool `json:"elsewhere,omitempty"`
	// Because is what decides in the version that lets less through.
	Because  string `json:"because"`
	Resource string `json:"resource,omitempty"`
	Place    string `json:"place,omitempty"`
	// From and To are the ports concerned, by name, at most maxNames each; Pairs
	// counts them all, or the first maxPairs if More.
	From    []string `json:"from"`
	To      []string `json:"to"`
	Pairs   int      `json:"pairs"`
	More    bool     `json:"more,omitempty"`
	Traffic string   `json:"traffic"` // protocols and destination ports; "some of" them if not all between every pair
	// Witness is one packet of it, in the version that lets more through; Other
	// is the same packet in the other version, if its sender exists there.
	Witness *Witness `json:"witness"`
	Other   *Witness `json:"other,omitempty"`
}

// Appears reports whether more is let through than before.
func (c *Change) Appears() bool { return c.After > c.Before }

// Difference is what two versions of a network do differently.
type Difference struct {
	Changes []Change `json:"changes"`
	// Ports counts the ports that do something else in each version, or are in
	// one of them only.
	PortsBefore int `json:"portsBefore"`
	PortsAfter  int `json:"portsAfter"`
	Steps       int `json:"steps"`
}

// Same reports whether nothing changed.
func (d *Difference) Same() bool { return len(d.Changes) == 0 }

// Scope narrows a comparison; the zero value is all traffic of all ports.
type Scope struct {
	From, To *model.Selector
	Traffic  []model.Traffic
	// Budget is the number of steps allowed; 0 means [DefaultBudget].
	Budget int
}

// maxNames is how many ports of each side a change lists.
const maxNames = 6

// Diff compares what two versions of a network do with all packets. Only
// packets that meet a port which changed are followed twice: where every port
// on the way does what it did, so does the network.
func Diff(before, after *Prover, scope Scope) (*Difference, error) {
	if scope.Budget == 0 {
		scope.Budget = DefaultBudget
	}
	if scope.To != nil {
		for _, p := range [2]*Prover{before, after} {
			for _, x := range p.parties(scope.To) {
				if p.img.Ports[x.port].Kind == fabric.PortBalancer {
					return nil, fmt.Errorf("%s is a load balancer, where nothing ends; name its members", quoted(scope.To.Text))
				}
			}
		}
	}
	old, now := newIdentity(before.img), newIdentity(after.img)
	d := &differ{scope: scope, out: &Difference{}, index: map[changeKey]int{}}
	for _, dir := range [2]direction{
		{base: after, other: before, baseID: now, otherID: old, chosen: map[string]bool{}, appears: true},
		{base: before, other: after, baseID: old, otherID: now, chosen: map[string]bool{}},
	} {
		dir.flagged, dir.counterpart = dir.baseID.changed(dir.otherID)
		n := 0
		for _, f := range dir.flagged {
			if f {
				n++
			}
		}
		if dir.appears {
			d.out.PortsAfter = n
		} else {
			d.out.PortsBefore = n
		}
		if n == 0 {
			continue
		}
		if err := d.compare(&dir); err != nil {
			return nil, err
		}
	}
	for i := range d.list {
		d.list[i].finish(&d.out.Changes)
	}
	return d.out, nil
}

// direction is one of the two passes: traffic that base lets through and other
// does not.
type direction struct {
	base, other     *Prover
	baseID, otherID *identity
	flagged         []bool
	counterpart     []fabric.PortID
	appears         bool
	// chosen are the choices that leaves of the base made, as baseID knows them.
	chosen map[string]bool
}

// choices names the choices of a leaf: the same in both images where they are.
func (id *identity) choices(list []fabric.Choice) string {
	var b strings.Builder
	for _, c := range list {
		r := &id.img.Ports[c.Port].Inward.Redirects[c.Redirect]
		t := &r.Targets[c.Target]
		fmt.Fprintf(&b, "%s/%s/%d to %s %s:%d\n", id.keys[c.Port], r.Name, c.Redirect, id.port(t.Port), t.Addr, t.DstPort)
	}
	return b.String()
}

func (w *walk) choicesOf(l *leaf, id *identity) string {
	return id.choices(slices.Concat(w.choices.all(l.chose), w.choices.all(l.again)))
}

// otherwise reports whether a leaf of the other image is about other choices
// than the base's: then it is compared with the base's leaf of those choices.
func (d *direction) otherwise(base, other string) bool {
	return !strings.HasPrefix(base, other) && !strings.HasPrefix(other, base) && d.chosen[other]
}

type changeKey struct {
	before, after Level
	elsewhere     bool
	because       string
	origin        fabric.Origin
}

// growing is a change while its packets are being found.
type growing struct {
	Change
	from, to map[fabric.PortID]bool
	names    [2][]string
	pairs    map[[2]fabric.PortID]bool
	traffic  [fabric.NumFields]fabric.Set
	texts    map[string]bool // of the traffic of each leaf
	score    int
}

type differ struct {
	scope Scope
	out   *Difference
	index map[changeKey]int
	list  []*growing
}

// found is a leaf of the base as sets of its own.
type found struct {
	leaf  leaf
	from  []fabric.PortID
	level Level
	box   [fabric.NumFields]fabric.Set
}

// compare finds what base lets through further than other.
func (d *differ) compare(dir *direction) error {
	a := newArena(dir.base.img)
	sides := [2][]fabric.PortID{} // changed senders, others
	var chosen map[fabric.PortID]setID
	if d.scope.From != nil {
		chosen = map[fabric.PortID]setID{}
		for _, c := range dir.base.choose(a, d.scope.From, false) {
			chosen[c.port] = c.addrs
		}
	}
	anyMiddle := false
	for i := range dir.base.img.Ports {
		p := &dir.base.img.Ports[i]
		anyMiddle = anyMiddle || dir.flagged[i] && (p.Forward != nil || p.Inward != nil || p.Kind == fabric.PortEdge)
		if _, ok := chosen[fabric.PortID(i)]; chosen != nil && !ok || p.Silent {
			continue
		}
		side := 1
		if dir.flagged[i] {
			side = 0
		}
		sides[side] = append(sides[side], fabric.PortID(i))
	}
	for side, from := range sides {
		if len(from) == 0 {
			continue
		}
		w := dir.base.newWalk(a, d.scope.Budget-d.out.Steps)
		w.replies = true
		var targets *targets
		if d.scope.To != nil {
			t := w.targets(dir.base.choose(a, d.scope.To, false))
			targets = &t
		}
		q := &Query{From: from, Traffic: d.scope.Traffic}
		if side == 1 && !anyMiddle {
			q.Dst = dir.changedAddrs()
		}
		var list []found
		w.leaf = func(l leaf) {
			level := levelOf(&l)
			dir.chosen[w.choicesOf(&l, dir.baseID)] = true
			if level < LevelDelivered || l.code == fabric.CodePlatform {
				return
			}
			if targets != nil {
				end, arrived := ended(&l)
				in, _, ok, _ := w.ends(l.state, end, arrived, targets)
				if !ok {
					return
				}
				l.state = in
			}
			if side == 1 && !dir.meets(w, &l) {
				end, arrived := ended(&l)
				q, single := end.port()
				switch {
				case single && !dir.flagged[q]:
					return
				case !single:
					// Of the receivers only those that changed.
					own := a.intern(dir.changedAddrs())
					if arrived != emptySet {
						if a.intersect(arrived, own) == emptySet {
							return
						}
						break
					}
					var ok bool
					if l.cube[fabric.Dst] = a.intersect(l.cube[fabric.Dst], own); l.cube[fabric.Dst] == emptySet {
						ok = true
					}
					if ok {
						return
					}
				}
			}
			f := found{leaf: l, level: level, from: w.portsOf(l.from, l.cube[fabric.Src])}
			for i := range f.box {
				f.box[i] = a.get(l.cube[i])
			}
			list = append(list, f)
		}
		complete := w.run(w.begin(q))
		d.out.Steps += w.steps
		if !complete {
			return fmt.Errorf("the comparison is %w of %d steps", ErrBudget, d.scope.Budget)
		}
		for i := range list {
			if err := d.against(dir, w, &list[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// ended returns where a leaf's first packet ended, and its destination then.
func ended(l *leaf) (site, setID) {
	if l.reply {
		return l.end, l.endDst
	}
	return l.stop, l.now[fabric.Dst]
}

func levelOf(l *leaf) Level {
	switch {
	case l.reply && l.verdict == fabric.VerdictAllow:
		return LevelWorks
	case l.reply:
		return LevelDelivered
	case l.verdict == fabric.VerdictUnknown:
		return LevelUnknown
	case l.verdict == fabric.VerdictAllow:
		return LevelWorks // the platform
	default:
		return LevelDenied
	}
}

// meets reports whether a leaf's packets, or their replies, pass a port that
// changed.
func (d *direction) meets(w *walk, l *leaf) bool {
	for _, id := range [2]pathID{l.mid, l.back} {
		for _, q := range w.paths.ports(id) {
			if d.flagged[q] {
				return true
			}
		}
	}
	q, single := l.stop.port()
	return single && d.flagged[q]
}

// changedAddrs returns the addresses of ports that changed, and the public ones
// that lead to them.
func (d *direction) changedAddrs() fabric.Set {
	var ranges []fabric.Range
	for i, f := range d.flagged {
		if f {
			ranges = append(ranges, d.base.img.Sets[d.base.img.Ports[i].Addrs]...)
		}
	}
	for _, p := range d.base.img.Publics {
		if p.Port != fabric.None && d.flagged[p.Port] {
			ranges = append(ranges, fabric.AddrSet(p.Addr)...)
		}
	}
	return fabric.NewSet(ranges...)
}

// against follows what base lets through in the other image and notes where
// that lets less through.
func (d *differ) against(dir *direction, base *walk, f *found) error {
	byPort := f.from
	var mapped []fabric.PortID
	for _, q := range byPort {
		if c := dir.counterpart[q]; c != fabric.None {
			mapped = append(mapped, c)
			continue
		}
		because := "the sender is gone"
		if dir.appears {
			because = "the sender is new"
		}
		d.note(dir, base, f, []fabric.PortID{q}, f.box, outcome{level: LevelDenied, because: because})
	}
	if len(mapped) == 0 {
		return nil
	}
	a := newArena(dir.other.img)
	w := dir.other.newWalk(a, d.scope.Budget-d.out.Steps)
	w.replies = true
	chose := base.choicesOf(&f.leaf, dir.baseID)
	w.leaf = func(l leaf) {
		if dir.otherwise(chose, w.choicesOf(&l, dir.otherID)) {
			return
		}
		o := outcome{level: levelOf(&l), elsewhere: false}
		if o.level == f.level {
			if o.elsewhere = !d.sameEnd(dir, base, f, w, &l); !o.elsewhere {
				return
			}
		}
		if o.level > f.level {
			return // the other pass finds it
		}
		if l.verdict != fabric.VerdictAllow {
			o.origin = dir.other.origin(&l)
			o.because = w.whyNot(&l)
		} else {
			o.because = "it goes elsewhere"
		}
		var box [fabric.NumFields]fabric.Set
		for i := range box {
			box[i] = a.get(l.cube[i])
		}
		var from []fabric.PortID
		for _, q := range w.portsOf(l.from, l.cube[fabric.Src]) {
			if back, ok := dir.baseID.at[dir.otherID.keys[q]]; ok {
				from = append(from, back)
			}
		}
		d.note(dir, base, f, from, box, o)
	}
	var begin []state
	for _, s := range w.begin(&Query{From: mapped}) {
		// Only this leaf's packets.
		ok := true
		for i := range fabric.NumFields {
			s.cube[i] = a.intersect(s.cube[i], a.intern(f.box[i]))
			ok = ok && s.cube[i] != emptySet
		}
		if ok {
			begin = append(begin, s)
		}
	}
	complete := w.run(begin)
	d.out.Steps += w.steps
	if !complete {
		return fmt.Errorf("the comparison is %w of %d steps", ErrBudget, d.scope.Budget)
	}
	return nil
}

// outcome is what the other image makes of packets.
type outcome struct {
	level     Level
	elsewhere bool
	because   string
	origin    fabric.Origin
}

// sameEnd reports whether two leaves of the same packets end at one port.
func (d *differ) sameEnd(dir *direction, base *walk, f *found, w *walk, l *leaf) bool {
	at, dst := ended(&f.leaf)
	if dst == emptySet {
		// The other leaf's packets are a part of the base's.
		dst = base.a.intern(w.a.get(l.cube[fabric.Dst]))
	}
	end, arrived := ended(l)
	if arrived == emptySet {
		arrived = l.cube[fabric.Dst]
	}
	x, y := base.portsOf(at, dst), w.portsOf(end, arrived)
	if len(x) != len(y) {
		return false
	}
	for i := range x {
		if dir.baseID.keys[x[i]] != dir.otherID.keys[y[i]] {
			return false
		}
	}
	return true
}

// whyNot says what decided a leaf.
func (w *walk) whyNot(l *leaf) string {
	origin := w.p.origin(l)
	switch {
	case l.filter != fabric.None && l.rule != fabric.None:
		return w.p.ruleName(l.filter, l.rule)
	case l.filter != fabric.None:
		return "no rule of " + w.p.img.Filters[l.filter].Name + " matches"
	case l.table != fabric.None && l.route != fabric.None:
		return routeName(&w.p.img.Tables[l.table].Routes[l.route]) + " in " + w.p.img.Tables[l.table].Name
	case origin.Name != "":
		return origin.Name + ": " + l.code.String()
	case l.reply:
		return "the reply: " + l.code.String()
	default:
		return l.code.String()
	}
}

// counterparts returns choices as the other image would record them. Where it
// has no such redirect or target, it chooses for itself.
func (d *direction) counterparts(list []fabric.Choice) []fabric.Choice {
	var out []fabric.Choice
	for _, c := range list {
		at := d.counterpart[c.Port]
		if at == fabric.None || d.other.img.Ports[at].Inward == nil {
			return out
		}
		want := d.baseID.choices([]fabric.Choice{c})
		found := false
		for i, r := range d.other.img.Ports[at].Inward.Redirects {
			for j, t := range r.Targets {
				o := fabric.Choice{Port: at, Redirect: int32(i), Target: int32(j)}
				if t.Down == "" && !found && d.otherID.choices([]fabric.Choice{o}) == want {
					out, found = append(out, o), true
				}
			}
		}
		if !found {
			return out
		}
	}
	return out
}

// note adds packets to a change.
func (d *differ) note(dir *direction, base *walk, f *found, from []fabric.PortID, box [fabric.NumFields]fabric.Set, o outcome) {
	k := changeKey{before: o.level, after: f.level, elsewhere: o.elsewhere, because: o.because, origin: o.origin}
	if !dir.appears {
		k.before, k.after = f.level, o.level
	}
	l := f.leaf
	for i := range fabric.NumFields {
		if l.cube[i] = base.a.intersect(l.cube[i], base.a.intern(box[i])); l.cube[i] == emptySet {
			return
		}
	}
	var own []setID
	for _, q := range from {
		own = append(own, base.a.of(dir.base.img.Ports[q].Addrs))
	}
	if _, single := l.from.port(); !single && len(own) > 0 {
		if l.cube[fabric.Src] = base.a.intersect(l.cube[fabric.Src], base.a.union(own...)); l.cube[fabric.Src] == emptySet {
			return
		}
	}
	score, ok := base.score(&l.state)
	if !ok {
		return // nothing but what a host sends to itself
	}
	i, known := d.index[k]
	if !known {
		i = len(d.list)
		d.index[k] = i
		g := newGrowing()
		g.Change = Change{Before: k.before, After: k.after, Elsewhere: k.elsewhere, Because: k.because, Resource: o.origin.Resource, Place: o.origin.Place}
		d.list = append(d.list, g)
	}
	g := d.list[i]
	end, arrived := ended(&l)
	if arrived == emptySet {
		arrived = l.cube[fabric.Dst]
	}
	g.count(dir.base, from, base.portsOf(end, arrived))
	g.see(base, &l)
	if score > g.score {
		wit, ok, err := base.show(&l, nil)
		if err == nil && ok {
			g.score, g.Witness = score, wit
			if c := dir.counterpart[wit.From]; c != fabric.None {
				g.Other = dir.other.witness(c, wit.Packet, replay(dir.other.img, c, wit.Packet, dir.counterparts(wit.Choices)))
			}
		}
	}
}

func newGrowing() *growing {
	return &growing{
		from: map[fabric.PortID]bool{}, to: map[fabric.PortID]bool{}, pairs: map[[2]fabric.PortID]bool{},
		texts: map[string]bool{}, score: -1,
	}
}

// count adds the pairs of some ports.
func (g *growing) count(p *Prover, from, to []fabric.PortID) {
	for _, x := range from {
		g.name(0, x, p)
		for _, y := range to {
			g.name(1, y, p)
			if x == y && p.img.Ports[x].Kind == fabric.PortHost {
				continue
			}
			if len(g.pairs) >= maxPairs {
				g.More = true
				continue
			}
			g.pairs[[2]fabric.PortID{x, y}] = true
		}
	}
}

// see adds the traffic of a leaf.
func (g *growing) see(w *walk, l *leaf) {
	protos, ports := w.a.get(l.cube[fabric.Proto]), w.a.get(l.cube[fabric.DstPort])
	g.traffic[fabric.Proto] = g.traffic[fabric.Proto].Union(protos)
	g.traffic[fabric.DstPort] = g.traffic[fabric.DstPort].Union(ports)
	g.texts[trafficText(protos, ports)] = true
}

// name lists a port of one side of a change.
func (g *growing) name(side int, q fabric.PortID, p *Prover) {
	seen := g.from
	if side == 1 {
		seen = g.to
	}
	if seen[q] {
		return
	}
	seen[q] = true
	if name := p.name(q); len(g.names[side]) < maxNames && !slices.Contains(g.names[side], name) {
		g.names[side] = append(g.names[side], name)
	}
}

// finish adds a change to a list, unless it has nothing to show.
func (g *growing) finish(out *[]Change) {
	if g.Witness == nil {
		return
	}
	g.From, g.To, g.Pairs = g.names[0], g.names[1], len(g.pairs)
	if g.Traffic = trafficText(g.traffic[fabric.Proto], g.traffic[fabric.DstPort]); len(g.texts) > 1 {
		if strings.HasPrefix(g.Traffic, "every protocol") {
			g.Traffic = "much or all traffic"
		} else {
			g.Traffic = "some of " + g.Traffic // not every pair of ports with all of it
		}
	}
	*out = append(*out, g.Change)
}

// trafficText writes protocols and destination ports for people.
func trafficText(protos, ports fabric.Set) string {
	if protos.Equal(fabric.NumSet(0, 255)) && ports.Equal(fabric.NumSet(0, 65535)) {
		return "all traffic"
	}
	text, n := "", 0
	for _, r := range protos {
		n += int(r.Hi.Lo-r.Lo.Lo) + 1
	}
	if n > 200 {
		text = "every protocol"
	}
	for n := range uint16(256) {
		if text == "every protocol" || !protos.Contains(fabric.Num(n)) {
			continue
		}
		if text != "" {
			text += ", "
		}
		text += fabric.ProtoName(uint8(n))
		if len(text) > 60 {
			return text + ", and more"
		}
	}
	rest := ports.Subtract(fabric.NumSet(0, 0))
	if rest.IsEmpty() || ports.Contains(fabric.Num(1)) && rest.Equal(fabric.NumSet(1, 65535)) {
		return text
	}
	text += "/"
	for i, r := range rest {
		if i > 0 {
			text += ","
		}
		if i == 8 {
			return text + "..."
		}
		text += fmt.Sprint(r.Lo.Lo)
		if r.Hi != r.Lo {
			text += fmt.Sprintf("-%d", r.Hi.Lo)
		}
	}
	return text
}
