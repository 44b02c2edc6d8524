package live

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// NameTrace is the answer to one question about a name.
type NameTrace struct {
	Name    string
	Server  netip.Addr // whom the host asks
	Aliases []string   // the names that lead to the address, in order
	Addrs   []netip.Addr
	Took    time.Duration
}

// TraceName asks for a name's IPv4 addresses as the host's programs do, by
// packets through the network, and returns the aliases on the way. The error of
// a name that a zone says does not exist is [ErrNoSuchName], of one outside
// every zone [ErrUnknownName]; the trace has what is known besides.
func (h *Host) TraceName(ctx context.Context, name string) (out NameTrace, err error) {
	out.Name = strings.TrimSuffix(name, ".")
	begin := time.Now()
	defer func() { out.Took = time.Since(begin) }()
	servers := h.servers()
	out.Server = servers[0].Addr()
	q := new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.TypeA)
	b, err := q.Pack()
	if err != nil {
		return out, err
	}
	in, err := h.exchangeDNS(ctx, servers[0], b)
	if err != nil {
		return out, orContext(ctx, err)
	}
	var r dns.Msg
	if err := r.Unpack(in); err != nil {
		return out, err
	}
	// The chain, whatever the order of its records.
	at := dns.CanonicalName(dns.Fqdn(name))
	for range len(r.Answer) {
		i := slices.IndexFunc(r.Answer, func(rr dns.RR) bool {
			_, alias := rr.(*dns.CNAME)
			return alias && dns.CanonicalName(rr.Header().Name) == at
		})
		if i < 0 {
			break
		}
		at = dns.CanonicalName(r.Answer[i].(*dns.CNAME).Target)
		out.Aliases = append(out.Aliases, strings.TrimSuffix(at, "."))
	}
	out.Addrs, err = addresses(&r)
	if err == nil && len(out.Addrs) == 0 {
		err = ErrNoSuchName
	}
	return out, err
}
