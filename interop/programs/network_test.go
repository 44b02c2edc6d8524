package programs

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds the wait for something that another process does.
const patience = time.Minute

// place is where networks run: what they may leave behind is found by it.
type place struct {
	t        *testing.T
	cerulean string
	runtime  string // XDG_RUNTIME_DIR
	mark     string // in the environment of every process
	before   map[string]bool
}

func newPlace(t *testing.T, cerulean string) *place {
	t.Helper()
	dir, err := os.MkdirTemp("", "c") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	p := &place{t: t, cerulean: cerulean, runtime: dir, mark: "CERULEAN_TEST_MARK=" + rand.Text()}
	p.before = p.found()
	return p
}

// command is the program with arguments; it dies with the test.
func (p *place) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, p.cerulean, args...)
	cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+p.runtime, p.mark, "NO_COLOR=1")
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// found is what could be left behind: network namespaces with the interfaces of
// this one, processes of the place, and files.
func (p *place) found() map[string]bool {
	out := map[string]bool{}
	own, _ := os.Readlink("/proc/self/ns/net")
	list, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range list {
		environ, err := os.ReadFile(filepath.Join(dir, "environ"))
		if err != nil || !bytes.Contains(environ, []byte(p.mark)) {
			continue
		}
		name, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		what := "process " + filepath.Base(dir) + " " + string(bytes.ReplaceAll(name, []byte{0}, []byte{' '}))
		if ns, err := os.Readlink(filepath.Join(dir, "ns", "net")); err == nil && ns != own {
			what += " in " + ns
		}
		out[what] = true
	}
	interfaces, _ := net.Interfaces()
	for _, i := range interfaces {
		out["interface "+i.Name] = true
	}
	named, _ := filepath.Glob("/run/netns/*")
	for _, n := range named {
		out["namespace "+n] = true
	}
	_ = filepath.WalkDir(p.runtime, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out["file "+path] = true
		}
		return nil
	})
	return out
}

// clean waits until nothing is left but what was there.
func (p *place) clean(when string) {
	p.t.Helper()
	var left []string
	ok := await(p.t.Context(), func() bool {
		left = nil
		for what := range p.found() {
			if !p.before[what] {
				left = append(left, what)
			}
		}
		return len(left) == 0
	})
	if !ok {
		slices.Sort(left)
		p.t.Errorf("%s there is still:\n%s", when, strings.Join(left, "\n"))
	}
}

// await asks again and again until something is so; false when it takes too long.
func await(ctx context.Context, so func() bool) bool {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(patience); !so(); {
		if time.Now().After(deadline) {
			return false
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return so()
		}
	}
	return true
}

// network is one that runs.
type network struct {
	*place
	cmd   *exec.Cmd
	out   *lines
	ended chan error
	once  sync.Once
}

// lines is what a process said, while it runs.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// start begins to bring a network up.
func (p *place) start(path string, args ...string) *network {
	p.t.Helper()
	n := &network{place: p, out: &lines{}, ended: make(chan error, 1)}
	n.cmd = p.command(context.Background(), append([]string{"up", path, "--listen", "127.0.0.1:0"}, args...)...)
	n.cmd.Stdout, n.cmd.Stderr = n.out, n.out
	if err := n.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	go func() { n.ended <- n.cmd.Wait() }()
	p.t.Cleanup(func() { n.end(syscall.SIGKILL) })
	return n
}

// up waits until the network runs.
func (n *network) up() {
	n.t.Helper()
	running := func() bool { return strings.Contains(n.out.String(), "Until Ctrl-C") }
	over := false
	await(n.t.Context(), func() bool {
		select {
		case err := <-n.ended:
			n.ended <- err
			over = true
		default:
		}
		return running() || over
	})
	if !running() {
		n.t.Fatalf("the network does not run:\n%s", n.out)
	}
}

// end signals the network and waits until it has ended.
func (n *network) end(s syscall.Signal) (err error) {
	n.once.Do(func() {
		_ = n.cmd.Process.Signal(s)
		select {
		case err = <-n.ended:
		case <-time.After(patience):
			_ = n.cmd.Process.Kill()
			<-n.ended
			err = fmt.Errorf("%v did not end it:\n%s", s, n.out)
		}
	})
	return err
}

// exec runs a program on a host.
func (n *network) exec(host string, args ...string) (out string, code int) {
	n.t.Helper()
	return n.run(append([]string{"exec", host, "--"}, args...)...)
}

// run runs a command of the program.
func (n *network) run(args ...string) (out string, code int) {
	n.t.Helper()
	b, err := n.command(n.t.Context(), args...).CombinedOutput()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return string(b), exit.ExitCode()
	case err != nil:
		n.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, b)
	}
	return string(b), 0
}

// must runs a program on a host until it succeeds: servers take a moment.
func (n *network) must(host string, args ...string) string {
	n.t.Helper()
	var out string
	var code int
	if !await(n.t.Context(), func() bool { out, code = n.exec(host, args...); return code == 0 }) {
		n.t.Fatalf("%s on %s exits with %d:\n%s", strings.Join(args, " "), host, code, out)
	}
	return strings.TrimSpace(out)
}

// copyNetwork copies an example, with what the tests add.
func copyNetwork(t *testing.T, example string, more ...string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("..", "..", "examples", example))); err != nil {
		t.Fatal(err)
	}
	// PostgreSQL is not root, and reads nothing here; its script is executable.
	_ = os.Chmod(filepath.Join(dir, "postgres.sh"), 0o755)
	for i, file := range more {
		b, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "more-"+strconv.Itoa(i)+".yaml"), b, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
