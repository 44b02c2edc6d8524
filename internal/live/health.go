package live

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// askWidth is how many members are asked at the same time.
const askWidth = 256

// pulse asks the members of load balancers whether they are well, and puts what
// it finds into force. A network without probes has none.
type pulse struct {
	net    *Network
	prober prober

	mu      sync.Mutex
	pace    float64
	members []*member               // of the image in force, in its order
	mute    map[fabric.Asked]string // members that a failure keeps from answering, and its name
	first   chan struct{}
	unheard int // members not heard of since the start

	wake chan struct{}
	done chan struct{}
	ctx  context.Context
	stop context.CancelFunc
}

// member is a member of a pool as one probe asks it.
type member struct {
	*vitals
	asked fabric.Asked
	key   memberKey
	names [2]string // of the load balancer and of the member's port
	link  *link     // nil: nobody that runs here
	heard bool
	// hopeless is why no answer will come, as the compiled network says: the rule
	// that drops the probe, for example; "" if one may.
	hopeless string
}

// memberKey is what a member is, whatever its port's position in the image.
type memberKey struct {
	resource, probe string
	port            identity
	addr            netip.Addr
}

func newPulse(n *Network, pace float64) *pulse {
	p := &pulse{
		net: n, pace: pace, first: make(chan struct{}), wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
	p.prober.net = n
	p.ctx, p.stop = context.WithCancel(context.Background())
	return p
}

// join takes the members from an image and keeps what is known of those it has
// already. It returns what was measured, for that image. The caller holds
// wire.mu or is alone.
func (p *pulse) join(img *fabric.Image, now time.Time) fabric.Health {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := map[memberKey]*member{}
	for _, m := range p.members {
		old[m.key] = m
	}
	seen := map[fabric.Asked]bool{}
	p.members = nil
	p.unheard = 0
	for i := range img.Ports {
		if img.Ports[i].Inward == nil {
			continue
		}
		for j := range img.Ports[i].Inward.Redirects {
			for k := range img.Ports[i].Inward.Redirects[j].Targets {
				t := &img.Ports[i].Inward.Redirects[j].Targets[k]
				asked, ok := t.Asked()
				if !ok || seen[asked] {
					continue
				}
				seen[asked] = true
				p.members = append(p.members, p.member(img, t, asked, old, now))
			}
		}
	}
	for _, m := range p.members {
		if m.awaited() {
			p.unheard++
		}
	}
	p.settled()
	select {
	case p.wake <- struct{}{}:
	default:
	}
	return p.health()
}

func (p *pulse) member(img *fabric.Image, t *fabric.Target, asked fabric.Asked, old map[memberKey]*member, now time.Time) *member {
	port := &img.Ports[t.Port]
	m := &member{asked: asked, link: p.net.wire.links[t.Port], hopeless: t.Fails}
	m.key = memberKey{strings.ToLower(t.Probe.Origin.Resource), t.Probe.Origin.Name, identityOf(port), t.Own}
	m.names = [2]string{t.Probe.Origin.Resource[strings.LastIndexByte(t.Probe.Origin.Resource, '/')+1:], port.Name}
	if before := old[m.key]; before != nil {
		m.vitals, m.heard = before.vitals, before.heard
		m.probe = *t.Probe
		return m
	}
	m.vitals = newVitals(t.Probe, t.Fails, now)
	return m
}

// measurable reports whether somebody can be asked: the platform asks machines
// that run here, over IPv4.
func (m *member) measurable() bool { return m.link != nil && m.asked.Addr.Is4() }

// awaited reports whether the first answer is waited for: of members that a
// filter keeps from being asked none will come.
func (m *member) awaited() bool { return m.measurable() && !m.heard && m.hopeless == "" }

// settled tells those who wait that every member was heard of. The caller holds
// mu.
func (p *pulse) settled() {
	if p.unheard > 0 {
		return
	}
	select {
	case <-p.first:
	default:
		close(p.first)
	}
}

// health is what was measured. The caller holds mu.
func (p *pulse) health() fabric.Health {
	h := fabric.Health{}
	for _, m := range p.members {
		if m.heard {
			h[m.asked] = m.why
		}
	}
	return h
}

// finding is an answer of a member.
type finding struct {
	of     *vitals
	answer Answer
}

// run asks until the network is closed.
func (p *pulse) run() {
	defer close(p.done)
	found := make(chan finding, askWidth)
	width := make(chan struct{}, askWidth)
	var asking sync.WaitGroup
	defer asking.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-p.ctx.Done():
			return
		case <-p.wake:
		case <-timer.C:
		case f := <-found:
			changed := p.take(f)
			for more := true; more; {
				select {
				case f := <-found:
					changed = p.take(f) || changed
				default:
					more = false
				}
			}
			if changed {
				p.net.remeasure()
			}
			p.mu.Lock()
			p.settled()
			p.mu.Unlock()
		}
		due, next := p.due(time.Now())
		for _, q := range due {
			select {
			case width <- struct{}{}:
			case <-p.ctx.Done():
				return
			}
			asking.Go(func() {
				defer func() { <-width }()
				select {
				case found <- finding{q.of, p.ask(q)}:
				case <-p.ctx.Done():
				}
			})
		}
		timer.Reset(time.Until(next))
	}
}

// question is a member to ask.
type question struct {
	of    *vitals
	link  *link
	probe fabric.Probe
	addr  netip.Addr
	mute  string // why it is not asked but taken for silent, or ""
	pace  float64
}

// due returns the members to ask now, and when to look again.
func (p *pulse) due(now time.Time) (out []question, next time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	next = now.Add(time.Hour)
	for _, m := range p.members {
		if !m.measurable() {
			continue
		}
		if m.vitals.due(now, p.pace) {
			out = append(out, question{m.vitals, m.link, m.probe, m.asked.Addr, p.mute[m.asked], p.pace})
		}
		if m.next.Before(next) && !m.asking {
			next = m.next
		}
	}
	return out, next
}

// ask asks one member.
func (p *pulse) ask(q question) Answer {
	begin := time.Now()
	if q.mute != "" {
		return Answer{Time: begin, Why: q.mute}
	}
	ctx, cancel := WithPatience(p.ctx, Patience(&q.probe, q.pace))
	defer cancel()
	why := p.prober.ask(ctx, q.link, &q.probe, q.addr)
	return Answer{Time: begin, Took: time.Since(begin), Why: why}
}

// take notes an answer; it reports whether the state of a member changed.
func (p *pulse) take(f finding) (changed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.members, func(m *member) bool { return m.vitals == f.of })
	changed = f.of.take(f.answer)
	if i >= 0 && !p.members[i].heard {
		if p.members[i].awaited() {
			p.unheard--
		}
		p.members[i].heard = true
		changed = true
	}
	return changed
}

// close stops asking and waits until nothing of it is left.
func (p *pulse) close() {
	p.stop()
	<-p.done
	p.prober.close()
}

// MemberHealth is what health probes found of one member of a load balancer.
type MemberHealth struct {
	Balancer string // the load balancer's name
	Probe    fabric.Probe
	Member   string // the name of the member's interface
	Host     string // the declared host it belongs to, or ""
	Addr     netip.Addr
	Up       bool
	Why      string // of a member that is down
	// Measured is false while only the compiled network speaks: nothing was
	// asked yet, or nothing can be (it does not run here, or has IPv6 only).
	Measured     bool
	Since        time.Time // of the state
	Sent, Failed uint64
	Answers      []Answer // the last, oldest first
}

// beat returns the network's pulse, nil if it has none.
func (n *Network) beat() *pulse {
	n.wire.mu.Lock()
	defer n.wire.mu.Unlock()
	return n.pulse
}

// Health returns what health probes found, of every member that is probed, in
// the order of the image. It is nil if the network sends no probes.
func (n *Network) Health() []MemberHealth {
	p := n.beat()
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]MemberHealth, len(p.members))
	for i, m := range p.members {
		out[i] = MemberHealth{
			Balancer: m.names[0], Probe: m.probe, Member: m.names[1], Addr: m.asked.Addr,
			Up: m.up, Why: m.why, Measured: m.heard, Since: m.since, Sent: m.sent, Failed: m.failed, Answers: slices.Clone(m.last),
		}
		if !m.up && m.hopeless != "" {
			out[i].Why = m.hopeless // it says more than that no answer came
		}
		if m.link != nil {
			out[i].Host = m.link.host.Name
		}
	}
	return out
}

// Pace returns how much faster than declared health probes are sent; 0 if they
// are not.
func (n *Network) Pace() float64 {
	if p := n.beat(); p != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.pace
	}
	if d := n.director; d != nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.pace
	}
	return 0
}

// SetPace changes how much faster than declared health probes are sent: above 0
// up to [MaxPace]. A network that sends none goes on sending none.
func (n *Network) SetPace(pace float64) error {
	if !(pace > 0 && pace <= MaxPace) {
		return fmt.Errorf("pace %v: use a scale above 0 up to %d", pace, MaxPace)
	}
	if n.opts.Pace > 0 {
		n.resolvers.setPace(pace)
	}
	if d := n.director; d != nil && n.opts.Pace > 0 {
		d.setPace(pace)
	}
	p := n.beat()
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pace = pace
	now := time.Now()
	for _, m := range p.members {
		if soon := now.Add(scaled(m.probe.Interval, pace)); m.next.After(soon) {
			m.next = soon
		}
	}
	select {
	case p.wake <- struct{}{}:
	default:
	}
	return nil
}

// Probed waits until every member that should be up answered, or failed to,
// once.
func (n *Network) Probed(ctx context.Context) error {
	if d := n.director; d != nil {
		select {
		case <-d.first:
		case <-n.closed:
			return ErrClosed
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	p := n.beat()
	if p == nil {
		return nil
	}
	select {
	case <-p.first:
		return nil
	case <-n.closed:
		return ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
