package node

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/intent"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/live"
	"github.com/ceruleannet/cerulean/internal/proof"
	"github.com/ceruleannet/cerulean/model"
)

// How long a diagnosis waits for each answer.
const (
	doctorName    = 6 * time.Second
	doctorConnect = 3 * time.Second
	doctorHello   = 300 * time.Millisecond // for a server that speaks first
)

// Diagnosis is why one host reaches another address, or does not.
type Diagnosis struct {
	From  string       `json:"from"`
	To    string       `json:"to"`
	OK    bool         `json:"ok"`
	Steps []DoctorStep `json:"steps"`
	Cause *DoctorCause `json:"cause,omitempty"` // of one that does not
}

// DoctorStep is one thing that was looked at.
type DoctorStep struct {
	Step  string  `json:"step"`  // name, route, rules, reply, connection, tls
	State string  `json:"state"` // ok, fails, unknown, skipped
	What  string  `json:"what"`
	Place string  `json:"place,omitempty"` // file:line:column of what decided
	MS    float64 `json:"ms,omitempty"`    // of a real exchange
}

// DoctorCause is what is wrong, and the smallest change that puts it right.
type DoctorCause struct {
	What  string `json:"what"`
	Place string `json:"place,omitempty"`
	Fix   string `json:"fix,omitempty"`
}

// The states of a step.
const (
	stepOK      = "ok"
	stepFails   = "fails"
	stepUnknown = "unknown"
	stepSkipped = "skipped"
)

// doctor makes one diagnosis.
type doctor struct {
	s      *System
	img    *fabric.Image
	prover *proof.Prover
	host   *live.Host
	out    *Diagnosis
	causes []DoctorCause // the most telling first
	port   uint16
	target fabric.PortID // whom the user means, None if not known
	meant  netip.Addr    // its address
	name   string        // what programs ask for, "" for an address
	addr   netip.Addr    // where the connection goes
}

// Doctor finds out whether a host reaches a target and, if it does not, why: the
// name is really asked for, the connection really made, and what decides on the
// way is read from the network as it is now, failures and health included. to is
// "NAME:PORT" with the name of a host, private endpoint, service, load balancer
// or site, a DNS name, or an address; or a URL, which is then asked for.
func (s *System) Doctor(ctx context.Context, from, to string) (*Diagnosis, error) {
	if IsURL(to) {
		return s.doctorURL(ctx, from, to)
	}
	h, err := s.Net.Host(from)
	if err != nil {
		return nil, fmt.Errorf("FROM: %w", err)
	}
	d := &doctor{s: s, img: s.Net.Image(), host: h, out: &Diagnosis{From: h.Name, To: to}, target: fabric.None}
	if h.Port() == fabric.None {
		return nil, fmt.Errorf("FROM: host %s has no interface in the network as it is now", h.Name)
	}
	d.prover = proof.New(d.img)
	name, text, err := net.SplitHostPort(to)
	if err != nil {
		return nil, fmt.Errorf("TO: write NAME:PORT, as in database:1433: %w", err)
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 {
		return nil, fmt.Errorf("TO: %q is not a port; use 1 to 65535", text)
	}
	d.port = uint16(port)
	if err := d.mean(name); err != nil {
		return nil, fmt.Errorf("TO: %w", err)
	}
	d.resolve(ctx)
	d.follow()
	d.connect(ctx)
	d.out.OK = !slices.ContainsFunc(d.out.Steps, func(x DoctorStep) bool { return x.State == stepFails })
	if !d.out.OK {
		d.out.Cause = d.cause()
	}
	return d.out, nil
}

func (d *doctor) step(s DoctorStep) { d.out.Steps = append(d.out.Steps, s) }

// serviceSuffixes are the names under which programs know platform services, by
// resource type ("Azure Private Endpoint private DNS zone values").
var serviceSuffixes = map[string]string{
	"microsoft.sql/servers": "database.windows.net", "microsoft.keyvault/vaults": "vault.azure.net",
	"microsoft.storage/storageaccounts": "blob.core.windows.net",
}

// mean finds whom the user means by a name.
func (d *doctor) mean(name string) error {
	if a, err := netip.ParseAddr(name); err == nil {
		d.addr, d.meant = a.Unmap(), a.Unmap()
		d.target = d.owner(d.addr)
		return nil
	}
	low := strings.ToLower(strings.TrimSuffix(name, "."))
	space := d.img.Ports[d.host.Port()].Space
	// A private endpoint is meant before the service behind it.
	for _, kind := range []fabric.PortKind{fabric.PortEndpoint, fabric.PortHost, fabric.PortBalancer, fabric.PortService, fabric.PortSite} {
		for i := range d.img.Ports {
			p := &d.img.Ports[i]
			if p.Kind != kind || !d.called(p, low) {
				continue
			}
			// Of several endpoints of one service, the one of the host's own network.
			if d.target == fabric.None || p.Space == space && d.img.Ports[d.target].Space != space {
				d.target = fabric.PortID(i)
			}
		}
		if d.target != fabric.None {
			break
		}
	}
	if d.target == fabric.None {
		if !strings.Contains(low, ".") {
			return fmt.Errorf("nothing of the network is called %q; use the name of a host, private endpoint, service, load balancer or site, a DNS name or an address", name)
		}
		d.name = low
		return nil
	}
	p := &d.img.Ports[d.target]
	if v, ok := d.addrOf(d.target); ok {
		d.meant = v
	}
	switch {
	case strings.Contains(low, "."):
		d.name = low
	case p.Kind == fabric.PortEndpoint || p.Kind == fabric.PortService:
		d.name = d.publicName(p)
	}
	if d.name == "" {
		d.addr = d.meant
		if !d.addr.IsValid() {
			return fmt.Errorf("%s has no address that a connection could go to", name)
		}
	}
	return nil
}

// called reports whether a port is what a name means: its own name, its host's,
// or the public name of the service that it is or leads to.
func (d *doctor) called(p *fabric.Port, name string) bool {
	if strings.EqualFold(p.Name, name) || p.Has(fabric.Label{Kind: string(model.LabelHost), Name: name}) ||
		p.Has(fabric.Label{Kind: string(model.LabelEndpoint), Name: name}) || p.Has(fabric.Label{Kind: string(model.LabelBalancer), Name: name}) {
		return true
	}
	if p.Kind != fabric.PortEndpoint && p.Kind != fabric.PortService {
		return false
	}
	if p.Has(fabric.Label{Kind: string(model.LabelService), Name: name}) {
		return true
	}
	return strings.Contains(name, ".") && d.publicName(p) == strings.Replace(name, ".privatelink.", ".", 1)
}

// publicName is the name under which programs know the service at a port.
func (d *doctor) publicName(p *fabric.Port) string {
	for _, l := range p.Labels {
		if l.Kind != string(model.LabelService) {
			continue
		}
		for _, r := range d.s.Design.Network().Resources {
			if suffix := serviceSuffixes[strings.ToLower(r.ID.Type())]; suffix != "" && strings.EqualFold(r.ID.Name(), l.Name) {
				return strings.ToLower(r.ID.Name()) + "." + suffix
			}
		}
	}
	return ""
}

// addrOf returns the address at which the host would ask for a port: who is
// outside knows its public one.
func (d *doctor) addrOf(at fabric.PortID) (netip.Addr, bool) {
	if a, ok := publicAddr(d.img, at); ok && d.outside() {
		return a, true
	}
	return firstAddr(d.img, at)
}

func firstAddr(img *fabric.Image, at fabric.PortID) (netip.Addr, bool) {
	if set := img.Sets[img.Ports[at].Addrs]; len(set) > 0 {
		return set[0].Lo.Addr(), true
	}
	return publicAddr(img, at)
}

func publicAddr(img *fabric.Image, at fabric.PortID) (netip.Addr, bool) {
	for _, p := range img.Publics {
		if p.Port == at {
			return p.Addr, true
		}
	}
	return netip.Addr{}, false
}

// outside reports whether the host is of the internet.
func (d *doctor) outside() bool { return d.img.Ports[d.host.Port()].Kind == fabric.PortEdge }

// asker is the host as the proof knows it: a host, a site, or the internet.
func (d *doctor) asker() (model.Selector, error) {
	if d.outside() {
		return model.Selector{Text: "internet", Internet: true}, nil
	}
	kind := "host:"
	if d.img.Ports[d.host.Port()].Kind == fabric.PortSite {
		kind = "site:"
	}
	return intent.ParseEndpoint(d.s.Design.Network(), kind+d.host.Name)
}

// owner returns the port that has an address, as the host sees it.
func (d *doctor) owner(a netip.Addr) fabric.PortID {
	if s := d.img.Ports[d.host.Port()].Space; s != fabric.None {
		for _, space := range append([]fabric.Space{d.img.Spaces[s]}, d.img.Spaces...) {
			if id, ok := space.PortOf(a); ok {
				return id
			}
		}
	}
	if p, ok := d.img.PublicAt(a); ok {
		return p.Port
	}
	return fabric.None
}

// resolve asks for the name.
func (d *doctor) resolve(ctx context.Context) {
	if d.name == "" {
		d.step(DoctorStep{Step: "name", State: stepSkipped, What: fmt.Sprintf("%s is an address: there is no name to ask for", d.addr)})
		return
	}
	ctx, cancel := context.WithTimeout(ctx, doctorName)
	defer cancel()
	t, err := d.host.TraceName(ctx, d.name)
	s := DoctorStep{Step: "name", State: stepOK, MS: ms(t.Took)}
	chain := strings.Join(append([]string{t.Name}, t.Aliases...), " -> ")
	space := &d.img.Spaces[d.img.Ports[d.host.Port()].Space]
	follow := space.View.Follow(d.name)
	if follow.Record != nil {
		s.Place = follow.Record.Origin.Place
	} else if follow.Zone != nil {
		s.Place = follow.Zone.Origin.Place
	}
	if err != nil {
		s.State, s.What = stepFails, fmt.Sprintf("%s, asked at %s: %v", chain, t.Server, err)
		d.step(s)
		d.blameName(space.Name, follow, t, err)
		return
	}
	d.addr = t.Addrs[0]
	s.What = fmt.Sprintf("%s -> %s, asked at %s", chain, d.addr, t.Server)
	if d.target != fabric.None && d.img.Ports[d.target].Kind == fabric.PortEndpoint && d.meant.IsValid() && !slices.Contains(t.Addrs, d.meant) {
		s.State = stepFails
		s.What += fmt.Sprintf(", and %s is at %s", d.img.Ports[d.target].Name, d.meant)
		d.step(s)
		d.blameName(space.Name, follow, t, nil)
		return
	}
	d.step(s)
}

// blameName says why a name does not lead where it should.
func (d *doctor) blameName(vnet string, follow fabric.Following, t live.NameTrace, err error) {
	end := t.Name
	if len(t.Aliases) > 0 {
		end = t.Aliases[len(t.Aliases)-1]
	}
	// The names on the way that a private zone could hold.
	names := append([]string{t.Name}, t.Aliases...)
	if len(t.Aliases) == 0 {
		if first, rest, ok := strings.Cut(t.Name, "."); ok {
			names = append(names, first+".privatelink."+rest)
		}
	}
	for _, name := range names {
		for _, r := range d.s.Design.Network().Resources {
			zone := strings.ToLower(r.ID.Name())
			if !r.ID.Is(model.TypePrivateZone) || !strings.HasSuffix(name, "."+zone) || d.sees(zone) {
				continue
			}
			d.causes = append(d.causes, DoctorCause{
				What:  fmt.Sprintf("private zone %s is not linked to virtual network %s, so %s is answered from outside: %s", zone, vnet, name, answerText(t, err)),
				Place: r.Pos.String(), Fix: fmt.Sprintf("link zone %s to %s (link: %s)", zone, vnet, vnet),
			})
			return
		}
	}
	switch {
	case follow.Record != nil && err == nil && follow.Record.Origin.Place != "" && d.meant.IsValid():
		d.causes = append(d.causes, DoctorCause{
			What:  fmt.Sprintf("the record of %s says %s, and %s is at %s", end, t.Addrs[0], d.img.Ports[d.target].Name, d.meant),
			Place: follow.Record.Origin.Place, Fix: fmt.Sprintf("let the record say %s, or let the private endpoint write it (zones: %s)", d.meant, follow.Zone.Name),
		})
	case follow.Zone != nil:
		d.causes = append(d.causes, DoctorCause{
			What:  fmt.Sprintf("zone %s has no record of %s", follow.Zone.Name, end),
			Place: follow.Zone.Origin.Place, Fix: "add the record, or let the private endpoint write it (zones: " + follow.Zone.Name + ")",
		})
	default:
		d.causes = append(d.causes, DoctorCause{What: fmt.Sprintf("%s: %s", t.Name, answerText(t, err)), Fix: "link a private zone that has the name to " + vnet})
	}
}

func answerText(t live.NameTrace, err error) string {
	if err != nil {
		return err.Error()
	}
	return t.Addrs[0].String()
}

// sees reports whether the host's network asks a zone.
func (d *doctor) sees(zone string) bool {
	view := &d.img.Spaces[d.img.Ports[d.host.Port()].Space].View
	return slices.ContainsFunc(view.Zones, func(z fabric.Zone) bool { return z.Name == zone })
}

// follow reads what decides on the way: to whom is meant, else to where the name
// leads.
func (d *doctor) follow() {
	goal := d.meant
	if !goal.IsValid() {
		goal = d.addr
	}
	if !goal.IsValid() {
		d.step(DoctorStep{Step: "route", State: stepSkipped, What: "there is no address to go to"})
		return
	}
	from, err := d.asker()
	if err != nil {
		d.step(DoctorStep{Step: "route", State: stepSkipped, What: err.Error()})
		return
	}
	to := model.Selector{Text: goal.String(), Prefixes: []netip.Prefix{netip.PrefixFrom(goal, goal.BitLen())}, Any: true}
	if d.target != fabric.None {
		p := &d.img.Ports[d.target]
		if d.outside() {
			to.Prefixes = nil // the addresses of ports are those inside
		}
		for _, l := range p.Labels {
			if k := model.LabelKind(l.Kind); k == model.LabelHost || k == model.LabelEndpoint || k == model.LabelBalancer || k == model.LabelService && p.Kind == fabric.PortService || k == model.LabelSite {
				to.Any, to.All = false, append(to.All, model.Label{Kind: k, Name: l.Name})
			}
		}
	} else if d.img.Edge != fabric.None && d.img.Sets[d.img.Ports[d.img.Edge].Addrs].Contains(fabric.AddrValue(goal)) {
		to.Any, to.Internet = false, true
	}
	x := d.prover.Explain(from, to, []model.Traffic{{Protocol: fabric.ProtoTCP, Ports: []model.PortRange{{Lo: d.port, Hi: d.port}}}})
	if x.Problem != "" {
		d.step(DoctorStep{Step: "route", State: stepUnknown, What: x.Problem})
		return
	}
	d.hops("", x.Forward, !x.Works() && len(x.Reply) == 0, x.Verdict)
	d.hops("reply ", x.Reply, !x.Works(), x.Verdict)
	for _, b := range x.Blockers {
		d.causes = append([]DoctorCause{{What: strings.TrimSuffix(b.What, " ["+b.Place+"]"), Place: b.Place, Fix: b.Fix}}, d.causes...)
	}
	if len(x.Blockers) > 1 {
		slices.Reverse(d.causes[:len(x.Blockers)]) // the first that the packet meets first
	}
	if !x.Works() && len(x.Blockers) == 0 {
		d.causes = append([]DoctorCause{{What: x.Why}}, d.causes...)
	}
	d.approval()
}

// approval looks at the connection of a private endpoint, which carries nothing
// until its owner has approved it ("What is a private endpoint").
func (d *doctor) approval() {
	if d.target == fabric.None || d.img.Ports[d.target].Kind != fabric.PortEndpoint {
		return
	}
	p := &d.img.Ports[d.target]
	for _, id := range p.Ingress {
		for _, r := range d.img.Filters[id].Rules {
			state, ok := strings.CutPrefix(r.Origin.Name, "connection ")
			if !ok || r.Action != fabric.Drop {
				continue
			}
			what := fmt.Sprintf("the connection of private endpoint %s is %s, and only an approved one carries traffic", p.Name, state)
			d.step(DoctorStep{Step: "endpoint", State: stepFails, What: what, Place: r.Origin.Place})
			d.causes = append([]DoctorCause{{What: what, Place: r.Origin.Place, Fix: "let the owner of " + d.name + " approve the connection"}}, d.causes...)
			return
		}
	}
}

// hops adds the decisions of one direction.
func (d *doctor) hops(way string, hops []proof.Hop, stops bool, verdict string) {
	failed := stepFails
	if verdict == fabric.VerdictUnknown.String() {
		failed = stepUnknown
	}
	for i, h := range hops {
		if h.Stage == "stopped" && len(d.out.Steps) > 0 && i > 0 {
			d.out.Steps[len(d.out.Steps)-1].State = failed
			continue
		}
		kind := "rules"
		switch {
		case h.Stage == "route":
			kind = "route"
		case !strings.Contains(h.Stage, "rules") && !strings.Contains(h.Stage, "policy"):
			if i < len(hops)-1 || !stops {
				continue // translations and the delivery speak for themselves
			}
			kind = "route"
		}
		s := DoctorStep{Step: way + kind, State: stepOK, Place: h.Place, What: fmt.Sprintf("%s: %s: %s", h.Port, strings.TrimSpace(h.Stage+" "+h.Match), h.Result)}
		if stops && i == len(hops)-1 {
			s.State = failed
		}
		d.step(s)
	}
}

// connect makes the connection to where the name leads.
func (d *doctor) connect(ctx context.Context) {
	if !d.addr.IsValid() {
		d.step(DoctorStep{Step: "connection", State: stepSkipped, What: "there is no address to connect to"})
		return
	}
	ctx, cancel := context.WithTimeout(ctx, doctorConnect)
	defer cancel()
	to := netip.AddrPortFrom(d.addr, d.port)
	begin := time.Now()
	c, err := d.host.DialContext(ctx, "tcp", to.String())
	s := DoctorStep{Step: "connection", State: stepOK, MS: ms(time.Since(begin)), What: fmt.Sprintf("TCP to %s is open", to)}
	if err != nil {
		s.State = stepFails
		var denied *live.DeniedError
		switch {
		case errors.As(err, &denied) && denied.Fault != fabric.FaultNone:
			s.What = fmt.Sprintf("TCP to %s: %s", to, denied.Text)
			d.causes = append(d.causes, d.fault(denied))
		case errors.As(err, &denied):
			// The place says enough where there is one.
			origin := d.img.OriginOf(denied.Reason)
			text := denied.Text
			if origin.Place != "" {
				text = strings.Replace(text, origin.Resource+", ", "", 1)
			}
			s.What = fmt.Sprintf("TCP to %s: %s: %s", to, denied.Verdict, text)
			if denied.Reply {
				s.What = fmt.Sprintf("TCP to %s: the reply: %s: %s", to, denied.Verdict, text)
			}
			d.causes = append(d.causes, DoctorCause{What: text, Place: origin.Place})
		case errors.Is(err, live.ErrRefused):
			s.What = fmt.Sprintf("TCP to %s: the packets get there, and nobody listens at port %d", to, d.port)
			d.causes = append(d.causes, DoctorCause{What: s.What, Fix: fmt.Sprintf("start what should listen at port %d, or connect to another", d.port)})
		case ctx.Err() != nil:
			s.What = fmt.Sprintf("TCP to %s: no answer within %s", to, doctorConnect)
			d.causes = append(d.causes, DoctorCause{What: s.What})
		default:
			s.What = fmt.Sprintf("TCP to %s: %v", to, err)
			d.causes = append(d.causes, DoctorCause{What: s.What})
		}
		d.step(s)
		return
	}
	defer c.Close()
	d.step(s)
	d.handshake(ctx, c)
}

// handshake tries TLS where the other end waits to be spoken to.
func (d *doctor) handshake(ctx context.Context, c net.Conn) {
	_ = c.SetReadDeadline(time.Now().Add(doctorHello))
	b := make([]byte, 128)
	if n, err := c.Read(b); n > 0 || err != nil && !isTimeout(err) {
		what := "the server speaks first: " + strconv.Quote(strings.TrimSpace(string(b[:n])))
		if n == 0 {
			what = "the server closes the connection: " + err.Error()
		}
		d.step(DoctorStep{Step: "tls", State: stepSkipped, What: what})
		return
	}
	_ = c.SetReadDeadline(time.Time{})
	if deadline, ok := ctx.Deadline(); ok {
		_ = c.SetDeadline(deadline)
	}
	name := d.name
	if name == "" && d.target != fabric.None {
		name = d.img.Ports[d.target].Name
	}
	begin := time.Now()
	config := d.s.Net.TLS()
	config.ServerName = name
	t := tls.Client(c, config)
	err := t.HandshakeContext(ctx)
	s := DoctorStep{Step: "tls", State: stepOK, MS: ms(time.Since(begin))}
	var record tls.RecordHeaderError
	switch {
	case err == nil:
		s.What = fmt.Sprintf("%s for %s", tls.VersionName(t.ConnectionState().Version), t.ConnectionState().PeerCertificates[0].Subject.CommonName)
	case errors.As(err, &record), d.port != 443 && d.port != 8443:
		s.State, s.What = stepSkipped, "the server speaks no TLS"
	default:
		s.State, s.What = stepFails, err.Error()
		d.causes = append(d.causes, DoctorCause{What: fmt.Sprintf("TLS for %s: %v", name, err), Fix: "connect by a name that the certificate has"})
	}
	d.step(s)
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

// cause is the most telling one.
func (d *doctor) cause() *DoctorCause {
	if len(d.causes) == 0 {
		return nil
	}
	return &d.causes[0]
}
