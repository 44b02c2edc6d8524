package live_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/ceruleannet/cerulean/intent"
	"github.com/ceruleannet/cerulean/internal/fabric/compile"
	"github.com/ceruleannet/cerulean/internal/live"
)

// port is a network with names of every kind: zones, a reverse zone, a network
// that asks a forwarder of its own, a storage account with and without its
// private zone, and hosts of the internet.
const port = `
network: port
regions: [westeurope]
networks:
  - name: town
    address: 10.1.0.0/16
    subnets:
      app: {hosts: {app-1: {address: 10.1.0.10}, dns-1: {address: 10.1.0.53, serves: dns}}}
      links: {}
  - name: annex
    address: 10.2.0.0/16
    dns-servers: [10.1.0.53]
    subnets: {app: {hosts: {annex-1: {}}}}
  - name: island
    address: 10.3.0.0/16
    subnets: {app: {hosts: {island-1: {}}}}
peerings: [{between: [town, annex]}]
services: [{name: portfiles, kind: storage}]
private-endpoints: [{name: files, service: portfiles, subnet: links, address: 10.1.1.10, zones: [privatelink.blob.core.windows.net]}]
dns:
  corp.example:
    link: town
    records: {"@": 10.1.0.1, web: [10.1.0.10, "fd00::10"], "*.wild": 10.1.0.11, deep.below.web: 10.1.0.12}
  privatelink.blob.core.windows.net: {link: town}
  1.1.10.in-addr.arpa: {link: town}
internet:
  api.example.com: {address: [192.0.2.80, "2606:2800::80"], names: [www.example.com]}
resources:
  - {type: Microsoft.Network/privateDnsZones/CNAME, name: corp.example/www, properties: {ttl: 60, cnameRecord: {cname: web.corp.example}}}
  - {type: Microsoft.Network/privateDnsZones/CNAME, name: corp.example/away, properties: {ttl: 60, cnameRecord: {cname: nowhere.example.org}}}
  - {type: Microsoft.Network/privateDnsZones/CNAME, name: corp.example/ring, properties: {ttl: 60, cnameRecord: {cname: ring.corp.example}}}
  - {type: Microsoft.Network/privateDnsZones/MX, name: corp.example/@, properties: {ttl: 300, mxRecords: [{preference: 10, exchange: mail.corp.example}]}}
  - {type: Microsoft.Network/privateDnsZones/SRV, name: corp.example/_ldap._tcp, properties: {ttl: 300, srvRecords: [{priority: 1, weight: 2, port: 389, target: web.corp.example}]}}
  - type: Microsoft.Network/privateDnsZones/TXT
    name: corp.example/text
    properties: {ttl: 300, txtRecords: [{value: ["v=1 \"quoted\" \\ ö"]}, {value: ["two", "parts"]}]}
  - {type: Microsoft.Network/privateDnsZones/PTR, name: 1.1.10.in-addr.arpa/10, properties: {ttl: 300, ptrRecords: [{ptrdname: files.corp.example}]}}
`

func runPort(t *testing.T) *live.Network {
	t.Helper()
	declared, err := intent.Parse([]intent.File{{Name: "port.yaml", Data: []byte(port + longText())}}, nil, intent.Options{})
	if err != nil {
		t.Fatal(err)
	}
	img, err := compile.Compile(declared.Network.Resources, compile.Options{Internet: declared.Network.Internet})
	if err != nil {
		t.Fatal(err)
	}
	n, err := live.Start(img, declared.Network.Hosts, live.Options{Internet: declared.Network.Internet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		n.Close()
		if left := n.Leaked(); left != "" {
			t.Error(left)
		}
	})
	return n
}

// longText is a record set that fits no datagram.
func longText() string {
	var b strings.Builder
	b.WriteString("  - type: Microsoft.Network/privateDnsZones/TXT\n    name: corp.example/long\n    properties:\n      ttl: 300\n      txtRecords:\n")
	for i := range 40 {
		fmt.Fprintf(&b, "        - {value: [%q]}\n", fmt.Sprintf("%03d %s", i, strings.Repeat("x", 200)))
	}
	return b.String()
}

// ask sends one query from a host to a server.
func ask(t *testing.T, n *live.Network, from, network, server, name string, kind uint16, size uint16) *dns.Msg {
	t.Helper()
	h, err := n.Host(from)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c, err := h.DialContext(ctx, network, server+":53")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	q := new(dns.Msg).SetQuestion(name, kind)
	conn := &dns.Conn{Conn: datagramOr(c, network)}
	if size > 0 {
		q.SetEdns0(size, false)
		conn.UDPSize = size
	}
	if err := conn.WriteMsg(q); err != nil {
		t.Fatal(err)
	}
	r, err := conn.ReadMsg()
	if err != nil {
		t.Fatalf("%s %s from %s: %v", name, dns.TypeToString[kind], from, err)
	}
	return r
}

// datagramOr marks a connection as one of datagrams, by which the client tells
// how messages are framed.
func datagramOr(c net.Conn, network string) net.Conn {
	if network == "udp" {
		return packetConn{c}
	}
	return c
}

type packetConn struct{ net.Conn }

func (p packetConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, err := p.Read(b)
	return n, p.RemoteAddr(), err
}

func (p packetConn) WriteTo(b []byte, _ net.Addr) (int, error) { return p.Write(b) }

// The answers of the platform's resolver at 168.63.129.16, record by record
// ("What is a private Azure DNS zone", RFC 1035, RFC 2308, RFC 4592).
func TestResolver(t *testing.T) {
	n := runPort(t)
	const platform = "168.63.129.16"
	for _, tt := range []struct {
		from, name string
		kind       uint16
		rcode      int
		want       []string // answers, as data
	}{
		{"app-1", "corp.example.", dns.TypeA, dns.RcodeSuccess, []string{"A 10.1.0.1"}},
		{"app-1", "WEB.corp.example.", dns.TypeA, dns.RcodeSuccess, []string{"A 10.1.0.10"}},
		{"app-1", "web.corp.example.", dns.TypeAAAA, dns.RcodeSuccess, []string{"AAAA fd00::10"}},
		{"app-1", "www.corp.example.", dns.TypeA, dns.RcodeSuccess, []string{"CNAME web.corp.example.", "A 10.1.0.10"}},
		{"app-1", "www.corp.example.", dns.TypeCNAME, dns.RcodeSuccess, []string{"CNAME web.corp.example."}},
		{"app-1", "any.thing.wild.corp.example.", dns.TypeA, dns.RcodeSuccess, []string{"A 10.1.0.11"}},
		{"app-1", "corp.example.", dns.TypeMX, dns.RcodeSuccess, []string{"MX 10 mail.corp.example."}},
		{"app-1", "_ldap._tcp.corp.example.", dns.TypeSRV, dns.RcodeSuccess, []string{"SRV 1 2 389 web.corp.example."}},
		{"app-1", "text.corp.example.", dns.TypeTXT, dns.RcodeSuccess, []string{`TXT "v=1 \"quoted\" \\ \195\182"`, `TXT "two" "parts"`}},
		{"app-1", "corp.example.", dns.TypeNS, dns.RcodeSuccess, []string{"NS azureprivatedns.net."}},
		{"app-1", "corp.example.", dns.TypeSOA, dns.RcodeSuccess, []string{"SOA azureprivatedns.net. azureprivatedns-host.microsoft.com. 1 3600 300 2419200 10"}},
		{"app-1", "10.1.1.10.in-addr.arpa.", dns.TypePTR, dns.RcodeSuccess, []string{"PTR files.corp.example."}},
		// There is no such name, or there is and it has no such record.
		{"app-1", "nothing.corp.example.", dns.TypeA, dns.RcodeNameError, nil},
		{"app-1", "web.corp.example.", dns.TypeMX, dns.RcodeSuccess, nil},
		{"app-1", "below.web.corp.example.", dns.TypeA, dns.RcodeSuccess, nil},
		{"app-1", "99.1.1.10.in-addr.arpa.", dns.TypePTR, dns.RcodeNameError, nil},
		// Aliases that lead nowhere are told as far as they lead.
		{"app-1", "away.corp.example.", dns.TypeA, dns.RcodeServerFailure, []string{"CNAME nowhere.example.org."}},
		{"app-1", "unheard-of.example.", dns.TypeA, dns.RcodeRefused, nil},
		// The private answer where the zone is linked, the public one elsewhere.
		{"app-1", "portfiles.blob.core.windows.net.", dns.TypeA, dns.RcodeSuccess, []string{"CNAME portfiles.privatelink.blob.core.windows.net.", "A 10.1.1.10"}},
		{"island-1", "portfiles.blob.core.windows.net.", dns.TypeA, dns.RcodeSuccess, []string{"CNAME portfiles.privatelink.blob.core.windows.net.", "A public"}},
		{"island-1", "corp.example.", dns.TypeA, dns.RcodeRefused, nil},
		{"island-1", "api.example.com.", dns.TypeA, dns.RcodeSuccess, []string{"A 192.0.2.80"}},
		{"island-1", "www.example.com.", dns.TypeAAAA, dns.RcodeSuccess, []string{"AAAA 2606:2800::80"}},
		// Machines' own names, both ways, in their network only.
		{"app-1", "10.0.1.10.in-addr.arpa.", dns.TypePTR, dns.RcodeSuccess, []string{"PTR app-1.INTERNAL"}},
		{"island-1", "10.0.1.10.in-addr.arpa.", dns.TypePTR, dns.RcodeNameError, nil},
	} {
		for _, network := range []string{"udp", "tcp"} {
			r := ask(t, n, tt.from, network, platform, tt.name, tt.kind, 1232)
			var got []string
			for _, rr := range r.Answer {
				_, data, _ := strings.Cut(rr.String(), "\tIN\t")
				data = strings.ReplaceAll(data, "\t", " ")
				if a, ok := rr.(*dns.A); ok && !a.A.IsPrivate() && !strings.HasPrefix(data, "A 192.0.2.") {
					data = "A public"
				}
				if i := strings.Index(data, "."); strings.HasSuffix(data, ".internal.cloudapp.net.") {
					data = data[:i] + ".INTERNAL"
				}
				got = append(got, data)
			}
			if r.Rcode != tt.rcode || fmt.Sprint(got) != fmt.Sprint(tt.want) || !r.RecursionAvailable {
				t.Errorf("%s %s from %s over %s: %s %q, want %q", tt.name, dns.TypeToString[tt.kind], tt.from, network, dns.RcodeToString[r.Rcode], got, tt.want)
			}
			for _, rr := range r.Ns {
				if rr.Header().Ttl != 10 { // the least of the SOA's (RFC 2308 section 5)
					t.Errorf("%s: %s", tt.name, rr)
				}
			}
			negative := len(tt.want) == 0 && tt.rcode != dns.RcodeRefused && !strings.HasPrefix(tt.name, "10.0.")
			if negative != (len(r.Ns) == 1) {
				t.Errorf("%s %s from %s: authority %v", tt.name, dns.TypeToString[tt.kind], tt.from, r.Ns)
			}
		}
	}
	if r := ask(t, n, "app-1", "udp", platform, "ring.corp.example.", dns.TypeA, 0); r.Rcode != dns.RcodeServerFailure || len(r.Answer) != 8 {
		t.Errorf("an alias of itself: %s", r)
	}
}

// What does not fit is cut: to 512 bytes, or to what the client takes, and asked
// for again over TCP (RFC 6891, RFC 7766).
func TestTruncation(t *testing.T) {
	n := runPort(t)
	for _, tt := range []struct {
		network string
		size    uint16
		limit   int
		cut     bool
	}{{"udp", 0, 512, true}, {"udp", 1000, 1000, true}, {"udp", 4096, 1232, true}, {"tcp", 0, dns.MaxMsgSize, false}} {
		r := ask(t, n, "app-1", tt.network, "168.63.129.16", "long.corp.example.", dns.TypeTXT, tt.size)
		b, err := r.Pack()
		if err != nil || r.Truncated != tt.cut || len(b) > tt.limit || !tt.cut && len(r.Answer) != 40 {
			t.Errorf("%s %d: %d bytes, %d answers, truncated %v, %v", tt.network, tt.size, len(b), len(r.Answer), r.Truncated, err)
		}
		if (r.IsEdns0() != nil) != (tt.size > 0) {
			t.Errorf("%s %d: EDNS %v", tt.network, tt.size, r.IsEdns0())
		}
	}
	q := ask(t, n, "app-1", "udp", "168.63.129.16", "corp.example.", dns.TypeA, 1232)
	if q.Rcode != dns.RcodeSuccess {
		t.Error(q)
	}
}

// A network with DNS servers of its own asks those: a forwarder in a network
// that the zones are linked to gives it their names ("Name resolution that uses
// your own DNS server").
func TestForwarder(t *testing.T) {
	n := runPort(t)
	h, err := n.Host("annex-1")
	if err != nil {
		t.Fatal(err)
	}
	got, err := h.LookupHost(t.Context(), "web.corp.example")
	if err != nil || fmt.Sprint(got) != "[10.1.0.10 fd00::10]" {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := h.LookupHost(t.Context(), "nothing.corp.example"); !errors.Is(err, live.ErrNoSuchName) {
		t.Error(err)
	}
	// The platform itself still answers by the network's own links, of which there
	// are none.
	if r := ask(t, n, "annex-1", "udp", "168.63.129.16", "web.corp.example.", dns.TypeA, 0); r.Rcode != dns.RcodeRefused {
		t.Error(r)
	}
	for _, network := range []string{"udp", "tcp"} {
		if r := ask(t, n, "annex-1", network, "10.1.0.53", "long.corp.example.", dns.TypeTXT, 0); r.Truncated != (network == "udp") {
			t.Errorf("over %s: %v", network, r.Truncated)
		}
	}
}
