package fabric_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// wellness is an image of balancers with three probed members each, the third
// out by hand.
func wellness(balancers int, allUp bool) *fabric.Image {
	img := &fabric.Image{Sets: []fabric.Set{fabric.AllValues()}}
	for i := range balancers {
		probe := &fabric.Probe{Name: "alive", Origin: fabric.Origin{Resource: fmt.Sprint("lb", i), Name: "alive"}, AllUp: allUp}
		r := fabric.Redirect{Name: "web"}
		for k := range 3 {
			t := fabric.Target{Port: fabric.PortID(k), Own: netip.AddrFrom4([4]byte{10, 0, 0, byte(4 + k)}), Probe: probe}
			if k == 2 {
				t.Probe, t.Down = nil, "by hand"
			}
			r.Targets = append(r.Targets, t)
		}
		img.Ports = append(img.Ports, fabric.Port{Name: fmt.Sprint("lb", i), Inward: &fabric.Inward{Redirects: []fabric.Redirect{r}}})
	}
	return img
}

// states is which targets of a balancer are down.
func states(img *fabric.Image, port int) (down [3]string) {
	for k, t := range img.Ports[port].Inward.Redirects[0].Targets {
		down[k] = t.Down
	}
	return down
}

func TestWithHealth(t *testing.T) {
	member := func(img *fabric.Image, port, target int) fabric.Asked {
		a, ok := img.Ports[port].Inward.Redirects[0].Targets[target].Asked()
		if !ok {
			t.Fatal("not probed")
		}
		return a
	}
	for _, tt := range []struct {
		name  string
		allUp bool
		fails []int
		want  [3]string
	}{
		{"all well", false, nil, [3]string{"", "", "by hand"}},
		{"one down", false, []int{1}, [3]string{"", "refused", "by hand"}},
		{"all down", false, []int{0, 1}, [3]string{"refused", "refused", "by hand"}},
		{"one down, AllProbedUp", true, []int{0}, [3]string{"refused", "", "by hand"}},
		{"all down, AllProbedUp", true, []int{0, 1}, [3]string{"", "", "by hand"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			img := wellness(2, tt.allUp)
			h, well := fabric.Health{}, fabric.Health{}
			for _, k := range tt.fails {
				h[member(img, 0, k)], well[member(img, 0, k)] = "refused", ""
			}
			sick := img.WithHealth(h)
			if got := states(sick, 0); got != tt.want {
				t.Errorf("down %q, want %q", got, tt.want)
			}
			if got := states(sick, 1); got != states(img, 1) {
				t.Errorf("another balancer's targets are down %q", got)
			}
			if sick.Ports[1].Inward != img.Ports[1].Inward {
				t.Error("an unchanged balancer is not shared")
			}
			if states(img, 0) != [3]string{"", "", "by hand"} {
				t.Error("the image itself changed")
			}
			if again := sick.WithHealth(h); again != sick {
				t.Error("the same health makes another image")
			}
			if back := sick.WithHealth(well); states(back, 0) != states(img, 0) {
				t.Errorf("after recovery %q", states(back, 0))
			}
		})
	}
}

// A filter that drops the probe is a better reason than that nobody answered; it
// goes when the probe is answered.
func TestWithHealthKeepsTheCause(t *testing.T) {
	img := wellness(1, false)
	target := &img.Ports[0].Inward.Redirects[0].Targets[0]
	target.Fails, target.Down = "a rule drops the probe", "a rule drops the probe"
	asked, _ := target.Asked()
	if got := states(img.WithHealth(fabric.Health{asked: "no answer"}), 0); got[0] != "a rule drops the probe" {
		t.Errorf("%q", got[0])
	}
	if got := states(img.WithHealth(fabric.Health{asked: ""}), 0); got[0] != "" {
		t.Errorf("answered, and still down: %q", got[0])
	}
}
