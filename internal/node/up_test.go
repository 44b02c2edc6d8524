package node_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/node"
)

// quiet waits until the process has as few goroutines and open files as before,
// and reports what is left otherwise. Goroutines and connections that were told
// to end need to be scheduled before they have.
func quiet(t *testing.T, goroutines, files int) {
	t.Helper()
	for start := time.Now(); runtime.NumGoroutine() > goroutines || openFiles() > files; runtime.Gosched() {
		if time.Since(start) > time.Minute {
			var b strings.Builder
			_ = pprof.Lookup("goroutine").WriteTo(&b, 1)
			t.Fatalf("%d goroutines, %d before; %d open files, %d before\n%s",
				runtime.NumGoroutine(), goroutines, openFiles(), files, b.String())
		}
	}
}

// openFiles counts the process's open files and sockets where the system tells
// them; elsewhere 0.
func openFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}

// warm runs a small network once, for what the process keeps from its first
// use on: the poller's files, caches of the libraries.
func warm(t *testing.T) (goroutines, files int) {
	t.Helper()
	s, err := node.Up(t.Context(), filepath.Join("..", "..", "examples", "three-tier"), node.UpOptions{}, func(node.Event) {})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	quiet(t, runtime.NumGoroutine(), openFiles())
	for last := -1; last != runtime.NumGoroutine(); runtime.Gosched() {
		last = runtime.NumGoroutine()
	}
	return runtime.NumGoroutine(), openFiles()
}

// TestUpLeavesNothing: a network that ran leaves no goroutine, no open file, no
// listener, and of its folder only what the next one needs.
func TestUpLeavesNothing(t *testing.T) {
	goroutines, files := warm(t)
	for example, runs := range map[string]int{"globojava": 2, "three-tier": 3, "broken": 2} {
		dir := filepath.Join(t.TempDir(), "state")
		for _, state := range []string{"", dir, dir}[:runs] {
			s, err := node.Up(t.Context(), filepath.Join("..", "..", "examples", example), node.UpOptions{Dir: state}, func(node.Event) {})
			if err != nil {
				t.Fatalf("%s: %v", example, err)
			}
			if s.Failed() != (example == "broken") {
				t.Errorf("%s: failed %v", example, s.Failed())
			}
			if err := errors.Join(s.Close(), s.Close()); err != nil {
				t.Errorf("%s: %v", example, err)
			}
			quiet(t, goroutines, files)
		}
		if got, want := list(t, dir), []string{".gitignore", "ca.pem", "cloud.db", "identity.json"}; !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", example, got, want)
		}
	}
}

func list(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", e.Name(), info.Mode(), err)
		}
		names = append(names, e.Name())
	}
	return names
}

// TestUpInterrupted: Up that is cancelled, at the end of any stage, in the
// middle of the apply or at any other moment, says so and leaves nothing; the
// folder it worked in is good for the next one.
func TestUpInterrupted(t *testing.T) {
	goroutines, files := warm(t)
	network := globojava(t)
	dir := filepath.Join(t.TempDir(), "state")
	run := func(name string, ctx context.Context, on func(node.Event)) {
		t.Helper()
		s, err := node.Up(ctx, network, node.UpOptions{Dir: dir}, on)
		switch {
		case err == nil && name != "":
			t.Errorf("cancelled at %s, it came up", name)
			fallthrough
		case err == nil:
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		case s != nil:
			t.Errorf("%s: a system and an error: %v", name, err)
		case !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded):
			t.Errorf("%s: %v", name, err)
		}
		quiet(t, goroutines, files)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	run("start", cancelled, func(node.Event) {})
	for _, stage := range []string{"declare", "compile", "prove", "apply", "run"} {
		ctx, cancel := context.WithCancel(t.Context())
		run(stage, ctx, func(e node.Event) {
			if e.Stage == stage && e.Total == 0 {
				cancel()
			}
		})
		cancel()
	}
	for _, step := range []int{1, 100, 235} {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		run("step", ctx, func(e node.Event) {
			if e.Total > 0 && e.Completed == step {
				cancel()
			}
		})
		cancel()
	}
	// Moments no event marks: whatever they hit, it is one of the two ends.
	for after := time.Millisecond; after < 300*time.Millisecond; after += after/2 + 15*time.Millisecond {
		ctx, cancel := context.WithTimeout(t.Context(), after)
		run("", ctx, func(node.Event) {})
		cancel()
	}
	converge(t, dir, network)
}

// TestUpRefuses: what cannot work is refused before anything runs.
func TestUpRefuses(t *testing.T) {
	goroutines, files := warm(t)
	network := filepath.Join("..", "..", "examples", "three-tier")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]node.UpOptions{
		"latency -1":   {Latency: -1},
		"is a file":    {Dir: file},
		"HOST:PORT":    {Listen: "127.0.0.1"},
		"invalid port": {Listen: "127.0.0.1:99999"},
	} {
		s, err := node.Up(t.Context(), network, o, func(node.Event) {})
		if err == nil || s != nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%+v: %v", o, err)
		}
		quiet(t, goroutines, files)
	}
}
