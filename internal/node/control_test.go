package node

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A running network is found by name, by path and as the only one; its socket is
// the user's own and goes with it.
func TestControl(t *testing.T) {
	dir, err := os.MkdirTemp("", "c") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	t.Setenv("XDG_RUNTIME_DIR", dir)
	ctx := t.Context()
	if _, err := Connect(ctx, ""); !errors.Is(err, ErrNoNetwork) {
		t.Errorf("none runs: %v", err)
	}
	up := func(path string) *System {
		s, err := Up(ctx, path, UpOptions{Listen: "127.0.0.1:0", Control: true, NoProbe: true}, func(Event) {})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	path := "../../examples/three-tier"
	first := up(path)
	for _, name := range []string{"", "THREE-TIER", path} {
		r, err := Connect(ctx, name)
		if err != nil || r.Network != "three-tier" || r.Hosts != 5 || r.PID != os.Getpid() {
			t.Fatalf("%q: %+v %v", name, r, err)
		}
		if err := r.Get(ctx, "/v1/nothing", nil); err == nil {
			t.Error("a path that is not there answers")
		}
		r.Close()
	}
	if _, err := Connect(ctx, "other"); !errors.Is(err, ErrNoNetwork) || !strings.Contains(err.Error(), "other; those that run: three-tier") {
		t.Errorf("another name: %v", err)
	}
	second := up(path)
	if _, err := Connect(ctx, ""); err == nil || !strings.Contains(err.Error(), "several networks run") {
		t.Errorf("two run: %v", err)
	}
	for _, s := range []*System{first, second} {
		if fi, err := os.Stat(s.control.path); err != nil || fi.Mode().Perm() != 0o600 {
			t.Errorf("%v %v", fi, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*", "*")); len(left) > 0 {
		t.Error("left behind:", left)
	}
	// A folder that is open to others is not trusted.
	if err := os.Chmod(filepath.Join(dir, "cerulean"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Running(ctx); err == nil || !strings.Contains(err.Error(), "open to others") {
		t.Errorf("an open folder: %v", err)
	}
}
