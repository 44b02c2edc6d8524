package live

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
	"gvisor.dev/gvisor/pkg/buffer"

	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
)

// maxDNSUDP is the largest answer over UDP, whatever the client offers: what is
// not cut on the way (DNS Flag Day 2020).
const maxDNSUDP = 1232

// answer returns the packet that answers a DNS query over UDP, nil for
// everything else: the platform is silent. at is the port that asks; the names
// are those of its space.
func (n *Network) answer(img *fabric.Image, at fabric.PortID, pkt []byte) *buffer.View {
	p, fault := engine.Tuple(pkt)
	if fault != fabric.FaultNone || p.Proto != fabric.ProtoUDP || netip.AddrPortFrom(p.Dst, p.DstPort) != resolver {
		return nil
	}
	payload, ok := engine.Payload(pkt)
	if !ok {
		return nil
	}
	b := n.respond(img, at, payload, p.Src, false)
	if b == nil {
		return nil
	}
	return buffer.NewViewWithData(engine.Datagram(p.Reverse(), b))
}

// respond answers a query that a port's program sent, nil for what gets no answer.
func (n *Network) respond(img *fabric.Image, at fabric.PortID, query []byte, from netip.Addr, tcp bool) []byte {
	view := viewAt(img, at)
	out, ours := n.discovered(view, query, from, tcp)
	if !ours {
		out = answerQuery(view, n.nameNow(img, at), query, !tcp)
	}
	n.answers.note(out, tcp)
	return out
}

// viewAt returns what names mean at a port, nil if nothing.
func viewAt(img *fabric.Image, at fabric.PortID) *fabric.View {
	if at == fabric.None || int(at) >= len(img.Ports) {
		return nil
	}
	if s := img.Ports[at].Space; s != fabric.None {
		return &img.Spaces[s].View
	}
	return nil
}

// chosenNow says what a chosen name means now; see [fabric.View.FollowBy].
type chosenNow func(name string) (*fabric.Record, bool)

// answerQuery answers a DNS message, nil if it is no query that can be answered.
func answerQuery(view *fabric.View, now chosenNow, in []byte, udp bool) []byte {
	var q dns.Msg
	if err := q.Unpack(in); err != nil || q.Response || len(q.Question) != 1 {
		return nil
	}
	r := reply(view, now, &q)
	size := dns.MaxMsgSize
	if udp {
		size = dns.MinMsgSize
	}
	if opt := q.IsEdns0(); opt != nil {
		if udp {
			size = min(max(int(opt.UDPSize()), dns.MinMsgSize), maxDNSUDP)
		}
		r.SetEdns0(maxDNSUDP, false)
		if opt.Version() != 0 { // RFC 6891 section 6.1.3
			r.Answer, r.Ns = nil, nil
			r.Rcode = dns.RcodeBadVers
		}
	}
	r.Truncate(size)
	b, err := r.Pack()
	if err != nil {
		return nil
	}
	return b
}

// serveNames answers DNS over TCP (RFC 7766).
func (p *platform) serveNames(c caller, conn net.Conn) {
	for {
		_ = conn.SetReadDeadline(time.Now().Add(idleConnection))
		in, err := readMessage(conn)
		if err != nil {
			return
		}
		img, at := p.net.place(c.link)
		out := p.net.respond(img, at, in, c.remote.Addr(), true)
		if out == nil || writeMessage(conn, out) != nil {
			return
		}
	}
}

// place returns the image in force and where a link is in it.
func (n *Network) place(l *link) (*fabric.Image, fabric.PortID) {
	n.wire.mu.Lock()
	defer n.wire.mu.Unlock()
	return n.wire.engine.Image(), l.port
}

// readMessage reads a DNS message with its length before it.
func readMessage(r io.Reader) ([]byte, error) {
	var size [2]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint16(size[:]))
	_, err := io.ReadFull(r, b)
	return b, err
}

func writeMessage(w io.Writer, b []byte) error {
	_, err := w.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...))
	return err
}

// reply answers one question from a view, with the aliases on the way. A name
// outside every zone is REFUSED: nobody knows what it means, which is not that
// it does not exist.
func reply(view *fabric.View, now chosenNow, q *dns.Msg) *dns.Msg {
	r := new(dns.Msg)
	r.SetReply(q)
	r.RecursionAvailable = true
	question := q.Question[0]
	switch {
	case q.Opcode != dns.OpcodeQuery:
		r.Rcode = dns.RcodeNotImplemented
		return r
	case view == nil || question.Qclass != dns.ClassINET:
		r.Rcode = dns.RcodeRefused
		return r
	}
	if question.Qtype == dns.TypePTR && pointers(view, r, question.Name) {
		return r
	}
	f := view.FollowBy(question.Name, now)
	name := question.Name
	if question.Qtype == dns.TypeCNAME && len(f.Aliases) > 0 {
		// The alias itself is asked for.
		r.Answer = append(r.Answer, alias(name, f.Aliases[0]))
		return r
	}
	for _, a := range f.Aliases {
		r.Answer = append(r.Answer, alias(name, a))
		name = dns.Fqdn(a.Alias)
	}
	switch {
	case f.Verdict == fabric.VerdictUnknown && len(f.Aliases) == 0:
		r.Rcode = dns.RcodeRefused
		return r
	case f.Verdict == fabric.VerdictUnknown, f.Zone == nil:
		// The aliases lead to a name that nobody knows, or in a circle.
		r.Rcode = dns.RcodeServerFailure
		return r
	case f.Verdict == fabric.VerdictDeny && !f.Exists:
		r.Rcode = dns.RcodeNameError
	case f.Verdict == fabric.VerdictAllow:
		r.Answer = append(r.Answer, records(f.Record, name, question.Qtype)...)
	}
	r.Answer = append(r.Answer, apex(f.Zone, f.Name, name, question.Qtype)...)
	if len(r.Answer) == len(f.Aliases) {
		// No such name, or no such data: the zone says for how long (RFC 2308).
		if soa, ok := startOf(f.Zone).(*dns.SOA); ok {
			soa.Hdr.Ttl = min(soa.Hdr.Ttl, soa.Minttl)
			r.Ns = append(r.Ns, soa)
		}
	}
	return r
}

func alias(name string, r *fabric.Record) dns.RR {
	return &dns.CNAME{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeCNAME, Class: dns.ClassINET, Ttl: r.TTL}, Target: dns.Fqdn(r.Alias)}
}

// records returns a record's data of a type, under a name.
func records(r *fabric.Record, name string, kind uint16) []dns.RR {
	var out []dns.RR
	for _, a := range r.Addrs {
		switch {
		case a.Is4() && (kind == dns.TypeA || kind == dns.TypeANY):
			out = append(out, &dns.A{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: r.TTL}, A: a.AsSlice()})
		case a.Is6() && (kind == dns.TypeAAAA || kind == dns.TypeANY):
			out = append(out, &dns.AAAA{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeAAAA, Class: dns.ClassINET, Ttl: r.TTL}, AAAA: a.AsSlice()})
		}
	}
	for _, d := range r.Data {
		if d.Type == kind || kind == dns.TypeANY {
			if rr := parseData(name, d); rr != nil {
				out = append(out, rr)
			}
		}
	}
	return out
}

// apex returns the records that a zone itself has: the start of its authority
// and, unless its records say others, its server.
func apex(z *fabric.Zone, name, shown string, kind uint16) []dns.RR {
	soa, _ := startOf(z).(*dns.SOA)
	if name != z.Name || soa == nil {
		return nil
	}
	var out []dns.RR
	if kind == dns.TypeSOA || kind == dns.TypeANY {
		out = append(out, soa)
	}
	own := slices.ContainsFunc(z.Records, func(r fabric.Record) bool {
		return r.Name == z.Name && slices.ContainsFunc(r.Data, func(d fabric.Data) bool { return d.Type == dns.TypeNS })
	})
	if !own && (kind == dns.TypeNS || kind == dns.TypeANY) {
		out = append(out, &dns.NS{Hdr: dns.RR_Header{Name: shown, Rrtype: dns.TypeNS, Class: dns.ClassINET, Ttl: soa.Hdr.Ttl}, Ns: soa.Ns})
	}
	return out
}

// startOf returns a zone's SOA, nil if it has none.
func startOf(z *fabric.Zone) dns.RR {
	if z.SOA.Text == "" {
		return nil
	}
	return parseData(dns.Fqdn(z.Name), z.SOA)
}

// parseData makes a record of its text; nil if it is none.
func parseData(name string, d fabric.Data) dns.RR {
	kind, ok := dns.TypeToString[d.Type]
	if !ok {
		return nil
	}
	rr, err := dns.NewRR(". " + kind + " " + d.Text)
	if err != nil || rr == nil {
		return nil
	}
	rr.Header().Name, rr.Header().Ttl = name, d.TTL
	return rr
}

// pointers answers for the names of an address from what the platform
// registered, where no zone is about it. It reports whether it answered.
func pointers(view *fabric.View, r *dns.Msg, name string) bool {
	if view.Apex(name) != nil {
		return false
	}
	a, ok := reverseAddr(name)
	if !ok {
		return false
	}
	named := view.Named(a)
	for _, x := range named {
		r.Answer = append(r.Answer, &dns.PTR{
			Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypePTR, Class: dns.ClassINET, Ttl: x.TTL}, Ptr: dns.Fqdn(x.Name),
		})
	}
	if len(named) == 0 && a.IsPrivate() {
		r.Rcode = dns.RcodeNameError // nobody else knows private addresses
		return true
	}
	return len(named) > 0
}

// reverseAddr returns the address that a name of in-addr.arpa or ip6.arpa is
// about (RFC 1035 section 3.5, RFC 3596 section 2.5).
func reverseAddr(name string) (netip.Addr, bool) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if rest, ok := strings.CutSuffix(name, ".in-addr.arpa"); ok {
		parts := strings.Split(rest, ".")
		slices.Reverse(parts)
		a, err := netip.ParseAddr(strings.Join(parts, "."))
		return a, err == nil && a.Is4()
	}
	if rest, ok := strings.CutSuffix(name, ".ip6.arpa"); ok {
		digits := strings.Split(rest, ".")
		if len(digits) != 32 {
			return netip.Addr{}, false
		}
		slices.Reverse(digits)
		var b strings.Builder
		for i, d := range digits {
			if len(d) != 1 {
				return netip.Addr{}, false
			}
			if i > 0 && i%4 == 0 {
				b.WriteByte(':')
			}
			b.WriteString(d)
		}
		a, err := netip.ParseAddr(b.String())
		return a, err == nil
	}
	return netip.Addr{}, false
}
