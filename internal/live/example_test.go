package live_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/intent"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/compile"
	"github.com/ceruleannet/cerulean/internal/live"
	"github.com/ceruleannet/cerulean/model"
)

func load(t testing.TB, path string) (*fabric.Image, *model.Network) {
	t.Helper()
	declared, err := intent.Load(path, intent.Options{})
	if err != nil {
		t.Fatal(err)
	}
	img, err := compile.Compile(declared.Network.Resources, compile.Options{Epoch: 1})
	if err != nil {
		t.Fatal(err)
	}
	return img, declared.Network
}

// Every expectation of the declared examples is tried by real packets, which
// must do what the reference says.
func TestExamples(t *testing.T) {
	for _, tt := range []struct {
		name  string
		holds bool
	}{{"three-tier", true}, {"globojava", true}, {"landing-zone", true}, {"broken", false}} {
		t.Run(tt.name, func(t *testing.T) {
			img, network := load(t, "../../examples/"+tt.name)
			n, err := live.Start(img, network.Hosts, live.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer n.Close()
			start := time.Now()
			results := n.Probe(t.Context(), network.Expectations)
			t.Logf("%d hosts, %v", len(network.Hosts), time.Since(start))
			holds := true
			for _, r := range results {
				holds = holds && r.Holds
				t.Logf("%-5v %3d probes %8v  %s", r.Holds, len(r.Probes), r.Elapsed.Round(time.Microsecond), r.Expectation.Text)
				for _, p := range r.Disagreements() {
					t.Error(p.Disagreement)
				}
				if tt.holds && !r.Holds {
					for _, p := range r.Probes {
						if !p.Holds {
							t.Errorf("%s: %s to %s (%s): %s", r.Expectation.Text, p.From, p.To, p.Packet, p.Said)
						}
					}
				}
			}
			if holds != tt.holds {
				t.Errorf("the expectations hold: %v, want %v", holds, tt.holds)
			}
		})
	}
}

// BenchmarkProbes prints the time from a compiled image to every probe of
// globojava answered, all hosts started and stopped.
func BenchmarkProbes(b *testing.B) {
	img, network := load(b, "../../examples/globojava")
	for b.Loop() {
		n, err := live.Start(img, network.Hosts, live.Options{})
		if err != nil {
			b.Fatal(err)
		}
		for _, r := range n.Probe(b.Context(), network.Expectations) {
			for _, p := range r.Disagreements() {
				fmt.Fprintln(os.Stderr, p.Disagreement)
				b.FailNow()
			}
		}
		n.Close()
	}
}
