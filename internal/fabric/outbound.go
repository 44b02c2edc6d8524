package fabric

import (
	"net/netip"
	"slices"
	"time"
)

// Outbound translates sources towards the internet.
type Outbound struct {
	Origin Origin
	What   string // for people: "public IP", "NAT gateway", "firewall", "default outbound access"
	// Pairs translate one private address to one public address, keeping ports.
	Pairs []Pair
	// Pool translates every other source to the first of these addresses, with
	// a port of its own; empty means they have no way out. Where an address has
	// no port left for a destination, the next of the same family takes over.
	Pool []netip.Addr
	// Barred are private addresses that the pool does not serve.
	Barred []netip.Addr
	// Ports are the source ports of the pool's addresses that the port this
	// belongs to may use, in order of use; empty means from [PoolFirst] up at
	// every address.
	Ports []PortBlock
	// Shared means that other ports draw from the same Ports: a NAT gateway, a
	// firewall. Otherwise the block is the port's alone.
	Shared bool
	// PerHost means that a UDP flow holds its port towards a destination address
	// whatever the destination port ("Source Network Address Translation (SNAT)
	// for outbound connections", port-restricted cone).
	PerHost bool
	Timers  Timers
	Reset   Reset
	// Place is where it stands, of a device that is not a port: with that place it
	// fails. The zero value is a device that no place's failure takes down.
	Place Label
}

// PoolFirst is the first source port of pools: 64,512 a public address ("Azure
// NAT Gateway resource").
const PoolFirst = 1024

// PortBlock is a range of source ports of a public address, both included.
type PortBlock struct {
	Addr        netip.Addr
	First, Last uint16
}

// Pair is a one-to-one translation.
type Pair struct{ Private, Public netip.Addr }

// Source returns the public source for a private one.
func (o *Outbound) Source(private netip.Addr) (netip.Addr, bool) {
	if o == nil {
		return netip.Addr{}, false
	}
	for _, p := range o.Pairs {
		if p.Private == private {
			return p.Public, true
		}
	}
	if slices.Contains(o.Barred, private) {
		return netip.Addr{}, false
	}
	// The pool serves one family at a time.
	for _, a := range o.Pool {
		if a.Is4() == private.Is4() {
			return a, true
		}
	}
	return netip.Addr{}, false
}

// Blocks returns the source ports of the pool's addresses of one family, in
// order of use.
func (o *Outbound) Blocks(four bool) []PortBlock {
	var out []PortBlock
	for _, b := range o.Ports {
		if b.Addr.Is4() == four {
			out = append(out, b)
		}
	}
	if len(o.Ports) > 0 {
		return out
	}
	for _, a := range o.Pool {
		if a.Is4() == four {
			out = append(out, PortBlock{a, PoolFirst, 1<<16 - 1})
		}
	}
	return out
}

// Timers are how long a device that keeps flows remembers one that is silent.
// Zero fields are for the interpreter's defaults to fill.
type Timers struct {
	Idle     time.Duration // an established TCP flow
	IdleUDP  time.Duration // any other flow
	HalfOpen time.Duration // a TCP flow whose handshake is not complete
	FIN, RST time.Duration // how long a source port rests after a TCP flow that ended so
	RestUDP  time.Duration // the same after a UDP flow that fell silent
}

// Reset says when a device that forgot a silent TCP flow tells its ends.
type Reset uint8

// The ways to reset.
const (
	ResetNever Reset = iota // the flow is dropped in silence
	ResetIdle               // both ends, when the flow is forgotten ("Load Balancer TCP Reset")
	ResetLate               // who still sends, when its packet comes ("Azure NAT Gateway", TCP idle timeout)
)

// String returns the way's name.
func (r Reset) String() string { return [...]string{"never", "idle", "late"}[r] }
