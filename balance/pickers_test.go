package balance_test

import (
	"fmt"
	"sync"
	"testing"

	"google.golang.org/grpc/balancer"
	_ "google.golang.org/grpc/balancer/leastrequest" // least_request_experimental
	_ "google.golang.org/grpc/balancer/roundrobin"   // round_robin
	"google.golang.org/grpc/balancer/weightedroundrobin"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/experimental/stats"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/serviceconfig"

	"github.com/ceruleannet/cerulean/balance"
)

// channel is what grpc-go's balancers work for, without a connection: every one they
// ask for is ready at once.
type channel struct {
	balancer.ClientConn
	later chan func() // what must not happen within a call

	mu    sync.Mutex
	state balancer.State
}

type subConn struct {
	balancer.SubConn
	of     *channel
	listen func(balancer.SubConnState)
}

func (c *channel) NewSubConn(_ []resolver.Address, o balancer.NewSubConnOptions) (balancer.SubConn, error) {
	return &subConn{of: c, listen: o.StateListener}, nil
}

func (c *channel) UpdateState(s balancer.State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state = s
}

func (c *channel) ResolveNow(resolver.ResolveNowOptions)  {}
func (c *channel) MetricsRecorder() stats.MetricsRecorder { return recorder{} }
func (c *channel) Target() string                         { return "bench" }

func (s *subConn) Connect() {
	s.of.later <- func() {
		s.listen(balancer.SubConnState{ConnectivityState: connectivity.Connecting})
		s.listen(balancer.SubConnState{ConnectivityState: connectivity.Ready})
	}
}

func (s *subConn) RegisterHealthListener(listen func(balancer.SubConnState)) {
	s.of.later <- func() { listen(balancer.SubConnState{ConnectivityState: connectivity.Ready}) }
}
func (s *subConn) Shutdown() {}
func (s *subConn) GetOrBuildProducer(balancer.ProducerBuilder) (balancer.Producer, func()) {
	return nil, func() {}
}

// recorder forgets what it is told.
type recorder struct {
	stats.UnimplementedMetricsRecorder
}

const picked = 10 // members

// grpcPicker returns the picker of a policy of grpc-go with members that are all ready.
func grpcPicker(tb testing.TB, policy, config string) balancer.Picker {
	tb.Helper()
	build := balancer.Get(policy)
	c := &channel{later: make(chan func(), 100)}
	b := build.Build(c, balancer.BuildOptions{})
	tb.Cleanup(b.Close)
	var parsed serviceconfig.LoadBalancingConfig
	if p, ok := build.(balancer.ConfigParser); ok {
		var err error
		if parsed, err = p.ParseConfig([]byte(config)); err != nil {
			tb.Fatal(err)
		}
	}
	var at []resolver.Endpoint
	for i := range picked {
		at = append(at, resolver.Endpoint{Addresses: []resolver.Address{{Addr: fmt.Sprintf("10.0.0.%d:80", i)}}})
	}
	if err := b.UpdateClientConnState(balancer.ClientConnState{ResolverState: resolver.State{Endpoints: at}, BalancerConfig: parsed}); err != nil {
		tb.Fatal(err)
	}
	for more := true; more; {
		select {
		case f := <-c.later:
			f()
		default:
			more = false
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state.ConnectivityState != connectivity.Ready {
		tb.Fatalf("%s is %s", policy, c.state.ConnectivityState)
	}
	return c.state.Picker
}

// A choice among ten members, beside the pickers of grpc-go: nanoseconds and
// allocations, alone and by all processors at once.
func BenchmarkPickers(b *testing.B) {
	ctx := b.Context()
	run := func(name string, one func()) {
		b.Run(name+"/alone", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				one()
			}
		})
		b.Run(name+"/parallel", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					one()
				}
			})
		})
	}
	for _, x := range []struct {
		name     string
		strategy balance.Strategy
		policy   string
		config   string
	}{
		{"round robin", balance.RoundRobin(), "round_robin", "{}"},
		{"weighted round robin", balance.WeightedRoundRobin(), weightedroundrobin.Name, "{}"},
		{"least of two", balance.LeastOfTwo(), "least_request_experimental", `{"choiceCount":2}`},
	} {
		var group []balance.Member[string]
		for i := range picked {
			group = append(group, balance.Member[string]{Value: fmt.Sprintf("10.0.0.%d:80", i), Weight: i + 1})
		}
		ours := balance.New(x.strategy, balance.Options[string]{})
		if err := ours.Update(group); err != nil {
			b.Fatal(err)
		}
		run(x.name+"/cerulean", func() {
			p, _ := ours.Pick(ctx, 0)
			p.Done(nil)
		})
		theirs := grpcPicker(b, x.policy, x.config)
		info := balancer.PickInfo{Ctx: ctx}
		run(x.name+"/grpc-go", func() {
			p, _ := theirs.Pick(info)
			if p.Done != nil {
				p.Done(balancer.DoneInfo{})
			}
		})
	}
}

// The pickers that are measured choose.
func TestPickers(t *testing.T) {
	p := grpcPicker(t, "round_robin", "{}")
	seen := map[balancer.SubConn]bool{}
	for range picked {
		r, err := p.Pick(balancer.PickInfo{Ctx: t.Context()})
		if err != nil {
			t.Fatal(err)
		}
		seen[r.SubConn] = true
	}
	if len(seen) != picked {
		t.Errorf("%d of %d were chosen", len(seen), picked)
	}
}
