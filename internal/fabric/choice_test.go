package fabric_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// farm is a balancer, port 0, with one rule for as many targets.
func farm(n int, r fabric.Redirect) *fabric.Image {
	img := &fabric.Image{Sets: []fabric.Set{fabric.AllValues()}, Edge: fabric.None}
	img.Ports = []fabric.Port{{Name: "lb", Region: fabric.None}}
	for i := range n {
		img.Ports = append(img.Ports, fabric.Port{Name: fmt.Sprint("vm", i), Region: fabric.None})
		r.Targets = append(r.Targets, fabric.Target{Port: fabric.PortID(1 + i)})
	}
	img.Ports[0].Inward = &fabric.Inward{Redirects: []fabric.Redirect{r}}
	return img
}

// without returns the image with a target down.
func without(img *fabric.Image, target int) *fabric.Image {
	out := *img
	out.Ports = append([]fabric.Port(nil), img.Ports...)
	r := img.Ports[0].Inward.Redirects[0]
	r.Targets = append([]fabric.Target(nil), r.Targets...)
	r.Targets[target].Down = "its probe fails"
	out.Ports[0].Inward = &fabric.Inward{Redirects: []fabric.Redirect{r}}
	return &out
}

func request(src, dst uint32, sport, dport uint16) fabric.Packet {
	four := func(a uint32) netip.Addr {
		return netip.AddrFrom4([4]byte{byte(a >> 24), byte(a >> 16), byte(a >> 8), byte(a)})
	}
	return fabric.Packet{Src: four(src), Dst: four(dst), SrcPort: sport, DstPort: dport, Proto: fabric.ProtoTCP}
}

// New flows go elsewhere only if their target went down, but for a few.
func TestChooserMovesFew(t *testing.T) {
	const flows = 20_000
	for _, n := range []int{2, 4, 20} {
		all := fabric.NewChooser(farm(n, fabric.Redirect{Name: "web"}))
		some := fabric.NewChooser(without(farm(n, fabric.Redirect{Name: "web"}), 1))
		count, moved := make([]int, n), 0
		for i := range uint32(flows) {
			p := request(0x0a000004, 0x0a000009, uint16(i), 443)
			before, after := all.Pick(0, 0, 0, p), some.Pick(0, 0, 0, p)
			count[before]++
			switch {
			case after == 1:
				t.Fatal("picked a target that is down")
			case before != 1 && before != after:
				moved++
			}
		}
		for i, c := range count {
			if mean := flows / n; c < mean*8/10 || c > mean*12/10 {
				t.Errorf("target %d of %d took %d of %d flows", i, n, c, flows)
			}
		}
		t.Logf("%d targets, one goes down: %.2f%% of the new flows move without need", n, 100*float64(moved)/flows)
		if moved*100 > flows {
			t.Errorf("%d of %d flows left a target that is up", moved, flows)
		}
	}
}

// The three distribution modes ("Azure Load Balancer distribution modes") and
// the symmetric hash of high-availability ports.
func TestChooserHashes(t *testing.T) {
	pick := func(r fabric.Redirect) func(fabric.Packet) int32 {
		c := fabric.NewChooser(farm(16, r))
		return func(p fabric.Packet) int32 { return c.Pick(0, 0, 0, p) }
	}
	vary := map[string]func(p *fabric.Packet, i uint32){
		"source port":      func(p *fabric.Packet, i uint32) { p.SrcPort = uint16(i) },
		"destination port": func(p *fabric.Packet, i uint32) { p.DstPort = uint16(i) },
		"protocol":         func(p *fabric.Packet, i uint32) { p.Proto = []uint8{fabric.ProtoTCP, fabric.ProtoUDP}[i%2] },
		"source":           func(p *fabric.Packet, i uint32) { p.Src = request(0x0a010000+i, 0, 0, 0).Src },
	}
	matters := map[fabric.Hash]map[string]bool{
		fabric.HashFive:  {"source port": true, "destination port": true, "protocol": true, "source": true},
		fabric.HashThree: {"protocol": true, "source": true},
		fabric.HashTwo:   {"source": true},
	}
	for hash, want := range matters {
		choose := pick(fabric.Redirect{Hash: hash})
		for what, change := range vary {
			moves := false
			for base := range uint32(20) { // two protocols may fall together by chance
				p := request(0x0a000004+base, 0x0a000009, 40000, 443)
				first := choose(p)
				for i := range uint32(50) {
					change(&p, i)
					moves = moves || choose(p) != first
				}
			}
			if moves != want[what] {
				t.Errorf("%s: the %s matters: %v", hash, what, moves)
			}
		}
	}
	one, other := pick(fabric.Redirect{Symmetric: true}), pick(fabric.Redirect{})
	same := 0
	for i := range uint32(500) {
		p := request(0x0a000004, 0x0a010004+i, uint16(40000+i), 443)
		if one(p) != one(p.Reverse()) {
			t.Fatalf("%s and its reverse meet different targets", p)
		}
		if other(p) == other(p.Reverse()) {
			same++
		}
	}
	if same > 100 {
		t.Errorf("without symmetry %d of 500 flows meet one target both ways", same)
	}
}

// Two balancers of the same members decide independently: flow symmetry holds
// behind one only ("High availability ports overview").
func TestBalancersChooseApart(t *testing.T) {
	img := farm(4, fabric.Redirect{Name: "ha", Origin: fabric.Origin{Resource: "/lb1"}, Symmetric: true})
	second := img.Ports[0].Inward.Redirects[0]
	second.Origin.Resource = "/lb2"
	img.Ports = append(img.Ports, fabric.Port{Name: "lb2", Inward: &fabric.Inward{Redirects: []fabric.Redirect{second}}})
	c, same := fabric.NewChooser(img), 0
	for i := range uint32(1000) {
		p := request(0x0a000004, 0x0a010004+i, 40000, 443)
		if c.Pick(0, 0, 0, p) == c.Pick(0, 5, 0, p.Reverse()) {
			same++
		}
	}
	if same < 150 || same > 350 {
		t.Errorf("two balancers of four members agree on %d of 1,000 flows", same)
	}
}

// A global balancer hands a flow to the nearest region with a member that is up
// ("Cross-region load balancer", geo-proximity).
func TestChooserNearestRegion(t *testing.T) {
	img := farm(4, fabric.Redirect{Nearest: true})
	img.Regions = []string{"west", "north", "asia"}
	ms := time.Millisecond
	img.Delay = [][]time.Duration{{0, 8 * ms, 90 * ms}, {8 * ms, 0, 80 * ms}, {90 * ms, 80 * ms, 0}}
	img.Ports[1].Region, img.Ports[2].Region, img.Ports[3].Region, img.Ports[4].Region = 0, 0, 1, 2
	client := func(r fabric.RegionID) fabric.PortID {
		img.Ports = append(img.Ports, fabric.Port{Region: r})
		return fabric.PortID(len(img.Ports) - 1)
	}
	west, asia, nowhere := client(0), client(2), client(fabric.None)
	regions := func(img *fabric.Image, from fabric.PortID) map[fabric.RegionID]int {
		c, out := fabric.NewChooser(img), map[fabric.RegionID]int{}
		for i := range uint32(300) {
			n := c.Pick(from, 0, 0, request(0xc6120001+i/3, 0x01020304, uint16(i), 443))
			out[img.Ports[1+n].Region]++
		}
		return out
	}
	if got := regions(img, west); got[0] != 300 {
		t.Errorf("from the west: %v", got)
	}
	if got := regions(img, asia); got[2] != 300 {
		t.Errorf("from Asia: %v", got)
	}
	if got := regions(without(img, 3), asia); got[1] != 300 {
		t.Errorf("from Asia, with the region's member down: %v", got)
	}
	img.Edge = nowhere
	img.Placed = []fabric.Placed{{Addr: netip.MustParseAddr("198.18.0.1"), Delay: []time.Duration{70 * ms, 80 * ms, 2 * ms}}}
	if got := fabric.NewChooser(img).Pick(nowhere, 0, 0, request(0xc6120001, 0x01020304, 7, 443)); img.Ports[1+got].Region != 2 {
		t.Errorf("who is in Asia outside has region %d", img.Ports[1+got].Region)
	}
	if got := fabric.NewChooser(without(img, 3)).Pick(nowhere, 0, 0, request(0xc6120001, 0x01020304, 7, 443)); img.Ports[1+got].Region != 0 {
		t.Errorf("who is in Asia outside, with the region's member down, has region %d", img.Ports[1+got].Region)
	}
	img.Placed = nil
	if got := regions(img, nowhere); len(got) != 3 || got[0]%3+got[1]%3+got[2]%3 != 0 {
		t.Errorf("from the internet every sender has one region: %v", got)
	}
}
