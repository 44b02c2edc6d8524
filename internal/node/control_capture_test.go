package node_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/live"
	"github.com/ceruleannet/cerulean/internal/node"
	"github.com/ceruleannet/cerulean/internal/observe/pcapng"
)

// running starts an example with its control socket in a folder of the test's.
func running(t *testing.T, path string, o node.UpOptions) (*node.System, *node.Remote) {
	t.Helper()
	dir, err := os.MkdirTemp("", "c") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	t.Setenv("XDG_RUNTIME_DIR", dir)
	o.Listen, o.Control, o.NoProbe = "127.0.0.1:0", true, true
	s, err := node.Up(t.Context(), path, o, func(node.Event) {})
	if err != nil {
		t.Fatal(err)
	}
	r := s.Remote()
	t.Cleanup(func() {
		r.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, r
}

// dial lets one host open a TCP connection to another and reports why it failed.
func dial(t *testing.T, s *node.System, from, to string) error {
	t.Helper()
	h, err := s.Net.Host(from)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c, err := h.DialContext(ctx, "tcp", to)
	if err == nil {
		c.Close()
	}
	return err
}

// captured runs a capture while do works, until the capture has enough.
func captured(t *testing.T, r *node.Remote, ask node.CaptureAsk, do func()) []byte {
	t.Helper()
	begun, done := make(chan struct{}), make(chan error, 1)
	ask.Begun = func() { close(begun) }
	var out bytes.Buffer
	go func() {
		counts, err := r.Capture(t.Context(), ask, &out)
		if err == nil && counts.Accepted == 0 {
			err = errors.New("the capture counted nothing")
		}
		done <- err
	}()
	select {
	case <-begun:
	case err := <-done:
		t.Fatal(err)
	}
	do()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// A capture of a running network shows a connection where it enters and where it
// leaves, with the rules that let it through, and a denial with the rule and the
// declared line; Wireshark reads it without a complaint.
func TestCapture(t *testing.T) {
	s, r := running(t, "../../examples/three-tier", node.UpOptions{})
	file := captured(t, r, node.CaptureAsk{Filter: "tcp and host app-1 or host cache-1", Count: 4}, func() {
		if err := dial(t, s, "app-1", "10.0.2.4:6379"); err != nil {
			t.Error(err)
		}
		var denied *live.DeniedError
		if err := dial(t, s, "cache-1", "10.0.3.4:5432"); !errors.As(err, &denied) {
			t.Errorf("the cache reaches the database: %v", err)
		}
	})
	p, err := pcapng.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[uint64][]string{}
	var texts []string
	for {
		x, err := p.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		name := p.Interfaces()[x.Interface].Name
		seen[x.ID] = append(seen[x.ID], name)
		texts = append(texts, name+" "+strings.Join(x.Comments, "; "))
	}
	all := strings.Join(texts, "\n")
	if len(seen[1]) != 2 || seen[1][0] != "app-1" || seen[1][1] != "cache-1" {
		t.Errorf("the first packet was seen at %v\n%s", seen[1], all)
	}
	if !strings.Contains(texts[0], "allow: delivered at cache-1; rules: AllowVnetOutBound, redis-from-app; flow: ") {
		t.Errorf("first packet: %s", texts[0])
	}
	if names := p.Names(); len(names) != 5 {
		t.Errorf("names %v", names)
	}
	lines := captured(t, r, node.CaptureAsk{At: []string{"shop/cache"}, Filter: "verdict deny and rule nothing-else", Count: 1, Text: true}, func() {
		_ = dial(t, s, "cache-1", "10.0.3.4:5432")
	})
	for _, want := range []string{
		"cache-1 Out IP 10.0.2.4:", "> 10.0.3.4:5432: Flags [S], seq ", ", length 0 | deny: rule nothing-else (priority 110) of the subnet rules data at db-1 (", "network.yaml:",
	} {
		if !strings.Contains(string(lines), want) {
			t.Errorf("line %q does not say %q", lines, want)
		}
	}
	tshark(t, file)
}

// tshark demands that Wireshark's reader takes a file without a complaint.
func tshark(t *testing.T, file []byte) {
	program, err := exec.LookPath("tshark")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("CI has no tshark: apt-get install tshark")
		}
		t.Log("no tshark here: the file was read by our own reader only")
		return
	}
	name := filepath.Join(t.TempDir(), "file.pcapng")
	if err := os.WriteFile(name, file, 0o600); err != nil {
		t.Fatal(err)
	}
	var complaints bytes.Buffer
	cmd := exec.Command(program, "-r", name)
	cmd.Stderr = &complaints
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err, complaints.String())
	}
	for line := range strings.SplitSeq(complaints.String(), "\n") {
		if line != "" && !strings.HasPrefix(line, "Running as user") {
			t.Errorf("tshark says: %s", line)
		}
	}
	if !bytes.Contains(out, []byte("6379")) || !bytes.Contains(out, []byte("[SYN]")) || bytes.Contains(out, []byte("alformed")) {
		t.Errorf("tshark reads\n%s", out)
	}
}

// A capture ends when its asker has enough, goes away, or the network ends; and
// what it is asked is checked first.
func TestCaptureEnds(t *testing.T) {
	s, r := running(t, "../../examples/three-tier", node.UpOptions{})
	for ask, want := range map[*node.CaptureAsk]string{
		{Filter: "host"}:                    `filter, column 5: a value is missing after "host"`,
		{Filter: "host nobody"}:             `filter, column 6: nothing is called "nobody" (hosts: app-1, app-2, cache-1, db-1, gateway-1)`,
		{At: []string{"nobody"}}:            `nothing is called "nobody"; name a host`,
		{SnapLen: 1 << 30}:                  `snaplen "1073741824": use a number from 0 to 262144`,
		{Buffer: 1 << 30, Filter: "port 1"}: `buffer "1073741824": use a number from 0 to 262144`,
	} {
		if _, err := r.Capture(t.Context(), *ask, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", ask, err)
		}
	}
	// By time.
	if _, err := r.Capture(t.Context(), node.CaptureAsk{Duration: time.Millisecond}, io.Discard); err != nil {
		t.Errorf("by time: %v", err)
	}
	// By an interrupt: the rest is still written, and counted.
	ctx, cancel := context.WithCancel(t.Context())
	begun, done := make(chan struct{}), make(chan error, 1)
	out, in := io.Pipe()
	go func() {
		counts, err := r.Capture(ctx, node.CaptureAsk{At: []string{"app-1"}, Begun: func() { close(begun) }}, in)
		if err == nil && counts.Seen < 3 {
			err = fmt.Errorf("a connection of %d packets was seen", counts.Seen)
		}
		in.CloseWithError(err)
		done <- err
	}()
	read := make(chan error, 1)
	go func() {
		file, err := pcapng.NewReader(out)
		for n := 1; err == nil; n++ {
			if _, err = file.Next(); n == 3 {
				cancel()
			}
		}
		if err != io.EOF {
			cancel()
			out.CloseWithError(err)
		}
		read <- err
	}()
	<-begun
	if err := dial(t, s, "app-1", "10.0.2.4:6379"); err != nil {
		t.Error(err)
	}
	if err := <-read; err != io.EOF {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Errorf("by an interrupt: %v", err)
	}
	// By the network's end.
	begun = make(chan struct{})
	go func() {
		_, err := r.Capture(t.Context(), node.CaptureAsk{Begun: func() { close(begun) }}, io.Discard)
		done <- err
	}()
	<-begun
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Errorf("by the network's end: %v", err)
	}
}
