package fabric

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ceruleannet/cerulean/balance"
)

// Hash says which fields of a packet choose the target of a flow.
type Hash uint8

// The hashes of Azure's load balancers.
const (
	HashFive  Hash = iota // source, destination, both ports, protocol: "Default"
	HashTwo               // source and destination: "SourceIP"
	HashThree             // source, destination and protocol: "SourceIPProtocol"
)

// String returns Azure's name of the hash.
func (h Hash) String() string { return [...]string{"Default", "SourceIP", "SourceIPProtocol"}[h] }

// Choose picks the target that takes a new flow at a redirect of a port: an
// index into its targets, one that is not down. It is asked only where there is
// one. from is where the packet entered the network.
type Choose func(from, at PortID, redirect int32, p Packet) int32

// Choice is a choice that was made.
type Choice struct {
	Port             PortID
	Redirect, Target int32
}

// Follow returns a Choose that repeats recorded choices in their order, and
// after them leaves it to another.
func Follow(choices []Choice, then Choose) Choose {
	return func(from, at PortID, redirect int32, p Packet) int32 {
		if len(choices) > 0 {
			c := choices[0]
			choices = choices[1:]
			if c.Port == at && c.Redirect == redirect {
				return c.Target
			}
		}
		return then(from, at, redirect, p)
	}
}

// Chooser chooses as a running network does: by a Maglev table of the targets
// that are up, so that few flows go elsewhere when a target comes or goes. Every
// redirect has a table of its own that no other agrees with. Tables are made
// when they are first needed. A Chooser is safe for concurrent use.
type Chooser struct {
	img    *Image
	mu     sync.Mutex
	tables map[place]*choiceTable
}

// place is a redirect, and of a global one a region.
type place struct {
	at       PortID
	redirect int32
	region   RegionID
}

type choiceTable struct {
	seed    uint64
	targets []int32
	maglev  *balance.Maglev // nil for a single target
}

// NewChooser returns a Chooser for an image.
func NewChooser(img *Image) *Chooser { return &Chooser{img: img, tables: map[place]*choiceTable{}} }

// For returns a Chooser for another image. It keeps the tables of ports that the
// images share: those that [Image.WithHealth] left alone.
func (c *Chooser) For(img *Image) *Chooser {
	out := NewChooser(img)
	c.mu.Lock()
	defer c.mu.Unlock()
	for at, t := range c.tables {
		if int(at.at) < len(img.Ports) && len(img.Ports) == len(c.img.Ports) && img.Ports[at.at].Inward == c.img.Ports[at.at].Inward {
			out.tables[at] = t
		}
	}
	return out
}

// Pick is the [Choose] of the image.
func (c *Chooser) Pick(from, at PortID, redirect int32, p Packet) int32 {
	r := &c.img.Ports[at].Inward.Redirects[redirect]
	where := place{at, redirect, None}
	if r.Nearest {
		where.region = c.img.nearest(r, from, p.Src)
	}
	c.mu.Lock()
	t := c.tables[where]
	if t == nil {
		t = c.img.choiceTable(where, r)
		c.tables[where] = t
	}
	c.mu.Unlock()
	if t.maglev == nil {
		return t.targets[0]
	}
	return t.targets[t.maglev.Pick(r.hash(t.seed, p))]
}

// hash is the hash of what of a packet chooses its target.
func (r *Redirect) hash(seed uint64, p Packet) uint64 {
	src, dst := AddrValue(p.Src), AddrValue(p.Dst)
	x, y, proto := p.SrcPort, p.DstPort, p.Proto
	switch r.Hash {
	case HashTwo:
		x, y, proto = 0, 0, 0
	case HashThree:
		x, y = 0, 0
	}
	if r.Symmetric {
		if c := src.Compare(dst); c > 0 || c == 0 && x > y {
			src, dst, x, y = dst, src, y, x
		}
	}
	h := balance.Mix(balance.Mix(seed, src.Hi), src.Lo)
	h = balance.Mix(balance.Mix(h, dst.Hi), dst.Lo)
	return balance.Mix(h, uint64(proto)<<32|uint64(x)<<16|uint64(y))
}

// choiceTable makes the table of the targets of a redirect that are up: of all,
// or of those in one region.
func (img *Image) choiceTable(where place, r *Redirect) *choiceTable {
	t := &choiceTable{seed: balance.Hash(img.Ports[where.at].Name + "\n" + strings.ToLower(r.Origin.Resource) + "\n" + r.Name)}
	var names []string
	for i := range r.Targets {
		to := &r.Targets[i]
		if to.Down != "" || r.Nearest && img.regionOf(to) != where.region {
			continue
		}
		name := ""
		if to.Port != None {
			name = img.Ports[to.Port].Name
		}
		names = append(names, fmt.Sprint(name, "\n", to.Addr, "\n", to.DstPort))
		t.targets = append(t.targets, int32(i))
	}
	if len(names) > 1 {
		t.maglev = balance.NewMaglev(names, len(r.Targets))
	}
	return t
}

// nearest returns the region, of those with a target that is up, with the
// shortest way from where a packet entered. Where that is not known, as at the
// internet's edge of senders that nobody placed, routing by anycast is imitated:
// the sender's address decides, and stays with a region as long as the choice of
// regions does.
func (img *Image) nearest(r *Redirect, from PortID, src netip.Addr) RegionID {
	var up []RegionID
	for i := range r.Targets {
		if g := img.regionOf(&r.Targets[i]); r.Targets[i].Down == "" && !slices.Contains(up, g) {
			up = append(up, g)
		}
	}
	if away := img.distances(from, src); away != nil {
		best := up[0]
		for _, g := range up[1:] {
			if distance(away, g) < distance(away, best) {
				best = g
			}
		}
		return best
	}
	a := AddrValue(src)
	sender := balance.Mix(balance.Mix(0, a.Hi), a.Lo)
	best, high := up[0], uint64(0)
	for i, g := range up {
		if score := balance.Mix(sender, uint64(g)); i == 0 || score > high {
			best, high = g, score
		}
	}
	return best
}

// distances returns how far each region is from a sender, nil if nobody knows.
func (img *Image) distances(from PortID, src netip.Addr) []time.Duration {
	if from == None {
		return nil
	}
	if near := img.Ports[from].Region; near != None {
		return img.Delay[near]
	}
	if from != img.Edge {
		return nil
	}
	i, ok := slices.BinarySearchFunc(img.Placed, src, func(p Placed, a netip.Addr) int { return p.Addr.Compare(a) })
	if !ok {
		return nil
	}
	return img.Placed[i].Delay
}

// distance is the one-way delay to a region; somewhere unknown is far.
func distance(away []time.Duration, to RegionID) time.Duration {
	if to == None {
		return 1<<63 - 1
	}
	return away[to]
}
