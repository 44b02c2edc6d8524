package node

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/compile"
	"github.com/ceruleannet/cerulean/internal/fabric/ref"
	"github.com/ceruleannet/cerulean/internal/proof"
	"github.com/ceruleannet/cerulean/model"
)

// BenchIsolation measures, on one core, a claim over all packets of a generated
// network with planted faults: cold compile, isolation, one flow. It fails if a
// fault is missed or something is found that is none.
func BenchIsolation(ctx context.Context, vnets, rounds int) (*Bench, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	d, err := GenerateIsolation(vnets, 1, true)
	if err != nil {
		return nil, err
	}
	var s series
	s.add("subnets", "count", float64(d.Subnets))
	s.add("rules", "count", float64(d.Rules))
	s.add("faults planted", "count", float64(len(d.Planted)))
	begin := time.Now()
	img, err := compile.Compile(d.Resources, compile.Options{})
	if err != nil {
		return nil, err
	}
	s.addTime("compile, cold", time.Since(begin))
	d.Resources = nil
	for range max(rounds, 1) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		runtime.GC()
		begin = time.Now()
		p := proof.New(img).Prepare()
		s.addTime("prepare prover", time.Since(begin))
		var finding proof.Finding
		mb := allocated(func() {
			begin = time.Now()
			finding = p.Check([]model.Expectation{d.Claim})[0]
			s.addTime("isolation, decided", time.Since(begin))
		})
		s.add("isolation, allocated", "MB", mb)
		runtime.GC()
		begin = time.Now()
		reached, complete, err := p.Reached(d.Claim, proof.DefaultBudget)
		s.addTime("isolation, every port reached", time.Since(begin))
		if err != nil {
			return nil, err
		}
		missed, wrong := d.Judge(img, reached)
		if len(missed)+len(wrong) > 0 || !complete || finding.Status != proof.Broken {
			return nil, fmt.Errorf("isolation is %s, complete: %v, missed: %q, wrong: %q", finding.Status, complete, missed, wrong)
		}
		s.add("ports reached by faults", "count", float64(len(reached)))
		if err := s.flow(p, reached[len(reached)/2].Witness); err != nil {
			return nil, err
		}
	}
	if mb, ok := peakMemory(); ok {
		s.add("peak memory of the process", "MB", mb)
	}
	return s.bench("isolation", fmt.Sprintf("%d virtual networks with faults: prod never reaches nonprod, one core", vnets), rounds), nil
}

// flow measures one flow: its verdict, every step of it and its reply with the
// rules and routes that decided, and the table of hops in words.
func (s *series) flow(p *proof.Prover, wit *proof.Witness) error {
	const count = 2000
	img, want := p.Image(), wit.Packet
	ref.Connect(img, wit.From, want)
	var c fabric.Connection
	begin := time.Now()
	n := mallocs(func() {
		for range count {
			c = ref.Connect(img, wit.From, want)
		}
	})
	s.add("one flow, traced with reasons", "µs", float64(time.Since(begin))/count/float64(time.Microsecond))
	s.add("one flow, steps", "count", float64(len(c.Forward.Steps)+len(c.Reply.Steps)))
	s.add("one flow, allocations", "count", n/count)
	begin = time.Now()
	for range count {
		var x proof.Explanation
		p.ExplainPacket(&x, wit.From, want)
		if x.Packet == "" {
			return fmt.Errorf("a flow was not explained")
		}
	}
	s.add("one flow, explained in words", "µs", float64(time.Since(begin))/count/float64(time.Microsecond))
	return nil
}

// BenchIncremental measures, on one core, a change of one rule in a generated
// network without faults: the image made anew, and the claims decided again.
func BenchIncremental(ctx context.Context, vnets, rounds int) (*Bench, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	d, err := GenerateIsolation(vnets, 1, false)
	if err != nil {
		return nil, err
	}
	var spare, table, tagged *model.Resource
	for _, r := range d.Resources {
		switch {
		case r.ID.Equal(d.Spare):
			spare = r
		case r.ID.Equal(d.Tagged):
			tagged = r
		case table == nil && r.Type() == model.TypeRouteTable:
			table = r // of a hub's spokes
		}
	}
	k, err := compile.Follow(d.Resources, compile.Options{})
	if err != nil {
		return nil, err
	}
	var s series
	begin := time.Now()
	w := proof.NewWatch(proof.New(k.Image()), []model.Expectation{d.Claim})
	s.addTime("first decision", time.Since(begin))
	d.Resources = nil
	// The rule before all others of a group that guards a subnet.
	with := func(rule any) *model.Resource {
		r := spare.Clone()
		p := r.Doc["properties"].(object)
		p["securityRules"] = append([]any{rule}, p["securityRules"].([]any)...)
		return r
	}
	routed := table.Clone()
	routes := routed.Doc["properties"].(object)
	routes["routes"] = append([]any{object{"name": "none", "properties": object{"addressPrefix": "172.16.0.0/24", "nextHopType": "None"}}}, routes["routes"].([]any)...)
	retagged := tagged.Clone()
	retagged.Doc["tags"].(object)["owner"] = "somebody"
	type step struct {
		name string
		to   *model.Resource
		want proof.Status
	}
	steps := []step{
		{"a rule that opens nothing", with(ruleDoc("extra", 150, true, true, "Tcp", "192.168.0.0/24", "*", "22")), proof.Holds},
		{"a rule that opens a hole", with(ruleDoc("extra", 150, true, true, "Tcp", "10.0.4.0/26", "*", "22")), proof.Broken},
		{"the hole closed", spare, proof.Holds},
	}
	runtime.GC()
	for round := range max(rounds, 1) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if round == max(rounds, 1)-1 {
			steps = append(steps, step{"a route", routed, proof.Holds}, step{"a route back", table, proof.Holds}, step{"a tag of a network", retagged, proof.Holds})
		}
		for _, step := range steps {
			begin := time.Now()
			img, delta, err := k.Update(compile.Edit{Put: []*model.Resource{step.to}}, compile.Options{})
			if err != nil {
				return nil, err
			}
			compiled := time.Since(begin)
			begin = time.Now()
			finding := w.Update(img, delta)[0]
			s.add(step.name+", compiled", "µs", float64(compiled)/float64(time.Microsecond))
			s.add(step.name+", decided", "µs", float64(time.Since(begin))/float64(time.Microsecond))
			if finding.Status != step.want || delta.None() {
				return nil, fmt.Errorf("after %s the claim is %s: %s", step.name, finding.Status, finding.Why)
			}
		}
	}
	return s.bench("incremental", fmt.Sprintf("%d virtual networks, one rule changed, one core", vnets), rounds), nil
}

// allocated returns how many megabytes a function allocates.
func allocated(f func()) float64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return float64(after.TotalAlloc-before.TotalAlloc) / 1e6
}

// mallocs returns how many allocations a function makes.
func mallocs(f func()) float64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs - before.Mallocs)
}

// peakMemory returns the most memory that the process had at a time, where the
// system says so (proc_pid_status(5), VmHWM).
func peakMemory() (mb float64, ok bool) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(text)) {
		if rest, found := strings.CutPrefix(line, "VmHWM:"); found {
			kb, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 64)
			return kb / 1e3, err == nil
		}
	}
	return 0, false
}
