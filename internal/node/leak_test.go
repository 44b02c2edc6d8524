package node

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"
)

// A network that went down leaves nothing behind: no goroutine, no open file, no
// socket. CERULEAN_ROUNDS=100 does it a hundred times.
func TestUpsAndDowns(t *testing.T) {
	dir, err := os.MkdirTemp("", "c") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	t.Setenv("XDG_RUNTIME_DIR", dir)
	rounds := 10
	if s := os.Getenv("CERULEAN_ROUNDS"); s != "" {
		if rounds, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	once := func() {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		s, err := Up(ctx, "../../examples/three-tier", UpOptions{Listen: "127.0.0.1:0", Control: true}, func(Event) {})
		if err != nil {
			t.Fatal(err)
		}
		r := s.Remote()
		var status Status
		if err := r.Get(ctx, "/v1/status", &status); err != nil {
			t.Error(err)
		}
		r.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if left := s.Net.Leaked(); left != "" {
			t.Error(left)
		}
	}
	once() // what starts once and stays is not counted
	files, goroutines := openFiles(), settled(0)
	for range rounds {
		once()
	}
	if now := openFiles(); now > files {
		t.Errorf("%d open files before, %d after %d ups and downs", files, now, rounds)
	}
	if now := settled(goroutines); now > goroutines {
		buf := make([]byte, 1<<20)
		t.Errorf("%d goroutines before, %d after %d ups and downs:\n%s", goroutines, now, rounds, buf[:runtime.Stack(buf, true)])
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*", "*")); len(left) > 0 {
		t.Error("left behind:", left)
	}
}

// openFiles returns how many files the process has open, 0 where that cannot be
// asked.
func openFiles() int {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(list)
}

// settled returns the number of goroutines once it is not above most, or stays as
// it is: those of closed connections take a moment to see it.
func settled(most int) int {
	n := runtime.NumGoroutine()
	for deadline := time.Now().Add(time.Minute); n > most && time.Now().Before(deadline); n = runtime.NumGoroutine() {
		runtime.Gosched()
		if most == 0 && n == runtime.NumGoroutine() {
			break
		}
	}
	return n
}
