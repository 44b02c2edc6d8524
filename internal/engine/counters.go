package engine

import "github.com/ceruleannet/cerulean/internal/fabric"

// RuleCount is what a rule decided: flows by their first packets, and all that
// those flows carried, both ways.
type RuleCount struct {
	Flows          uint64
	Packets, Bytes uint64
}

// carried is what the flows that a rule decided have carried.
type carried struct{ packets, bytes uint64 }

// ruleUsed is a rule that decided about a flow; past the last one it is the
// filter's default.
type ruleUsed struct {
	filter *filter
	rule   int32
}

// use notes rules that decided about a flow.
func (f *flow) use(rules []ruleUsed) {
next:
	for _, r := range rules {
		for _, have := range f.rules {
			if have == r {
				continue next
			}
		}
		f.rules = append(f.rules, r)
	}
}

// count adds what the flow carried since it was last counted to its rules.
// Packets need not do it.
func (f *flow) count() {
	packets := f.ways[forward].packets + f.ways[backward].packets - f.counted.packets
	bytes := f.ways[forward].bytes + f.ways[backward].bytes - f.counted.bytes
	if packets == 0 {
		return
	}
	f.counted.packets += packets
	f.counted.bytes += bytes
	for _, r := range f.rules {
		c := &r.filter.carried[r.rule]
		c.packets += packets
		c.bytes += bytes
	}
}

// Rules returns what each rule of a filter decided since the filter came into
// force; the last element is the filter's default. The first call after packets
// have passed looks at every flow.
func (e *Engine) Rules(id fabric.FilterID) []RuleCount {
	if e.counted != e.stats.Packets {
		for n := range uint32(len(e.table.chunks) * chunk) {
			if f := e.table.flow(n); f.gen&1 == 1 {
				f.count()
			}
		}
		e.counted = e.stats.Packets
	}
	out := make([]RuleCount, len(e.prog.img.Filters[id].Rules)+1)
	if f := e.prog.filters[id]; f != nil {
		for i := range out {
			out[i] = RuleCount{f.hits[i], f.carried[i].packets, f.carried[i].bytes}
		}
	}
	return out
}
