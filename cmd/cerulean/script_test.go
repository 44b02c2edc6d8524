package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes the test binary double as the program, so that scripts run
// the real commands in processes of their own.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"cerulean": main,
	})
}

// TestScripts runs testdata/script: each file is a story a user could live
// through. Besides testscript's own commands there are
//
//	example NAME [AS]       copies examples/NAME into the work folder
//	replace FILE OLD NEW    edits the one place of FILE that says OLD
//	same-addresses A B      every address assigned in lock file A is in B
//	appears FILE            waits until FILE exists
//	interrupt SIGNAL FILE SIZE COMMAND...
//	                        runs the program and signals it (INT, KILL) once
//	                        FILE has SIZE bytes, unless it has ended by then
//	until TEXT COMMAND...   runs the program, interrupts it once its output says
//	                        TEXT, and demands that it closes in order
func TestScripts(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("NO_COLOR", "1")
			// The race detector otherwise waits a second at the end of each process.
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"example": func(ts *testscript.TestScript, _ bool, args []string) {
				from := filepath.Join(root, "examples", args[0])
				to := ts.MkAbs(args[len(args)-1])
				ts.Check(os.CopyFS(to, os.DirFS(from)))
				// Copies of a read-only tree must be writable.
				ts.Check(filepath.WalkDir(to, func(path string, d fs.DirEntry, err error) error {
					if err != nil || d.IsDir() {
						return err
					}
					return os.Chmod(path, 0o644)
				}))
			},
			"replace": func(ts *testscript.TestScript, _ bool, args []string) {
				if len(args) != 3 {
					ts.Fatalf("usage: replace FILE OLD NEW")
				}
				file := ts.MkAbs(args[0])
				b, err := os.ReadFile(file)
				ts.Check(err)
				unescape := strings.NewReplacer(`\n`, "\n").Replace
				old, text := unescape(args[1]), string(b)
				if n := strings.Count(text, old); n != 1 {
					ts.Fatalf("%s says %q %d times, not once", args[0], old, n)
				}
				ts.Check(os.WriteFile(file, []byte(strings.Replace(text, old, unescape(args[2]), 1)), 0o644))
			},
			"appears": func(ts *testscript.TestScript, _ bool, args []string) {
				await(ts, args[0], func() bool { return size(ts.MkAbs(args[0])) >= 0 }, nil)
			},
			"interrupt": interrupt,
			"until":     until,
			"same-addresses": func(ts *testscript.TestScript, _ bool, args []string) {
				before, after := ts.ReadFile(args[0]), ts.ReadFile(args[1])
				have := map[string]bool{}
				for line := range strings.SplitSeq(after, "\n") {
					have[line] = true
				}
				for line := range strings.SplitSeq(before, "\n") {
					if !have[line] {
						ts.Fatalf("%q is not in %s any more", line, args[1])
					}
				}
			},
		},
	})
}

// patience bounds the wait for something another process does.
const patience = 30 * time.Second

// await returns when something is so, or ended is closed.
func await(ts *testscript.TestScript, what string, so func() bool, ended <-chan struct{}) {
	for start := time.Now(); !so(); runtime.Gosched() {
		select {
		case <-ended:
			return
		default:
		}
		if time.Since(start) > patience {
			ts.Fatalf("waited %v for %s", patience, what)
		}
	}
}

// size returns the size of a file, -1 if there is none.
func size(file string) int64 {
	info, err := os.Stat(file)
	if err != nil {
		return -1
	}
	return info.Size()
}

// process is the program in a process of its own.
type process struct {
	*exec.Cmd
	out   output
	ended chan struct{}
}

// output collects what a process writes.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// start starts the program; its output and errors go to one place.
func start(ts *testscript.TestScript, args []string) *process {
	if len(args) == 0 || args[0] != "cerulean" {
		ts.Fatalf("%q is not the program", args)
	}
	program, err := os.Executable()
	ts.Check(err)
	p := &process{ended: make(chan struct{})}
	p.Cmd = &exec.Cmd{Path: program, Args: args, Dir: ts.MkAbs("."), Env: append(os.Environ(), "GORACE=atexit_sleep_ms=0"), Stdout: &p.out, Stderr: &p.out}
	ts.Check(p.Start())
	go func() {
		defer close(p.ended)
		_ = p.Wait() // its state says how it ended
	}()
	return p
}

func interrupt(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 4 {
		ts.Fatalf("usage: interrupt INT|KILL FILE SIZE cerulean ARGS...")
	}
	signal := map[string]os.Signal{"INT": os.Interrupt, "KILL": os.Kill}[args[0]]
	enough, err := strconv.ParseInt(args[2], 10, 64)
	ts.Check(err)
	p := start(ts, args[3:])
	await(ts, args[1], func() bool { return size(ts.MkAbs(args[1])) >= enough }, p.ended)
	_ = p.Process.Signal(signal) // it may have ended
	<-p.ended
	text := p.out.String()
	ts.Logf("%s: %v\n%s", strings.Join(args, " "), p.ProcessState, text[strings.LastIndexByte(strings.TrimSpace(text), '\n')+1:])
	switch code := p.ProcessState.ExitCode(); {
	case code == 0: // faster than the signal
	case signal == os.Kill && !p.ProcessState.Exited():
	case signal == os.Interrupt && code == exitFalse && strings.Contains(text, "not started; run it again for the rest"):
	default:
		ts.Fatalf("ended with %v: %s", p.ProcessState, text)
	}
}

func until(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: until TEXT cerulean ARGS...")
	}
	p := start(ts, args[1:])
	await(ts, args[0], func() bool { return strings.Contains(p.out.String(), args[0]) }, p.ended)
	_ = p.Process.Signal(os.Interrupt)
	<-p.ended
	text := p.out.String()
	if !p.ProcessState.Success() || !strings.Contains(text, args[0]) || !strings.HasSuffix(text, "\nclosing\n") {
		ts.Fatalf("ended with %v: %s", p.ProcessState, text)
	}
}
