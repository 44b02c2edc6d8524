package live

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// SteadyOptions say how much steady traffic to make. The zero value is ready to
// use.
type SteadyOptions struct {
	// Every is the time between two trials of a flow; default 100 ms.
	Every time.Duration
	// Patience is how long a new connection or a datagram's answer may take;
	// default a second, and what the underlay's latency adds.
	Patience time.Duration
	// Pairs bounds the pairs of hosts for one expectation and one kind of
	// traffic; default 4.
	Pairs int
	// Streams are the long-lived connections to one address of a load
	// balancer, so that several members have some; default 4.
	Streams int
}

// maxSteady bounds the flows of steady traffic.
const maxSteady = 512

// SteadyKind is a kind of steady traffic.
type SteadyKind string

// The kinds of steady traffic.
const (
	SteadyStream   SteadyKind = "stream"   // one TCP connection that says something again and again
	SteadyConnect  SteadyKind = "connect"  // new TCP connections, one after the other
	SteadyDatagram SteadyKind = "datagram" // datagrams of one socket, each answered
)

// Spell is a time in which every trial of a flow went alike, none much later
// than the one before.
type Spell struct {
	From, To time.Time // of its first and its last trial's end
	OK       bool
	Why      string // of trials that failed
	Trials   int
	// By says who answered, of connections through a load balancer.
	By string
}

// maxSpells bounds the spells kept of one flow; the oldest go.
const maxSpells = 4096

// SteadyFlow is one flow of steady traffic.
type SteadyFlow struct {
	Expectation int // index into the expectations given
	Kind        SteadyKind
	From, To    string
	Packet      fabric.Packet // of the first trial
	At          fabric.PortID // where it enters, in the image in force at the start
	// Forward and Reply are the ports that a stream passed when it began.
	Forward, Reply []fabric.PortID
	Spells         []Spell // oldest first
	// Ended says why a stream is over; "" while it lives.
	Ended   string
	EndedAt time.Time
}

// Steady is steady traffic under way.
type Steady struct {
	net   *Network
	opts  SteadyOptions
	ctx   context.Context
	stop  context.CancelFunc
	group sync.WaitGroup
	mu    sync.Mutex
	flows []*SteadyFlow
	// slowest is the longest that a trial took which worked; patience how long one
	// may take.
	slowest, patience time.Duration
}

// Calibrate makes the traffic as patient as this machine needs: at least as patient
// as it was, and a few times as patient as the slowest trial so far took, within
// limits. It returns how patient the traffic is then. To be called while all is well:
// what is slow then is not what the traffic looks for.
func (s *Steady) Calibrate() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.patience = min(max(s.patience, slower*s.slowest), slower*s.opts.Patience)
	return s.patience
}

// slower is how much slower than before a trial may become, and how much more
// patient than asked the traffic.
const slower = 5

// patient is how long a trial may take now.
func (s *Steady) patient() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.patience
}

// Steady begins real traffic between the declared hosts for every expectation
// that allows some: long-lived streams, new connections, and datagrams, where
// somebody serves. Stop ends it.
func (n *Network) Steady(exps []model.Expectation, o SteadyOptions) *Steady {
	if o.Every <= 0 {
		o.Every = 100 * time.Millisecond
	}
	if o.Patience <= 0 {
		o.Patience = time.Second + 4*n.Farthest()
	}
	if o.Pairs <= 0 {
		o.Pairs = 4
	}
	if o.Streams <= 0 {
		o.Streams = 4
	}
	s := &Steady{net: n, opts: o, patience: o.Patience}
	s.ctx, s.stop = context.WithCancel(context.Background())
	img := n.Image()
	n.labelled(func() {
		for i := range exps {
			if exps[i].Verb == model.Allow {
				s.expectation(img, i, &exps[i])
			}
		}
	})
	return s
}

// Farthest is the longest one-way delay between two regions, as scaled.
func (n *Network) Farthest() time.Duration {
	var most time.Duration
	for _, row := range n.Image().Delay {
		most = max(most, slices.Max(append(row, 0)))
	}
	return time.Duration(float64(most) * n.opts.Latency)
}

// Flows returns copies of the flows as they are now.
func (s *Steady) Flows() []SteadyFlow {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]SteadyFlow, len(s.flows))
	for i, f := range s.flows {
		out[i] = *f
		out[i].Spells = slices.Clone(f.Spells)
	}
	return out
}

// Stop ends the traffic and waits until nothing of it is left.
func (s *Steady) Stop() {
	s.stop()
	s.group.Wait()
}

func (s *Steady) expectation(img *fabric.Image, index int, e *model.Expectation) {
	order, byAttempt := s.net.attemptsOf(img, e, s.net.toPublicHosts(s.net.pairs(img, e)))
	for _, a := range order {
		if a.proto != fabric.ProtoTCP && a.proto != fabric.ProtoUDP {
			continue
		}
		served := slices.DeleteFunc(byAttempt[a], func(p pair) bool { return s.net.serves(img, p, a) == "" })
		for _, p := range spread(img, served, s.opts.Pairs) {
			kind := s.net.serves(img, p, a)
			if a.proto == fabric.ProtoUDP {
				s.begin(img, index, SteadyDatagram, p, a, kind)
				continue
			}
			s.begin(img, index, SteadyConnect, p, a, kind)
			if kind == steadyProgram || kind == serviceStream || kind == model.ServiceDNS {
				continue // its protocol is its own: nothing to say again and again
			}
			streams := 1
			if len(p.to.links) == 0 { // a load balancer's frontend
				streams = s.opts.Streams
			}
			for range streams {
				s.begin(img, index, SteadyStream, p, a, kind)
			}
		}
	}
}

// toPublicHosts puts the declared hosts of the internet in the place of the
// internet as a whole: only they have services.
func (n *Network) toPublicHosts(pairs []pair) []pair {
	var out []pair
	for _, p := range pairs {
		if p.to == nil || p.to != n.internet || !slices.Contains(p.to.Addrs(), p.dst) {
			out = append(out, p)
			continue
		}
		for _, h := range n.public.list {
			for _, a := range h.public {
				if a.Is4() == p.src.Is4() {
					out = append(out, pair{p.from, h, p.src, a, a})
					break
				}
			}
		}
	}
	return out
}

// steadyProgram is what a real program serves whose protocol nobody declared:
// it accepts connections, and what it says over them is not known.
const steadyProgram model.ServiceKind = "program"

// serves returns what is served at the other end of a pair, or "": behind a
// frontend, what the first member with a host serves.
func (n *Network) serves(img *fabric.Image, p pair, a attempt) model.ServiceKind {
	if n.opts.NoServices {
		return ""
	}
	to, port := p.to, a.port
	if len(p.to.links) == 0 {
		to = nil
		for i := range img.Ports {
			in := img.Ports[i].Inward
			if in == nil || img.Ports[i].Name != p.to.Name || img.Ports[i].Kind != fabric.PortBalancer {
				continue
			}
			q := fabric.Packet{Src: p.src, Dst: p.dst, Proto: a.proto, SrcPort: 50000, DstPort: a.port}
			for _, public := range img.Publics {
				if public.Addr == p.dst && public.Private.IsValid() {
					q.Dst = public.Private
				}
			}
			at, ok := img.RedirectOf(fabric.PortID(i), q)
			if !ok {
				continue
			}
			for _, t := range in.Redirects[at].Targets {
				if h := n.hostAt(t.Port); h != nil {
					to = h
					if t.DstPort != 0 {
						port = t.DstPort
					}
					break
				}
			}
		}
	}
	if to == nil {
		return ""
	}
	for _, s := range to.Services() {
		if s.Port == port && (s.Kind == model.ServiceDNS || (s.Kind == model.ServiceUDP) == (a.proto == fabric.ProtoUDP)) {
			if s.Kind == model.ServiceTCP && to.programAt(port) {
				return steadyProgram
			}
			return s.Kind
		}
	}
	return ""
}

// hostAt returns the host behind a port, or nil.
func (n *Network) hostAt(at fabric.PortID) *Host {
	n.wire.mu.Lock()
	defer n.wire.mu.Unlock()
	if at < 0 || int(at) >= len(n.wire.links) || n.wire.links[at] == nil {
		return nil
	}
	return n.wire.links[at].host
}

func (s *Steady) begin(img *fabric.Image, index int, kind SteadyKind, p pair, a attempt, service model.ServiceKind) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.flows) >= maxSteady {
		return
	}
	f := &SteadyFlow{
		Expectation: index, Kind: kind, From: p.from.Name, To: p.to.Name, At: p.from.Port(),
		Packet: fabric.Packet{Src: p.src, Dst: p.dst, Proto: a.proto, DstPort: a.port},
	}
	s.flows = append(s.flows, f)
	say := s.net.saying(img, p, a)
	s.group.Go(func() {
		switch kind {
		case SteadyStream:
			s.stream(f, p, service)
		case SteadyConnect:
			s.connects(f, p, service)
		default:
			s.datagrams(f, p, say)
		}
	})
}

// note adds a trial to a flow, which began some time ago.
func (s *Steady) note(f *SteadyFlow, began time.Time, by string, err error) {
	now := time.Now()
	why := ""
	if err != nil {
		if s.ctx.Err() != nil {
			return // it was stopped
		}
		why = shortly(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.slowest = max(s.slowest, now.Sub(began))
	}
	if n := len(f.Spells); n > 0 {
		last := &f.Spells[n-1]
		if last.OK == (err == nil) && last.Why == why && last.By == by && now.Sub(last.To) <= s.patience+s.opts.Every {
			last.To = now
			last.Trials++
			return
		}
	}
	if len(f.Spells) == maxSpells {
		f.Spells = append(f.Spells[:0], f.Spells[1:]...)
	}
	f.Spells = append(f.Spells, Spell{From: now, To: now, OK: err == nil, Why: why, Trials: 1, By: by})
}

// shortly says an error without the addresses, which differ between trials.
func shortly(err error) string {
	var denied *DeniedError
	switch {
	case errors.As(err, &denied):
		return denied.Text
	case errors.Is(err, context.DeadlineExceeded) || isTimeout(err):
		return "no answer"
	case errors.Is(err, io.EOF):
		return "closed by the other end"
	default:
		return err.Error()
	}
}

// wait waits for the next trial; false if the traffic is stopped.
func (s *Steady) wait(ticker *time.Ticker) bool {
	select {
	case <-s.ctx.Done():
		return false
	case <-ticker.C:
		return true
	}
}

// connects opens one connection after the other and hears who answers.
func (s *Steady) connects(f *SteadyFlow, p pair, service model.ServiceKind) {
	ticker := time.NewTicker(s.opts.Every)
	defer ticker.Stop()
	for {
		began := time.Now()
		ctx, cancel := WithPatience(s.ctx, s.patient())
		by := ""
		c, err := p.from.dialTCP(ctx, netip.AddrPortFrom(p.src, 0), netip.AddrPortFrom(p.dst, f.Packet.DstPort))
		if err == nil {
			stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
			by, err = hear(c, service)
			stop()
			c.Close()
		}
		cancel()
		s.note(f, began, by, err)
		if !s.wait(ticker) {
			return
		}
	}
}

// hear returns who answers at a fresh connection, of a service that says so.
func hear(c net.Conn, service model.ServiceKind) (string, error) {
	switch service {
	case model.ServiceTCP:
		line, err := bufio.NewReader(c).ReadString('\n')
		name, _, _ := strings.Cut(line, " ")
		return name, err
	case model.ServiceHTTP:
		res, err := ask(c, bufio.NewReader(c))
		return res, err
	default:
		return "", nil
	}
}

// ask sends a request over a connection that stays open, and returns the page's
// first word.
func ask(c net.Conn, r *bufio.Reader) (string, error) {
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: steady\r\n\r\n"); err != nil {
		return "", err
	}
	return page(r)
}

func page(r *bufio.Reader) (string, error) {
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 1<<16))
	if words := strings.Fields(string(b)); len(words) > 0 && err == nil {
		return words[0], nil
	}
	return "", err
}

// stream keeps one connection and says something over it again and again.
func (s *Steady) stream(f *SteadyFlow, p pair, service model.ServiceKind) {
	began := time.Now()
	c, err := s.open(f, p)
	if err != nil {
		s.note(f, began, "", err)
		s.end(f, "never connected: "+shortly(err))
		return
	}
	defer c.Close()
	raw := c
	stop := context.AfterFunc(s.ctx, func() { raw.Close() }) // c may be TLS by then
	defer stop()
	if service == model.ServiceHTTPS {
		config := s.net.authority.clientConfig()
		config.InsecureSkipVerify = true // whoever answers behind a frontend
		c = tls.Client(raw, config)
	}
	answers := make(chan error, 1)
	reader := bufio.NewReader(c)
	if service == model.ServiceTCP {
		if _, err := reader.ReadString('\n'); err != nil {
			s.end(f, shortly(err))
			return
		}
	}
	var reading sync.WaitGroup
	defer reading.Wait()
	defer raw.Close()
	reading.Go(func() {
		for {
			var err error
			if service == model.ServiceTCP {
				_, err = reader.ReadString('\n')
			} else {
				_, err = page(reader)
			}
			select {
			case answers <- err:
			case <-s.ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	})
	ticker := time.NewTicker(s.opts.Every)
	defer ticker.Stop()
	text := "steady\n"
	if service != model.ServiceTCP {
		text = "GET / HTTP/1.1\r\nHost: steady\r\n\r\n"
	}
	asked, waited := false, time.Duration(0) // in ticks: a process that stands still has none
	for {
		if !asked {
			asked, waited, began = true, 0, time.Now()
			if _, err := io.WriteString(c, text); err != nil {
				s.note(f, began, "", err)
				s.end(f, shortly(err))
				return
			}
		}
		select {
		case <-s.ctx.Done():
			return
		case err := <-answers:
			s.note(f, began, "", err)
			if err != nil {
				s.end(f, shortly(err))
				return
			}
			asked = false
			if !s.wait(ticker) {
				return
			}
		case <-ticker.C:
			if waited += s.opts.Every; waited > s.patient() {
				s.note(f, began, "", context.DeadlineExceeded)
			}
		}
	}
}

func (s *Steady) end(f *SteadyFlow, why string) {
	if s.ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f.Ended, f.EndedAt = why, time.Now()
}

// open connects a stream and notes the way it takes.
func (s *Steady) open(f *SteadyFlow, p pair) (net.Conn, error) {
	ctx, cancel := WithPatience(s.ctx, 4*s.patient())
	defer cancel()
	x, err := p.from.open(tcp.ProtocolNumber, netip.AddrPortFrom(p.src, 0), netip.AddrPortFrom(p.dst, f.Packet.DstPort))
	if err != nil {
		return nil, err
	}
	w := s.net.wire
	watch := w.watchFlow(x.link, x.packet, nil)
	defer w.unwatch(watch)
	c, err := x.connect(ctx, watch)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	flow, ok := w.engine.Flow(watch.flow)
	w.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	f.Packet = x.packet
	if ok {
		f.Forward, f.Reply = flow.Forward.Path, flow.Reply.Path
	}
	return c, nil
}

// datagrams sends one datagram after the other from one socket.
func (s *Steady) datagrams(f *SteadyFlow, p pair, say []byte) {
	ticker := time.NewTicker(s.opts.Every)
	defer ticker.Stop()
	x, err := p.from.open(udp.ProtocolNumber, netip.AddrPortFrom(p.src, 0), netip.AddrPortFrom(p.dst, f.Packet.DstPort))
	if err == nil {
		s.mu.Lock()
		f.Packet = x.packet
		s.mu.Unlock()
		if terr := x.ep.Connect(fullAddr(netip.AddrPortFrom(p.dst, f.Packet.DstPort))); terr != nil {
			x.ep.Close()
			err = stackError(terr)
		}
	}
	if err != nil {
		s.note(f, time.Now(), "", err)
		return
	}
	for first := true; ; first = false {
		began := time.Now()
		if !first {
			// A denial is told once a socket; the flow's ports stay.
			if x, err = p.from.open(udp.ProtocolNumber, netip.AddrPortFrom(p.src, f.Packet.SrcPort), netip.AddrPortFrom(p.dst, f.Packet.DstPort)); err == nil {
				if terr := x.ep.Connect(fullAddr(netip.AddrPortFrom(p.dst, f.Packet.DstPort))); terr != nil {
					x.ep.Close()
					err = stackError(terr)
				}
			}
		}
		if err == nil {
			err = s.datagram(x, say)
		}
		s.note(f, began, "", err)
		err = nil
		if !s.wait(ticker) {
			return
		}
	}
}

// datagram sends one datagram, waits for its answer and closes the socket.
func (s *Steady) datagram(x *socket, say []byte) error {
	ctx, cancel := WithPatience(s.ctx, s.patient())
	defer cancel()
	d := newDatagrams(x)
	defer d.Close()
	stop := context.AfterFunc(ctx, d.interrupt)
	defer stop()
	if _, err := d.Write(say); err != nil {
		return err
	}
	if _, err := d.Read(make([]byte, mtu)); err != nil {
		return orContext(ctx, err)
	}
	return nil
}

// String names a flow for people.
func (f *SteadyFlow) String() string {
	proto := "tcp"
	if f.Packet.Proto == fabric.ProtoUDP {
		proto = "udp"
	}
	return fmt.Sprintf("%s %s -> %s %s/%d", f.Kind, f.From, f.To, proto, f.Packet.DstPort)
}
