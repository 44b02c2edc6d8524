package drill

import (
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/intent"
	"github.com/ceruleannet/cerulean/internal/fabric/compile"
	"github.com/ceruleannet/cerulean/internal/live"
)

// An image that comes into force again and again, as health probes make it, does
// no harm to what is established: through appliances behind a load balancer, too.
func TestSwapsDoNoHarm(t *testing.T) {
	t.Parallel()
	declared, err := intent.Load("../../examples/landing-zone", intent.Options{})
	if err != nil {
		t.Fatal(err)
	}
	img, err := compile.Compile(declared.Network.Resources, compile.Options{Epoch: 1})
	if err != nil {
		t.Fatal(err)
	}
	n, err := live.Start(img, declared.Network.Hosts, live.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	stop, done := make(chan bool), make(chan bool)
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				n.Swap(img)
			}
		}
	}()
	for range 5 {
		for _, r := range n.Probe(t.Context(), declared.Network.Expectations) {
			for _, p := range r.Probes {
				if p.Disagreement != nil {
					t.Errorf("%s: %v", r.Expectation.Name, p.Disagreement)
				}
			}
		}
	}
	close(stop)
	<-done
}
