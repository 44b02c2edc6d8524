package audit

import (
	"slices"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/ref"
	"github.com/ceruleannet/cerulean/model"
)

// maxPairs is how many pairs of ends are tried; past it the search says that
// it is not complete.
const maxPairs = 20_000

// maxServices is how many destination ports are tried between two ends, one
// after the other until one is delivered.
const maxServices = 32

// maxChoices is how many targets of one redirect are tried, for a packet and
// again for its reply.
const maxChoices = 3

// Shown is a connection that shows a finding.
type Shown struct {
	Packet  string   `json:"packet"`
	Forward []string `json:"forward"`         // names of the ports passed
	Reply   []string `json:"reply,omitempty"` // none if the first packet is lost
	// Outcome is what becomes of it, or of the reply if it was delivered: the
	// code of the reason.
	Outcome string `json:"outcome"`
}

// There is the way of the first packet as text: "a > nva > b".
func (s *Shown) There() string { return strings.Join(s.Forward, " > ") }

// Back is the way of the reply.
func (s *Shown) Back() string { return strings.Join(s.Reply, " > ") }

// Asymmetry returns a finding for every cause of connections whose replies take
// another way than their first packets, sorted; each with a connection, followed
// by the reference evaluator, that shows it. A few ends stand for all that are
// steered alike; what the search leaves out that could make a difference it
// tells ([RuleAsymmetrySearch]). A network without findings is not proved
// symmetric: the expectation "symmetric" does that.
func Asymmetry(resources []*model.Resource, img *fabric.Image) []Finding {
	return newSearch(resources, img).run()
}

func (s *search) run() []Finding {
	sources, destinations := s.ends()
	pairs := 0
	for shift := range destinations {
		for i, from := range sources {
			to := destinations[(i+shift)%len(destinations)]
			if from.port == to.port || !s.steered(from, to) {
				continue
			}
			if pairs == s.maxPairs {
				s.left.pair(s.img, from, to)
				continue
			}
			pairs++
			s.try(from, to)
		}
	}
	s.findings = append(s.findings, s.left.findings(s.img, pairs)...)
	sortFindings(s.findings)
	return s.findings
}

// end is where a connection starts or leads.
type end struct {
	port fabric.PortID
	addr fabric.Value
}

// search is one run of Asymmetry.
type search struct {
	img      *fabric.Image
	byID     map[string]*model.Resource
	machine  map[string]string // interface to its machine, both lower-case IDs
	services []uint16          // destination ports worth a try
	maxPairs int
	left     left            // what was not tried
	told     map[string]bool // rule and resource of findings
	findings []Finding
}

func newSearch(resources []*model.Resource, img *fabric.Image) *search {
	s := &search{
		img: img, byID: map[string]*model.Resource{}, machine: machines(resources),
		told: map[string]bool{}, maxPairs: maxPairs,
	}
	s.services, s.left.services = services(img)
	for _, r := range resources {
		s.byID[r.ID.Key()] = r
	}
	return s
}

// services are the ports that filters and balancers speak of, the well-known
// first, and those that are too many to try.
func services(img *fabric.Image) (tried, rest []uint16) {
	var seen [1 << 16]bool
	add := func(id fabric.SetID) {
		set := img.Sets[id]
		if id == fabric.AnySet || set.IsEmpty() {
			return
		}
		if n := set.Min(); n.Hi == 0 && n.Lo > 0 && n.Lo < 1<<16 && !seen[n.Lo] {
			seen[n.Lo] = true
			tried = append(tried, uint16(n.Lo))
		}
	}
	for _, port := range []uint16{443, 80, 22, 3389, 1433, 5432} {
		seen[port] = true
		tried = append(tried, port)
	}
	for i := range img.Ports {
		if in := img.Ports[i].Inward; in != nil {
			for j := range in.Redirects {
				add(in.Redirects[j].Match[fabric.DstPort])
			}
		}
	}
	for i := range img.Filters {
		for j := range img.Filters[i].Rules {
			if r := &img.Filters[i].Rules[j]; r.Action == fabric.Pass || r.Action == fabric.Bypass {
				add(r.Match[fabric.DstPort])
			}
		}
	}
	n := min(len(tried), maxServices)
	return tried[:n], tried[n:]
}

// ends returns one source and one destination for each way a port can be
// connected: its segment, kind and routes; of segments that are alike a few. The
// internet is a source, and every public address a destination.
func (s *search) ends() (sources, destinations []end) {
	type class struct {
		segment  fabric.SegmentID
		kind     fabric.PortKind
		table    fabric.TableID
		forwards bool
	}
	type ruled struct {
		class
		rules string
	}
	seen, told, alike := map[class]bool{}, map[ruled]bool{}, newAlike(s.img)
	lived := map[fabric.SegmentID]bool{} // segments with hosts
	for i := range s.img.Ports {
		if p := &s.img.Ports[i]; p.Kind == fabric.PortHost {
			lived[p.Segment] = true
		}
	}
	for i := range s.img.Ports {
		p, id := &s.img.Ports[i], fabric.PortID(i)
		addrs := s.img.Sets[p.Addrs]
		if addrs.IsEmpty() {
			continue
		}
		e := end{id, addrs.Min()}
		if p.Kind == fabric.PortEdge {
			e.addr = addrs.Min()
			if a := fabric.AddrValue(outsider); addrs.Contains(a) {
				e.addr = a
			}
			sources = append(sources, e)
			continue
		}
		c := class{p.Segment, p.Kind, p.Routes, p.Forward != nil}
		rules := alike.rules(p)
		if told[ruled{c, rules}] {
			continue
		}
		first := !seen[c]
		seen[c], told[ruled{c, rules}] = true, true
		switch p.Kind {
		case fabric.PortVacant:
			if lived[p.Segment] || reserved(s.img.Segments[p.Segment].Origin.Resource) {
				continue
			}
		case fabric.PortHost, fabric.PortSite:
			if p.Forward != nil {
				continue // an appliance is on the way, not an end
			}
		case fabric.PortEndpoint:
			if alike.fresh(e, rules, first) {
				destinations = append(destinations, e)
			}
			continue
		default:
			continue
		}
		if alike.fresh(e, rules, first) {
			sources, destinations = append(sources, e), append(destinations, e)
		}
	}
	s.left.ends = alike.leftOut()
	for i := range s.img.Publics {
		if p := &s.img.Publics[i]; p.Port != fabric.None && !p.Unknown && !p.Closed {
			destinations = append(destinations, end{p.Port, fabric.AddrValue(p.Addr)})
		}
	}
	return sources, destinations
}

// steered reports whether anything but the plain system routes of a virtual
// network can lie between two ends. Public addresses are tried from the internet
// only.
func (s *search) steered(from, to end) bool {
	public := s.isPublic(to)
	if s.img.Ports[from.port].Kind == fabric.PortEdge || public {
		return public && s.img.Ports[from.port].Kind == fabric.PortEdge
	}
	if from.addr.Addr().Is4() != to.addr.Addr().Is4() {
		return false
	}
	return s.toPort(from, to) || s.toPort(to, from)
}

func (s *search) isPublic(e end) bool {
	_, ok := s.img.PublicAt(e.addr.Addr())
	return ok
}

func (s *search) toPort(from, to end) bool {
	t := &s.img.Tables[s.img.Ports[from.port].Routes]
	i, ok := t.Lookup(to.addr.Addr())
	return ok && t.Routes[i].Hop.Kind == fabric.HopPort
}

// try follows connections between two ends until one is delivered, and that one
// with a few choices of every redirect.
func (s *search) try(from, to end) {
	p := fabric.Packet{Src: from.addr.Addr(), Dst: to.addr.Addr(), SrcPort: 50_000, Proto: fabric.ProtoTCP}
	for _, port := range s.services {
		p.DstPort = port
		conn := ref.Connect(s.img, from.port, p)
		if conn.Forward.Verdict != fabric.VerdictAllow {
			switch conn.Forward.Reason.Code {
			case fabric.CodeRule, fabric.CodeFilterDefault, fabric.CodeNoRedirect:
				continue // perhaps another service
			}
			return
		}
		if len(conn.Forward.Choices)+len(conn.Reply.Choices) == 0 {
			s.judge(&conn)
			return
		}
		s.left.choice(s.img, &conn)
		for there := range maxChoices {
			for back := range maxChoices {
				conn := ref.ConnectBy(s.img, from.port, p, s.chooser(there, back, &p))
				if conn.Forward.Verdict == fabric.VerdictAllow {
					s.judge(&conn)
				}
			}
		}
		return
	}
	s.left.unserved++
}

// chooser takes the there-th healthy target for packets from the source of p
// and the back-th for the others.
func (s *search) chooser(there, back int, p *fabric.Packet) fabric.Choose {
	source := p.Src
	return func(_, at fabric.PortID, redirect int32, q fabric.Packet) int32 {
		var healthy []int32
		for i, t := range s.img.Ports[at].Inward.Redirects[redirect].Targets {
			if t.Down == "" {
				healthy = append(healthy, int32(i))
			}
		}
		n := there
		if q.Dst == source {
			n = back
		}
		return healthy[n%len(healthy)]
	}
}

// way is what decides whether two directions are the same.
type way struct {
	appliances []string // devices that inspect what they forward
	gateways   []string // devices that only route
	ports      []fabric.PortID
}

func (s *search) way(t *fabric.Trace) way {
	var w way
	for i, id := range t.Path {
		p := &s.img.Ports[id]
		if i == 0 || p.Forward == nil || id == t.End() && t.Verdict == fabric.VerdictAllow {
			continue
		}
		w.ports = append(w.ports, id)
		switch name := s.device(p); {
		case hasKind(p, model.LabelGateway):
			w.gateways = append(w.gateways, name)
		default:
			w.appliances = append(w.appliances, name)
		}
	}
	slices.Sort(w.appliances)
	slices.Sort(w.gateways)
	w.appliances, w.gateways = slices.Compact(w.appliances), slices.Compact(w.gateways)
	return w
}

// device names what keeps the state: a machine for all of its interfaces.
func (s *search) device(p *fabric.Port) string {
	key := strings.ToLower(p.Origin.Resource)
	if vm, ok := s.machine[key]; ok {
		return vm
	}
	return key
}

func hasKind(p *fabric.Port, kind model.LabelKind) bool {
	return slices.ContainsFunc(p.Labels, func(l fabric.Label) bool { return l.Kind == string(kind) })
}

// shown describes a connection.
func shown(img *fabric.Image, c *fabric.Connection) *Shown {
	names := func(t *fabric.Trace) []string {
		out := make([]string, len(t.Path))
		for i, id := range t.Path {
			out[i] = img.Ports[id].Name
		}
		return out
	}
	_, reason := c.Verdict()
	return &Shown{Packet: c.Forward.Packet.String(), Forward: names(&c.Forward), Reply: names(&c.Reply), Outcome: reason.Code.String()}
}

// tell adds a finding about a place of the image, once for each resource and
// rule.
func (s *search) tell(r *asymmetry, at fabric.Origin, c *fabric.Connection) {
	key := r.rule + " " + strings.ToLower(at.Resource)
	if s.told[key] {
		return
	}
	s.told[key] = true
	shown := shown(s.img, c)
	// The reply itself may arrive: the packet after it is the one that is lost.
	outcome := "a stateful appliance that sees one direction drops the flow"
	if r.routers {
		outcome = "routers carry that, a stateful appliance on either way does not"
	}
	if c.Reply.Verdict != fabric.VerdictAllow {
		outcome = "the reply is lost (" + shown.Outcome + ")"
	}
	f := Finding{
		Severity: Warning, Rule: r.rule, Resource: at.Resource, Pos: s.pos(at), Shown: shown, Fix: r.fix,
		What: r.what + ": " + outcome,
	}
	if r.routers && c.Reply.Verdict == fabric.VerdictAllow {
		f.Severity = Note
	}
	s.findings = append(s.findings, f)
}

// pos returns where a part of the image was declared.
func (s *search) pos(o fabric.Origin) model.Pos { return place(s.byID, o) }

// place reads an origin's "file:line:column", or takes its resource's.
func place(byID map[string]*model.Resource, o fabric.Origin) model.Pos {
	text, p := o.Place, model.Pos{}
	for _, n := range []*int{&p.Column, &p.Line} {
		i := strings.LastIndexByte(text, ':')
		if i < 0 {
			break
		}
		v, err := strconv.Atoi(text[i+1:])
		if err != nil {
			break
		}
		text, *n = text[:i], v
	}
	if p.Line > 0 && p.Column > 0 {
		p.File = text
		return p
	}
	if r := byID[strings.ToLower(o.Resource)]; r != nil {
		return r.Pos
	}
	return model.Pos{}
}
