package gateway

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	coder "github.com/coder/websocket"
	gorilla "github.com/gorilla/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/interop"
	testpb "google.golang.org/grpc/interop/grpc_testing"
)

// need skips a test whose program is not there, but fails where all of them must
// be.
func need(t testing.TB, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed: %v", program, err)
	}
	t.Skipf("%s is not installed", program)
	return ""
}

// real returns where a configured address really listens.
func (g *running) real(address string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.at[address]
}

// h2specFloor is how many of the cases of h2spec pass: all.
const h2specFloor = 145

// h2spec against a listener with TLS. It waits for much, and so takes 15 seconds.
func TestH2spec(t *testing.T) {
	if testing.Short() || os.Getenv("CI") != "true" && os.Getenv("H2SPEC") == "" {
		t.Skip("set H2SPEC=1 to run it")
	}
	program := need(t, "h2spec")
	m := backendServer(t, "one", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "hello")
	})
	cert, _ := certificate(t, "127.0.0.1")
	c := simple(m)
	c.Listeners[0].Protocol, c.Listeners[0].Certificates = HTTPS, []tls.Certificate{cert}
	g := startWith(t, c, func(o *Options) { o.OnRequest = nil })
	host, port, _ := net.SplitHostPort(g.real("0.0.0.0:80"))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, "-h", host, "-p", port, "-t", "-k", "-o", "3").CombinedOutput()
	found := regexp.MustCompile(`(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed`).FindStringSubmatch(string(out))
	if found == nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var total, passed int
	fmt.Sscan(found[1], &total)
	fmt.Sscan(found[2], &passed)
	t.Log(found[0])
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "×") {
			t.Log(strings.TrimSpace(line))
		}
	}
	if total < 145 || passed < h2specFloor {
		t.Errorf("%d of %d pass, want %d", passed, total, h2specFloor)
	}
}

// The gRPC interoperability cases of grpc-go, client to gateway to server, over TLS
// and without.
func TestGRPCInterop(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	testpb.RegisterTestServiceServer(s, interop.NewTestServer())
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	a := netip.MustParseAddrPort(l.Addr().String())
	cert, roots := certificate(t, "shop.example")
	for name, secure := range map[string]bool{"plain": false, "TLS": true} {
		c := simple(Member{Host: a.Addr().String(), Port: a.Port()})
		c.Probes = []Probe{{Name: "p", Protocol: GRPC}}
		c.Settings[0].Probe = "p"
		how := insecure.NewCredentials()
		if secure {
			c.Listeners[0].Protocol, c.Listeners[0].Certificates = HTTPS, []tls.Certificate{cert}
			how = credentials.NewTLS(&tls.Config{RootCAs: roots, ServerName: "shop.example"})
		}
		g := startWith(t, c, func(o *Options) { o.OnRequest = nil })
		conn, err := grpc.NewClient("passthrough:///"+g.real("0.0.0.0:80"), grpc.WithTransportCredentials(how))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		client := testpb.NewTestServiceClient(conn)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for _, x := range []struct {
			name string
			run  func(context.Context, testgrpcClient, ...grpc.CallOption)
		}{
			{"empty_unary", interop.DoEmptyUnaryCall},
			{"large_unary", interop.DoLargeUnaryCall},
			{"client_streaming", interop.DoClientStreaming},
			{"server_streaming", interop.DoServerStreaming},
			{"ping_pong", interop.DoPingPong},
			{"empty_stream", interop.DoEmptyStream},
			{"timeout_on_sleeping_server", interop.DoTimeoutOnSleepingServer},
			{"cancel_after_begin", interop.DoCancelAfterBegin},
			{"cancel_after_first_response", interop.DoCancelAfterFirstResponse},
			{"custom_metadata", interop.DoCustomMetadata},
			{"status_code_and_message", interop.DoStatusCodeAndMessage},
			{"special_status_message", interop.DoSpecialStatusMessage},
			{"unimplemented_method", func(ctx context.Context, _ testgrpcClient, _ ...grpc.CallOption) {
				interop.DoUnimplementedMethod(ctx, conn)
			}},
			{"unimplemented_service", func(ctx context.Context, _ testgrpcClient, _ ...grpc.CallOption) {
				interop.DoUnimplementedService(ctx, testpb.NewUnimplementedServiceClient(conn))
			}},
		} {
			// The cases end the process by logger.Fatal if they fail: their name is
			// then the last that was printed.
			t.Run(name+"/"+x.name, func(*testing.T) { x.run(ctx, client) })
		}
	}
}

type testgrpcClient = testpb.TestServiceClient

// WebSocket (RFC 6455) with two independent libraries, each as client and server.
func TestWebSocketLibraries(t *testing.T) {
	upgrader := gorilla.Upgrader{EnableCompression: true}
	servers := map[string]http.HandlerFunc{
		"gorilla": func(w http.ResponseWriter, r *http.Request) {
			c, err := upgrader.Upgrade(w, r, nil)
			if err != nil {
				return
			}
			defer c.Close()
			for {
				kind, b, err := c.ReadMessage()
				if err != nil || c.WriteMessage(kind, b) != nil {
					return
				}
			}
		},
		"coder": func(w http.ResponseWriter, r *http.Request) {
			c, err := coder.Accept(w, r, &coder.AcceptOptions{Subprotocols: []string{"echo"}})
			if err != nil {
				return
			}
			defer func() { _ = c.CloseNow() }()
			c.SetReadLimit(2 << 20)
			for {
				kind, b, err := c.Read(r.Context())
				if err != nil || c.Write(r.Context(), kind, b) != nil {
					return
				}
			}
		},
	}
	messages := []string{"hello", "", strings.Repeat("x", 1<<20), "end"}
	for name, server := range servers {
		g := startWith(t, simple(backendServer(t, name, server)), func(o *Options) { o.OnRequest = nil })
		at := "ws://" + g.real("0.0.0.0:80") + "/echo"
		t.Run("gorilla to "+name, func(t *testing.T) {
			d := gorilla.Dialer{EnableCompression: true, Subprotocols: []string{"echo"}, HandshakeTimeout: time.Minute}
			c, resp, err := d.Dial(at, http.Header{"Origin": {"http://" + g.real("0.0.0.0:80")}})
			if err != nil {
				t.Fatal(err, resp)
			}
			defer c.Close()
			for _, m := range messages {
				if err := c.WriteMessage(gorilla.TextMessage, []byte(m)); err != nil {
					t.Fatal(err)
				}
				if _, b, err := c.ReadMessage(); err != nil || string(b) != m {
					t.Fatal(len(b), err)
				}
			}
			ponged := make(chan string, 1)
			c.SetPongHandler(func(s string) error { ponged <- s; return nil })
			if err := c.WriteControl(gorilla.PingMessage, []byte("p"), time.Now().Add(time.Second)); err != nil {
				t.Fatal(err)
			}
			if err := c.WriteMessage(gorilla.BinaryMessage, []byte{0, 1}); err != nil {
				t.Fatal(err)
			}
			if kind, b, err := c.ReadMessage(); err != nil || kind != gorilla.BinaryMessage || len(b) != 2 {
				t.Fatal(kind, b, err)
			}
			if p := <-ponged; p != "p" {
				t.Error(p)
			}
		})
		t.Run("coder to "+name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			c, _, err := coder.Dial(ctx, at, &coder.DialOptions{Subprotocols: []string{"echo"}, CompressionMode: coder.CompressionContextTakeover})
			if err != nil {
				t.Fatal(err)
			}
			c.SetReadLimit(2 << 20)
			for _, m := range messages {
				if err := c.Write(ctx, coder.MessageText, []byte(m)); err != nil {
					t.Fatal(err)
				}
				if _, b, err := c.Read(ctx); err != nil || string(b) != m {
					t.Fatal(len(b), err)
				}
			}
			if name == "gorilla" {
				return
			}
			if err := c.Close(coder.StatusNormalClosure, "bye"); err != nil {
				t.Error(err)
			}
		})
	}
}

// curl, with HTTP/1.1 and HTTP/2.
func TestCurl(t *testing.T) {
	program := need(t, "curl")
	m := backendServer(t, "one", nil)
	cert, _ := certificate(t, "127.0.0.1")
	c := simple(m)
	c.Listeners[0].Protocol, c.Listeners[0].Certificates = HTTPS, []tls.Certificate{cert}
	g := startWith(t, c, func(o *Options) { o.OnRequest = nil })
	for _, version := range []string{"--http1.1", "--http2"} {
		out, err := exec.CommandContext(t.Context(), program, "-sS", "-k", version, "-w", "|%{http_code} %{http_version}", "https://"+g.real("0.0.0.0:80")+"/x").CombinedOutput()
		want := "|200 " + strings.TrimPrefix(version, "--http")
		if err != nil || !strings.HasSuffix(string(out), want) {
			t.Errorf("%s: %s, %v", version, out, err)
		}
	}
}
