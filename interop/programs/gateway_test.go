package programs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// nginx as the members of a declared application gateway: a drill that takes one of
// them down counts requests that fail, and none may once probes have noticed.
func TestGatewayOfNginx(t *testing.T) {
	need(t, "nginx", "curl")
	p := newPlace(t, build(t))
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "gateway"))); err != nil {
		t.Fatal(err)
	}
	n := p.start(dir)
	n.up()
	servers := map[string]int{}
	for range 10 {
		servers[n.must("laptop", "curl", "-sS", "--max-time", "10", "http://www.shop.internal/")]++
	}
	if len(servers) != 2 || servers["web-1"] == 0 || servers["web-2"] == 0 {
		t.Errorf("answers of %v", servers)
	}
	for target, lost := range map[string]int{"host web-1": 1, "zone northeurope/2": 1} {
		out, code := n.run(append([]string{"drill", "-o", "json"}, strings.Fields(target)...)...)
		at := strings.IndexByte(out, '{')
		var report struct {
			Requests []struct {
				Lost   int `json:"membersLost"`
				Result string
				Sent   struct{ Before, UntilNoticed, Afterwards, WhenBack int }
				Failed struct{ Before, UntilNoticed, Afterwards, WhenBack int }
			}
		}
		if at < 0 || json.Unmarshal([]byte(out[at:]), &report) != nil || len(report.Requests) != 1 {
			t.Fatalf("%s: %d %s", target, code, out)
		}
		r := report.Requests[0]
		t.Logf("%s: %+v", target, r)
		if code != 0 || r.Lost != lost || r.Sent.Afterwards == 0 || r.Failed.Afterwards > 0 || r.Failed.WhenBack > 0 {
			t.Errorf("%s: exit %d, %+v\n%s", target, code, r, out)
		}
	}
	if err := n.end(syscall.SIGINT); err != nil {
		t.Error(err)
	}
	p.clean("after the end")
}

// A gateway alone, in front of two nginx: it is reloaded under load, and then one
// nginx is killed; not one request fails.
func TestGatewayAlone(t *testing.T) {
	need(t, "nginx")
	p := newPlace(t, build(t))
	dir := t.TempDir()
	members, killed := []string{}, []*exec.Cmd{}
	for i := range 2 {
		at := vacant(t)
		file := filepath.Join(dir, fmt.Sprintf("nginx-%d.conf", i))
		config := fmt.Sprintf(`worker_processes 1; daemon off; master_process off; pid %[1]s/%[2]d.pid; error_log stderr crit;
events { worker_connections 512; }
http { access_log off; client_body_temp_path %[1]s/b%[2]d; proxy_temp_path %[1]s/p%[2]d; fastcgi_temp_path %[1]s/f%[2]d; uwsgi_temp_path %[1]s/u%[2]d; scgi_temp_path %[1]s/s%[2]d;
  keepalive_requests 50; server { listen %[3]s; location / { return 200 "member %[2]d\n"; } } }
`, dir, i, at)
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("nginx", "-p", dir, "-c", file, "-e", "stderr")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		members, killed = append(members, at), append(killed, cmd)
	}
	front := vacant(t)
	_, port, _ := net.SplitHostPort(front)
	file := filepath.Join(dir, "gateway.yaml")
	write := func(generation int) {
		text := fmt.Sprintf(`gateway: alone
listeners: [{name: web, port: %s}]
pools: [{name: web, members: [%q, %q]}]
settings: [{name: http, timeout: 5s, probe: alive}]
probes: [{name: alive, path: /, interval: 1s, timeout: 1s, threshold: 2}]
rules:
  - name: web
    priority: 1
    listener: web
    pool: web
    settings: http
    rewrites: [{name: generation, response: {X-Generation: "%d"}}]
    paths: [{match: ["/plain*"], pool: web, settings: http}]
`, port, members[0], members[1], generation)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(0)
	var out lines
	ctx, cancel := context.WithCancel(t.Context())
	gateway := p.command(ctx, "gateway", "-f", file)
	gateway.Stdout, gateway.Stderr = &out, &out
	gateway.Cancel = func() error { return gateway.Process.Signal(os.Interrupt) }
	if err := gateway.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cancel(); _ = gateway.Wait() }()
	generation := func() string {
		resp, err := http.Get("http://" + front + "/")
		if err != nil {
			return ""
		}
		resp.Body.Close()
		return resp.Header.Get("X-Generation")
	}
	if !await(t.Context(), func() bool { return generation() == "0" }) {
		t.Fatalf("it does not answer: %s", &out)
	}
	load := newLoad(t, "http://"+front+"/", "http://"+front+"/plain")
	for i := 1; i <= 4; i++ {
		write(i)
		if !await(t.Context(), func() bool { return generation() == fmt.Sprint(i) }) {
			t.Fatalf("generation %d is not in force: %s", i, &out)
		}
	}
	sent, failed := load.so()
	t.Logf("reloaded four times: %d of %d requests failed", len(failed), sent)
	if len(failed) > 0 {
		t.Errorf("reloads cost requests: %v", failed[0])
	}
	if err := killed[0].Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if !await(t.Context(), func() bool {
		status, _ := p.command(t.Context(), "gateway", "status").CombinedOutput()
		return strings.Contains(string(status), "unhealthy") || strings.Contains(string(status), "down")
	}) {
		t.Error("probes do not notice")
	}
	all, failed := load.end()
	t.Logf("one of two members killed: %d of %d requests failed", len(failed), all-sent)
	// Those that were with it when it died cannot be told from those that it did; a
	// GET on a connection that was kept is sent again.
	if len(failed) > loaders {
		t.Errorf("%d requests failed, more than were under way: %v", len(failed), failed[0])
	}
}

// vacant is an address that nobody listens at.
func vacant(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// loaders is how many clients make a load.
const loaders = 4

// webLoad is clients that ask again and again.
type webLoad struct {
	stop  context.CancelFunc
	group sync.WaitGroup

	mu     sync.Mutex
	sent   int
	failed []error
}

func newLoad(t *testing.T, urls ...string) *webLoad {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &webLoad{stop: cancel}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: loaders}}
	for i := range loaders {
		l.group.Go(func() {
			for n := i; ctx.Err() == nil; n++ {
				err := askOnce(ctx, client, urls[n%len(urls)])
				if ctx.Err() != nil {
					return
				}
				l.mu.Lock()
				l.sent++
				if err != nil {
					l.failed = append(l.failed, err)
				}
				l.mu.Unlock()
			}
		})
	}
	t.Cleanup(func() { cancel(); l.group.Wait(); client.CloseIdleConnections() })
	return l
}

func askOnce(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}

// so says what became of the requests so far.
func (l *webLoad) so() (sent int, failed []error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sent, l.failed
}

// end ends the load and says what became of it.
func (l *webLoad) end() (sent int, failed []error) {
	l.stop()
	l.group.Wait()
	return l.so()
}
