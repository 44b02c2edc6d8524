package intent

import (
	"bytes"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"

	"github.com/ceruleannet/cerulean/model"
	"github.com/goccy/go-yaml/ast"
)

// LockName is the name of the lock file, beside the network's own files.
const LockName = "cerulean.lock"

// Lock records the addresses that were assigned, so that later assignments
// never move an earlier one. Explicit addresses are not in it.
type Lock struct {
	Regions  map[string]netip.Prefix // region: its block
	Networks map[string]netip.Prefix // virtual network: its prefix
	Subnets  map[string]netip.Prefix // network/subnet: its prefix
	Hosts    map[string]netip.Addr   // host: its private address
	Public   map[string]netip.Addr   // public IP resource: its address
}

// NewLock returns an empty lock.
func NewLock() *Lock {
	return &Lock{
		Regions: map[string]netip.Prefix{}, Networks: map[string]netip.Prefix{}, Subnets: map[string]netip.Prefix{},
		Hosts: map[string]netip.Addr{}, Public: map[string]netip.Addr{},
	}
}

// Equal reports whether both locks record the same assignments.
func (l *Lock) Equal(o *Lock) bool {
	return maps.Equal(l.Regions, o.Regions) && maps.Equal(l.Networks, o.Networks) && maps.Equal(l.Subnets, o.Subnets) &&
		maps.Equal(l.Hosts, o.Hosts) && maps.Equal(l.Public, o.Public)
}

// lockVersion is the version of the file format.
const lockVersion = 1

// Marshal returns the lock as its file: sorted YAML under a comment.
func (l *Lock) Marshal() []byte {
	var b bytes.Buffer
	b.WriteString("# Addresses that cerulean assigned. Written by cerulean; review and commit it with the network.\n")
	fmt.Fprintf(&b, "version: %d\n", lockVersion)
	section(&b, "regions", l.Regions)
	section(&b, "networks", l.Networks)
	section(&b, "subnets", l.Subnets)
	section(&b, "hosts", l.Hosts)
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
			case "regions":
				lockEntries(d, s, l.Regions, netip.ParsePrefix)
			case "networks":
				lockEntries(d, s, l.Networks, netip.ParsePrefix)
			case "subnets":
				lockEntries(d, s, l.Subnets, netip.ParsePrefix)
			case "hosts":
				lockEntries(d, s, l.Hosts, netip.ParseAddr)
			case "public":
				lockEntries(d, s, l.Public, netip.ParseAddr)
			default:
				d.unknownKey(s, []string{"version", "regions", "networks", "subnets", "hosts", "public"}, "the lock")
			}
		}
	}
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return l, nil
}

func lockEntries[V any](d *decoder, s pair, into map[string]V, parse func(string) (V, error)) {
	for _, e := range d.pairs(d.resolve(s.value)) {
		t := d.text(d.resolve(e.value), d.pos(e.value), e.key)
		if !t.IsSet() {
			continue
		}
		v, err := parse(t.Value)
		if err != nil {
			d.problem(t.Pos, "delete the line to assign it anew", "%q in %s of the lock is not an address or prefix", t.Value, s.key)
			continue
		}
		into[e.key] = v
	}
}
