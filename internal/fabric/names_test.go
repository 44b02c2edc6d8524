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
