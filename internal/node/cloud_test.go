package node_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/node"
)

// small opens the three-tier example.
func small(t *testing.T) *node.Design {
	t.Helper()
	d, err := node.Open(filepath.Join("..", "..", "examples", "three-tier"), node.LockRead)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func openCloud(t *testing.T, o node.CloudOptions) *node.Cloud {
	t.Helper()
	c, err := node.OpenCloud(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// steps counts the steps of the plan for a network.
func steps(t *testing.T, c *node.Cloud, d *node.Design) int {
	t.Helper()
	p, err := c.Plan(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	applied, err := c.Apply(cancelled(), p, 1, nil)
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	return applied.Steps
}

// cancelled returns a context in which nothing starts.
func cancelled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// TestJoin: a cloud that serves a directory is announced there, found by the
// next who opens it, and refused to who wants to serve it too; it outlives its
// clients and takes the announcement along when it closes.
func TestJoin(t *testing.T) {
	d := small(t)
	dir := filepath.Join(t.TempDir(), "state")
	served := openCloud(t, node.CloudOptions{Dir: dir, Serve: true})
	joined := openCloud(t, node.CloudOptions{Dir: dir, Subscription: d.Network().Subscription})
	if joined.Endpoint != served.Endpoint {
		t.Fatalf("joined %s, not %s", joined.Endpoint, served.Endpoint)
	}
	p, err := joined.Plan(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	if applied, err := joined.Apply(t.Context(), p, 4, nil); err != nil || applied.Done == 0 {
		t.Fatalf("%v, %v", applied, err)
	}
	if err := joined.Close(); err != nil {
		t.Fatal(err)
	}
	if n := len(served.Snapshot()); n == 0 {
		t.Error("nothing arrived")
	}
	if _, err := node.OpenCloud(t.Context(), node.CloudOptions{Dir: dir, Serve: true}); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("served twice: %v", err)
	}
	if err := served.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "endpoint.json")); !os.IsNotExist(err) {
		t.Errorf("still announced: %v", err)
	}
	alone := openCloud(t, node.CloudOptions{Dir: dir, Subscription: d.Network().Subscription})
	if n := steps(t, alone, d); n != 0 {
		t.Errorf("%d steps left", n)
	}
	if _, err := os.Stat(filepath.Join(dir, "endpoint.json")); !os.IsNotExist(err) {
		t.Errorf("a cloud for one command is announced: %v", err)
	}
}

// TestStaleEndpoint: an announcement that was left behind is not followed to
// whoever has the port by now, and damaged ones are no obstacle.
func TestStaleEndpoint(t *testing.T) {
	d := small(t)
	stranger := openCloud(t, node.CloudOptions{Dir: filepath.Join(t.TempDir(), "other"), Serve: true})
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	document := func(endpoint string) string {
		b, err := json.Marshal(map[string]any{"endpoint": endpoint, "pid": 1})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for name, text := range map[string]string{
		"stranger": document(stranger.Endpoint), "nobody": document("https://" + gone.Addr().String()),
		"plain": document("http://" + gone.Addr().String()), "no URL": document("https://%zz"),
		"empty": "", "cut": `{"endpoint":"https://127`, "list": "[]",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "endpoint.json")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			c := openCloud(t, node.CloudOptions{Dir: dir, Subscription: d.Network().Subscription})
			if c.Endpoint == stranger.Endpoint {
				t.Fatal("joined a stranger")
			}
			if n := steps(t, c, d); n == 0 {
				t.Error("nothing to do in an empty cloud")
			}
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			next := openCloud(t, node.CloudOptions{Dir: dir, Serve: true})
			if b, err := os.ReadFile(file); err != nil || !strings.Contains(string(b), next.Endpoint) {
				t.Errorf("announced as %s, %v", b, err)
			}
		})
	}
}

// TestListen: whatever the address, the endpoint is one the certificate is good
// for.
func TestListen(t *testing.T) {
	d := small(t)
	listen := map[string]string{
		"": "https://127.0.0.1:", "127.0.0.1:0": "https://127.0.0.1:", ":0": "https://127.0.0.1:",
		"localhost:0": "https://localhost:", "0.0.0.0:0": "https://127.0.0.1:",
	}
	if l, err := net.Listen("tcp", "[::1]:0"); err == nil { // a machine with IPv6
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		listen["[::1]:0"], listen["[::]:0"] = "https://[::1]:", "https://[::1]:"
	}
	for address, want := range listen {
		c := openCloud(t, node.CloudOptions{Listen: address, Subscription: d.Network().Subscription})
		if !strings.HasPrefix(c.Endpoint, want) {
			t.Errorf("%q: endpoint %s, want %s", address, c.Endpoint, want)
		}
		if n := steps(t, c, d); n == 0 {
			t.Errorf("%q: nothing to do in an empty cloud", address)
		}
	}
	for _, address := range []string{"127.0.0.1", "a:b:c", "[fe80::1%lo]:0", "127.0.0.1:-1", "192.0.2.1:0"} {
		if c, err := node.OpenCloud(t.Context(), node.CloudOptions{Listen: address}); err == nil {
			t.Errorf("%q is served at %s", address, c.Endpoint)
			_ = c.Close()
		}
	}
}

// TestOpenCloudFails: what fails after the server has started leaves neither a
// listener nor a lock behind.
func TestOpenCloudFails(t *testing.T) {
	goroutines, files := warm(t)
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "endpoint.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := node.OpenCloud(t.Context(), node.CloudOptions{Dir: dir, Serve: true}); err == nil {
		t.Error("announced in a folder")
	}
	quiet(t, goroutines, files)
	if entries, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(entries) > 0 {
		t.Errorf("left: %v, %v", entries, err)
	}
	if err := os.Remove(filepath.Join(dir, "endpoint.json")); err != nil {
		t.Fatal(err)
	}
	openCloud(t, node.CloudOptions{Dir: dir, Serve: true})
}
