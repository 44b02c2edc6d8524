package live_test

import (
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/live"
	"github.com/ceruleannet/cerulean/internal/proof"
)

// What is proved of all packets and what real packets do must agree, and every
// witness must do in the engine what the proof shows.
func TestProofAgreesWithPackets(t *testing.T) {
	for _, name := range []string{"three-tier", "globojava", "broken"} {
		t.Run(name, func(t *testing.T) {
			img, network := load(t, "../../examples/"+name)
			n, err := live.Start(img, network.Hosts, live.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer n.Close()
			findings := proof.New(img).Check(network.Expectations)
			results := n.Probe(t.Context(), network.Expectations)
			for i, f := range findings {
				if err := live.Compare(&results[i], &f); err != nil {
					t.Errorf("%s: %v", f.Expectation.Text, err)
				}
				t.Logf("%-8s %-5v %s", f.Status, results[i].Holds, f.Expectation.Text)
				if f.Internal != nil {
					t.Error(f.Internal)
				}
				if f.Witness == nil {
					continue
				}
				if err := live.Replay(img, f.Witness); err != nil {
					t.Errorf("%s: witness: %v", f.Expectation.Text, err)
				}
				if f.Witness.Answer != nil {
					continue
				}
				wrong := *f.Witness
				wrong.Conn.Forward.Reason = fabric.At(fabric.CodeLoop, 0)
				if err := live.Replay(img, &wrong); err == nil {
					t.Error("a false witness is believed")
				}
			}
			if name == "broken" {
				return
			}
			// Both sides are heard: one packet against a proof is enough.
			results[0].Holds = false
			results[0].Probes[0].Holds = false
			if err := live.Compare(&results[0], &findings[0]); err == nil || !strings.Contains(err.Error(), "proved to hold") {
				t.Errorf("a packet against the proof goes unheard: %v", err)
			}
		})
	}
}
