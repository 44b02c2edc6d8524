package gateway

import (
	"context"
	"net"
	"net/netip"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// The gRPC health checking protocol, asked of grpc-go's own health service.
func TestProbeGRPC(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := health.NewServer()
	h.SetServingStatus("up", healthpb.HealthCheckResponse_SERVING)
	h.SetServingStatus("down", healthpb.HealthCheckResponse_NOT_SERVING)
	s := grpc.NewServer()
	healthpb.RegisterHealthServer(s, h)
	bare := grpc.NewServer()
	go func() { _ = s.Serve(l) }()
	defer s.Stop()
	l2, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = bare.Serve(l2) }()
	defer bare.Stop()
	at := func(l net.Listener) endpoint {
		a := netip.MustParseAddrPort(l.Addr().String())
		return endpoint{a.Addr().String(), a.Port()}
	}
	web := backendServer(t, "web", nil)
	g := NewServer(Options{})
	defer g.Close(0)
	for _, test := range []struct {
		e       endpoint
		service string
		healthy bool
		said    string
	}{
		{at(l), "", true, "SERVING"},
		{at(l), "up", true, "SERVING"},
		{at(l), "down", false, "NOT_SERVING"},
		{at(l), "unknown", false, "grpc-status 5"},
		{at(l2), "", false, "grpc-status 12"},
		{endpoint{web.Host, web.Port}, "", false, ""},
	} {
		b := newBackend(g, &Pool{Name: "p"}, &Settings{Name: "s", Protocol: HTTP}, Probe{Protocol: GRPC, Service: test.service, Timeout: defaultProbeTime})
		c := b.ask(context.Background(), b.probeClient(g, test.e), test.e)
		if c.Healthy != test.healthy || test.said != "" && c.Said != test.said {
			t.Errorf("%s %q: %+v", test.e, test.service, c)
		}
		b.close()
	}
}

func FuzzHealthAnswer(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 2, 8, 1})
	f.Add([]byte{0, 0, 0, 0, 0})
	f.Add([]byte{0, 0, 0, 0, 4, 0x12, 1, 'a', 8})
	f.Fuzz(func(t *testing.T, b []byte) {
		if state, ok := healthAnswer(b); !ok && state != 0 {
			t.Error(state)
		}
	})
}
