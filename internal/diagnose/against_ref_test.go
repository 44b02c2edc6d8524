package diagnose_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/diagnose"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/fabrictest"
	"github.com/ceruleannet/cerulean/internal/fabric/ref"
)

// byPlace sorts the steps of a trace by port and direction, and its first route.
func byPlace(t *fabric.Trace) (map[[2]int32][]fabric.Step, []fabric.Step) {
	filters := map[[2]int32][]fabric.Step{}
	var routes []fabric.Step
	entered := map[fabric.PortID]int{}
	for _, s := range t.Steps {
		switch s.Kind {
		case fabric.StepEnter:
			entered[s.Port]++
		case fabric.StepFilter:
			if entered[s.Port] == 1 && s.Direction != fabric.Through {
				key := [2]int32{int32(s.Port), int32(s.Direction)}
				filters[key] = append(filters[key], s)
			}
		case fabric.StepRoute:
			routes = append(routes, s)
		}
	}
	return filters, routes
}

// check holds the answers about one packet on a random image against the
// reference evaluator: at every port it passes, the filters' verdict and rule
// and the route. It returns how many answers it compared.
func check(t *testing.T, seed1, seed2 uint64) (flows, hops int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed1, seed2))
	img := fabrictest.Random(rng)
	for range 20 {
		at, p := fabrictest.Packet(rng, img)
		trace := ref.Trace(img, at, p)
		filters, routes := byPlace(&trace)
		for key, steps := range filters {
			port, dir := fabric.PortID(key[0]), fabric.Direction(key[1])
			got := diagnose.Judge(img, port, dir, diagnose.Exactly(steps[0].Packet))
			if len(got) != len(steps) {
				t.Fatalf("%v at %d %v: %d filters, the reference met %d", p, port, dir, len(got), len(steps))
			}
			for i, s := range steps {
				if got[i] != (diagnose.Decision{Filter: s.Filter, Rule: s.Rule, Action: s.Action}) {
					t.Fatalf("%v at %d %v: %+v, the reference has %+v", p, port, dir, got[i], s)
				}
			}
			v := diagnose.VerifyFlow(img, port, dir, diagnose.Exactly(steps[0].Packet))
			last := steps[len(steps)-1]
			if want := map[fabric.Action]string{fabric.Pass: "Allow", fabric.Bypass: "Allow", fabric.Drop: "Deny", fabric.Unknown: "Unknown"}[last.Action]; v.Access != want {
				t.Fatalf("%v at %d %v: %s, want %s", p, port, dir, v.Access, want)
			}
			r := diagnose.Evaluate(img, port, dir, diagnose.Exactly(steps[0].Packet), diagnose.Profile{})
			if r.Groups.Access != v.Access || len(r.Groups.Groups) != len(steps) {
				t.Fatalf("%v at %d %v: %+v and %+v", p, port, dir, r, v)
			}
			for i, g := range r.Groups.Groups {
				for j, rule := range g.Rules {
					all := rule.Protocol && rule.Source && rule.SourcePort && rule.Destination && rule.DestPort
					if all != (int32(j) == steps[i].Rule) {
						t.Fatalf("%v at %d %v: rule %d of filter %d: matched is %v, the reference took rule %d", p, port, dir, j, i, all, steps[i].Rule)
					}
				}
			}
			flows++
		}
		for _, s := range routes {
			r := &img.Tables[s.Table].Routes[s.Route]
			got := diagnose.NextHop(img, s.Port, s.Packet.Dst)
			want := ""
			if r.Hop.Via.IsValid() {
				want = r.Hop.Via.String()
			}
			if got.Type != r.Kind || got.Address != want {
				t.Fatalf("%v at %d: next hop %+v, the reference took %+v", p, s.Port, got, r)
			}
			hops++
		}
	}
	return flows, hops
}

// TestAgainstRef: on random networks, ipFlowVerify is the reference's filter
// verdict with its rule, nextHop its route.
func TestAgainstRef(t *testing.T) {
	flows, hops := 0, 0
	for seed := range uint64(300) {
		f, h := check(t, 7, seed)
		flows, hops = flows+f, hops+h
	}
	if flows < 1000 || hops < 1000 {
		t.Errorf("only %d flows and %d hops were compared", flows, hops)
	}
}

func FuzzAgainstRef(f *testing.F) {
	f.Add(uint64(1), uint64(2))
	f.Fuzz(func(t *testing.T, a, b uint64) { check(t, a, b) })
}

// FuzzParts: traffic of many packets is said to pass only if each of them does.
func FuzzParts(f *testing.F) {
	for seed := range uint64(40) {
		f.Add(uint64(3), seed)
	}
	f.Fuzz(func(t *testing.T, a, b uint64) {
		rng := rand.New(rand.NewPCG(a, b))
		img := fabrictest.Random(rng)
		for range 10 {
			at, p := fabrictest.Packet(rng, img)
			dir := []fabric.Direction{fabric.In, fabric.Out}[rng.IntN(2)]
			traffic := diagnose.Exactly(p)
			for field := range fabric.NumFields {
				switch rng.IntN(3) {
				case 0:
					traffic[field] = fabric.AllValues()
				case 1:
					traffic[field] = traffic[field].Union(img.Sets[rng.IntN(len(img.Sets))])
				}
			}
			whole := diagnose.VerifyFlow(img, at, dir, traffic)
			if whole.Access != "Allow" || len(filtersOf(img, at, dir)) == 0 {
				continue
			}
			for range 50 {
				q := p
				_, other := fabrictest.Packet(rng, img)
				if traffic[fabric.Src].Contains(other.Field(fabric.Src)) {
					q.Src = other.Src
				}
				if traffic[fabric.Dst].Contains(other.Field(fabric.Dst)) {
					q.Dst = other.Dst
				}
				if traffic[fabric.DstPort].Contains(other.Field(fabric.DstPort)) {
					q.DstPort = other.DstPort
				}
				if traffic[fabric.Proto].Contains(other.Field(fabric.Proto)) {
					q.Proto = other.Proto
				}
				if one := diagnose.VerifyFlow(img, at, dir, diagnose.Exactly(q)); one.Access != "Allow" {
					t.Fatalf("all of the traffic is allowed, but %v is not: %+v", q, one)
				}
			}
		}
	})
}

func filtersOf(img *fabric.Image, at fabric.PortID, dir fabric.Direction) []fabric.FilterID {
	if dir == fabric.In {
		return img.Ports[at].Ingress
	}
	return img.Ports[at].Egress
}

// FuzzRead: what an intent says is read, or refused with the property's name.
func FuzzRead(f *testing.F) {
	for _, s := range []string{"10.0.0.4|*|443|*|TCP", "10.0.0.0/8|::/0|1-2|5-1|Any", "|x|99999|-|ESP", "fe80::1%1|Any|0|*|icmp"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		part := strings.Split(s, "|")
		for len(part) < 5 {
			part = append(part, "*")
		}
		var q diagnose.Question
		err := q.Read(&diagnose.Traffic{
			SourceIPs: part[:1], DestinationIPs: part[1:2], SourcePorts: part[2:3], DestinationPorts: part[3:4], Protocols: part[4:5],
		})
		switch {
		case err != nil:
			if property, _, ok := strings.Cut(err.Error(), ": "); !ok || !slices.Contains([]string{"sourceIps", "destinationIps", "sourcePorts", "destinationPorts", "protocols"}, property) {
				t.Errorf("%q: %v names no property", s, err)
			}
		case q.Src.IsEmpty() || q.Dst.IsEmpty() || !q.TCP && !q.UDP && !q.ICMP:
			t.Errorf("%q is read as nothing: %+v", s, q)
		}
	})
}
