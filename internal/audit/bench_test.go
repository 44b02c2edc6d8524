package audit

import (
	"fmt"
	"testing"

	"github.com/ceruleannet/cerulean/internal/proof"
)

// spokes builds a hub with an appliance and n spokes that route everything to
// it, two subnets and one host each.
func spokes(t testing.TB, n int) *net {
	w := &net{t: t}
	w.table("all", "", "0.0.0.0/0 10.0.0.4").vnet("hub", "10.0.0.0/16", "s 10.0.0.0/24").nic("nva", "hub/s", "10.0.0.4")
	for i := range n {
		name, base := fmt.Sprintf("v%d", i), fmt.Sprintf("10.%d.%d", 1+i/64, i%64*4)
		w.vnet(name, base+".0/22", "s "+base+".0/24 all", fmt.Sprintf("t 10.%d.%d.0/24 all", 1+i/64, i%64*4+1))
		w.peer("hub", name, false).nic("h"+name, name+"/s", base+".4")
	}
	return w
}

// BenchmarkFindings is what one check spends on advice.
func BenchmarkFindings(b *testing.B) {
	w := spokes(b, 1000)
	img := w.compile()
	prover := proof.New(img)
	for name, f := range map[string]func(){
		"limits":    func() { Limits(w.resources, img) },
		"subnets":   func() { Subnets(w.resources, img) },
		"asymmetry": func() { Asymmetry(w.resources, img) },
		"routes":    func() { Routes(w.resources, img) },
		"unattach":  func() { Unattached(w.resources) },
		"lost":      func() { Lost(w.resources, img, prover.Faults()) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
		})
	}
}
