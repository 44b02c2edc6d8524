package node

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"time"

	"github.com/ceruleannet/cerulean/intent"
	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
)

// BenchUp measures the main job with latency off, stage by stage.
func BenchUp(ctx context.Context, path string, rounds int) (*Bench, error) {
	var s series
	for range max(rounds, 1) {
		begin := time.Now()
		system, err := Up(ctx, path, UpOptions{}, func(e Event) {
			if e.Total == 0 {
				s.addTime(e.Stage, e.Took)
			}
		})
		if err != nil {
			return nil, err
		}
		s.addTime("total", time.Since(begin))
		s.add("probes", "count", float64(system.probeCount()))
		if err := system.Close(); err != nil {
			return nil, err
		}
	}
	return s.bench("up", "from file to all probes answered, latency off: "+path, rounds), nil
}

// BenchProve measures declaring, compiling and proving a generated network.
func BenchProve(ctx context.Context, spokes, rounds int) (*Bench, error) {
	if spokes < 2 || spokes > 4000 {
		return nil, fmt.Errorf("%d spokes: from 2 to 4000 fit the generated address plan", spokes)
	}
	var s series
	files := Generate(spokes)
	for range max(rounds, 1) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		begin := time.Now()
		declared, err := intent.Parse(files, nil, intent.Options{})
		if err != nil {
			return nil, err
		}
		d, err := newDesign(declared, time.Since(begin))
		if err != nil {
			return nil, err
		}
		proving := time.Now()
		report := d.Check()
		took := time.Since(proving)
		runtime.ReadMemStats(&after)
		if report.Failed() {
			return nil, fmt.Errorf("an expectation of the generated network does not hold")
		}
		s.addTime("declare", d.Took.Declare)
		s.addTime("compile", d.Took.Compile)
		s.addTime("prove", took)
		s.addTime("compile and prove", d.Took.Compile+took)
		s.add("allocated", "MB", float64(after.TotalAlloc-before.TotalAlloc)/1e6)
		runtime.GC()
		runtime.ReadMemStats(&after)
		s.add("live after", "MB", float64(int64(after.HeapAlloc)-int64(before.HeapAlloc))/1e6)
		s.add("resources", "count", float64(len(d.Network().Resources)))
		s.add("ports", "count", float64(len(d.Image.Ports)))
		runtime.KeepAlive(d)
	}
	return s.bench("prove", fmt.Sprintf("a generated network of %d spokes in %d regions", spokes, len(generatedRegions)), rounds), nil
}

// benchNetwork is two hosts in two spokes behind one firewall, and a third that
// reaches the internet through a NAT gateway.
const benchNetwork = `network: bench
regions: [westeurope]
hubs: [{name: hub, region: westeurope, tags: {role: hub}, firewall: {policy: open}}]
spokes:
  - {name: a, region: westeurope, tags: {role: spoke}, subnets: {app: {nsg: app, hosts: {one: {serves: udp/7}}}}}
  - {name: b, region: westeurope, tags: {role: spoke}, subnets: {app: {nsg: app, hosts: {two: {serves: udp/7}}}}}
networks:
  - {name: c, region: westeurope, address: 192.168.0.0/16, subnets: {app: {nsg: app, nat-gateway: out, hosts: {three: {}}}}}
nat-gateways: [{name: out, region: westeurope, public-ip: true}]
groups: {spokes: {where: {role: spoke}}}
connectivity: [{name: spokes, hub-and-spoke: [spokes]}]
routing: [{for: [spokes], route: 0.0.0.0/0 -> firewall}]
nsgs:
  app:
    inbound: [{name: echo, allow: 10.0.0.0/8 -> any udp/7}, {name: rest, deny: any -> any}]
    outbound: [{name: mail, deny: any -> internet tcp/25}, {name: ask, allow: any -> any udp/7}]
firewall-policies: {open: {rules: [{name: echo, allow: spokes -> spokes udp/7}]}}
`

// outsideAddr is somebody on the internet (RFC 5737).
var outsideAddr = netip.MustParseAddr("203.0.113.7")

// BenchEngine measures packets of established flows: out through a network
// security group and a NAT gateway, and between spokes through two security
// groups, a route table and a stateful firewall; one by one and in vectors. A
// figure is the median of passes of a thousand packets, so that what else the
// machine does at times does not count; what writing the packets anew takes does.
func BenchEngine(ctx context.Context, rounds int) (*Bench, error) {
	declared, err := intent.Parse([]intent.File{{Name: "bench.yaml", Data: []byte(benchNetwork)}}, nil, intent.Options{})
	if err != nil {
		return nil, err
	}
	d, err := newDesign(declared, 0)
	if err != nil {
		return nil, err
	}
	var runs []*engineRun
	for _, flows := range []int{1000, 60000} {
		for _, way := range []struct{ name, from, to string }{{"NSG and NAT", "three", ""}, {"firewall", "one", "two"}} {
			r, err := d.engineRun(fmt.Sprintf("%s, %d flows", way.name, flows), way.from, way.to, flows)
			if err != nil {
				return nil, err
			}
			runs = append(runs, r)
		}
	}
	var s series
	for range max(rounds, 1) {
		for _, r := range runs {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			one, allocs, err := r.measure(1)
			if err != nil {
				return nil, err
			}
			many, more, err := r.measure(engineVector)
			if err != nil {
				return nil, err
			}
			s.add(r.name, "ns", one)
			s.add(r.name+", in vectors", "ns", many)
			s.add(r.name+", allocations", "per pkt", allocs+more)
		}
	}
	return s.bench("engine", "64-byte UDP packets of established flows, p50", rounds), nil
}

// engineVector is how many packets the engine is asked about at once, as a
// running network does.
const engineVector = 64

// engineRun is an engine with flows.
type engineRun struct {
	name    string
	engine  *engine.Engine
	frames  []engine.Frame
	fresh   [][64]byte // the packets as their senders wrote them
	results [engineVector]engine.Result
	at      int
}

// engineRun opens flows from a host to another, or to somebody on the internet.
func (d *Design) engineRun(name, from, to string, flows int) (*engineRun, error) {
	at, src, err := d.portOf(from)
	if err != nil {
		return nil, err
	}
	dst := outsideAddr
	if to != "" {
		if _, dst, err = d.portOf(to); err != nil {
			return nil, err
		}
	}
	const payload = 64 - 20 - 8 // of a 64-byte IPv4 UDP packet
	r := &engineRun{name: name, engine: engine.New(d.Image, engine.Options{}), frames: make([]engine.Frame, flows), fresh: make([][64]byte, flows)}
	for i := range r.frames {
		p := fabric.Packet{Src: src, Dst: dst, SrcPort: uint16(1024 + i), DstPort: 7, Proto: fabric.ProtoUDP}
		r.frames[i] = engine.Frame{At: at, Packet: engine.Datagram(p, make([]byte, payload))}
		r.fresh[i] = [64]byte(r.frames[i].Packet)
		if x := r.engine.Process(0, at, r.frames[i].Packet); x.Verdict != fabric.VerdictAllow {
			return nil, fmt.Errorf("a packet of the benchmark was not delivered: %s", x.Reason.Code)
		}
	}
	return r, nil
}

// measure returns the nanoseconds of a packet, p50, and the allocations of one.
func (r *engineRun) measure(vector int) (ns, allocs float64, err error) {
	const pass, passes = 1000 / engineVector * engineVector, 2000
	times := make([]time.Duration, passes)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	delivered := r.engine.Stats().Delivered
	for i := range times {
		begin := time.Now()
		for done := 0; done < pass; done += vector {
			if r.at+vector > len(r.frames) {
				r.at = 0
			}
			frames := r.frames[r.at : r.at+vector]
			for j := range frames {
				copy(frames[j].Packet, r.fresh[r.at+j][:])
			}
			if vector == 1 {
				r.engine.Process(time.Second, frames[0].At, frames[0].Packet)
			} else {
				r.engine.ProcessBatch(time.Second, frames, r.results[:vector])
			}
			r.at += vector
		}
		times[i] = time.Since(begin)
	}
	runtime.ReadMemStats(&after)
	if n := r.engine.Stats().Delivered - delivered; n != pass*passes {
		return 0, 0, fmt.Errorf("%s: of %d packets %d were delivered", r.name, pass*passes, n)
	}
	slices.Sort(times)
	return float64(times[passes/2]) / pass, float64(after.Mallocs-before.Mallocs) / (pass * passes), nil
}

// portOf returns a host's first port and address.
func (d *Design) portOf(host string) (fabric.PortID, netip.Addr, error) {
	p, err := d.port(host)
	if err != nil {
		return fabric.None, netip.Addr{}, err
	}
	for i := range d.Image.Ports {
		if &d.Image.Ports[i] == p {
			return fabric.PortID(i), d.Image.Sets[p.Addrs].Min().Addr(), nil
		}
	}
	return fabric.None, netip.Addr{}, fmt.Errorf("host %s has no port", host)
}
