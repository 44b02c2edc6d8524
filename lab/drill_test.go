package lab_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/lab"
)

// farm is two web servers in two zones behind a load balancer.
const farm = `
network: farm
regions: [westeurope]
networks:
  - name: farm
    address: 10.0.0.0/16
    subnets:
      desks:
        hosts: {client: {}}
      web:
        hosts:
          web-1: {serves: tcp/80, zone: 1}
          web-2: {serves: tcp/80, zone: 2}
load-balancers:
  - name: front
    frontends: {in: {subnet: web}}
    members: [web-1, web-2]
    probes: {alive: {port: 80, interval: 5}}
    rules: [{traffic: tcp/80}]
expectations:
  - {name: the client reaches the web, allow: client -> front tcp/80}
`

// kept drills. A machine that is too busy to tell shows nothing but that the
// drill ends.
func kept(t *testing.T, l *lab.Lab, target string, lasting time.Duration) *lab.Drill {
	t.Helper()
	d, err := l.Drill(t.Context(), target, lasting)
	if err != nil {
		t.Fatal(err)
	}
	if d.Busy != "" {
		t.Skip(d.Busy)
	}
	return d
}

// The loss of a zone is noticed by probes; new connections go to the other.
func TestDrill(t *testing.T) {
	l := lab.Declare(t, farm, lab.WithPace(20))
	d := kept(t, l, "zone westeurope/1", 0)
	if !d.OK || len(d.Flows) != 5 || !strings.Contains(d.String(), "front/web-1") {
		t.Errorf("%+v\n%s", d, d)
	}
	if f := d.Flows[0]; f.Kind != "connect" || f.Predicted != "works" || f.Outcome != "failed over" || !f.Works || f.Steady <= 0 {
		t.Errorf("%+v", f)
	}
}

func TestFailAndHealth(t *testing.T) {
	l := lab.Declare(t, farm, lab.WithPace(50))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	up := func(want ...bool) func([]lab.Member) bool {
		return func(members []lab.Member) bool {
			for i, m := range members {
				if m.Up != want[i] {
					return false
				}
			}
			return true
		}
	}
	if err := l.Await(ctx, up(true, true)); err != nil {
		t.Fatal(err)
	}
	restore := l.Fail("probe front/web-2")
	if err := l.Await(ctx, up(true, false)); err != nil {
		t.Fatal(err)
	}
	restore()
	if err := l.Await(ctx, up(true, true)); err != nil {
		t.Fatal(err)
	}
	ended, end := context.WithCancel(ctx)
	end()
	if err := l.Await(ended, up(false, false)); !errors.Is(err, lab.ErrNotYet) {
		t.Error(err)
	}
}

// Without services, or with pace 0, nobody is probed.
func TestNoPace(t *testing.T) {
	for _, o := range []lab.Option{lab.WithPace(0), lab.WithoutServices()} {
		if members, err := lab.Declare(t, farm, o).Health(t.Context()); err != nil || len(members) != 0 {
			t.Errorf("%+v, %v", members, err)
		}
	}
}

// A host that a load balancer probes goes down; the load balancer notices.
func ExampleLab_Fail() {
	ctx := context.Background()
	l, err := lab.Start("../examples/landing-zone", lab.WithPace(100)) // in a test: lab.Open
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	restore := l.Fail("host web-1")
	defer restore()
	err = l.Await(ctx, func(members []lab.Member) bool {
		for _, m := range members {
			if m.Host == "web-1" && !m.Up {
				fmt.Println(m.Balancer, "takes", m.Host, "for down")
				return true
			}
		}
		return false
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: shop-front takes web-1 for down
}
