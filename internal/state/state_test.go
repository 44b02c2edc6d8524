package state_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/internal/state/statetest"
	"github.com/google/go-cmp/cmp"
)

var options = state.Options{Index: statetest.Index}

func open(t testing.TB, path string) state.Store {
	t.Helper()
	s, err := state.Open(path, options)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestMemory(t *testing.T) {
	statetest.Run(t, func(*testing.T) state.Store { return state.Memory(options) })
}

func TestBolt(t *testing.T) {
	statetest.Run(t, func(t *testing.T) state.Store { return open(t, filepath.Join(t.TempDir(), "state.db")) })
}

// TestReopen: resources, revisions, terms and the trail come back.
func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s := open(t, path)
	for i, name := range []string{"A", "b", "A"} {
		e, _ := s.View().Get(statetest.Resource(name, 0).ID)
		if _, err := state.Put(s, statetest.By, statetest.Resource(name, i), e.Revision); err != nil {
			t.Fatal(err)
		}
	}
	want := dump(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	defer s.Close()
	if diff := cmp.Diff(want, dump(t, s)); diff != "" {
		t.Error(diff)
	}
	if rev, err := state.Put(s, statetest.By, statetest.Resource("c", 1), 0); err != nil || rev != 4 {
		t.Errorf("the next revision is %d, %v; want 4", rev, err)
	}
}

func dump(t *testing.T, s state.Store) []string {
	t.Helper()
	v := s.View()
	out := []string{fmt.Sprint("revision ", v.Revision())}
	for e := range v.List("", "") {
		out = append(out, fmt.Sprintf("%s %d %s", e.Resource.ID, e.Revision, e.JSON))
	}
	for term, e := range v.Find("") {
		out = append(out, term+" "+e.Resource.ID.String())
	}
	h, err := s.History(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	return append(out, fmt.Sprint(h))
}

// TestLocked: two processes never share a file.
func TestLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s := open(t, path)
	defer s.Close()
	if _, err := state.Open(path, options); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("error %v", err)
	}
}

// TestDamaged: a file that is no store is refused and left alone.
func TestDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	text := []byte(strings.Repeat("not a database ", 4096))
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := state.Open(path, options); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v", err)
	}
	if b, _ := os.ReadFile(path); string(b) != string(text) {
		t.Error("the file was changed")
	}
}

// TestKill: a process killed while writing has lost nothing it acknowledged.
func TestKill(t *testing.T) {
	if path := os.Getenv("STATE_KILL_FILE"); path != "" {
		writeForever(path)
	}
	path := filepath.Join(t.TempDir(), "state.db")
	child := exec.Command(os.Args[0], "-test.run=^TestKill$")
	child.Env = append(os.Environ(), "STATE_KILL_FILE="+path)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var acknowledged []string
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		acknowledged = append(acknowledged, lines.Text())
		if len(acknowledged) == 200 {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	var exit *exec.ExitError
	if err := child.Wait(); !errors.As(err, &exit) || exit.Success() {
		t.Fatalf("the child was not killed: %v", err)
	}
	s := open(t, path)
	defer s.Close()
	for _, name := range acknowledged {
		if _, ok := s.View().Get(statetest.Resource(name, 0).ID); !ok {
			t.Errorf("%s was acknowledged and is lost", name)
		}
	}
	h, err := s.History(0, 0)
	if err != nil || len(h) != s.View().Len() {
		t.Errorf("%d lines of history for %d resources, %v", len(h), s.View().Len(), err)
	}
}

// writeForever writes from several goroutines and prints each name once it is
// acknowledged.
func writeForever(path string) {
	s, err := state.Open(path, options)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				name := fmt.Sprintf("w%d-%d", w, i)
				if _, err := state.Put(s, statetest.By, statetest.Resource(name, i), 0); err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				fmt.Println(name)
			}
		})
	}
	wg.Wait()
}

func BenchmarkPut(b *testing.B) {
	for _, bm := range []struct {
		name string
		open func(testing.TB) state.Store
	}{
		{"memory", func(testing.TB) state.Store { return state.Memory(options) }},
		{"bolt", func(tb testing.TB) state.Store { return open(tb, filepath.Join(tb.TempDir(), "state.db")) }},
	} {
		for _, writers := range []int{1, 32} {
			b.Run(fmt.Sprintf("%s/writers=%d", bm.name, writers), func(b *testing.B) {
				s := bm.open(b)
				defer s.Close()
				b.ReportAllocs()
				names := make(chan int)
				var wg sync.WaitGroup
				for range writers {
					wg.Go(func() {
						for i := range names {
							r := statetest.Resource(fmt.Sprint("r", i), i)
							if _, err := state.Put(s, statetest.By, r, 0); err != nil {
								b.Error(err)
							}
						}
					})
				}
				for i := 0; b.Loop(); i++ {
					names <- i
				}
				close(names)
				wg.Wait()
			})
		}
	}
}
