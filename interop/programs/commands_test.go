package programs

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// The commands that look into a running network, as users type them: what they
// say, as JSON, and of bad input.
func TestCommands(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("networks are ended by signals here, which Windows has not")
	}
	p := newPlace(t, build(t))
	const metrics = "127.0.0.1:29464"
	n := p.start(filepath.Join("testdata", "small"), "--metrics", metrics)
	n.up()
	for _, c := range []struct {
		args string
		code int
		want []string
	}{
		{"status", 0, []string{"small", "HOSTS"}},
		{"health", 0, []string{"front", "web-1", "web-2", "up"}},
		{"flows", 0, []string{"desk", "site"}},
		{"flows --host nobody", 2, []string{`nothing is called "nobody"`, "web-1"}},
		{"doctor desk www.small.internal:80", 0, []string{"ok", "connection"}},
		{"doctor desk data.small.internal:5432", 1, []string{"cause", "rest", "network.yaml:", "fix"}},
		{"doctor desk nothing.small.internal:1", 1, []string{"has no record"}},
		{"doctor nobody web-1:80", 2, []string{`no host "nobody"`}},
		{"explain --live desk front:80", 0, []string{"The design says the same."}},
		{"explain --live desk web-1:81", 2, []string{"no flow"}},
		{"drill", 0, []string{"zone westeurope/1", "host db", "probe front/web-1"}},
		{"drill zone", 2, []string{"write zone REGION/ZONE"}},
		{"drill host nobody", 2, []string{"web-1"}},
		{"drill host web-1 --for -1s", 2, []string{"-1s"}},
		{"drill host web-1 --pace 50 --for 1s", 0, []string{"host web-1 was down for 1"}},
		{"capture nobody", 2, []string{`nothing is called "nobody"`}},
		{"forward nobody:80", 2, []string{`no host "nobody"`}},
		{"forward web-1", 2, []string{"it has no port"}},
		{"exec web-1", 2, []string{"name the program"}},
		{"exec nobody -- true", 125, []string{`no host "nobody"`}},
		{"metrics", 0, []string{"cerulean_flows"}},
	} {
		t.Run(c.args, func(t *testing.T) {
			n := *n.place
			n.t = t
			out, code := (&network{place: &n}).run(strings.Fields(c.args)...)
			if code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			for _, w := range c.want {
				if !strings.Contains(out, w) {
					t.Errorf("%q is not in\n%s", w, out)
				}
			}
		})
	}
	for _, args := range []string{
		"status", "health", "flows", "doctor desk www.small.internal:80", "explain --live desk front:80", "drill probe front/web-2 --pace 50 --for 1s",
	} {
		cmd := n.command(t.Context(), append(strings.Fields(args), "-o", "json")...)
		out, err := cmd.Output()
		if err != nil || !json.Valid(out) || len(bytes.TrimSpace(out)) == 0 {
			t.Errorf("%s -o json: %v\n%s", args, err, out)
		}
	}
	resp, err := http.Get("http://" + metrics + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("metrics: %s", resp.Status)
	}
	t.Run("Ctrl-C", func(t *testing.T) { interrupted(t, n) })
	if err := n.end(syscall.SIGINT); err != nil {
		t.Errorf("%v\n%s", err, n.out)
	}
	p.clean("after Ctrl-C")
}

// interrupted ends what follows a network: each ends in order, and what it wrote
// is whole.
func interrupted(t *testing.T, n *network) {
	file := filepath.Join(t.TempDir(), "x.pcapng")
	for _, c := range []struct{ args, says string }{
		{"capture web-1 -w " + file, ""},
		{"flows --follow", "platform"},
	} {
		cmd := n.command(context.Background(), strings.Fields(c.args)...)
		var out, errs lines
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		seen := await(t.Context(), func() bool { // probes come every five seconds
			info, err := os.Stat(file)
			return c.says != "" && strings.Contains(out.String(), c.says) || c.says == "" && err == nil && info.Size() > 500
		})
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil || !seen {
			t.Errorf("%s: %v, seen %v\n%s%s", c.args, err, seen, &out, &errs)
		}
	}
	b, err := os.ReadFile(file)
	if err != nil || !bytes.HasPrefix(b, []byte{0x0a, 0x0d, 0x0d, 0x0a}) || len(b)%4 != 0 {
		t.Errorf("the capture is %d bytes that begin with %x: %v", len(b), b[:min(4, len(b))], err)
	}
}
