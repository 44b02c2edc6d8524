package node_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/node"
)

// TestFindRunningCloud: the cloud of a network that is up, with its state in
// memory, is found by its user's other processes, and works in the network's
// subscription. What a killed process left behind is removed.
func TestFindRunningCloud(t *testing.T) {
	dir, err := os.MkdirTemp("", "c") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	t.Setenv("XDG_RUNTIME_DIR", dir)
	example, err := filepath.Abs("../../examples/three-tier")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	// No system has as many processes (PID_MAX_LIMIT of Linux is 2^22).
	leftover := filepath.Join(dir, "cerulean", "cloud-999999999-0")
	if err := os.MkdirAll(leftover, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "cerulean"), 0o700); err != nil {
		t.Fatal(err)
	}
	if c, err := node.FindCloud(t.Context(), ""); !errors.Is(err, node.ErrNotRunning) || !strings.Contains(err.Error(), "no network is up") {
		t.Fatalf("%v, %v", c, err)
	}
	s, err := node.Up(t.Context(), example, node.UpOptions{Listen: "127.0.0.1:0", Control: true, NoProbe: true}, func(node.Event) {})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := os.Stat(leftover); !os.IsNotExist(err) {
		t.Errorf("%s: %v", leftover, err)
	}
	c, err := node.FindCloud(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.Endpoint != s.Cloud.Endpoint {
		t.Errorf("found %s, not %s", c.Endpoint, s.Cloud.Endpoint)
	}
	v := variables(t, c)
	if v["ARM_SUBSCRIPTION_ID"] != s.Design.Network().Subscription {
		t.Errorf("subscription %s", v["ARM_SUBSCRIPTION_ID"])
	}
	if _, err := os.Stat(v["SSL_CERT_FILE"]); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "cerulean", "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
