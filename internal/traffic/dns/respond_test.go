package dns

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	mdns "github.com/miekg/dns"
)

var asker = netip.MustParseAddr("198.51.100.7")

// example is the zone of the tests, with two managed names in another.
func example(t testing.TB) *Snapshot {
	t.Helper()
	z, err := ReadZoneFile("testdata/example.zone", "")
	if err != nil {
		t.Fatal(err)
	}
	soa, _ := mdns.NewRR("tm.example. 60 IN SOA ns.tm.example. h.tm.example. 1 2 3 4 5")
	alias, _ := mdns.NewRR("vanity.tm.example. 60 IN CNAME shop.tm.example.")
	managed := Zone{Name: "TM.example", Records: []mdns.RR{soa, alias}, Managed: []Managed{
		{
			Name: "shop.tm.example", TTL: 20,
			Variants: []Variant{{Alias: "mail.example.org"}, {Addrs: []netip.Addr{netip.MustParseAddr("203.0.113.9")}}, {}},
			Choose: func(c Client) Choice {
				switch b := c.Addr.As16(); {
				case c.Addr.Is4() && b[12] == 10:
					return Choice{Variant: 1, Scope: 8}
				case c.Addr.Is4() && b[12] == 11:
					return Choice{Variant: 2, Scope: 8}
				}
				return Choice{Variant: 0, Scope: 8}
			},
		},
	}}
	s, err := Compile(z, managed)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ask asks a snapshot and shows the answer in a line.
func ask(t testing.TB, s *Snapshot, q *mdns.Msg, tcp bool) (string, *mdns.Msg) {
	t.Helper()
	b, err := q.Pack()
	if err != nil {
		t.Fatal(err)
	}
	out, o := s.Respond(nil, Request{Message: b, From: asker, TCP: tcp})
	if o.Silent {
		return "silence", nil
	}
	var m mdns.Msg
	if err := m.Unpack(out); err != nil {
		t.Fatalf("%s: %v\n%x", q.Question[0].Name, err, out)
	}
	if m.Id != q.Id || !m.Response || len(m.Question) == 1 && m.Question[0] != q.Question[0] {
		t.Errorf("the answer is not to the question: %s", &m)
	}
	return show(&m), &m
}

func show(m *mdns.Msg) string {
	line := mdns.RcodeToString[m.Rcode]
	if m.Authoritative {
		line += " aa"
	}
	if m.Truncated {
		line += " tc"
	}
	for i, section := range [][]mdns.RR{m.Answer, m.Ns, m.Extra} {
		for _, rr := range section {
			if rr.Header().Rrtype == typeOPT {
				continue
			}
			line += fmt.Sprintf(" %s[%s]", []string{"", "ns:", "ar:"}[i], strings.Join(strings.Fields(rr.String()), " "))
		}
	}
	return line
}

func TestRespond(t *testing.T) {
	s := example(t)
	soa := "ns:[example.org. 60 IN SOA ns1.example.org. hostmaster.example.org. 7 3600 600 604800 60]"
	for _, c := range []struct{ rule, name, kind, want string }{
		{"address", "example.org.", "A", "NOERROR aa [example.org. 300 IN A 192.0.2.1]"},
		{"names in any case, repeated as asked", "MAIL.example.ORG.", "AAAA", "NOERROR aa [MAIL.example.ORG. 300 IN AAAA 2001:db8::25]"},
		{"several records", "web.example.org.", "A", "NOERROR aa [web.example.org. 30 IN A 192.0.2.80] [web.example.org. 30 IN A 192.0.2.81]"},
		{"alias followed", "www.example.org.", "A", "NOERROR aa [www.example.org. 300 IN CNAME web.example.org.] [web.example.org. 30 IN A 192.0.2.80] [web.example.org. 30 IN A 192.0.2.81]"},
		{"alias itself", "www.example.org.", "CNAME", "NOERROR aa [www.example.org. 300 IN CNAME web.example.org.]"},
		{"alias to a name without such data", "www.example.org.", "AAAA", "NOERROR aa [www.example.org. 300 IN CNAME web.example.org.] " + soa},
		{"alias out of the zones", "out.example.org.", "A", "NOERROR aa [out.example.org. 300 IN CNAME www.example.com.]"},
		{"alias to nothing: RFC 6604", "gone.example.org.", "A", "NXDOMAIN aa [gone.example.org. 300 IN CNAME nothing.example.org.] " + soa},
		{"no data: RFC 2308", "web.example.org.", "TXT", "NOERROR aa " + soa},
		{"no such name: RFC 2308", "a.b.nothing.example.org.", "A", "NXDOMAIN aa " + soa},
		{"a name between others exists", "under.here.example.org.", "A", "NOERROR aa " + soa},
		{"wildcard: RFC 4592", "a.b.wild.example.org.", "A", "NOERROR aa [a.b.wild.example.org. 300 IN A 192.0.2.99]"},
		{"wildcard without such data", "a.wild.example.org.", "MX", "NOERROR aa " + soa},
		{"a name that exists has no wildcard", "has.wild.example.org.", "A", "NOERROR aa " + soa},
		{"wildcard alias", "x.star.example.org.", "A", "NOERROR aa [x.star.example.org. 300 IN CNAME web.example.org.] [web.example.org. 30 IN A 192.0.2.80] [web.example.org. 30 IN A 192.0.2.81]"},
		{"referral with glue", "host.child.example.org.", "A", "NOERROR ns:[child.example.org. 300 IN NS ns.child.example.org.] ns:[child.example.org. 300 IN NS ns.elsewhere.net.] ar:[ns.child.example.org. 300 IN A 192.0.2.153]"},
		{"RFC 4035 section 3.1.4.1: DS is the parent's", "child.example.org.", "DS", "NOERROR aa " + soa},
		{"DS below a delegation", "x.child.example.org.", "DS", "NOERROR ns:[child.example.org. 300 IN NS ns.child.example.org.] ns:[child.example.org. 300 IN NS ns.elsewhere.net.] ar:[ns.child.example.org. 300 IN A 192.0.2.153]"},
		{"glue is not authoritative", "ns.child.example.org.", "A", "NOERROR ns:[child.example.org. 300 IN NS ns.child.example.org.] ns:[child.example.org. 300 IN NS ns.elsewhere.net.] ar:[ns.child.example.org. 300 IN A 192.0.2.153]"},
		{"no zone", "example.com.", "A", "REFUSED"},
		{"ANY: RFC 8482", "example.org.", "ANY", "NOERROR aa [example.org. 3600 IN HINFO \"RFC8482\" \"\"]"},
		{"no transfer", "example.org.", "AXFR", "REFUSED"},
		{"no incremental transfer", "example.org.", "IXFR", "REFUSED"},
		{"SRV", "_sip._tcp.example.org.", "SRV", "NOERROR aa [_sip._tcp.example.org. 300 IN SRV 1 2 5060 mail.example.org.]"},
		{"managed", "shop.tm.example.", "A", "NOERROR aa [shop.tm.example. 20 IN CNAME mail.example.org.] [mail.example.org. 300 IN A 192.0.2.25]"},
		{"managed, through an alias", "vanity.tm.example.", "AAAA", "NOERROR aa [vanity.tm.example. 60 IN CNAME shop.tm.example.] [shop.tm.example. 20 IN CNAME mail.example.org.] [mail.example.org. 300 IN AAAA 2001:db8::25]"},
		{"managed, its alias", "shop.tm.example.", "CNAME", "NOERROR aa [shop.tm.example. 20 IN CNAME mail.example.org.]"},
		{"managed, another type", "shop.tm.example.", "TXT", "NOERROR aa [shop.tm.example. 20 IN CNAME mail.example.org.]"},
		{"no managed name", "nothing.tm.example.", "A", "NXDOMAIN aa ns:[tm.example. 5 IN SOA ns.tm.example. h.tm.example. 1 2 3 4 5]"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			q := new(mdns.Msg).SetQuestion(c.name, mdns.StringToType[c.kind])
			if got, _ := ask(t, s, q, false); got != c.want {
				t.Errorf("%s %s\ngot  %s\nwant %s", c.name, c.kind, got, c.want)
			}
		})
	}
	t.Run("a circle of aliases ends", func(t *testing.T) {
		_, m := ask(t, s, new(mdns.Msg).SetQuestion("circle.example.org.", typeA), true)
		if len(m.Answer) != 2 { // each alias once
			t.Error(m)
		}
	})
	t.Run("no version is told", func(t *testing.T) {
		q := new(mdns.Msg).SetQuestion("version.bind.", mdns.TypeTXT)
		q.Question[0].Qclass = mdns.ClassCHAOS
		if got, _ := ask(t, s, q, false); got != "REFUSED" {
			t.Error(got)
		}
	})
	t.Run("no transfers", func(t *testing.T) {
		for _, q := range []*mdns.Msg{new(mdns.Msg).SetAxfr("example.org."), new(mdns.Msg).SetIxfr("example.org.", 1, "a.", "b.")} {
			if got, _ := ask(t, s, q, true); got != "REFUSED" {
				t.Error(q.Question, got)
			}
		}
	})
	t.Run("no NSID", func(t *testing.T) {
		q := new(mdns.Msg).SetQuestion("example.org.", typeA).SetEdns0(1232, false)
		q.IsEdns0().Option = append(q.IsEdns0().Option, &mdns.EDNS0_NSID{Code: mdns.EDNS0NSID})
		if _, m := ask(t, s, q, false); len(m.IsEdns0().Option) != 0 {
			t.Error(m)
		}
	})
}

func TestRespondSizes(t *testing.T) {
	s := example(t)
	for _, c := range []struct {
		rule string
		edns uint16
		tcp  bool
		cut  bool
	}{
		{"512 bytes without EDNS", 0, false, true},
		{"what EDNS offers", 1232, false, false},
		{"EDNS below 512 means 512", 100, false, true},
		{"TCP takes all", 0, true, false},
	} {
		q := new(mdns.Msg).SetQuestion("many.example.org.", mdns.TypeTXT)
		if c.edns > 0 {
			q.SetEdns0(c.edns, true)
		}
		_, m := ask(t, s, q, c.tcp)
		if m.Truncated != c.cut || len(m.Answer) > 0 == c.cut {
			t.Errorf("%s: %s", c.rule, m)
		}
		if opt := m.IsEdns0(); (opt != nil) != (c.edns > 0) || opt != nil && (!opt.Do() || opt.UDPSize() != maxUDP) {
			t.Errorf("%s: %v", c.rule, opt)
		}
	}
	q := new(mdns.Msg).SetQuestion("example.org.", typeA).SetEdns0(1232, false)
	q.IsEdns0().SetVersion(1)
	if _, m := ask(t, s, q, false); m.Rcode != mdns.RcodeBadVers || m.IsEdns0().Version() != 0 {
		t.Errorf("EDNS of another version: %s", m)
	}
}

// TestClientSubnet holds answers to RFC 7871.
func TestClientSubnet(t *testing.T) {
	s := example(t)
	for _, c := range []struct {
		rule, name, addr string
		bits, scope      uint8
		want             string // a record of the answer
	}{
		{"the subnet decides", "shop.tm.example.", "10.1.2.0", 24, 8, "203.0.113.9"},
		{"no data for some", "shop.tm.example.", "11.1.2.0", 24, 8, ""},
		{"prefix 0 hides the client: the resolver decides", "shop.tm.example.", "0.0.0.0", 0, 8, "192.0.2.25"},
		{"IPv6", "shop.tm.example.", "2001:db8::", 56, 8, "192.0.2.25"},
		{"static names are of every scope", "web.example.org.", "10.1.2.0", 24, 0, "192.0.2.80"},
	} {
		q := new(mdns.Msg).SetQuestion(c.name, typeA).SetEdns0(1232, false)
		a := netip.MustParseAddr(c.addr)
		family := uint16(1)
		if a.Is6() {
			family = 2
		}
		q.IsEdns0().Option = append(q.IsEdns0().Option, &mdns.EDNS0_SUBNET{Code: mdns.EDNS0SUBNET, Family: family, SourceNetmask: c.bits, Address: a.AsSlice()})
		text, m := ask(t, s, q, false)
		if len(m.IsEdns0().Option) != 1 {
			t.Fatalf("%s: %s", c.rule, m)
		}
		got := m.IsEdns0().Option[0].(*mdns.EDNS0_SUBNET)
		if got.SourceScope != c.scope || got.SourceNetmask != c.bits || got.Family != family || !strings.Contains(text, c.want) || c.want == "" && len(m.Answer) > 0 {
			t.Errorf("%s: %s %v", c.rule, text, got)
		}
	}
}

func TestMalformed(t *testing.T) {
	s := example(t)
	base, _ := new(mdns.Msg).SetQuestion("example.org.", typeA).SetEdns0(1232, false).Pack()
	change := func(f func([]byte) []byte) []byte { return f(slices.Clone(base)) }
	for _, c := range []struct {
		rule string
		b    []byte
		want int // -1 is silence
	}{
		{"empty", nil, -1},
		{"half a header", base[:11], -1},
		{"a response", change(func(b []byte) []byte { b[2] |= 0x80; return b }), -1},
		{"no question", change(func(b []byte) []byte { b[5] = 0; return b }), 1},
		{"two questions", change(func(b []byte) []byte { b[5] = 2; return b }), 1},
		{"an answer in the query", change(func(b []byte) []byte { b[7] = 1; return b }), 1},
		{"cut name", base[:20], 1},
		{"cut OPT", base[:len(base)-3], 1},
		{"a pointer as name", change(func(b []byte) []byte { b[12], b[13] = 0xc0, 12; return b }), 1},
		{"bytes behind", append(slices.Clone(base), 0), 1},
		{"an update", change(func(b []byte) []byte { b[2] = 5 << 3; return b }), 4},
		{"a notification", change(func(b []byte) []byte { b[2] = 4 << 3; return b }), 4},
		{"two OPTs", change(func(b []byte) []byte { b[11] = 2; return append(b, b[len(b)-11:]...) }), 1},
	} {
		out, o := s.Respond(nil, Request{Message: c.b, From: asker})
		if o.Silent != (c.want < 0) || c.want >= 0 && (len(out) < 12 || int(out[3]&0xf) != c.want) {
			t.Errorf("%s: %x %+v", c.rule, out, o)
		}
	}
}

// FuzzRespond gives hostile messages: answers are well-formed, to the question,
// within the size, and never to what is no query.
func FuzzRespond(f *testing.F) {
	s := example(f)
	for _, name := range []string{".", "example.org.", "a.b.wild.example.org.", "shop.tm.example.", "many.example.org.", "x.child.example.org.", "gone.example.org."} {
		for _, kind := range []uint16{typeA, mdns.TypeTXT, typeANY, typeAXFR} {
			q := new(mdns.Msg).SetQuestion(name, kind)
			b, _ := q.Pack()
			f.Add(b, false)
			q.SetEdns0(4096, true)
			q.IsEdns0().Option = append(q.IsEdns0().Option, &mdns.EDNS0_SUBNET{Code: mdns.EDNS0SUBNET, Family: 1, SourceNetmask: 20, Address: []byte{10, 1, 16, 0}})
			b, _ = q.Pack()
			f.Add(b, true)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, tcp bool) {
		out, o := s.Respond(make([]byte, 0, 64), Request{Message: b, From: asker, TCP: tcp})
		if o.Silent != (len(out) == 0) {
			t.Fatalf("silent %v: %x", o.Silent, out)
		}
		if o.Silent {
			if len(b) >= headerLen && b[2]&0x80 == 0 {
				t.Fatal("a query got no answer")
			}
			return
		}
		if !tcp && len(out) > maxUDP {
			t.Fatalf("%d bytes", len(out))
		}
		if out[0] != b[0] || out[1] != b[1] || out[2]&0x80 == 0 {
			t.Fatalf("not an answer to %x: %x", b[:2], out[:3])
		}
		var m mdns.Msg
		if err := m.Unpack(out); err != nil {
			t.Fatalf("%v: %x", err, out)
		}
	})
}

func TestRespondAllocatesNothing(t *testing.T) {
	s := example(t)
	q := new(mdns.Msg).SetQuestion("shop.tm.example.", typeA).SetEdns0(1232, false)
	b, _ := q.Pack()
	var w responder
	out := make([]byte, 0, bufferLen)
	r := Request{Message: b, From: asker}
	if n := testing.AllocsPerRun(100, func() { w.respond(s, out, &r) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestZonesAreChecked(t *testing.T) {
	soa := "@ IN SOA ns h 1 2 3 4 5\n"
	for _, c := range []struct{ rule, text, want string }{
		{"no SOA", "a IN A 192.0.2.1\n", "no SOA"},
		{"syntax", soa + "a IN A 192.0.2\n", "line: 2"},
		{"alias and data", soa + "a IN A 192.0.2.1\na IN CNAME b\n", "an alias and other records"},
		{"two aliases", soa + "a IN CNAME c\na IN CNAME b\n", "two aliases"},
		{"alias at the apex", soa + "@ IN CNAME b\n", "cannot be an alias"},
		{"elsewhere", soa + "b.example.com. IN A 192.0.2.1\n", "is not in the zone"},
		{"another class", soa + "b CH TXT \"x\"\n", "class"},
		{"DNAME", soa + "b IN DNAME c\n", "not served"},
		{"includes nothing", soa + "$INCLUDE /etc/passwd\n", "INCLUDE"},
	} {
		if _, err := ReadZone(strings.NewReader(c.text), "f", "example.org"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.rule, err)
		}
	}
}

func FuzzReadZone(f *testing.F) {
	f.Add("@ IN SOA ns h 1 2 3 4 5\n*.a IN CNAME b\nb IN A 192.0.2.1\nb.c IN NS d\n")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(strings.ToUpper(text), "$GENERATE") {
			return // makes many records of one line
		}
		z, err := ReadZone(strings.NewReader(text), "f", "example.org")
		if err != nil {
			return
		}
		s, err := Compile(z)
		if err != nil {
			return
		}
		for _, rr := range z.Records {
			q, err := new(mdns.Msg).SetQuestion(rr.Header().Name, rr.Header().Rrtype).Pack()
			if err != nil {
				continue
			}
			out, _ := s.Respond(nil, Request{Message: q, From: asker, TCP: true})
			if err := new(mdns.Msg).Unpack(out); err != nil {
				t.Fatalf("%s: %v", rr, err)
			}
		}
	})
}
