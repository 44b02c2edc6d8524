package node

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"
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

// benchNetwork is two hosts in two spokes behind one firewall.
const benchNetwork = `network: bench
regions: [westeurope]
hubs: [{name: hub, region: westeurope, tags: {role: hub}, firewall: {policy: open}}]
spokes:
  - {name: a, region: westeurope, tags: {role: spoke}, subnets: {app: {nsg: app, hosts: {one: {serves: udp/7}}}}}
  - {name: b, region: westeurope, tags: {role: spoke}, subnets: {app: {nsg: app, hosts: {two: {serves: udp/7}}}}}
groups: {spokes: {where: {role: spoke}}}
connectivity: [{name: spokes, hub-and-spoke: [spokes]}]
routing: [{for: [spokes], route: 0.0.0.0/0 -> firewall}]
nsgs:
  app: {inbound: [{name: echo, allow: 10.0.0.0/8 -> any udp/7}, {name: rest, deny: any -> any}]}
firewall-policies: {open: {rules: [{name: echo, allow: spokes -> spokes udp/7}]}}
`

// BenchEngine measures packets of established flows through network security
// groups, a route table and a stateful firewall.
func BenchEngine(ctx context.Context, rounds int) (*Bench, error) {
	declared, err := intent.Parse([]intent.File{{Name: "bench.yaml", Data: []byte(benchNetwork)}}, nil, intent.Options{})
	if err != nil {
		return nil, err
	}
	d, err := newDesign(declared, 0)
	if err != nil {
		return nil, err
	}
	var s series
	for _, flows := range []int{1000, 60000} {
		e := engine.New(d.Image, engine.Options{})
		at, packets, err := d.echoPackets(flows)
		if err != nil {
			return nil, err
		}
		for _, p := range packets {
			if r := e.Process(0, at, p); r.Verdict != fabric.VerdictAllow {
				return nil, fmt.Errorf("a packet of the benchmark was not delivered: %s", r.Reason.Code)
			}
		}
		for range max(rounds, 1) {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			const count = 2_000_000
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			begin := time.Now()
			for i := range count {
				e.Process(time.Second, at, packets[i%flows])
			}
			took := time.Since(begin)
			runtime.ReadMemStats(&after)
			s.add(fmt.Sprintf("established, %d flows", flows), "ns", float64(took)/count)
			s.add(fmt.Sprintf("allocations, %d flows", flows), "per pkt", float64(after.Mallocs-before.Mallocs)/count)
		}
	}
	return s.bench("engine", "64-byte UDP packets of established flows: security groups, route, stateful firewall", rounds), nil
}

// echoPackets makes one packet for each of many flows between the benchmark's
// hosts.
func (d *Design) echoPackets(flows int) (fabric.PortID, [][]byte, error) {
	addrOf := func(host string) (fabric.PortID, netip.Addr, error) {
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
	at, src, err := addrOf("one")
	if err != nil {
		return fabric.None, nil, err
	}
	_, dst, err := addrOf("two")
	if err != nil {
		return fabric.None, nil, err
	}
	const payload = 64 - 20 - 8 // of a 64-byte IPv4 UDP packet
	packets := make([][]byte, flows)
	for i := range packets {
		p := fabric.Packet{Src: src, Dst: dst, SrcPort: uint16(1024 + i), DstPort: 7, Proto: fabric.ProtoUDP}
		packets[i] = engine.Datagram(p, make([]byte, payload))
	}
	return at, packets, nil
}
