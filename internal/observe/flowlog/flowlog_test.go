package flowlog

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/fabrictest"
	"github.com/ceruleannet/cerulean/internal/observe"
	"github.com/ceruleannet/cerulean/model"
)

const (
	subscription = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg"
	network      = subscription + "/providers/Microsoft.Network"
	watched      = subscription + "/providers/Microsoft.Network/networkWatchers/nw/flowLogs/log"
)

// pair is two machines in two subnets of one network with a rule each way, and
// the internet, to which shop goes by a public address.
func pair() *fabric.Image {
	img := &fabric.Image{Edge: 2, Regions: []string{"westeurope"}, Delay: [][]time.Duration{{0}}}
	set := func(s fabric.Set) fabric.SetID {
		img.Sets = append(img.Sets, s)
		return fabric.SetID(len(img.Sets) - 1)
	}
	prefix := func(p string) fabric.Set { return fabric.PrefixSet(netip.MustParsePrefix(p)) }
	set(fabric.AllValues())
	img.Platform = set(prefix("168.63.129.16/32"))
	shop, db, outside := set(prefix("10.0.0.4/32")), set(prefix("10.0.1.4/32")), set(prefix("8.0.0.0/8"))
	sql := set(fabric.NumSet(1433, 1433))
	vnet := fabric.Origin{Resource: network + "/virtualNetworks/v"}
	owner := func(a string, p fabric.PortID) fabric.Owner {
		v := fabric.AddrValue(netip.MustParseAddr(a))
		return fabric.Owner{Range: fabric.Range{Lo: v, Hi: v}, Port: p}
	}
	img.Spaces = []fabric.Space{{Name: "v", Origin: vnet, Owners: []fabric.Owner{owner("10.0.0.4", 0), owner("10.0.1.4", 1)}}}
	for _, s := range []string{"front", "back"} {
		img.Segments = append(img.Segments, fabric.Segment{Name: s, Origin: fabric.Origin{Resource: vnet.Resource + "/subnets/" + s}})
	}
	rule := func(name string, priority int32, action fabric.Action, dst, port fabric.SetID) fabric.Rule {
		r := fabric.Rule{Action: action, Priority: priority, Origin: fabric.Origin{Name: name}}
		r.Match[fabric.Dst], r.Match[fabric.DstPort] = dst, port
		return r
	}
	nsg := fabric.Origin{Resource: network + "/networkSecurityGroups/nsg"}
	manager := fabric.Origin{Resource: network + "/networkManagers/m"}
	img.Filters = []fabric.Filter{
		{Name: "nsg", Origin: nsg, Stage: fabric.StageSegment, Rules: []fabric.Rule{rule("AllowAllOutBound", 65001, fabric.Pass, 0, 0)}},
		{Name: "nsg", Origin: nsg, Stage: fabric.StageSegment, Rules: []fabric.Rule{rule("sql", 100, fabric.Pass, db, sql), rule("DenyAllInBound", 65500, fabric.Drop, 0, 0)}},
		{Name: "admin", Origin: manager, Stage: fabric.StageAdmin, Rules: []fabric.Rule{rule("no-telnet", 1, fabric.Drop, 0, set(fabric.NumSet(23, 23)))}, Default: fabric.Pass},
	}
	img.Tables = []fabric.Table{{Name: "t", Routes: []fabric.Route{
		{Prefix: netip.MustParsePrefix("10.0.0.0/16"), Hop: fabric.Hop{Kind: fabric.HopSpace}},
		{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Hop: fabric.Hop{Kind: fabric.HopInternet}},
	}}}
	img.Ports = []fabric.Port{
		{
			Name: "shop", Origin: fabric.Origin{Resource: network + "/networkInterfaces/shop"}, Addrs: shop, Segment: 0,
			Egress: []fabric.FilterID{2, 0}, Outbound: &fabric.Outbound{Pairs: []fabric.Pair{{Private: netip.MustParseAddr("10.0.0.4"), Public: netip.MustParseAddr("20.0.0.1")}}},
		},
		{Name: "db", Origin: fabric.Origin{Resource: network + "/networkInterfaces/db"}, Addrs: db, Segment: 1, Ingress: []fabric.FilterID{1}},
		{Name: "internet", Kind: fabric.PortEdge, Addrs: outside, Space: fabric.None, Segment: fabric.None, Region: fabric.None},
	}
	img.Publics = []fabric.Public{{Addr: netip.MustParseAddr("20.0.0.1"), Port: 0, Private: netip.MustParseAddr("10.0.0.4")}}
	return img
}

func packet(src, dst string, proto uint8) fabric.Packet {
	a, b := netip.MustParseAddrPort(src), netip.MustParseAddrPort(dst)
	return fabric.Packet{Src: a.Addr(), Dst: b.Addr(), SrcPort: a.Port(), DstPort: b.Port(), Proto: proto}
}

func id(t testing.TB, text string) model.ID {
	t.Helper()
	x, err := model.ParseID(text)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// world is a network, its engine and the log of it, in a bubble of synctest.
type world struct {
	t        *testing.T
	mu       sync.Mutex // guards the engine
	engine   *engine.Engine
	begin    time.Time
	recorder *Recorder
	entries  []Entry
	fail     error
}

func (w *world) EachFlow(f func(engine.Flow) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for x := range w.engine.Flows() {
		if !f(x) {
			return
		}
	}
}

func (w *world) Write(entries []Entry) error {
	w.entries = append(w.entries, entries...)
	return w.fail
}

// watch starts a world whose flows are written to the given flow logs.
func watch(t *testing.T, resources ...Resource) *world {
	if len(resources) == 0 {
		resources = []Resource{{ID: id(t, watched), GUID: "guid", Target: network + "/virtualNetworks/V"}}
	}
	w := &world{t: t, begin: time.Now()}
	names := Names{
		MAC:  map[string]string{strings.ToLower(network + "/networkInterfaces/shop"): "00-0d-3a-00-00-01", strings.ToLower(network + "/networkInterfaces/db"): "00-0D-3A-00-00-02"},
		GUID: map[string]string{strings.ToLower(network + "/networkSecurityGroups/nsg"): "nsg-guid", strings.ToLower(network + "/networkManagers/m"): "manager-guid"},
	}
	w.recorder = NewRecorder(New(resources, names), w)
	w.engine = engine.New(pair(), engine.Options{OnFlow: w.recorder.OnFlow, OnClose: w.recorder.OnClose})
	w.recorder.Run(w)
	return w
}

// advance lets the engine's timers run, as its user does from time to time.
func (w *world) advance() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.engine.Advance(time.Since(w.begin), func(engine.Frame) {})
}

func (w *world) send(at fabric.PortID, b []byte) engine.Result {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.engine.Process(time.Since(w.begin), at, b)
}

// lines are all tuples written so far, as "MAC aclID rule tuple", with the time
// of a tuple in seconds since the world began.
func (w *world) lines() []string {
	w.t.Helper()
	var out []string
	for _, e := range w.entries {
		for _, f := range e.Record.Records.Flows {
			for _, g := range f.Groups {
				for _, tuple := range g.Tuples {
					var ms int64
					stamp, rest, _ := strings.Cut(tuple, ",")
					fmt.Sscan(stamp, &ms)
					out = append(out, fmt.Sprintf("%s %s %s %d,%s", e.Record.MAC[10:], f.ACL, g.Rule, (ms-w.begin.UnixMilli())/1000, rest))
				}
			}
		}
	}
	return out
}

func (w *world) want(lines ...string) {
	w.t.Helper()
	if got := w.lines(); !slices.Equal(got, lines) {
		w.t.Errorf("tuples\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(lines, "\n"))
	}
}

var sql = packet("10.0.0.4:5000", "10.0.1.4:1433", fabric.ProtoTCP)

// Virtual network flow logs: a flow begins with zeros, goes on every five
// minutes, and ends with what it carried since; each of both interfaces says so
// from its side, with its own rule. Silence for four minutes is an end.
func TestLifeOfAFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t)
		time.Sleep(time.Second)
		w.send(0, engine.First(sql))
		w.send(1, engine.Answer(sql.Reverse()))
		for range 4 { // at 3, 6, 9 and 12 minutes
			time.Sleep(3 * time.Minute)
			w.send(0, engine.First(sql))
		}
		time.Sleep(5 * time.Minute)
		w.advance()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		const shop, db = "01 nsg-guid DefaultRule_AllowAllOutBound ", "02 nsg-guid UserRule_sql "
		w.want(
			shop+"1,10.0.0.4,10.0.1.4,5000,1433,6,O,B,NX,0,0,0,0",
			db+"1,10.0.0.4,10.0.1.4,5000,1433,6,I,B,NX,0,0,0,0",
			shop+"305,10.0.0.4,10.0.1.4,5000,1433,6,O,C,NX,2,80,1,40",
			db+"305,10.0.0.4,10.0.1.4,5000,1433,6,I,C,NX,2,80,1,40",
			shop+"605,10.0.0.4,10.0.1.4,5000,1433,6,O,C,NX,2,80,0,0",
			db+"605,10.0.0.4,10.0.1.4,5000,1433,6,I,C,NX,2,80,0,0",
			shop+"905,10.0.0.4,10.0.1.4,5000,1433,6,O,C,NX,1,40,0,0",
			db+"905,10.0.0.4,10.0.1.4,5000,1433,6,I,C,NX,1,40,0,0",
			shop+"1021,10.0.0.4,10.0.1.4,5000,1433,6,O,E,NX,0,0,0,0",
			db+"1021,10.0.0.4,10.0.1.4,5000,1433,6,I,E,NX,0,0,0,0",
		)
		if err := w.recorder.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A reset, and FIN of both ends, end a flow at once, with all it carried.
func TestEndOfTCP(t *testing.T) {
	flags := func(p fabric.Packet, flags byte) []byte {
		b := engine.First(p)
		b[33] = flags
		return b
	}
	const fin, rst, ack = 1, 4, 16
	for name, ends := range map[string][][2]byte{ // port and flags
		"reset by the opener": {{0, rst}},
		"reset by the other":  {{1, rst | ack}},
		"finished":            {{0, fin | ack}, {1, fin | ack}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := watch(t, Resource{ID: id(t, watched), Target: network + "/networkInterfaces/shop"})
				w.send(0, engine.First(sql))
				w.send(1, engine.Answer(sql.Reverse()))
				sent, received := 1, 1
				for _, x := range ends {
					p := sql
					if x[0] == 1 {
						p = sql.Reverse()
						received++
					} else {
						sent++
					}
					w.send(fabric.PortID(x[0]), flags(p, x[1]))
				}
				time.Sleep(10 * time.Second)
				w.advance()
				time.Sleep(time.Minute)
				synctest.Wait()
				w.want(
					"01 nsg-guid DefaultRule_AllowAllOutBound 0,10.0.0.4,10.0.1.4,5000,1433,6,O,B,NX,0,0,0,0",
					fmt.Sprintf("01 nsg-guid DefaultRule_AllowAllOutBound 10,10.0.0.4,10.0.1.4,5000,1433,6,O,E,NX,%d,%d,%d,%d", sent, 40*sent, received, 40*received),
				)
				w.recorder.Close()
			})
		})
	}
}

// A flow that a rule denies is one tuple, D, of the interface that asked the
// rule; an interface that let it out before that wrote its beginning.
func TestDenied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t)
		w.send(0, engine.First(packet("10.0.0.4:5000", "10.0.1.4:22", fabric.ProtoTCP)))
		w.send(0, engine.First(packet("10.0.0.4:5000", "10.0.1.4:23", fabric.ProtoTCP)))
		if err := w.recorder.Close(); err != nil {
			t.Error(err)
		}
		w.want(
			"01 nsg-guid DefaultRule_AllowAllOutBound 0,10.0.0.4,10.0.1.4,5000,22,6,O,B,NX,0,0,0,0",
			"01 nsg-guid DefaultRule_AllowAllOutBound 0,10.0.0.4,10.0.1.4,5000,22,6,O,E,NX,1,40,0,0",
			"01 manager-guid no-telnet 0,10.0.0.4,10.0.1.4,5000,23,6,O,D,NX,0,0,0,0",
			"02 nsg-guid DefaultRule_DenyAllInBound 0,10.0.0.4,10.0.1.4,5000,22,6,I,D,NX,0,0,0,0",
		)
	})
}

// An interface sees its private address, whatever the translation; the internet
// has no interface of ours. Without a group there is no rule to name.
func TestTranslated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t)
		w.send(0, engine.First(packet("10.0.0.4:5000", "8.8.8.8:443", fabric.ProtoTCP)))
		w.send(2, engine.First(packet("8.8.8.8:6000", "20.0.0.1:443", fabric.ProtoTCP)))
		w.recorder.Close()
		w.want(
			"01 nsg-guid DefaultRule_AllowAllOutBound 0,10.0.0.4,8.8.8.8,5000,443,6,O,B,NX,0,0,0,0",
			"01 nsg-guid DefaultRule_AllowAllOutBound 0,10.0.0.4,8.8.8.8,5000,443,6,O,E,NX,1,40,0,0",
			"01 unspecified unspecified 0,8.8.8.8,10.0.0.4,6000,443,6,I,B,NX,0,0,0,0",
			"01 unspecified unspecified 0,8.8.8.8,10.0.0.4,6000,443,6,I,E,NX,1,40,0,0",
		)
	})
}

// recordTypes and enabledFilteringCriteria leave tuples out, and no byte: what
// was not written is in the next tuple's counters. Targets are networks,
// subnets and interfaces.
func TestWhatIsLogged(t *testing.T) {
	criteria := func(text string) Criteria {
		c, err := ParseCriteria(text)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	vnet, front, db := network+"/virtualNetworks/v", network+"/virtualnetworks/v/subnets/FRONT", network+"/networkInterfaces/db"
	for name, c := range map[string]struct {
		resource Resource
		want     []string // direction and state
	}{
		"network":          {Resource{Target: vnet}, []string{"O,B,0", "O,E,2", "I,B,0", "I,E,2"}},
		"subnet":           {Resource{Target: front}, []string{"O,B,0", "O,E,2"}},
		"interface":        {Resource{Target: db}, []string{"I,B,0", "I,E,2"}},
		"another":          {Resource{Target: network + "/virtualNetworks/w"}, nil},
		"ends only":        {Resource{Target: db, States: []State{End}}, []string{"I,E,2"}},
		"denials only":     {Resource{Target: db, States: []State{Deny}}, nil},
		"inbound":          {Resource{Target: vnet, Criteria: criteria("direction=Inbound")}, []string{"I,B,0", "I,E,2"}},
		"another port":     {Resource{Target: vnet, Criteria: criteria("dstPort=80")}, nil},
		"one of two ports": {Resource{Target: front, Criteria: criteria("dstPort=80 || dstPort=1433 && srcIP=10.0.0.0/8")}, []string{"O,B,0", "O,E,2"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.resource.ID = id(t, watched)
				w := watch(t, c.resource)
				w.send(0, engine.First(sql))
				time.Sleep(time.Minute)
				w.send(0, engine.First(sql))
				w.recorder.Close()
				var got []string
				for _, l := range w.lines() {
					f := strings.Split(l, ",")
					got = append(got, f[6]+","+f[7]+","+f[9])
				}
				slices.Sort(got)
				want := slices.Sorted(slices.Values(c.want))
				if !slices.Equal(got, want) {
					t.Errorf("wrote %v, want %v", got, want)
				}
			})
		})
	}
}

// The tuples of two minutes are two records, and those of two hours are in two
// files.
func TestRecordsAndPaths(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t) // synctest begins at midnight of 2000-01-01, UTC
		time.Sleep(59*time.Minute + 30*time.Second)
		w.send(0, engine.First(sql))
		time.Sleep(time.Minute)
		w.mu.Lock()
		w.engine.Forget()
		w.mu.Unlock()
		w.recorder.Close()
		var paths []string
		for _, e := range w.entries {
			if e.Record.MAC == "000D3A000001" {
				paths = append(paths, e.Record.Time+" "+e.Path)
			}
		}
		const before = "insights-logs-flowlogflowevent/flowLogResourceID=/00000000-0000-0000-0000-000000000001_RG/NW_LOG/y=2000/m=01/d=01/"
		want := []string{
			"2000-01-01T00:59:30.0000000Z " + before + "h=00/m=00/macAddress=000D3A000001/PT1H.json",
			"2000-01-01T01:00:30.0000000Z " + before + "h=01/m=00/macAddress=000D3A000001/PT1H.json",
		}
		if !slices.Equal(paths, want) {
			t.Errorf("records\n%s\nwant\n%s", strings.Join(paths, "\n"), strings.Join(want, "\n"))
		}
		r := w.entries[0].Record
		if r.Version != 4 || r.Category != "FlowLogFlowEvent" || r.OperationName != "FlowLogFlowEvent" || r.GUID != "guid" || r.Resource != strings.ToUpper(watched) || !strings.HasSuffix(r.Target, "/V") {
			t.Errorf("record %+v", r)
		}
	})
}

// TestSightsOfRandomNetworks: every tuple is of an interface the packet passed,
// at most one is denied, and that one is where and why the engine stopped it.
func TestSightsOfRandomNetworks(t *testing.T) {
	denied := 0
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 11))
		img := fabrictest.Random(rng)
		e := engine.New(img, engine.Options{})
		for range 50 {
			at, p := fabrictest.Packet(rng, img)
			r := e.Process(0, at, engine.First(p))
			f, ok := e.Flow(r.Flow)
			if !ok || f.Forward.From != at || f.Forward.Packet != p {
				continue
			}
			x := observe.Retrace(img, &f)
			sights := Sights(img, &x)
			for i, s := range sights {
				if img.Ports[s.Port].Kind != fabric.PortHost || !slices.Contains(f.Forward.Path, s.Port) {
					t.Fatalf("seed %d: %s: %s is not on the way", seed, p, img.Ports[s.Port].Name)
				}
				if s.Denied && (i != len(sights)-1 || r.Verdict != fabric.VerdictDeny || r.Reason != fabric.AtRule(s.Port, s.Filter, s.Rule)) {
					t.Fatalf("seed %d: %s: sight %d of %d is denied: %+v, the engine says %+v", seed, p, i, len(sights), s, r)
				}
				if s.Denied {
					denied++
				}
			}
			stop := r.Reason
			byRule := (stop.Code == fabric.CodeRule || stop.Code == fabric.CodeFilterDefault) && r.Verdict == fabric.VerdictDeny &&
				img.Ports[stop.Port].Kind == fabric.PortHost && img.Filters[stop.Filter].Stage != fabric.StagePolicy
			if byRule && (len(sights) == 0 || !sights[len(sights)-1].Denied) {
				t.Fatalf("seed %d: %s: denied by %+v, and the log does not say so: %+v", seed, p, stop, sights)
			}
		}
	}
	if denied < 50 {
		t.Errorf("%d denials: the test proves little", denied)
	}
}

// TestFailureToWrite is told, and does not end the recording.
func TestFailureToWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t)
		w.fail = errors.New("the disk is full")
		w.send(0, engine.First(sql))
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if err := w.recorder.Err(); !errors.Is(err, w.fail) {
			t.Errorf("error %v", err)
		}
		w.send(1, engine.First(packet("10.0.1.4:9", "10.0.0.4:9", fabric.ProtoUDP)))
		if err := w.recorder.Close(); !errors.Is(err, w.fail) {
			t.Errorf("error %v", err)
		}
		if len(w.entries) < 4 {
			t.Errorf("%d records", len(w.entries))
		}
	})
}

// TestStore: a file holds all records of its hour and is whole whenever it is
// read; what is no flow log is left alone.
func TestStore(t *testing.T) {
	dir := t.TempDir()
	s, err := NewStore(filepath.Join(dir, "logs"))
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "logs", "account", "a", "PT1H.json")
	for n := 1; n <= 3; n++ {
		err := s.Write([]Entry{
			{Path: "a/PT1H.json", Storage: "account", Record: Record{MAC: fmt.Sprint(n)}},
			{Path: "a/PT1H.json", Storage: "account", Record: Record{MAC: "twice"}},
			{Path: "b/PT1H.json", Record: Record{}},
		})
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var file struct{ Records []Record }
		if err := json.Unmarshal(b, &file); err != nil || len(file.Records) != 2*n || file.Records[2*n-2].MAC != fmt.Sprint(n) {
			t.Fatalf("after %d writes: %d records, %v", n, len(file.Records), err)
		}
	}
	if err := os.WriteFile(name, []byte(`{"records":[{"cut`), 0o600); err != nil {
		t.Fatal(err)
	}
	err = s.Write([]Entry{{Path: "a/PT1H.json", Storage: "account"}, {Path: "c/PT1H.json"}})
	if err == nil || !strings.Contains(err.Error(), "the file is no flow log; move it away") {
		t.Errorf("a damaged file: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "logs", "c", "PT1H.json")); err != nil {
		t.Errorf("one file's failure kept another from being written: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "logs", "*", "*", "*.new")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestPathsStayBelow(t *testing.T) {
	for _, mac := range []string{"..", "../../x", "a/b", `a\b`, ""} {
		p := path(id(t, watched), mac, time.Unix(0, 0))
		if !filepath.IsLocal(filepath.FromSlash(p)) || strings.Count(p, "/") != strings.Count(path(id(t, watched), "AA", time.Unix(0, 0)), "/") {
			t.Errorf("%q gives %s", mac, p)
		}
	}
}

func TestReadResources(t *testing.T) {
	doc := func(name, props string) *model.Resource {
		r := &model.Resource{ID: id(t, network+"/networkWatchers/nw/flowLogs/"+name)}
		if err := json.Unmarshal([]byte(`{"properties":`+props+`}`), &r.Doc); err != nil {
			t.Fatal(err)
		}
		return r
	}
	target := `"targetResourceId":"` + network + `/virtualNetworks/v"`
	got, err := ReadResources([]*model.Resource{
		doc("all", `{`+target+`,"storageId":"`+subscription+`/providers/Microsoft.Storage/storageAccounts/Logs"}`),
		doc("off", `{`+target+`,"enabled":false}`),
		doc("some", `{`+target+`,"enabled":true,"recordTypes":"b, E","enabledFilteringCriteria":"dstPort=443"}`),
		{ID: id(t, network+"/virtualNetworks/v")},
	})
	if err != nil || len(got) != 2 || got[0].Storage != "logs" || got[1].Storage != "" || !slices.Equal(got[1].States, []State{Begin, End}) || got[0].GUID == got[1].GUID {
		t.Errorf("%+v, %v", got, err)
	}
	_, err = ReadResources([]*model.Resource{
		doc("one", `{"targetResourceId":"`+network+`/networkSecurityGroups/nsg"}`),
		doc("two", `{`+target+`,"recordTypes":"X"}`),
		doc("three", `{`+target+`,"enabledFilteringCriteria":"dstPort~1"}`),
	})
	for _, want := range []string{
		"flow log one: the target", "flow log two: \"X\" is no type of record", "flow log three: enabledFilteringCriteria, column 1: a comparison is wanted",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v\ndoes not say %q", err, want)
		}
	}
}

// FuzzCriteria: no text panics, and what is read chooses between flows.
func FuzzCriteria(f *testing.F) {
	for _, s := range []string{"srcIP=158.255.7.8 || dstPort=56891", "(protocol=TCP && action!=Deny)", "direction = I", "encryption=NX", "dstPort=1-5&&srcip=fd00::/8"} {
		f.Add(s)
	}
	s := Sight{Packet: sql}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseCriteria(text)
		if err == nil {
			c.Match(&s)
		} else if !strings.HasPrefix(err.Error(), "enabledFilteringCriteria") {
			t.Fatal(err)
		}
	})
}

func TestCriteria(t *testing.T) {
	in, out := Sight{Packet: sql, Inbound: true, Denied: true}, Sight{Packet: packet("10.0.0.9:1", "8.8.8.8:53", fabric.ProtoUDP)}
	for text, want := range map[string][2]bool{
		"":                          {true, true},
		"srcIP=10.0.0.4":            {true, false},
		"srcIP!=10.0.0.4":           {false, true},
		"dstIP=10.0.0.0/8":          {true, false},
		"dstPort=1000-2000":         {true, false},
		"protocol=UDP":              {false, true},
		"protocol=6":                {true, false},
		"action=Deny":               {true, false},
		"direction=Outbound":        {false, true},
		"encryption=NX":             {true, true},
		"encryption=X":              {false, false},
		"srcPort=1||dstPort=1433":   {true, true},
		"srcPort=1 && dstPort=1433": {false, false},
		"(srcPort=1||srcPort=5000)&&protocol=TCP": {true, false},
	} {
		c, err := ParseCriteria(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := [2]bool{c.Match(&in), c.Match(&out)}; got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}
