package dns

import (
	"net/netip"
	"strings"
	"testing"

	mdns "github.com/miekg/dns"
)

// besides is a zone whose own name has addresses that are chosen, beside other
// records.
func besides(t *testing.T, more ...string) Zone {
	t.Helper()
	z := Zone{Name: "shop.example"}
	for _, text := range append([]string{
		"shop.example. 60 IN SOA ns.shop.example. h.shop.example. 1 2 3 4 5", "shop.example. 60 IN MX 10 mail.shop.example.",
		"www.shop.example. 60 IN CNAME shop.example.",
	}, more...) {
		rr, err := mdns.NewRR(text)
		if err != nil {
			t.Fatal(err)
		}
		z.Records = append(z.Records, rr)
	}
	z.Managed = []Managed{{
		Name: "shop.example", TTL: 20, Beside: true,
		Variants: []Variant{{Addrs: []netip.Addr{netip.MustParseAddr("203.0.113.1")}}, {Addrs: []netip.Addr{netip.MustParseAddr("203.0.113.2")}}},
		Choose:   func(c Client) Choice { return Choice{Variant: int(c.Random % 3)} },
	}}
	return z
}

// Addresses that are chosen stand beside other records, at the zone's own name and
// behind aliases ("Azure DNS alias records overview").
func TestChosenBesideOthers(t *testing.T) {
	s, err := Compile(besides(t))
	if err != nil {
		t.Fatal(err)
	}
	const soa = "ns:[shop.example. 5 IN SOA ns.shop.example. h.shop.example. 1 2 3 4 5]"
	for _, c := range []struct {
		name   string
		kind   uint16
		random uint64
		want   string
	}{
		{"shop.example.", mdns.TypeA, 0, "NOERROR aa [shop.example. 20 IN A 203.0.113.1]"},
		{"shop.example.", mdns.TypeA, 1, "NOERROR aa [shop.example. 20 IN A 203.0.113.2]"},
		{"shop.example.", mdns.TypeA, 2, "NOERROR aa " + soa},
		{"shop.example.", mdns.TypeAAAA, 0, "NOERROR aa " + soa},
		{"shop.example.", mdns.TypeMX, 0, "NOERROR aa [shop.example. 60 IN MX 10 mail.shop.example.]"},
		{"shop.example.", mdns.TypeSOA, 0, "NOERROR aa [shop.example. 60 IN SOA ns.shop.example. h.shop.example. 1 2 3 4 5]"},
		{"shop.example.", mdns.TypeCNAME, 0, "NOERROR aa " + soa},
		{"shop.example.", mdns.TypeTXT, 0, "NOERROR aa " + soa},
		{"www.shop.example.", mdns.TypeA, 1, "NOERROR aa [www.shop.example. 60 IN CNAME shop.example.] [shop.example. 20 IN A 203.0.113.2]"},
		{"none.shop.example.", mdns.TypeA, 0, "NXDOMAIN aa " + soa},
	} {
		b, err := new(mdns.Msg).SetQuestion(c.name, c.kind).Pack()
		if err != nil {
			t.Fatal(err)
		}
		out, _ := s.Respond(nil, Request{Message: b, From: asker, Random: c.random})
		var m mdns.Msg
		if err := m.Unpack(out); err != nil {
			t.Fatal(err)
		}
		if got := show(&m); got != c.want {
			t.Errorf("%s %s: %s\nwant %s", c.name, mdns.TypeToString[c.kind], got, c.want)
		}
	}
	z := besides(t, "shop.example. 60 IN A 203.0.113.9")
	if _, err := Compile(z); err == nil || !strings.Contains(err.Error(), "is managed and has addresses or an alias too") {
		t.Errorf("addresses too: %v", err)
	}
	z = besides(t)
	z.Managed[0].Variants[0].Alias = "www.example.org"
	if _, err := Compile(z); err == nil || !strings.Contains(err.Error(), "has an alias among its variants") {
		t.Errorf("an alias: %v", err)
	}
}
