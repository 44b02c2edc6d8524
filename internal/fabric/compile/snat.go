package compile

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
	"github.com/ceruleannet/cerulean/model/wire"
)

const typePublicPrefix = "Microsoft.Network/publicIPPrefixes"

// defaultIdle is the idle timeout in minutes of a rule or gateway that has none
// ("Load Balancer TCP Reset and Idle Timeout"; "Azure NAT Gateway resource").
const defaultIdle = 4

// minutes is an idle timeout of a rule; 0 leaves it to Azure.
func minutes(n int) time.Duration { return time.Duration(cmp.Or(n, defaultIdle)) * time.Minute }

// resets is what enableTcpReset stands for.
func resets(on bool) fabric.Reset {
	if on {
		return fabric.ResetIdle
	}
	return fabric.ResetNever
}

// gatewayTimers are those of a NAT gateway ("Azure NAT Gateway resource",
// timers): how long a port rests, and 4 minutes for UDP whatever the gateway
// says of TCP.
func gatewayTimers(idle int) fabric.Timers {
	return fabric.Timers{
		Idle: minutes(idle), IdleUDP: 4 * time.Minute, HalfOpen: 30 * time.Second,
		FIN: 65 * time.Second, RST: 16 * time.Second, RestUDP: 65 * time.Second,
	}
}

// Ports of a load balancer's public frontend: from the first that is no
// well-known one, in blocks of eight.
const (
	firstOutboundPort = fabric.PoolFirst
	outboundBlock     = 8
)

// share gives a member of a load balancer's pool its source ports. With a number
// of ports that a rule allocates, frontends are used up one after another
// ("Outbound rules Azure Load Balancer"); without, each frontend gives by the
// size of the pool. Ports that rules take packets at are nobody's, with all of
// their block of eight.
func (c *compiler) share(o *fabric.Outbound, b *balancer, p *port, pool *pool, allocated int) {
	member := slices.IndexFunc(pool.members, func(m member) bool { return m.port == p })
	each, _ := catalog.DefaultOutboundPorts(len(pool.members))
	from, count := member*each, each
	if allocated > 0 {
		from, count = member*allocated, allocated
	}
	if member < 0 || count == 0 {
		// More members than the table has, or none of the list.
		o.Pool = nil
		return
	}
	for _, four := range []bool{true, false} {
		left, at := count, from
		for _, a := range o.Pool {
			if a.Is4() != four {
				continue
			}
			if allocated == 0 {
				left, at = count, from
			}
			for _, free := range c.outboundPorts(b, a) {
				size := int(free.Last) - int(free.First) + 1
				if at >= size {
					at -= size
					continue
				}
				if left == 0 {
					break
				}
				n := min(left, size-at)
				first := free.First + uint16(at)
				o.Ports = append(o.Ports, fabric.PortBlock{Addr: a, First: first, Last: first + uint16(n-1)})
				left, at = left-n, 0
			}
		}
	}
	// An address without a port for this member does not serve it.
	o.Pool = slices.DeleteFunc(o.Pool, func(a netip.Addr) bool {
		return !slices.ContainsFunc(o.Ports, func(x fabric.PortBlock) bool { return x.Addr == a })
	})
}

// outboundPorts returns the ports of a frontend's address that members may share.
func (c *compiler) outboundPorts(b *balancer, a netip.Addr) []fabric.PortBlock {
	var taken []int
	frontend := func(ref *wire.Ref) bool {
		if ref == nil {
			return false
		}
		f, ok := c.frontends[strings.ToLower(ref.ID)]
		if !ok {
			return false
		}
		own, _ := c.frontendAddr(f)
		return own == a
	}
	use := func(from, to int) {
		for n := max(from, firstOutboundPort); n <= to; n++ {
			if block := (n - firstOutboundPort) / outboundBlock; !slices.Contains(taken, block) {
				taken = append(taken, block)
			}
		}
	}
	for i := range b.view.Properties.LoadBalancingRules {
		if r := &b.view.Properties.LoadBalancingRules[i].Properties; frontend(r.FrontendIPConfiguration) {
			use(r.FrontendPort, r.FrontendPort)
		}
	}
	for i := range b.nat {
		if r := &b.nat[i].view.Properties; frontend(r.FrontendIPConfiguration) {
			use(r.FrontendPort, r.FrontendPort)
			if r.FrontendPortRangeStart > 0 {
				use(r.FrontendPortRangeStart, r.FrontendPortRangeEnd)
			}
		}
	}
	slices.Sort(taken)
	var out []fabric.PortBlock
	next, end := firstOutboundPort, firstOutboundPort+catalog.LoadBalancerPortsPerIP
	for _, block := range taken {
		first := firstOutboundPort + block*outboundBlock
		if first >= end {
			break
		}
		if first > next {
			out = append(out, fabric.PortBlock{Addr: a, First: uint16(next), Last: uint16(first - 1)})
		}
		next = first + outboundBlock
	}
	if next < end {
		out = append(out, fabric.PortBlock{Addr: a, First: uint16(next), Last: uint16(end - 1)})
	}
	return out
}

// barred are the addresses of a port that no load balancer translates: those of
// secondary configurations ("Outbound connections", limitations). The first of
// each family counts as primary where none says so.
func (c *compiler) barred(p *port) []netip.Addr {
	var out []netip.Addr
	for _, four := range []bool{true, false} {
		main := -1
		for i, a := range p.addrs {
			if !a.addr.IsValid() || a.addr.Is4() != four {
				continue
			}
			if primary := a.config.Properties.Primary; main < 0 || primary != nil && *primary {
				main = i
			}
		}
		for i, a := range p.addrs {
			if a.addr.IsValid() && a.addr.Is4() == four && i != main {
				out = append(out, a.addr)
			}
		}
	}
	return out
}

// maxPrefixAddresses bounds the addresses that a prefix gives an outbound
// method: a NAT gateway takes sixteen in all ("Azure NAT Gateway resource").
const maxPrefixAddresses = catalog.MaxIPsPerNATGateway

// prefixAddresses returns the addresses of a public IP prefix: its own if it has
// them, as many stand-ins as its length says if not.
func (c *compiler) prefixAddresses(r *model.Resource, pointer, id string) []netip.Addr {
	it, ok := c.docs.publicPrefixes.get(id)
	if !ok {
		c.note(r, pointer, "", fmt.Sprintf("public IP prefix %s is not among the resources; a stand-in is used for what leaves by it", lastSegment(id)))
		return []netip.Addr{outboundPool()}
	}
	p := &it.view.Properties
	if p.IPPrefix != "" {
		prefix, err := netip.ParsePrefix(p.IPPrefix)
		if err != nil {
			c.problem(it.res, "/properties/ipPrefix", fmt.Sprintf("%q is not a prefix", p.IPPrefix), "write it like 203.0.113.0/28, or leave it to Azure")
			return nil
		}
		return addresses(prefix.Masked(), maxPrefixAddresses)
	}
	bits := p.PrefixLength
	if v6 := strings.EqualFold(p.Version, "IPv6"); v6 || bits < 28 || bits > 31 {
		c.note(it.res, "/properties/prefixLength", "", "the addresses of the public IP prefix are not known; a stand-in is used for what leaves by it")
		return []netip.Addr{outboundPool()}
	}
	if c.standIns == nil {
		c.standIns = map[string]netip.Prefix{}
	}
	prefix, ok := c.standIns[it.key]
	if !ok {
		first := prefixPool().As4()
		n := len(c.standIns)
		first[2] += byte(n / 16)
		first[3] = byte(n % 16 * maxPrefixAddresses)
		prefix = netip.PrefixFrom(netip.AddrFrom4(first), bits)
		c.standIns[it.key] = prefix
		c.note(it.res, "/properties/ipPrefix", "", "Azure chooses the addresses of the public IP prefix; stand-ins are used")
	}
	return addresses(prefix, maxPrefixAddresses)
}

// addresses returns the first addresses of a prefix.
func addresses(p netip.Prefix, most int) []netip.Addr {
	var out []netip.Addr
	for a := p.Addr(); p.Contains(a) && len(out) < most; a = a.Next() {
		out = append(out, a)
	}
	return out
}
