package trafficmanager

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

var monitor = Monitor{Protocol: "HTTP", Port: 80, Path: "/", Interval: 30 * time.Second, Timeout: 10 * time.Second, Tolerated: 3}

// profile makes a profile of endpoints written "name region weight".
func profile(name string, m Method, endpoints ...Endpoint) Profile {
	p := Profile{ID: "/" + name, Name: name, FQDN: name + "." + Zone, Method: m, TTL: 30, MaxReturn: 2, Monitor: monitor, Endpoints: endpoints}
	for i := range p.Endpoints {
		e := &p.Endpoints[i]
		if e.Kind == "" {
			e.Kind = External
		}
		if e.Weight == 0 {
			e.Weight = 1
		}
		if e.Priority == 0 {
			e.Priority = i + 1
		}
		if e.Kind != Nested && e.Target == "" {
			e.Target = e.Name + ".example"
		}
		if e.Kind == Nested && e.MinChild == 0 {
			e.MinChild = 1
		}
	}
	return p
}

func found(states ...string) Findings {
	f := Findings{}
	for _, s := range states {
		key, status, _ := strings.Cut(s, "=")
		p, e, _ := strings.Cut(key, "/")
		f[Key{"/" + p, e}] = Status(status)
	}
	return f
}

func directory(t *testing.T, f Findings, profiles ...Profile) *Directory {
	t.Helper()
	if err := Check(profiles); err != nil {
		t.Fatal(err)
	}
	return New(profiles, f)
}

// answer is what a decision means, in a word.
func answer(d *Directory, name string, c Client) string {
	dec := d.Decide(name+"."+Zone, &c)
	switch {
	case dec.Outcome == NoData:
		return "no data"
	case dec.Outcome == NoName:
		return "no name"
	case dec.Endpoint == nil:
		var out []string
		for _, e := range d.Values(&dec) {
			out = append(out, e.Name)
		}
		slices.Sort(out)
		return strings.Join(out, " ")
	default:
		return dec.Endpoint.Name
	}
}

func in(region string) Client { return Client{Place: PlaceOf(region)} }

func at(addr string) Client { return Client{Addr: netip.MustParseAddr(addr)} }

func TestDecide(t *testing.T) {
	two := func(m Method) Profile {
		return profile("p", m, Endpoint{Name: "a", Region: "westeurope", Geo: []string{"GEO-EU"}}, Endpoint{Name: "b", Region: "eastus", Geo: []string{"US"}})
	}
	subnets := profile(
		"p", Subnet,
		Endpoint{Name: "a", Subnets: []Range{{netip.MustParseAddr("10.0.0.0"), netip.MustParseAddr("10.0.255.255")}}},
		Endpoint{Name: "rest"},
	)
	geo := profile(
		"p", Geographic,
		Endpoint{Name: "california", Geo: []string{"US-CA"}},
		Endpoint{Name: "usa", Geo: []string{"US"}},
		Endpoint{Name: "america", Geo: []string{"GEO-NA"}},
		Endpoint{Name: "world", Geo: []string{"WORLD"}},
	)
	off := two(Priority)
	off.Disabled = true
	disabled := two(Priority)
	disabled.Endpoints[0].Disabled = true
	always := two(Priority)
	always.Endpoints[0].AlwaysServe = true
	geoOff := geo
	geoOff.Endpoints = slices.Clone(geo.Endpoints)
	geoOff.Endpoints[1].Disabled = true
	us := func(state string) Client { return Client{Place: Place{Country: "US", State: state}} }
	for _, c := range []struct {
		rule    string
		profile Profile
		found   Findings
		client  Client
		want    string
	}{
		{"priority: the lowest", two(Priority), nil, in("eastus"), "a"},
		{"priority: the next if it is degraded", two(Priority), found("p/a=Degraded"), in("eastus"), "b"},
		{"priority: the next if it is stopped", two(Priority), found("p/a=Stopped"), in("eastus"), "b"},
		{"priority: all degraded, all are served", two(Priority), found("p/a=Degraded", "p/b=Degraded"), in("eastus"), "a"},
		{"priority: disabled is no candidate", disabled, nil, in("eastus"), "b"},
		{"priority: disabled is none even if all others are degraded", disabled, found("p/b=Degraded"), in("eastus"), "b"},
		{"always serve: probes do not matter", always, found("p/a=Degraded"), in("eastus"), "a"},
		{"all stopped: no data", two(Priority), found("p/a=Stopped", "p/b=Stopped"), in("eastus"), "no data"},
		{"disabled profile: no such name", off, nil, in("eastus"), "no name"},
		{"performance: the nearest", two(Performance), nil, in("northeurope"), "a"},
		{"performance: the nearest, over there", two(Performance), nil, in("centralus"), "b"},
		{"performance: the next region if it is degraded", two(Performance), found("p/a=Degraded"), in("northeurope"), "b"},
		{"performance: all degraded, the nearest", two(Performance), found("p/a=Degraded", "p/b=Degraded"), in("northeurope"), "a"},
		{"performance: of a client anywhere, the same always", two(Performance), nil, Client{}, "b"},
		{"geographic: the state first", geo, nil, us("CA"), "california"},
		{"geographic: then the country", geo, nil, us("TX"), "usa"},
		{"geographic: then the grouping", geo, nil, Client{Place: Place{Country: "MX"}}, "america"},
		{"geographic: then the world", geo, nil, Client{Place: Place{Country: "DE"}}, "world"},
		{"geographic: a client anywhere is in the world", geo, nil, Client{}, "world"},
		{"geographic: degraded or not", geo, found("p/california=Degraded"), us("CA"), "california"},
		{"geographic: disabled is skipped", geoOff, nil, us("TX"), "america"},
		{"geographic: stopped is no data", geo, found("p/usa=Stopped"), us("TX"), "no data"},
		{"geographic: no mapping is no data", two(Geographic), nil, Client{Place: Place{Country: "JP"}}, "no data"},
		{"subnet: the range", subnets, nil, at("10.0.3.4"), "a"},
		{"subnet: the rest", subnets, nil, at("10.1.0.0"), "rest"},
		{"subnet: IPv6 is in no range of IPv4", subnets, nil, at("::ffff:0:1"), "rest"},
		{"subnet: no mapping is no data", profile("p", Subnet, subnets.Endpoints[0]), nil, at("10.1.0.0"), "no data"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			d := directory(t, c.found, c.profile)
			if got := answer(d, "p", c.client); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestWeighted(t *testing.T) {
	p := profile("p", Weighted, Endpoint{Name: "a", Weight: 1}, Endpoint{Name: "b", Weight: 3}, Endpoint{Name: "c", Weight: 1000})
	d := directory(t, found("p/c=Degraded"), p)
	count := map[string]int{}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		count[answer(d, "p", Client{Random: rng.Uint64()})]++
	}
	if share := float64(count["b"]) / 20000; share < 0.73 || share > 0.77 || count["c"] != 0 {
		t.Errorf("%v: b must get three of four, c nothing", count)
	}
}

func TestPerformanceIsEvenWithinARegion(t *testing.T) {
	p := profile("p", Performance, Endpoint{Name: "a", Region: "eastus"}, Endpoint{Name: "b", Region: "eastus"}, Endpoint{Name: "far", Region: "japaneast"})
	d := directory(t, nil, p)
	count := map[string]int{}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 10000 {
		c := in("eastus2")
		c.Random = rng.Uint64()
		count[answer(d, "p", c)]++
	}
	if count["far"] != 0 || count["a"] < 4700 || count["b"] < 4700 {
		t.Error(count)
	}
}

func TestMultiValue(t *testing.T) {
	p := profile("p", MultiValue, Endpoint{Name: "a", Target: "192.0.2.1"}, Endpoint{Name: "b", Target: "192.0.2.2"}, Endpoint{Name: "c", Target: "2001:db8::3"})
	if got := answer(directory(t, found("p/b=Degraded"), p), "p", Client{}); got != "a c" {
		t.Errorf("the healthy ones: %s", got)
	}
	seen := map[string]bool{}
	d := directory(t, nil, p)
	for i := range uint64(100) {
		got := answer(d, "p", Client{Random: i})
		seen[got] = true
		if len(strings.Fields(got)) != 2 {
			t.Errorf("maxReturn is 2: %s", got)
		}
	}
	if len(seen) != 3 {
		t.Errorf("everyone gets a turn: %v", seen)
	}
}

// TestNested holds the state of nested endpoints to the table of "Nested Traffic
// Manager profiles".
func TestNested(t *testing.T) {
	v4, v6 := []netip.Addr{netip.MustParseAddr("192.0.2.1")}, []netip.Addr{netip.MustParseAddr("2001:db8::1")}
	child := profile("child", Weighted, Endpoint{Name: "x", Addrs: v4}, Endpoint{Name: "y", Addrs: v6})
	closed, empty := child, child
	closed.Disabled = true
	empty.Endpoints = slices.Clone(child.Endpoints)
	empty.Endpoints[0].Disabled, empty.Endpoints[1].Disabled = true, true
	for _, c := range []struct {
		rule      string
		child     Profile
		min, min6 int
		found     Findings
		status    Status
		want      string // of the parent, x for either of the child's
	}{
		{"child disabled", closed, 1, 0, nil, Stopped, "spare"},
		{"child without enabled endpoints", empty, 1, 0, nil, Stopped, "spare"},
		{"enough online", child, 1, 0, found("child/x=Online", "child/y=Degraded"), Online, "x"},
		{"enough with those being checked", child, 2, 0, found("child/x=Online"), Checking, "x"},
		{"too few", child, 2, 0, found("child/x=Online", "child/y=Degraded"), Degraded, "spare"},
		{"none", child, 1, 0, found("child/x=Degraded", "child/y=Degraded"), Degraded, "spare"},
		{"too few of IPv6", child, 1, 1, found("child/x=Online", "child/y=Degraded"), Degraded, "spare"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			parent := profile("parent", Priority, Endpoint{Name: "nested", Kind: Nested, Child: "/CHILD", MinChild: c.min, MinIPv6: c.min6}, Endpoint{Name: "spare"})
			d := directory(t, c.found, parent, c.child)
			got := answer(d, "parent", Client{})
			if got == "y" {
				got = "x"
			}
			if s := d.States()[0].Endpoints[0].Status; s != c.status || got != c.want {
				t.Errorf("%s, %s; want %s, %s", s, got, c.status, c.want)
			}
			if dec := d.Decide("parent."+Zone, &Client{}); dec.TTL != parent.TTL {
				t.Errorf("TTL %d is not the parent's", dec.TTL)
			}
		})
	}
}

func TestProfileStatus(t *testing.T) {
	base := profile("p", Priority, Endpoint{Name: "a"}, Endpoint{Name: "b"})
	off := base
	off.Disabled = true
	for _, c := range []struct {
		profile Profile
		found   Findings
		want    ProfileStatus
	}{
		{base, nil, ProfileChecking},
		{base, found("p/a=Online"), ProfileOnline},
		{base, found("p/a=Online", "p/b=Degraded"), ProfileDegraded},
		{base, found("p/a=Stopped", "p/b=Stopped"), ProfileInactive},
		{off, found("p/a=Online"), ProfileDisabled},
		{profile("p", Priority), nil, ProfileInactive},
	} {
		if got := directory(t, c.found, c.profile).States()[0].Status; got != c.want {
			t.Errorf("%v: %s, want %s", c.found, got, c.want)
		}
	}
}

func TestCheckProfiles(t *testing.T) {
	circle := []Profile{
		profile("a", Priority, Endpoint{Name: "b", Kind: Nested, Child: "/b"}),
		profile("b", Priority, Endpoint{Name: "a", Kind: Nested, Child: "/a"}),
	}
	bad := profile("p", Priority, Endpoint{Name: "a", Priority: 1}, Endpoint{Name: "b", Priority: 1})
	slow := profile("p", Priority)
	slow.Monitor.Interval = 20 * time.Second
	fast := profile("p", Priority)
	fast.Monitor.Interval, fast.Monitor.Timeout = 10*time.Second, 10*time.Second
	for _, c := range []struct {
		rule     string
		profiles []Profile
		want     string
		pointer  string
	}{
		{"circles", circle, "in a circle", "/properties/endpoints"},
		{"priorities are unique", []Profile{bad}, "priority 1 is a's", "/properties/endpoints/1/properties/priority"},
		{"interval is 30 or 10", []Profile{slow}, "30 or 10", "/properties/monitorConfig"},
		{"timeout of fast probing is up to 9", []Profile{fast}, "5 s to 9s", "/properties/monitorConfig"},
		{"performance needs a place", []Profile{profile("p", Performance, Endpoint{Name: "a"})}, "endpointLocation", "/properties/endpoints/0/properties/endpointLocation"},
		{"a region of one endpoint only", []Profile{profile("p", Geographic, Endpoint{Name: "a", Geo: []string{"US"}}, Endpoint{Name: "b", Geo: []string{"us"}})}, "region us is a's", "/properties/endpoints/1/properties/geoMapping"},
		{"one fallback", []Profile{profile("p", Subnet, Endpoint{Name: "a"}, Endpoint{Name: "b"})}, "the fallback is a", "/properties/endpoints/1/properties/subnets"},
		{"addresses only", []Profile{profile("p", MultiValue, Endpoint{Name: "a"})}, "an address as target", "/properties/endpoints/0/properties/target"},
		{"no child", []Profile{profile("p", Priority, Endpoint{Name: "a", Kind: Nested, Child: "/q"})}, "does not exist", "/properties/endpoints/0/properties/targetResourceId"},
		{"names are unique", []Profile{profile("p", Priority), profile("p", Priority)}, "another profile's", "/properties/dnsConfig/relativeName"},
	} {
		err := Check(c.profiles)
		var all Problems
		if !errors.As(err, &all) || !slices.ContainsFunc(all, func(p *Problem) bool {
			return strings.Contains(p.Error(), c.want) && p.Pointer == c.pointer && strings.HasPrefix(p.Profile, "/")
		}) {
			t.Errorf("%s: %v", c.rule, err)
		}
	}
}

func TestExplainSaysWhyOfEveryEndpoint(t *testing.T) {
	d := directory(
		t, found("p/b=Degraded"),
		profile("p", Performance, Endpoint{Name: "a", Region: "westeurope"}, Endpoint{Name: "b", Region: "uksouth"}, Endpoint{Name: "c", Region: "eastus"}, Endpoint{Name: "d", Region: "uksouth", Disabled: true}),
	)
	c := in("ukwest")
	_, why := d.Explain("P.trafficmanager.net.", &c)
	var lines []string
	for _, w := range why {
		lines = append(lines, fmt.Sprintf("%s %s %v: %s", w.Endpoint, w.Status, w.Chosen, w.Text))
	}
	got := strings.Join(lines, "\n")
	for _, want := range []string{"b Degraded false: its probes fail", "d Disabled false: it is disabled", "a CheckingEndpoint true: westeurope is nearest to ukwest", "c CheckingEndpoint false: eastus is"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestDecideAllocatesNothing(t *testing.T) {
	d := directory(t, nil,
		profile("top", Geographic, Endpoint{Name: "eu", Kind: Nested, Child: "/eu", Geo: []string{"GEO-EU"}}, Endpoint{Name: "rest", Kind: Nested, Child: "/rest", Geo: []string{"WORLD"}}),
		profile("eu", Performance, Endpoint{Name: "a", Region: "westeurope"}, Endpoint{Name: "b", Region: "francecentral"}),
		profile("rest", Weighted, Endpoint{Name: "c"}, Endpoint{Name: "d"}))
	clients := []Client{in("germanywestcentral"), in("eastus"), {Place: Place{Country: "US", State: "CA"}}}
	if n := testing.AllocsPerRun(100, func() {
		for i := range clients {
			d.Decide("top."+Zone, &clients[i])
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzDecide: whatever the states, Explain and Decide agree, what is chosen is
// neither disabled nor stopped, and is degraded only if every enabled one is, or
// the method is geographic.
func FuzzDecide(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed)
	}
	regions := []string{"westeurope", "eastus", "japaneast", "brazilsouth"}
	f.Fuzz(func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 3))
		methods := []Method{Performance, Weighted, Priority, Geographic, Subnet}
		states := []Status{Online, Degraded, Stopped, Checking}
		finds := Findings{}
		var profiles []Profile
		for i := range 3 {
			name := fmt.Sprint("p", i)
			p := profile(name, methods[rng.IntN(len(methods))])
			for j := range 1 + rng.IntN(4) {
				e := Endpoint{
					Name: fmt.Sprint("e", j), Kind: External, Target: "x.example", Weight: 1 + rng.IntN(5), Priority: j + 1,
					Region: regions[rng.IntN(len(regions))], Geo: []string{[]string{"GEO-EU", "US", "JP", "WORLD"}[j]}, Disabled: rng.IntN(5) == 0,
				}
				if j > 0 {
					e.Subnets = []Range{{netip.AddrFrom4([4]byte{10, byte(j)}), netip.AddrFrom4([4]byte{10, byte(j), 255, 255})}}
				}
				if i < 2 && rng.IntN(3) == 0 {
					e.Kind, e.Child, e.MinChild = Nested, fmt.Sprint("/p", i+1), 1+rng.IntN(2)
				}
				finds[Key{"/" + name, e.Name}] = states[rng.IntN(len(states))]
				p.Endpoints = append(p.Endpoints, e)
			}
			profiles = append(profiles, p)
		}
		if err := Check(profiles); err != nil {
			t.Fatal(err)
		}
		d := New(profiles, finds)
		c := in(regions[rng.IntN(len(regions))])
		c.Addr, c.Random = netip.AddrFrom4([4]byte{10, byte(rng.IntN(5)), 0, 1}), rng.Uint64()
		dec := d.Decide("p0."+Zone, &c)
		same, why := d.Explain("p0."+Zone, &c)
		if dec != same {
			t.Fatalf("decided %+v, explained %+v", dec, same)
		}
		if dec.Outcome != Answered {
			return
		}
		s := d.byName[dec.Profile.FQDN]
		i := slices.IndexFunc(s.Endpoints, func(e Endpoint) bool { return e.Name == dec.Endpoint.Name })
		switch status := s.endpoints[i].status; {
		case status == Disabled || status == Stopped:
			t.Errorf("%s was chosen: %+v", status, why)
		case status == Degraded && s.Method != Geographic:
			for j := range s.endpoints {
				if served(s.endpoints[j].status) && (s.Method != Subnet || len(s.Endpoints[j].Subnets) == 0) {
					t.Errorf("degraded was chosen though %s is %s", s.Endpoints[j].Name, s.endpoints[j].status)
				}
			}
		}
		if !slices.ContainsFunc(why, func(w Why) bool { return w.Chosen && w.Endpoint == dec.Endpoint.Name }) {
			t.Errorf("nobody says why %s: %+v", dec.Endpoint.Name, why)
		}
	})
}
