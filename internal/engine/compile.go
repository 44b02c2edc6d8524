package engine

import (
	"net/netip"

	"github.com/gaissmai/bart"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// program is an image in the form the walk reads. Filters and tables are
// compiled when a packet first meets them: most images are much larger than
// what one run of them touches.
type program struct {
	img     *fabric.Image
	filters []*filter
	tables  []*bart.Table[int32]
	chooser *fabric.Chooser
	choose  fabric.Choose // the targets of redirects for new flows
	pools   map[borrowed]*pool
}

func newProgram(img *fabric.Image, choose fabric.Choose) *program {
	var chooser *fabric.Chooser // the image's own, unless somebody else chooses
	if choose == nil {
		chooser = fabric.NewChooser(img)
		choose = chooser.Pick
	}
	return &program{img: img, chooser: chooser, choose: choose, pools: map[borrowed]*pool{}, filters: make([]*filter, len(img.Filters)), tables: make([]*bart.Table[int32], len(img.Tables))}
}

// filter is a fabric.Filter as flat slices: the tests of rule i are
// tests[ends[i-1]:ends[i]], cheapest first, fields that match everything left
// out.
type filter struct {
	tests   []test
	ends    []int32
	actions []fabric.Action
	hits    []uint64 // first packets decided by each rule; the last is the default
	carried []carried
}

// test is one field of a rule. Most sets are a single range.
type test struct {
	field fabric.Field
	one   fabric.Range
	more  fabric.Set // the whole set when it has several ranges
}

// order is the cost order of a rule's fields: what differs most often and is
// smallest comes first.
var order = [...]fabric.Field{fabric.Proto, fabric.DstPort, fabric.Dst, fabric.Src, fabric.SrcPort}

func (p *program) filter(id fabric.FilterID) *filter {
	if f := p.filters[id]; f != nil {
		return f
	}
	src := &p.img.Filters[id]
	f := &filter{
		ends: make([]int32, 0, len(src.Rules)), actions: make([]fabric.Action, 0, len(src.Rules)),
		hits: make([]uint64, len(src.Rules)+1), carried: make([]carried, len(src.Rules)+1),
	}
	for i := range src.Rules {
		for _, field := range order {
			set := src.Rules[i].Match[field]
			if set == fabric.AnySet {
				continue
			}
			t := test{field: field}
			switch s := p.img.Sets[set]; len(s) {
			case 0:
				t.one = fabric.Range{Lo: fabric.MaxValue} // Lo above Hi: holds nothing
			case 1:
				t.one = s[0]
			default:
				t.more = s
			}
			f.tests = append(f.tests, t)
		}
		f.ends = append(f.ends, int32(len(f.tests)))
		f.actions = append(f.actions, src.Rules[i].Action)
	}
	p.filters[id] = f
	return f
}

// decide returns the first rule that matches, or None.
func (f *filter) decide(values *[fabric.NumFields]fabric.Value) int32 {
	start := int32(0)
rules:
	for i, end := range f.ends {
		for j := start; j < end; j++ {
			t := &f.tests[j]
			v := values[t.field]
			if t.more == nil && !t.one.Contains(v) || t.more != nil && !t.more.Contains(v) {
				start = end
				continue rules
			}
		}
		return int32(i)
	}
	return fabric.None
}

// lookup returns the index of the active route with the longest prefix.
func (p *program) lookup(id fabric.TableID, dst netip.Addr) (int32, bool) {
	t := p.tables[id]
	if t == nil {
		t = new(bart.Table[int32])
		routes := p.img.Tables[id].Routes
		// Backwards, so that of equal prefixes the first active one stays.
		for i := len(routes) - 1; i >= 0; i-- {
			if !routes[i].Inactive {
				t.Insert(routes[i].Prefix, int32(i))
			}
		}
		p.tables[id] = t
	}
	return t.Lookup(dst)
}

func values(p fabric.Packet) (v [fabric.NumFields]fabric.Value) {
	for f := range fabric.NumFields {
		v[f] = p.Field(f)
	}
	return v
}
