package fabric

import (
	"net/netip"
	"testing"
)

func TestResolve(t *testing.T) {
	a := []netip.Addr{netip.MustParseAddr("10.0.0.4")}
	v := View{Zones: []Zone{
		{Name: "example.com", Records: []Record{{Name: "db.example.com", Addrs: a, TTL: 10}, {Name: "loop.example.com", Alias: "loop.example.com", TTL: 1}}},
		{Name: "eu.example.com", Records: []Record{{Name: "alias.eu.example.com", Alias: "db.example.com", TTL: 5}}},
	}}
	for name, want := range map[string]struct {
		verdict Verdict
		ttl     uint32
	}{
		"db.example.com":       {VerdictAllow, 10},
		"DB.Example.com.":      {VerdictAllow, 10},
		"alias.eu.example.com": {VerdictAllow, 5},
		"db.eu.example.com":    {VerdictDeny, 0}, // the longest zone is authoritative, a shorter one is not asked
		"loop.example.com":     {VerdictDeny, 0},
		"example.org":          {VerdictUnknown, 0},
		"notexample.com":       {VerdictUnknown, 0},
	} {
		if got := v.Resolve(name); got.Verdict != want.verdict || got.TTL != want.ttl {
			t.Errorf("%s: %s ttl %d, want %s ttl %d", name, got.Verdict, got.TTL, want.verdict, want.ttl)
		}
	}
}

// Wildcards as in RFC 4592, section 2.2.1.
func TestWildcards(t *testing.T) {
	addr := func(last byte) []netip.Addr { return []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 0, last})} }
	v := View{Zones: []Zone{{Name: "example.com", Records: []Record{
		{Name: "*.example.com", Addrs: addr(1)},
		{Name: "*.sub.example.com", Alias: "host.example.com"},
		{Name: "a.deep.example.com", Addrs: addr(2)},
		{Name: "host.example.com", Addrs: addr(3)},
	}}}}
	for name, want := range map[string]byte{
		"any.example.com":       1,
		"b.any.example.com":     1,
		"host.example.com":      3,
		"x.sub.example.com":     3,
		"x.y.sub.example.com":   3,
		"*.example.com":         1,
		"x.host.example.com":    0, // host exists and has no wildcard below it
		"deep.example.com":      0, // exists without records
		"x.deep.example.com":    0,
		"sub.example.com":       0,
		"example.com":           0,
		"ahost.example.com":     1,
		"x.a.deep.example.com":  0,
		"any.other.example.com": 1,
	} {
		got := v.Resolve(name)
		switch {
		case want == 0 && got.Verdict != VerdictDeny:
			t.Errorf("%s is %v, want no answer", name, got.Addrs)
		case want != 0 && (len(got.Addrs) != 1 || got.Addrs[0].As4()[3] != want):
			t.Errorf("%s is %s %v, want 10.0.0.%d", name, got.Verdict, got.Addrs, want)
		}
	}
}

// A port is answered by whom it asks: its own servers before its space's, and
// servers that are not the platform say nothing that the image knows.
func TestResolveAt(t *testing.T) {
	platform, other := netip.MustParseAddr("168.63.129.16"), netip.MustParseAddr("10.0.0.53")
	zones := []Zone{{Name: "example.com", Records: []Record{{Name: "db.example.com", Addrs: []netip.Addr{other}}}}}
	img := &Image{
		Sets:   []Set{AllValues(), AddrSet(platform)},
		Spaces: []Space{{View: View{Zones: zones}}, {View: View{Zones: zones, Servers: []netip.Addr{other}, Elsewhere: true}}, {View: View{Zones: zones, Elsewhere: true, Forwards: true}}},
		Ports: []Port{
			{Space: 0},
			{Space: 0, Servers: []netip.Addr{other}},
			{Space: 1},
			{Space: 1, Servers: []netip.Addr{platform}},
			{Space: 1, Servers: []netip.Addr{platform, other}},
			{Space: 2, Servers: []netip.Addr{platform}},
			{Space: None},
		},
		Platform: 1,
	}
	want := []Verdict{VerdictAllow, VerdictUnknown, VerdictUnknown, VerdictAllow, VerdictUnknown, VerdictUnknown, VerdictUnknown}
	for at, verdict := range want {
		if got := img.Resolve(PortID(at), "db.example.com"); got.Verdict != verdict {
			t.Errorf("port %d: %s", at, got.Verdict)
		}
	}
	// The platform's own answers do not depend on whom the hosts ask.
	if f := img.Spaces[1].View.Follow("db.example.com"); f.Verdict != VerdictAllow || f.Zone == nil || f.Record == nil {
		t.Errorf("%+v", f)
	}
}

// What a space calls its ports by itself is a zone like others, the longest
// suffix wins, and an address has the names of those that were registered.
func TestOwnNames(t *testing.T) {
	a, b := netip.MustParseAddr("10.0.0.4"), netip.MustParseAddr("10.0.0.5")
	v := View{
		Own:   Zone{Name: "x.internal.test", Records: []Record{{Name: "vm.x.internal.test", Addrs: []netip.Addr{a}, Registered: true}}},
		Zones: []Zone{{Name: "corp.test", Records: []Record{{Name: "vm.corp.test", Addrs: []netip.Addr{a}, Registered: true}, {Name: "www.corp.test", Addrs: []netip.Addr{a}}}}},
	}
	if got := v.Resolve("vm.x.internal.test"); got.Verdict != VerdictAllow {
		t.Errorf("%+v", got)
	}
	if got := v.Resolve("other.x.internal.test"); got.Verdict != VerdictDeny {
		t.Errorf("%+v", got)
	}
	named := v.Named(a)
	if len(named) != 2 || named[0].Name != "vm.x.internal.test" || named[1].Name != "vm.corp.test" || len(v.Named(b)) != 0 {
		t.Errorf("%v", named)
	}
}

// A record may have the addresses of another name, also at the zone's own name and
// of one that is chosen; in a circle nobody knows what it means. What a zone leaves
// to other servers, nobody knows either.
func TestFollowsAndDelegations(t *testing.T) {
	addr := func(last byte) []netip.Addr { return []netip.Addr{netip.AddrFrom4([4]byte{198, 51, 100, last})} }
	v := View{Zones: []Zone{
		{Name: "child.example.com", Records: []Record{{Name: "www.child.example.com", Addrs: addr(9), TTL: 60}}},
		{Name: "circle.manager.test", Chosen: true, Records: []Record{{Name: "circle.manager.test", Alias: "circle.example.com", TTL: 5}}},
		{Name: "example.com", Records: []Record{
			{Name: "child.example.com", Data: []Data{{Type: typeNS, Text: "ns.example.net."}}},
			{Name: "circle.example.com", Follows: "circle.manager.test", TTL: 60},
			{Name: "ended.example.com", Follows: "none.example.com", TTL: 60},
			{Name: "example.com", Follows: "web.manager.test", TTL: 60, Data: []Data{{Type: typeNS, Text: "ns1.azure-dns.com."}}},
			{Name: "far.example.com", Follows: "www.example.org", TTL: 60},
			{Name: "lost.example.com", Data: []Data{{Type: typeNS, Text: "ns.example.net."}}},
			{Name: "twice.example.com", Follows: "example.com", TTL: 60},
			{Name: "www.example.com", Alias: "example.com", TTL: 60},
		}},
		{Name: "web.manager.test", Chosen: true, Records: []Record{{Name: "web.manager.test", Addrs: addr(1), TTL: 5}}},
	}}
	for name, want := range map[string]struct {
		verdict Verdict
		last    byte
		ttl     uint32
	}{
		"example.com":            {VerdictAllow, 1, 5},
		"www.example.com":        {VerdictAllow, 1, 5},
		"ended.example.com":      {VerdictAllow, 0, 60}, // the name is, and has no address
		"circle.example.com":     {VerdictUnknown, 0, 0},
		"circle.manager.test":    {VerdictUnknown, 0, 0},
		"twice.example.com":      {VerdictUnknown, 0, 0},
		"far.example.com":        {VerdictUnknown, 0, 0},
		"lost.example.com":       {VerdictUnknown, 0, 0},
		"a.b.lost.example.com":   {VerdictUnknown, 0, 0},
		"www.child.example.com":  {VerdictAllow, 9, 60},
		"none.child.example.com": {VerdictDeny, 0, 0},
		"none.example.com":       {VerdictDeny, 0, 0},
	} {
		got := v.Resolve(name)
		last := byte(0)
		if len(got.Addrs) > 0 {
			last = got.Addrs[0].As4()[3]
		}
		if got.Verdict != want.verdict || last != want.last || got.TTL != want.ttl {
			t.Errorf("%s: %s %v ttl %d, want %s %d ttl %d", name, got.Verdict, got.Addrs, got.TTL, want.verdict, want.last, want.ttl)
		}
	}
	// Followed as somebody knows it now.
	f := v.FollowBy("example.com", func(name string) (*Record, bool) {
		return &Record{Name: name, Addrs: addr(2), TTL: 3}, name == "web.manager.test"
	})
	if f.Verdict != VerdictAllow || f.Record.Addrs[0] != addr(2)[0] || f.Record.TTL != 3 || len(f.Record.Data) != 1 {
		t.Errorf("%+v", f.Record)
	}
}
