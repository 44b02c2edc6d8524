package flowlog

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
)

// every is how often a flow that goes on is written (Virtual network flow logs:
// "recorded at five-minute intervals").
const every = 5 * time.Minute

// maxPending bounds the tuples that wait for their minute to end.
const maxPending = 1 << 18

// Names are what the logs call things: MAC addresses by network interface and
// GUIDs by resource. Both are keyed by resource ID in lower case.
type Names struct{ MAC, GUID map[string]string }

// mac returns the MAC address of a port: the interface's, or one made of its ID
// in the range for local use (IEEE 802, section 8.2).
func (n *Names) mac(img *fabric.Image, at fabric.PortID) string {
	id := strings.ToLower(img.Ports[at].Origin.Resource)
	if mac := n.MAC[id]; mac != "" {
		return macText(mac)
	}
	return "02" + strings.ToUpper(strings.ReplaceAll(guidOf(id), "-", "")[:10])
}

// acl returns the GUID of the group or manager whose rule decided.
func (n *Names) acl(img *fabric.Image, s *Sight) string {
	if s.Filter == fabric.None {
		return unspecified
	}
	id := img.Filters[s.Filter].Origin.Resource
	if guid := n.GUID[strings.ToLower(id)]; guid != "" {
		return guid
	}
	return guidOf(id)
}

// Log makes records of flows. It knows no clock: times never go back.
type Log struct {
	resources []Resource
	names     Names
	flows     map[engine.FlowID]*flow
	pending   map[recordKey]*Entry
	order     []recordKey
	tuples    int
	lost      uint64
}

// flow is a flow that goes on, where it is logged.
type flow struct {
	lines []line
	known Counters // as last read
}

// line is a flow in one log at one interface.
type line struct {
	resource int
	mac      string
	acl      string
	rule     string
	sight    Sight
	last     time.Time // of the last tuple
	told     Counters  // by all tuples so far
}

type recordKey struct {
	resource int
	mac      string
	minute   int64
}

// Entry is a record and the file it goes to.
type Entry struct {
	Path    string // with slashes, below the log's folder
	Storage string // name of the storage account; "" for none
	Record  Record
	last    time.Time
	tuples  int
}

// New returns a log that writes to the given flow logs.
func New(resources []Resource, names Names) *Log {
	return &Log{resources: resources, names: names, flows: map[engine.FlowID]*flow{}, pending: map[recordKey]*Entry{}}
}

// Rename replaces what things are called, from now on.
func (l *Log) Rename(names Names) { l.names = names }

// Lost returns how many tuples found no room: more than 262,144 in a minute.
func (l *Log) Lost() uint64 { return l.lost }

// Open tells of a flow's first packet and what became of it under an image. A
// flow that is known already, composed anew after a change, begins no second
// time. id 0 is a denied flow of which nobody keeps a record.
func (l *Log) Open(now time.Time, id engine.FlowID, img *fabric.Image, t *fabric.Trace) {
	if l.flows[id] != nil {
		return
	}
	var f flow
	for _, s := range Sights(img, t) {
		for i := range l.resources {
			r := &l.resources[i]
			if !r.covers(img, s.Port) || !r.Criteria.Match(&s) {
				continue
			}
			x := line{resource: i, mac: l.names.mac(img, s.Port), acl: l.names.acl(img, &s), rule: unspecified, sight: s, last: now}
			if s.Filter != fabric.None {
				x.rule = ruleName(&img.Filters[s.Filter], s.Rule)
			}
			if s.Denied {
				l.write(now, &x, Deny, Counters{})
				continue
			}
			l.write(now, &x, Begin, Counters{})
			if id != 0 {
				f.lines = append(f.lines, x)
			} else {
				l.write(now, &x, End, Counters{})
			}
		}
	}
	if len(f.lines) > 0 {
		l.flows[id] = &f
	}
}

// Close tells that a flow ended, and what it carried.
func (l *Log) Close(now time.Time, id engine.FlowID, c Counters) {
	f := l.flows[id]
	if f == nil {
		return
	}
	delete(l.flows, id)
	for i := range f.lines {
		x := &f.lines[i]
		l.write(now, x, End, c.less(x.told))
	}
}

func (l *Log) ids() []engine.FlowID {
	out := make([]engine.FlowID, 0, len(l.flows))
	for id := range l.flows {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}

// Due reports whether the last tuple of some flow is five minutes old.
func (l *Log) Due(now time.Time) bool {
	for _, f := range l.flows {
		for i := range f.lines {
			if now.Sub(f.lines[i].last) >= every {
				return true
			}
		}
	}
	return false
}

// Read tells what the flows have carried so far, and writes those whose last
// tuple is five minutes old. each calls its argument with every flow there is.
func (l *Log) Read(now time.Time, each func(f func(engine.FlowID, Counters))) {
	l.know(each)
	for _, id := range l.ids() {
		f := l.flows[id]
		for i := range f.lines {
			x := &f.lines[i]
			if now.Sub(x.last) < every {
				continue
			}
			x.last = now
			if l.write(now, x, Continue, f.known.less(x.told)) {
				x.told = f.known
			}
		}
	}
}

func (l *Log) know(each func(f func(engine.FlowID, Counters))) {
	each(func(id engine.FlowID, c Counters) {
		if f := l.flows[id]; f != nil {
			f.known = c
		}
	})
}

// CloseAll ends every flow, with what each calls its argument with.
func (l *Log) CloseAll(now time.Time, each func(f func(engine.FlowID, Counters))) {
	l.know(each)
	for _, id := range l.ids() {
		l.Close(now, id, l.flows[id].known)
	}
}

// Flows returns how many flows are being followed.
func (l *Log) Flows() int { return len(l.flows) }

// write adds a tuple to the minute's record, and reports whether it did: a flow
// log may not want tuples of the state. Counters that were not written are part
// of the next tuple's.
func (l *Log) write(now time.Time, x *line, state State, c Counters) bool {
	r := &l.resources[x.resource]
	if !r.wants(state) {
		return false
	}
	if l.tuples >= maxPending {
		l.lost++
		return false
	}
	l.tuples++
	key := recordKey{x.resource, x.mac, now.Unix() / 60}
	e := l.pending[key]
	if e == nil {
		e = &Entry{Path: path(r.ID, x.mac, now), Storage: r.Storage, Record: Record{
			Version: version, GUID: r.GUID, MAC: x.mac, Category: category, OperationName: category,
			Resource: strings.ToUpper(r.ID.String()), Target: r.Target,
		}}
		l.pending[key] = e
		l.order = append(l.order, key)
	}
	e.last = now
	e.tuples++
	e.Record.Records.add(x.acl, x.rule, tuple(now, &x.sight, state, c))
	return true
}

func (f *FlowRecords) add(acl, rule, tuple string) {
	i := slices.IndexFunc(f.Flows, func(a ACLFlows) bool { return a.ACL == acl })
	if i < 0 {
		i = len(f.Flows)
		f.Flows = append(f.Flows, ACLFlows{ACL: acl})
	}
	groups := &f.Flows[i].Groups
	j := slices.IndexFunc(*groups, func(g RuleFlows) bool { return g.Rule == rule })
	if j < 0 {
		j = len(*groups)
		*groups = append(*groups, RuleFlows{Rule: rule})
	}
	(*groups)[j].Tuples = append((*groups)[j].Tuples, tuple)
}

// Take returns the records of the minutes that ended before now. A record's time
// is that of its last tuple.
func (l *Log) Take(now time.Time) []Entry {
	var out []Entry
	kept := l.order[:0]
	for _, key := range l.order {
		if key.minute >= now.Unix()/60 {
			kept = append(kept, key)
			continue
		}
		e := l.pending[key]
		delete(l.pending, key)
		l.tuples -= e.tuples
		e.Record.Time = e.last.UTC().Format(timeFormat)
		out = append(out, *e)
	}
	l.order = kept
	return out
}

// errLost says how many tuples the logs lack.
type errLost uint64

func (n errLost) Error() string {
	return fmt.Sprintf("flow logs lack %d tuples: there were more than could be kept in memory", uint64(n))
}
