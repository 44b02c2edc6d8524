package lab

import (
	"fmt"
	"sync"
	"testing"

	"github.com/ceruleannet/cerulean/intent"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/compile"
	"github.com/ceruleannet/cerulean/internal/live"
	"github.com/ceruleannet/cerulean/internal/proof"
	"github.com/ceruleannet/cerulean/model"
)

// Lab is a running network.
type Lab struct {
	tb        testing.TB // nil outside tests
	network   *model.Network
	live      *live.Network
	databases *databases // nil if the network has no SQL servers
	close     sync.Once
	leak      error

	mu        sync.Mutex
	resources []*model.Resource // as roles are now
	image     *fabric.Image
	prover    func() *proof.Prover
}

// Option changes how a lab runs.
type Option func(*live.Options)

// WithLatency delays packets by the round-trip times between Azure regions,
// scaled: 1 is real, 0.01 a hundredth, 0 (as without the option) none.
func WithLatency(scale float64) Option {
	return func(o *live.Options) { o.Latency = scale }
}

// WithoutServices leaves the declared services of hosts ("serves: tcp/5432") and
// those of the platform unstarted, so that a test can listen on their ports
// itself.
func WithoutServices() Option {
	return func(o *live.Options) { o.NoServices = true }
}

// WithSilentDrops makes the network drop denied packets in silence, as Azure
// does: dials then fail by their context only.
func WithSilentDrops() Option {
	return func(o *live.Options) { o.SilentDrops = true }
}

// Open runs the network declared in a file or a folder for the length of a
// test. It fails the test if the declaration has problems, and lists them all.
func Open(t testing.TB, path string, opts ...Option) *Lab {
	t.Helper()
	l, err := Start(path, opts...)
	return l.attach(t, err)
}

// Declare is Open for a network declared in a string.
func Declare(t testing.TB, yaml string, opts ...Option) *Lab {
	t.Helper()
	declared, err := intent.Parse([]intent.File{{Name: "network.yaml", Data: []byte(yaml)}}, nil, intent.Options{})
	if err != nil {
		return (*Lab)(nil).attach(t, err)
	}
	l, err := run(declared, opts)
	return l.attach(t, err)
}

// Start is Open for programs that are not tests. Close the lab after use.
func Start(path string, opts ...Option) (*Lab, error) {
	declared, err := intent.Load(path, intent.Options{})
	if err != nil {
		return nil, err
	}
	return run(declared, opts)
}

func run(declared *intent.Declared, opts []Option) (*Lab, error) {
	compiling := compile.Options{Epoch: 1, Internet: declared.Network.Internet}
	img, err := compile.Compile(declared.Network.Resources, compiling)
	if err != nil {
		return nil, err
	}
	managers, err := compile.TrafficManagers(declared.Network.Resources, compiling)
	if err != nil {
		return nil, err
	}
	services, err := newCloud(declared.Network)
	if err != nil {
		return nil, err
	}
	databases := newDatabases(declared.Network, services)
	const unset = -1
	options := live.Options{Services: services, Internet: declared.Network.Internet, Underlay: declared.Network.Underlay, Managers: managers, Pace: unset}
	if databases != nil {
		options.Streams = databases
	}
	for _, o := range opts {
		o(&options)
	}
	if options.Pace == unset {
		options.Pace = 1
		if options.NoServices {
			options.Pace = 0 // nobody would answer
		}
	}
	n, err := live.Start(img, declared.Network.Hosts, options)
	if err != nil {
		if databases != nil {
			databases.Close()
		}
		return nil, err
	}
	l := &Lab{
		network: declared.Network, image: img, live: n, databases: databases, resources: declared.Network.Resources,
		prover: sync.OnceValue(func() *proof.Prover { return proof.New(img) }),
	}
	if databases != nil {
		databases.start(l)
	}
	return l, nil
}

// proofs returns the prover of the network as its roles are now.
func (l *Lab) proofs() *proof.Prover {
	l.mu.Lock()
	prover := l.prover
	l.mu.Unlock()
	return prover()
}

// attach ties a lab to a test.
func (l *Lab) attach(t testing.TB, err error) *Lab {
	t.Helper()
	if err != nil {
		t.Fatalf("the network cannot run:\n%v", err)
		return nil
	}
	l.tb = t
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// Host returns a declared host by its name, or what stands for a site ("office")
// or a platform service (a storage account, an SQL server, a key vault, or a
// private endpoint of one) by its name: they dial and listen as hosts do. A
// site speaks from the first usable address of its prefixes and takes packets
// for all of them; a service already listens where its kind does, unless the
// lab runs [WithoutServices]. In a test a name that is not declared fails the
// test; elsewhere it gives a host whose every call fails.
func (l *Lab) Host(name string) *Host {
	h, err := l.live.Host(name)
	if err != nil && l.tb != nil {
		l.tb.Helper()
		l.tb.Fatal(err)
	}
	return &Host{name: name, host: h, err: err}
}

// Internet returns the host that stands for the internet outside the network.
// It can dial the network's public addresses and listen for what comes out.
func (l *Lab) Internet() *Host { return l.Host("internet") }

// Hosts returns the names of the declared hosts, without sites and services.
func (l *Lab) Hosts() []string {
	var out []string
	for _, h := range l.live.Hosts() {
		out = append(out, h.Name)
	}
	return out
}

// Close ends every host and verifies that nothing the lab started still runs;
// in a test a leak fails it. Tests need not call it: it is called when they
// end.
func (l *Lab) Close() error {
	l.close.Do(func() {
		if l.databases != nil {
			l.databases.close()
		}
		l.live.Close()
		if left := l.live.Leaked(); left != "" {
			l.leak = fmt.Errorf("goroutines still run after the lab was closed:\n%s", left)
		}
	})
	if l.leak != nil && l.tb != nil {
		l.tb.Helper()
		l.tb.Error(l.leak)
	}
	return l.leak
}
