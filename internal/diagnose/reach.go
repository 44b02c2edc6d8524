package diagnose

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/proof"
	"github.com/ceruleannet/cerulean/model"
)

// maxSenders bounds how many senders one analysis follows.
const maxSenders = 256

// Question is an intent in terms of an image.
type Question struct {
	From, To       []fabric.PortID
	Src, Dst       fabric.Set
	SrcPorts       fabric.Set
	DstPorts       []model.PortRange // none means all
	TCP, UDP, ICMP bool
}

// Reach decides for all packets of a question whether they get to a receiver,
// and writes the outcome with ways that show it. A sender sends from its own
// addresses only; a question that names none of them has no packets, and no
// packet of it is reached.
func Reach(img *fabric.Image, q *Question) (string, error) {
	if len(q.From) > maxSenders {
		return Analyze(img, OutcomeUnknown, fmt.Sprintf("the source has %d interfaces; at most %d are followed", len(q.From), maxSenders), nil, nil)
	}
	p := proof.New(img)
	var found reach
	for _, at := range q.From {
		src := img.Sets[img.Ports[at].Addrs].Intersect(q.Src)
		if src.IsEmpty() {
			continue
		}
		for _, t := range q.traffic() {
			found.look(p, q, at, src, t)
		}
	}
	switch {
	case found.reached == nil && found.lost == nil && found.open == "":
		return Analyze(img, OutcomeNone, "the source has none of the source addresses", nil, nil)
	case found.reached != nil && found.lost != nil:
		return Analyze(img, OutcomeSome, "", found.reached, found.lost)
	case found.open != "":
		return Analyze(img, OutcomeUnknown, found.open, found.reached, found.lost)
	case found.reached != nil:
		return Analyze(img, OutcomeAll, "", found.reached, nil)
	default:
		return Analyze(img, OutcomeNone, "", nil, found.lost)
	}
}

// reach is what was found so far.
type reach struct {
	reached, lost *fabric.Trace
	open          string // why something is not decided
}

// look asks whether one sender's packets of one kind of traffic get there, are
// lost, or get to somebody else.
func (r *reach) look(p *proof.Prover, q *Question, at fabric.PortID, src fabric.Set, t []model.Traffic) {
	ask := func(look proof.Look, to []fabric.PortID) *fabric.Trace {
		query := proof.Query{Look: look, From: []fabric.PortID{at}, Src: src, Dst: q.Dst, Traffic: t, To: to}
		if (fabric.Packet{Proto: t[0].Protocol}).HasPorts() {
			query.SrcPorts = q.SrcPorts
		}
		switch out := p.Find(query); out.Answer {
		case proof.Found:
			return &out.Witness.Conn.Forward
		case proof.Open:
			switch {
			case out.Err != nil:
				r.open = out.Err.Error()
			case out.Witness != nil:
				r.open = "what becomes of " + out.Witness.Packet.String() + " is not modelled: " + out.Witness.Reason
			}
		}
		return nil
	}
	if r.reached == nil {
		r.reached = ask(proof.Delivered, q.To)
	}
	if r.lost == nil {
		r.lost = ask(proof.Lost, nil)
	}
	if r.lost == nil {
		r.lost = ask(proof.Delivered, others(p.Image(), q.To))
	}
}

// others returns every other port.
func others(img *fabric.Image, ports []fabric.PortID) []fabric.PortID {
	out := make([]fabric.PortID, 0, len(img.Ports))
	for i := range img.Ports {
		if at := fabric.PortID(i); !slices.Contains(ports, at) {
			out = append(out, at)
		}
	}
	return out
}

// traffic returns the protocols of the question, those with ports apart.
func (q *Question) traffic() [][]model.Traffic {
	var out [][]model.Traffic
	add := func(protocols ...uint8) {
		var list []model.Traffic
		for _, p := range protocols {
			t := model.Traffic{Protocol: p}
			if (fabric.Packet{Proto: p}).HasPorts() {
				t.Ports = q.DstPorts
			}
			list = append(list, t)
		}
		out = append(out, list)
	}
	switch {
	case q.TCP && q.UDP:
		add(fabric.ProtoTCP, fabric.ProtoUDP)
	case q.TCP:
		add(fabric.ProtoTCP)
	case q.UDP:
		add(fabric.ProtoUDP)
	}
	if q.ICMP {
		add(fabric.ProtoICMP, fabric.ProtoICMPv6)
	}
	return out
}

// Read fills a question's traffic from the words of an intent. The error names
// the property and the value that cannot be read.
func (q *Question) Read(t *Traffic) error {
	var err error
	if q.Src, err = readAddresses("sourceIps", t.SourceIPs); err != nil {
		return err
	}
	if q.Dst, err = readAddresses("destinationIps", t.DestinationIPs); err != nil {
		return err
	}
	src, err := readPorts("sourcePorts", t.SourcePorts)
	if err != nil {
		return err
	}
	for _, r := range src {
		q.SrcPorts = q.SrcPorts.Union(fabric.NumSet(r.Lo, r.Hi))
	}
	if q.DstPorts, err = readPorts("destinationPorts", t.DestinationPorts); err != nil {
		return err
	}
	for _, p := range t.Protocols {
		switch strings.ToUpper(p) {
		case "ANY", "*":
			q.TCP, q.UDP, q.ICMP = true, true, true
		case "TCP":
			q.TCP = true
		case "UDP":
			q.UDP = true
		case "ICMP":
			q.ICMP = true
		default:
			return fmt.Errorf("protocols: %q is not Any, TCP, UDP or ICMP", p)
		}
	}
	return nil
}

// readAddresses reads addresses, prefixes and "*".
func readAddresses(property string, texts []string) (fabric.Set, error) {
	var all fabric.Set
	for _, s := range texts {
		switch p, err := netip.ParsePrefix(s); {
		case s == "*" || strings.EqualFold(s, "Any"):
			all = fabric.AllValues()
		case err == nil:
			all = all.Union(fabric.PrefixSet(p.Masked()))
		default:
			a, err := netip.ParseAddr(s)
			if err != nil || a.Zone() != "" {
				return nil, fmt.Errorf("%s: %q is neither an address nor a prefix nor *", property, s)
			}
			all = all.Union(fabric.AddrSet(a.Unmap()))
		}
	}
	return all, nil
}

// readPorts reads ports and ranges; "*" alone or among others means all, as none
// does.
func readPorts(property string, texts []string) ([]model.PortRange, error) {
	var out []model.PortRange
	all := false
	for _, s := range texts {
		if s == "*" || strings.EqualFold(s, "Any") {
			all = true
			continue
		}
		lo, hi, ranged := strings.Cut(s, "-")
		if !ranged {
			hi = lo
		}
		a, errA := strconv.ParseUint(strings.TrimSpace(lo), 10, 16)
		b, errB := strconv.ParseUint(strings.TrimSpace(hi), 10, 16)
		if errA != nil || errB != nil || b < a {
			return nil, fmt.Errorf("%s: %q is neither a port nor a range of ports nor *", property, s)
		}
		out = append(out, model.PortRange{Lo: uint16(a), Hi: uint16(b)})
	}
	if all {
		return nil, nil
	}
	return out, nil
}
