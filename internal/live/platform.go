package live

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/miekg/dns"
	"gvisor.dev/gvisor/pkg/buffer"

	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
)

// resolver is the platform's DNS server, the same address in every Azure
// virtual network ("What is IP address 168.63.129.16?", Microsoft).
var resolver = netip.AddrPortFrom(netip.AddrFrom4([4]byte{168, 63, 129, 16}), 53)

// dnsTimeout is how long a query waits before it is sent again, dnsTries how
// often it is sent.
const (
	dnsTimeout = 2 * time.Second
	dnsTries   = 3
)

// platform answers packets to the platform's own addresses.
type platform struct{}

// take is a packet to the platform from a link; at is the port where it left
// the network.
func (p platform) take(img *fabric.Image, from *link, at fabric.PortID, f *engine.Frame) {
	if v := p.answer(img, at, f.Packet); v != nil {
		from.wire.enqueue(sent{from: from, view: v, platform: true})
	}
}

// answer returns the packet that answers a DNS query over UDP, nil for
// everything else: the platform is silent. at is the port that asks; the names
// are those of its space.
func (platform) answer(img *fabric.Image, at fabric.PortID, pkt []byte) *buffer.View {
	p, fault := engine.Tuple(pkt)
	if fault != fabric.FaultNone || p.Proto != fabric.ProtoUDP || p.DstPort != resolver.Port() {
		return nil
	}
	payload, ok := engine.Payload(pkt)
	if !ok {
		return nil
	}
	var q dns.Msg
	if err := q.Unpack(payload); err != nil || q.Response || len(q.Question) != 1 {
		return nil
	}
	var view *fabric.View
	if s := img.Ports[at].Space; s != fabric.None {
		view = &img.Spaces[s].View
	}
	b, err := reply(view, &q).Pack()
	if err != nil {
		return nil
	}
	return buffer.NewViewWithData(engine.Datagram(p.Reverse(), b))
}

// reply answers one question from a view. A name outside every zone is
// REFUSED: nobody knows what it means, which is not that it does not exist.
func reply(view *fabric.View, q *dns.Msg) *dns.Msg {
	r := new(dns.Msg)
	r.SetReply(q)
	r.RecursionAvailable = true
	question := q.Question[0]
	if view == nil || question.Qclass != dns.ClassINET {
		r.Rcode = dns.RcodeRefused
		return r
	}
	a := view.Resolve(question.Name)
	switch a.Verdict {
	case fabric.VerdictUnknown:
		r.Rcode = dns.RcodeRefused
	case fabric.VerdictDeny:
		r.Rcode = dns.RcodeNameError
	default:
		head := dns.RR_Header{Name: question.Name, Rrtype: question.Qtype, Class: dns.ClassINET, Ttl: a.TTL}
		for _, addr := range a.Addrs {
			switch {
			case question.Qtype == dns.TypeA && addr.Is4():
				r.Answer = append(r.Answer, &dns.A{Hdr: head, A: addr.AsSlice()})
			case question.Qtype == dns.TypeAAAA && addr.Is6():
				r.Answer = append(r.Answer, &dns.AAAA{Hdr: head, AAAA: addr.AsSlice()})
			}
		}
	}
	r.Truncate(dns.MinMsgSize)
	return r
}

// ErrNoSuchName is the error of a name that a zone says does not exist.
var ErrNoSuchName = errors.New("no such name")

// ErrUnknownName is the error of a name outside every zone the host can see.
var ErrUnknownName = errors.New("no zone of the network has this name")

// LookupHost resolves a name by DNS packets through the network.
func (h *Host) LookupHost(ctx context.Context, name string) ([]netip.Addr, error) {
	return h.lookup(ctx, name, 0)
}

func (h *Host) lookup(ctx context.Context, name string, family int) ([]netip.Addr, error) {
	var out []netip.Addr
	types := []uint16{dns.TypeA, dns.TypeAAAA}
	switch family {
	case 4:
		types = types[:1]
	case 6:
		types = types[1:]
	}
	for _, t := range types {
		addrs, err := h.query(ctx, name, t)
		if err != nil {
			return nil, fmt.Errorf("look up %s from %s: %w", name, h.Name, err)
		}
		out = append(out, addrs...)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("look up %s from %s: %w: it has no addresses", name, h.Name, ErrNoSuchName)
	}
	return out, nil
}

func (h *Host) query(ctx context.Context, name string, kind uint16) ([]netip.Addr, error) {
	var q dns.Msg
	q.SetQuestion(dns.Fqdn(name), kind)
	b, err := q.Pack()
	if err != nil {
		return nil, err
	}
	c, err := h.dialUDP(resolver)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	in := make([]byte, dns.MaxMsgSize)
	for try := 0; ; try++ {
		if _, err := c.Write(b); err != nil {
			return nil, orContext(ctx, err)
		}
		_ = c.SetReadDeadline(time.Now().Add(dnsTimeout))
		n, err := c.Read(in)
		if errors.Is(err, os.ErrDeadlineExceeded) || isTimeout(err) {
			if try+1 < dnsTries && ctx.Err() == nil {
				continue
			}
		}
		if err != nil {
			return nil, orContext(ctx, err)
		}
		var r dns.Msg
		if err := r.Unpack(in[:n]); err != nil || r.Id != q.Id || !r.Response {
			continue
		}
		return addresses(&r)
	}
}

func addresses(r *dns.Msg) ([]netip.Addr, error) {
	switch r.Rcode {
	case dns.RcodeSuccess:
	case dns.RcodeNameError:
		return nil, ErrNoSuchName
	case dns.RcodeRefused:
		return nil, ErrUnknownName
	default:
		return nil, errors.New("the resolver answered " + dns.RcodeToString[r.Rcode])
	}
	var out []netip.Addr
	for _, rr := range r.Answer {
		var ip []byte
		switch rr := rr.(type) {
		case *dns.A:
			ip = rr.A
		case *dns.AAAA:
			ip = rr.AAAA
		}
		if a, ok := netip.AddrFromSlice(ip); ok && !slices.Contains(out, a.Unmap()) {
			out = append(out, a.Unmap())
		}
	}
	return out, nil
}

func orContext(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, io.EOF) {
		return ErrClosed
	}
	return err
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}
