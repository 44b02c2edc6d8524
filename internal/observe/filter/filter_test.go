package filter

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// names is what the tests' networks call their hosts.
func names(name string) ([]netip.Addr, error) {
	if name == "shop" {
		return []netip.Addr{netip.MustParseAddr("10.0.0.4"), netip.MustParseAddr("fd00::4")}, nil
	}
	return nil, fmt.Errorf("no host %q", name)
}

// view makes a packet from "tcp 10.0.0.4:5000 > 10.1.0.4:443".
func view(t testing.TB, text string) View {
	t.Helper()
	var proto, a, b string
	if _, err := fmt.Sscanf(text, "%s %s > %s", &proto, &a, &b); err != nil {
		t.Fatal(text, err)
	}
	v := View{Length: 60, NIC: "nic-shop", Verdict: fabric.VerdictAllow, Code: fabric.CodeDelivered, Flow: 7}
	v.Packet.Proto = protocols[proto]
	if x, err := netip.ParseAddrPort(a); err == nil {
		y := netip.MustParseAddrPort(b)
		v.Packet = fabric.Packet{Src: x.Addr(), Dst: y.Addr(), SrcPort: x.Port(), DstPort: y.Port(), Proto: protocols[proto]}
		v.Ports = true
	} else {
		v.Packet.Src, v.Packet.Dst = netip.MustParseAddr(a), netip.MustParseAddr(b)
	}
	v.Also = v.Packet
	v.Rules = func() []string { return []string{"AllowVnetOutBound", "Allow-HTTPS"} }
	return v
}

const web = "tcp 10.0.0.4:5000 > 10.1.0.4:443"

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		packet, filter string
		want           bool
	}{
		{web, "", true},
		{web, "tcp", true},
		{web, "udp", false},
		{web, "tcp port 443 and host 10.0.0.4", true},
		{web, "host 10.0.0.9", false},
		{web, "src host 10.0.0.4", true},
		{web, "dst host 10.0.0.4", false},
		{web, "src 10.0.0.4", true},
		{web, "src or dst 10.1.0.4", true},
		{web, "src and dst host 10.1.0.4", false},
		{web, "src and dst net 10", true},
		{web, "net 10.1", true},
		{web, "net 10.1.0", true},
		{web, "net 10.2.0.0/16", false},
		{web, "net 10.0.0.0 mask 255.254.0.0", true},
		{web, "dst port https", true},
		{web, "src port 443", false},
		{web, "udp port 443", false},
		{web, "portrange 440-450", true},
		{web, "portrange 5001-6000", false},
		{web, "port 80 or 443", true}, // a bare value takes the words before
		{web, "tcp dst port 80 or 443", true},
		{web, "not host 10.0.0.9 and 10.0.0.4", true}, // (not host 9) and host 4
		{web, "not (host 10.0.0.9 or 10.0.0.4)", false},
		{web, "udp and port 443 or tcp", true}, // from the left, not by precedence
		{web, "tcp or udp and port 80", false}, // (tcp or udp) and port 80
		{web, "! udp && (tcp || icmp)", true},
		{web, "proto 6", true},
		{web, "proto \\tcp or proto tcp", false},
		{web, "ip", true},
		{web, "ip6", false},
		{web, "ip host 10.0.0.4", true},
		{web, "host shop", true},
		{web, "dst host shop", false},
		{web, "less 60", true},
		{web, "less 59", false},
		{web, "greater 60", true},
		{web, "outbound", true},
		{web, "inbound", false},
		{web, "verdict allow", true},
		{web, "verdict deny or verdict unknown", false},
		{web, "fault", false},
		{web, "reason delivered", true},
		{web, "rule allow-https", true},
		{web, "rule Allow*Bound", true},
		{web, "rule allow", false},
		{web, "rule *vnet*", true},
		{web, `rule "two words"`, false},
		{web, "nic nic-shop", true},
		{web, "nic nic-*", true},
		{web, "flow 7", true},
		{web, "flow 8", false},
		{"icmp 10.0.0.4 > 10.1.0.4", "icmp", true},
		{"icmp 10.0.0.4 > 10.1.0.4", "port 0", false}, // no ports, not port 0
		{"icmp6 fd00::4 > fd00::5", "icmp6 and ip6", true},
		{"icmp6 fd00::4 > fd00::5", "ip6 host shop", true},
		{"icmp6 fd00::4 > fd00::5", "net fd00::/8", true},
	} {
		if strings.Contains(c.filter, `\`) {
			if _, err := Parse(c.filter, names); err == nil {
				t.Errorf("%q: accepted", c.filter)
			}
			continue
		}
		f, err := Parse(c.filter, names)
		if err != nil {
			t.Errorf("%q: %v", c.filter, err)
			continue
		}
		v := view(t, c.packet)
		if got := f.Match(&v); got != c.want {
			t.Errorf("%q on %s: %v, read as %s", c.filter, c.packet, got, f)
		}
	}
}

// TestTranslated: addresses and ports mean the packet before or after its
// translation.
func TestTranslated(t *testing.T) {
	v := view(t, web)
	v.Also = view(t, "tcp 10.0.0.4:5000 > 10.9.0.7:8443").Packet
	for text, want := range map[string]bool{
		"port 443": true, "port 8443": true, "dst net 10.9": true, "src net 10.9": false,
		"not host 10.9.0.7": false, "dst 10.1.0.4 and dst 10.9.0.7": true,
	} {
		f, err := Parse(text, nil)
		if err != nil {
			t.Fatal(err)
		}
		if f.Match(&v) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
	for text, want := range map[string]bool{"tcp": false, "not (udp and rule x)": true, "tcp or rule x": true, "": false} {
		f, err := Parse(text, nil)
		if err != nil || f.NeedsRules() != want {
			t.Errorf("%q needs rules: %v, %v", text, !want, err)
		}
	}
}

// TestFaults: a packet that was lost has no verdict.
func TestFaults(t *testing.T) {
	v := view(t, web)
	v.Fault, v.Verdict = fabric.FaultMalformed, fabric.VerdictDeny
	for text, want := range map[string]bool{
		"fault": true, "fault malformed": true, "fault table-full": false, "verdict deny": false,
		"fault and tcp": true, "not fault": false,
	} {
		f, err := Parse(text, nil)
		if err != nil {
			t.Fatal(err)
		}
		if f.Match(&v) != want {
			t.Errorf("%q: %v, read as %s", text, !want, f)
		}
	}
}

func TestErrors(t *testing.T) {
	for text, want := range map[string]string{
		"host":                      `filter, column 5: a value is missing after "host"`,
		"host and tcp":              `filter, column 6: a value is missing after "host"`,
		"tcp and":                   `filter, column 8: the expression ends where a primitive is wanted, such as "host 10.0.0.4"`,
		"host nobody":               `filter, column 6: no host "nobody"`,
		"port 70000":                `filter, column 6: "70000" is no port: use a number up to 65535`,
		"icmp port 80":              `filter, column 11: icmp has no ports`,
		"net 10.0.0.1/8":            `filter, column 5: 10.0.0.1/8 has host bits set; the network is 10.0.0.0/8`,
		"net 10.0.0.0 mask 255.0.1": `filter, column 19: "255.0.1" is no mask of 10.0.0.0, such as 255.255.0.0`,
		"portrange 90-80":           `filter, column 11: the range 90-80 ends before it begins`,
		"portrange 90":              `filter, column 11: "90" is no range of ports, such as 8000-8080`,
		"(tcp":                      `filter, column 5: a closing parenthesis is missing`,
		"tcp udp":                   `filter, column 5: "udp" follows a whole expression; is an "and" missing?`,
		"443":                       `filter, column 1: "443" begins no primitive; use host, net, port, portrange, proto, tcp, udp, icmp, verdict, rule, …`,
		"verdict maybe":             `filter, column 9: "maybe" is no verdict: use allow, deny or unknown`,
		"tcp & udp":                 `filter, column 5: "&" is not understood; use "and", "or", "not"`,
		`rule "x`:                   `filter, column 6: a quoted name does not end`,
		"rule":                      `filter, column 5: a name is missing after "rule"`,
		"proto 300":                 `filter, column 7: "300" is no protocol: use a number up to 255, or tcp, udp, icmp, icmp6, esp, ah`,
		"src proto 6":               `filter, column 11: "proto" takes no src, dst or other protocol`,
		"host ::ffff:1.2.3.4%eth0":  `filter, column 6: an address has no zone here: ::ffff:1.2.3.4%eth0`,
	} {
		_, err := Parse(text, names)
		if err == nil {
			t.Errorf("%q: accepted", text)
		} else if err.Error() != want {
			t.Errorf("%q: %q\nwant %q", text, err, want)
		}
	}
	if _, err := Parse(strings.Repeat("(", 200)+"tcp"+strings.Repeat(")", 200), nil); err == nil || !strings.Contains(err.Error(), "deeper") {
		t.Errorf("200 parentheses: %v", err)
	}
	if _, err := Parse(strings.Repeat("tcp or ", 2000), nil); err == nil || !strings.Contains(err.Error(), "longer") {
		t.Errorf("a long expression: %v", err)
	}
}

func TestMatchAllocatesNothing(t *testing.T) {
	f, err := Parse("tcp port 443 and host 10.0.0.4 or net 10.1 and verdict deny", nil)
	if err != nil {
		t.Fatal(err)
	}
	v := view(t, web)
	if n := testing.AllocsPerRun(100, func() { f.Match(&v) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzParse: no text panics, and a filter written in full means the same.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"tcp port 443 and host 10.0.0.4", "not host shop and 10.0.0.4", "src or dst net 10.1 or 10.2",
		"portrange 1-2 && !udp", `rule "a b" or nic x*`, "fault malformed or reason no-route", "ip6 proto 58",
		"net 10.0.0.0 mask 255.0.0.0", "(((tcp)))", "less 100 and greater 40 and flow 3 and inbound",
	} {
		f.Add(s)
	}
	views := []View{view(f, web), view(f, "udp 10.1.0.4:53 > 10.0.0.4:53"), view(f, "icmp6 fd00::4 > fd00::5"), {}}
	views[1].Fault, views[2].Verdict, views[2].Inbound = fabric.FaultFragment, fabric.VerdictUnknown, true
	f.Fuzz(func(t *testing.T, text string) {
		x, err := Parse(text, names)
		if err != nil {
			return
		}
		full := x.String()
		if len(full) > maxText {
			return
		}
		y, err := Parse(full, names)
		if err != nil {
			if strings.Contains(err.Error(), "deeper") {
				return
			}
			t.Fatalf("%q is written as %q: %v", text, full, err)
		}
		for i := range views {
			if x.Match(&views[i]) != y.Match(&views[i]) {
				t.Fatalf("%q and %q differ on %+v", text, full, views[i])
			}
		}
	})
}
