package certificate

import (
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"slices"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// maxSteps bounds the work on one leaf, in rules compared.
const maxSteps = 5_000_000

// Verify checks a certificate against the image of the network it speaks of.
// For every claim it holds that the leaves are disjoint, that together they are
// every packet of the claim, and that what each says becomes of all its
// packets. The error says what is wrong; nil means every claim is true.
//
// That the claims are those of the network's expectations is for the caller to
// compare: the sides are written out in the certificate.
func Verify(img *fabric.Image, c *Certificate) error {
	if got := fmt.Sprintf("%x", img.Digest()); got != c.Image {
		return fmt.Errorf("the certificate is about another network: its image is %.12s, this one's %.12s; run check --certificate again", c.Image, got)
	}
	for i := range c.Claims {
		if err := verify(img, &c.Claims[i]); err != nil {
			return fmt.Errorf("claim %q: %w", c.Claims[i].Name, err)
		}
	}
	return nil
}

// SameClaims holds that a certificate's claims ask what other claims ask: the
// same senders, ports and traffic.
func SameClaims(want, got []Claim) error {
	if len(want) < len(got) {
		return fmt.Errorf("it has %d claims, the network's expectations make %d", len(got), len(want))
	}
	left := slices.Clone(want)
	for i := range got {
		k := slices.IndexFunc(left, func(c Claim) bool {
			return c.Name == got[i].Name && slices.Equal(c.From, got[i].From) && slices.Equal(c.To, got[i].To) &&
				slices.Equal(c.Past, got[i].Past) && slices.Equal(c.Traffic, got[i].Traffic)
		})
		if k < 0 {
			return fmt.Errorf("claim %q is not what the network expects", got[i].Name)
		}
		left = slices.Delete(left, k, k+1)
	}
	return nil
}

func verify(img *fabric.Image, c *Claim) error {
	from, err := sides(img, c.From)
	if err != nil {
		return err
	}
	to, err := sides(img, c.To)
	if err != nil {
		return err
	}
	past, err := sides(img, c.Past)
	if err != nil {
		return err
	}
	traffic, err := boxes(c.Traffic)
	if err != nil {
		return err
	}
	// The question: each sender's packets, to every destination that can lead to
	// a port of the claim, and of every destination port where something changes
	// those: the claim is about packets as they arrive.
	question := map[fabric.PortID][]box{}
	dst := Destinations(img, to)
	asked := traffic
	if TranslatesPorts(img) {
		asked = nil
		for _, b := range traffic {
			b[fabric.DstPort] = b[fabric.SrcPort].Union(b[fabric.DstPort])
			asked = append(asked, b)
		}
	}
	for at, src := range from {
		for _, b := range asked {
			b[fabric.Src], b[fabric.Dst] = b[fabric.Src].Intersect(src), b[fabric.Dst].Intersect(dst)
			if !b.empty() {
				question[at] = append(question[at], b)
			}
		}
	}
	answered := map[fabric.PortID][]box{}
	for i := range c.Leaves {
		l := &c.Leaves[i]
		b, err := l.box()
		if err != nil {
			return fmt.Errorf("leaf %d: %w", i, err)
		}
		for _, at := range l.From {
			own, ok := from[at]
			if !ok {
				return fmt.Errorf("leaf %d begins at port %d, which the claim does not speak of", i, at)
			}
			b := b
			if b[fabric.Src] = b[fabric.Src].Intersect(own); b.empty() {
				return fmt.Errorf("leaf %d has no packet of port %d", i, at)
			}
			if err := follow(img, l, at, b, goal{img, to, past, traffic}); err != nil {
				return fmt.Errorf("leaf %d from %s: %w", i, img.Ports[at].Name, err)
			}
			answered[at] = append(answered[at], b)
		}
	}
	for at, q := range question {
		if err := cover(q, answered[at]); err != nil {
			return fmt.Errorf("from %s: %w", img.Ports[at].Name, err)
		}
	}
	return nil
}

// follow holds that a leaf's packets end as it says.
func follow(img *fabric.Image, l *Leaf, at fabric.PortID, b box, g goal) error {
	var bad error
	f := &follower{img: img, steps: maxSteps}
	sent := b
	f.leaf = func(b box, v fabric.Verdict, r fabric.Reason) {
		switch {
		case bad != nil:
		case v == fabric.VerdictUnknown:
			bad = fmt.Errorf("what becomes of %s is unknown", b)
		case v == fabric.VerdictAllow && r.Code != fabric.CodePlatform && g.hits(sent, f.past, r.Port, b):
			bad = fmt.Errorf("%s is delivered at %s", b, img.Ports[r.Port].Name)
		case l.Varies:
		case (v == fabric.VerdictAllow) != l.Elsewhere:
			bad = fmt.Errorf("%s: %s, not what the leaf says", b, v)
		case v == fabric.VerdictDeny && (r.Code != l.Code || r.Filter != l.Filter || r.Rule != l.Rule || r.Table != l.Table || r.Route != l.Route):
			bad = fmt.Errorf("%s is stopped by something else: %s", b, r.Code)
		}
	}
	f.start(at, b)
	if f.steps <= 0 && bad == nil {
		bad = fmt.Errorf("checking it takes more than %d steps", maxSteps)
	}
	return bad
}

// goal is where nothing of a claim may arrive.
type goal struct {
	img     *fabric.Image
	to      map[fabric.PortID]fabric.Set
	past    map[fabric.PortID]fabric.Set
	traffic []box
}

// hits reports whether packets that a port takes are the claim's: past one of
// its ports, if it has any, and either sent to a balancer that it speaks of and
// handed on by it, of its traffic as they were sent; or for an address of the
// port that it speaks of, or floated to it by a balancer, of its traffic as they
// arrive.
func (g goal) hits(sent box, past []fabric.PortID, at fabric.PortID, b box) bool {
	if len(g.past) > 0 && !slices.ContainsFunc(past, func(q fabric.PortID) bool { _, ok := g.past[q]; return ok }) {
		return false
	}
	for _, q := range past {
		if g.img.Ports[q].Kind == fabric.PortBalancer && g.to[q].Overlaps(sent[fabric.Dst]) && g.of(sent) {
			return true
		}
	}
	set, ok := g.to[at]
	if !ok || !set.Overlaps(b[fabric.Dst]) && b[fabric.Dst].SubsetOf(g.img.Sets[g.img.Ports[at].Addrs]) {
		return false
	}
	return g.of(b)
}

// of reports whether some of a box is of the claim's traffic.
func (g goal) of(b box) bool {
	return slices.ContainsFunc(g.traffic, func(t box) bool {
		return t[fabric.Proto].Overlaps(b[fabric.Proto]) && t[fabric.DstPort].Overlaps(b[fabric.DstPort])
	})
}

// TranslatesPorts reports whether anything changes destination ports.
func TranslatesPorts(img *fabric.Image) bool {
	for i := range img.Ports {
		if in := img.Ports[i].Inward; in != nil {
			for _, r := range in.Redirects {
				if slices.ContainsFunc(r.Targets, func(t fabric.Target) bool { return t.DstPort != 0 }) {
					return true
				}
			}
		}
	}
	return false
}

// Destinations returns every destination a packet can begin with and end at one
// of the ports: their own, and all that anything translates.
func Destinations(img *fabric.Image, to map[fabric.PortID]fabric.Set) fabric.Set {
	var out fabric.Set
	for _, s := range to {
		out = out.Union(s)
	}
	for _, p := range img.Publics {
		out = out.Union(fabric.AddrSet(p.Addr))
	}
	for i := range img.Ports {
		if in := img.Ports[i].Inward; in != nil {
			for _, r := range in.Redirects {
				for _, t := range r.Targets {
					if t.Addr.IsValid() || r.Floating {
						out = out.Union(img.Sets[r.Match[fabric.Dst]].Intersect(img.Sets[in.Addrs]))
						break
					}
				}
			}
		}
	}
	return out
}

// cover holds that pieces are disjoint and together the whole.
func cover(whole, pieces []box) error {
	total, sum := new(big.Int), new(big.Int)
	for _, b := range whole {
		total.Add(total, b.size())
	}
	for i, p := range pieces {
		in := new(big.Int)
		for _, b := range whole {
			in.Add(in, p.and(b).size())
		}
		if in.Cmp(p.size()) != 0 {
			return fmt.Errorf("%s is not of the claim", p)
		}
		for _, q := range pieces[:i] {
			if !p.and(q).empty() {
				return fmt.Errorf("%s is answered twice", p.and(q))
			}
		}
		sum.Add(sum, p.size())
	}
	if sum.Cmp(total) != 0 {
		return errors.New("packets of the claim are not answered")
	}
	return nil
}

func (b box) and(c box) box {
	for f := range fabric.NumFields {
		b[f] = b[f].Intersect(c[f])
	}
	return b
}

// size is the number of packets in a box.
func (b box) size() *big.Int {
	n := big.NewInt(1)
	for _, s := range b {
		sum := new(big.Int)
		for _, r := range s {
			sum.Add(sum, number(r.Hi).Sub(number(r.Hi), number(r.Lo)))
			sum.Add(sum, big.NewInt(1))
		}
		n.Mul(n, sum)
	}
	return n
}

func number(v fabric.Value) *big.Int {
	n := new(big.Int).SetUint64(v.Hi)
	return n.Lsh(n, 64).Or(n, new(big.Int).SetUint64(v.Lo))
}

// String names the box by its lowest packet.
func (b box) String() string {
	if b.empty() {
		return "nothing"
	}
	p := fabric.Packet{
		Src: b[fabric.Src].Min().Addr(), Dst: b[fabric.Dst].Min().Addr(), Proto: uint8(b[fabric.Proto].Min().Lo),
		SrcPort: uint16(b[fabric.SrcPort].Min().Lo), DstPort: uint16(b[fabric.DstPort].Min().Lo),
	}
	return p.String()
}

// sides reads one side of a claim.
func sides(img *fabric.Image, list []Side) (map[fabric.PortID]fabric.Set, error) {
	out := map[fabric.PortID]fabric.Set{}
	for _, s := range list {
		if s.Port < 0 || int(s.Port) >= len(img.Ports) || img.Ports[s.Port].Name != s.Name {
			return nil, fmt.Errorf("the network has no port %d named %q", s.Port, s.Name)
		}
		set, err := s.Addrs.Set(true)
		if err != nil {
			return nil, fmt.Errorf("port %q: %w", s.Name, err)
		}
		out[s.Port] = set
	}
	return out, nil
}

// boxes reads traffic, a box for each family.
func boxes(list []Traffic) ([]box, error) {
	var out []box
	for _, t := range list {
		var b box
		for f, text := range map[fabric.Field]Ranges{fabric.Proto: t.Protocols, fabric.SrcPort: t.SourcePorts, fabric.DstPort: t.DestinationPorts} {
			s, err := text.Set(false)
			if err != nil {
				return nil, fmt.Errorf("traffic: %w", err)
			}
			b[f] = s
		}
		for _, a := range [2]netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
			if a.Is4() && t.IPv4 || a.Is6() && t.IPv6 {
				b[fabric.Src], b[fabric.Dst] = family(a), family(a)
				out = append(out, b)
			}
		}
	}
	return out, nil
}

func (l *Leaf) box() (box, error) {
	var b box
	for f := range fabric.NumFields {
		s, err := l.Box[f].Set(f == fabric.Src || f == fabric.Dst)
		if err != nil {
			return b, fmt.Errorf("%s: %w", f, err)
		}
		b[f] = s
	}
	return b, nil
}
