package intent

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
	"github.com/goccy/go-yaml/ast"
)

// LockName is the name of the lock file, beside the network's own files.
const LockName = "cerulean.lock"

// Lock records the addresses that were assigned, so that later assignments
// never move an earlier one. Explicit addresses are not in it.
type Lock struct {
	Home     string                  // region of what belongs to no region
	Regions  map[string]netip.Prefix // region: its block
	Networks map[string]netip.Prefix // virtual network: its prefix
	Subnets  map[string]netip.Prefix // network/subnet: its prefix
	Hosts    map[string]netip.Addr   // host: its private address
	Private  map[string]netip.Addr   // private endpoint, or load balancer/frontend: its address
	Public   map[string]netip.Addr   // public IP resource: its address
}

// NewLock returns an empty lock.
func NewLock() *Lock {
	return &Lock{
		Regions: map[string]netip.Prefix{}, Networks: map[string]netip.Prefix{}, Subnets: map[string]netip.Prefix{},
		Hosts: map[string]netip.Addr{}, Private: map[string]netip.Addr{}, Public: map[string]netip.Addr{},
	}
}

// Equal reports whether both locks record the same assignments.
func (l *Lock) Equal(o *Lock) bool {
	return l.Home == o.Home && maps.Equal(l.Regions, o.Regions) && maps.Equal(l.Networks, o.Networks) && maps.Equal(l.Subnets, o.Subnets) &&
		maps.Equal(l.Hosts, o.Hosts) && maps.Equal(l.Private, o.Private) && maps.Equal(l.Public, o.Public)
}

// lockVersion is the version of the file format.
const lockVersion = 1

// Marshal returns the lock as its file: sorted YAML under a comment.
func (l *Lock) Marshal() []byte {
	var b bytes.Buffer
	b.WriteString("# Addresses that cerulean assigned. Written by cerulean; review and commit it with the network.\n")
	fmt.Fprintf(&b, "version: %d\n", lockVersion)
	if l.Home != "" {
		fmt.Fprintf(&b, "home: %s\n", l.Home)
	}
	section(&b, "regions", l.Regions)
	section(&b, "networks", l.Networks)
	section(&b, "subnets", l.Subnets)
	section(&b, "hosts", l.Hosts)
	section(&b, "private", l.Private)
	section(&b, "public", l.Public)
	return b.Bytes()
}

func section[V fmt.Stringer](b *bytes.Buffer, name string, m map[string]V) {
	if len(m) == 0 {
		return
	}
	b.WriteString(name + ":\n")
	for _, k := range slices.Sorted(maps.Keys(m)) {
		fmt.Fprintf(b, "  %s: %s\n", lockKey(k), m[k])
	}
}

// lockKey quotes the few names that YAML would not read back as text.
func lockKey(k string) string {
	docs, p := syntax("", []byte(k+": x\n"))
	if p == nil && len(docs) == 1 {
		budget := maxDepth
		d := newDecoder("", docs[0], &model.Problems{}, &budget)
		if ps := d.pairs(docs[0]); len(ps) == 1 && ps[0].key == k {
			return k
		}
	}
	return strconv.Quote(k)
}

// ParseLock reads a lock file. The error is a [model.Problems] with every
// problem in it.
func ParseLock(name string, data []byte) (*Lock, error) {
	l := NewLock()
	var problems model.Problems
	if len(data) > maxInput {
		return nil, model.Problems{{
			Pos: model.Pos{File: name}, What: fmt.Sprintf("the lock of %d bytes is larger than %d", len(data), maxInput),
			Fix: "delete it to assign every address anew",
		}}
	}
	docs, p := syntax(name, data)
	if p != nil {
		return nil, model.Problems{*p}
	}
	budget := maxNodes
	for _, body := range docs {
		d := newDecoder(name, body, &problems, &budget)
		if _, ok := body.(ast.MapNode); !ok {
			d.problem(d.pos(body), "delete it to assign every address anew", "the lock must be a map, not %s", kind(body))
			continue
		}
		for _, s := range d.pairs(body) {
			switch s.key {
			case "version":
				if v, ok := d.resolve(s.value).(*ast.IntegerNode); !ok || v.GetToken().Value != strconv.Itoa(lockVersion) {
					d.problem(d.pos(s.value), "use the version of cerulean that wrote it", "lock version %s is not %d", kind(d.resolve(s.value)), lockVersion)
				}
			case "home":
				t := d.text(d.resolve(s.value), d.pos(s.value), s.key)
				if info, ok := catalog.Region(t.Value); ok {
					l.Home = info.Name
				} else if t.IsSet() {
					d.problem(t.Pos, "delete the line to choose it anew", "%q is not an Azure region", t.Value)
				}
			case "regions":
				lockPrefixes(d, s, l.Regions, func(string) string { return "" })
			case "networks":
				lockPrefixes(d, s, l.Networks, func(string) string { return "" })
			case "subnets":
				lockPrefixes(d, s, l.Subnets, func(key string) string { return key[:strings.LastIndexByte(key, '/')+1] })
			case "hosts":
				lockEntries(d, s, l.Hosts, "an IPv4 address", lockedAddr)
			case "private":
				lockEntries(d, s, l.Private, "an IPv4 address", lockedAddr)
			case "public":
				lockEntries(d, s, l.Public, "an IPv4 address", lockedAddr)
			default:
				d.unknownKey(s, []string{"version", "home", "regions", "networks", "subnets", "hosts", "private", "public"}, "the lock")
			}
		}
	}
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return l, nil
}

// lockEntries reads a section of the lock and returns the places of its values.
func lockEntries[V any](d *decoder, s pair, into map[string]V, what string, parse func(string) (V, bool)) map[string]model.Pos {
	places := map[string]model.Pos{}
	for _, e := range d.pairs(d.resolve(s.value)) {
		t := d.text(d.resolve(e.value), d.pos(e.value), e.key)
		if !t.IsSet() {
			continue
		}
		v, ok := parse(t.Value)
		if !ok {
			d.problem(t.Pos, "delete the line to assign it anew", "%q in %s of the lock is not %s", t.Value, s.key, what)
			continue
		}
		into[e.key], places[e.key] = v, t.Pos
	}
	return places
}

func lockedAddr(text string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(text)
	return a, err == nil && a.Is4()
}

func lockedPrefix(text string) (netip.Prefix, bool) {
	p, err := netip.ParsePrefix(text)
	return p, err == nil && p.Addr().Is4() && p == p.Masked()
}

// lockPrefixes reads a section of prefixes. What was assigned never overlaps
// within a scope; where two changes of the lock were merged it may.
func lockPrefixes(d *decoder, s pair, into map[string]netip.Prefix, scope func(key string) string) {
	places := lockEntries(d, s, into, "an IPv4 network prefix", lockedPrefix)
	keys := slices.SortedFunc(maps.Keys(places), func(a, b string) int {
		return cmp.Or(cmp.Compare(scope(a), scope(b)), comparePrefix(into[a], into[b]), cmp.Compare(a, b))
	})
	widest := ""
	for i, key := range keys {
		if i == 0 || scope(widest) != scope(key) || !into[widest].Overlaps(into[key]) {
			widest = key
			continue
		}
		first, later := widest, key
		if places[later].Line < places[first].Line {
			first, later = later, first
		}
		d.problem(places[later], "delete one of the two lines to assign it anew", "%s of %s overlaps %s of %s at %s",
			into[later], later, into[first], first, places[first])
	}
}
