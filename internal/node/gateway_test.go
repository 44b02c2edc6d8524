package node

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// A gateway runs from its file: it is found by status, takes over what changes,
// keeps the last good configuration, and writes its log.
func TestRunGateway(t *testing.T) {
	short, err := os.MkdirTemp("", "c") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(short) })
	t.Setenv("XDG_RUNTIME_DIR", short)
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello") }))
	defer backend.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	path := filepath.Join(t.TempDir(), "gateway.yaml")
	write := func(priority int, name string) {
		content := fmt.Sprintf(`gateway: %s
listeners: [{name: web, port: %d}]
pools: [{name: web, members: ["%s"]}]
settings: [{name: plain}]
rules: [{name: web, priority: %d, listener: web, pool: web, settings: plain}]
`, name, port, strings.TrimPrefix(backend.URL, "http://"), priority)
		// Whole or not at all, as editors do.
		if err := os.WriteFile(path+".new", []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	write(1, "one")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	events, ready, ended := make(chan string, 10), make(chan []string, 1), make(chan error, 1)
	var mu sync.Mutex
	var log bytes.Buffer
	go func() {
		ended <- RunGateway(ctx, path, GatewayOptions{
			Log: locked{&mu, &log}, Event: func(text string) { events <- text }, Ready: func(at []string) { ready <- at },
		})
	}()
	select {
	case at := <-ready:
		if len(at) != 1 || at[0] != fmt.Sprintf("127.0.0.1:%d", port) {
			t.Error(at)
		}
	case err := <-ended:
		t.Fatal(err)
	}
	resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/x", port))
	if err != nil || resp.StatusCode != 200 {
		t.Fatal(resp, err)
	}
	resp.Body.Close()
	only := func() GatewayStatus {
		t.Helper()
		list, err := Gateways(t.Context())
		if err != nil || len(list) != 1 {
			t.Fatalf("%+v %v", list, err)
		}
		return list[0]
	}
	if s := only(); s.Gateway != "one" || s.PID != os.Getpid() || len(s.Members) != 1 {
		t.Errorf("%+v", s)
	}
	if p, err := PurgeGateways(t.Context(), "one", GatewayPurge{Path: "/*"}); err != nil || len(p) != 1 || p[0].Forgotten != 0 {
		t.Error(p, err)
	}
	if _, err := PurgeGateways(t.Context(), "none", GatewayPurge{Path: "/*"}); err == nil {
		t.Error("a gateway that is not there")
	}
	write(0, "two")
	if e := <-events; !strings.Contains(e, "priority 0; use 1 to 20000") || !strings.Contains(e, "stays in force") {
		t.Error(e)
	}
	if s := only(); s.Gateway != "one" || s.Problem == "" {
		t.Errorf("%+v", s)
	}
	write(17, "three")
	if e := <-events; e != "configuration loaded" {
		t.Error(e)
	}
	if s := only(); s.Gateway != "three" || s.Problem != "" {
		t.Errorf("%+v", s)
	}
	if r, err := ExplainGateway(path, fmt.Sprintf("http://any.example:%d", port)); err != nil || r.Decision.Rule != "web" || len(r.Members) != 1 {
		t.Error(r, err)
	}
	if _, err := ExplainGateway(path, "http://any.example:1/"); err == nil {
		t.Error("a port where it does not listen")
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	mu.Lock()
	defer mu.Unlock()
	var r map[string]any
	if err := json.Unmarshal(log.Bytes(), &r); err != nil || r["HttpStatus"] != 200.0 || r["BackendPoolName"] != "web" {
		t.Error(log.String(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(short, "*", "*")); len(left) > 0 {
		t.Error("left behind:", left)
	}
	if err := RunGateway(t.Context(), filepath.Join(short, "none.yaml"), GatewayOptions{}); err == nil {
		t.Error("a file that is not there")
	}
}

// locked is a writer for several goroutines.
type locked struct {
	mu *sync.Mutex
	to *bytes.Buffer
}

func (l locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.to.Write(p)
}
