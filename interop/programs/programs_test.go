package programs

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
)

// Real programs find what they find in Azure, and what the rules deny times out.
func TestPrograms(t *testing.T) {
	need(t, "nginx", "curl", "psql", "iperf3", "dig", "setpriv")
	p := newPlace(t, build(t))
	n := p.start(copyNetwork(t, "real-programs", "testdata/more.yaml"))
	n.up()

	t.Run("curl through a balancer to two nginx", func(t *testing.T) {
		servers := map[string]int{}
		for range 24 {
			servers[n.must("laptop", "curl", "-sS", "--max-time", "10", "http://www.shop.internal/")]++
		}
		if len(servers) != 2 || servers["web-1"] == 0 || servers["web-2"] == 0 {
			t.Errorf("answers of %v", servers)
		}
	})
	t.Run("PostgreSQL through a balancer", func(t *testing.T) {
		got := n.must("web-1", "psql", "host=db.shop.internal user=postgres connect_timeout=10", "-AtX", "-c",
			"select count(*), sum(i) from generate_series(1, 100000) i")
		if got != "100000|5000050000" {
			t.Errorf("%s", got)
		}
	})
	t.Run("denied paths time out", func(t *testing.T) {
		out, code := n.exec("laptop", "psql", "host=db.shop.internal user=postgres connect_timeout=2", "-c", "select 1")
		if code == 0 || !strings.Contains(out, "timeout expired") {
			t.Errorf("%d %s", code, out)
		}
		// curl's exit code 28 is a timeout.
		if out, code = n.exec("laptop", "curl", "-sS", "--connect-timeout", "1", "http://db-1:5432/"); code != 28 {
			t.Errorf("%d %s", code, out)
		}
		if out, code = n.exec("laptop", "curl", "-sS", "--connect-timeout", "1", "https://shop-vault.vault.azure.net/"); code == 0 {
			t.Errorf("%d %s", code, out)
		}
	})
	t.Run("dig at 168.63.129.16", func(t *testing.T) {
		for _, how := range []string{"+notcp", "+tcp"} {
			for name, want := range map[string]string{
				"db.shop.internal": "10.0.1.100", "shop-vault.vault.azure.net": "shop-vault.privatelink.vaultcore.azure.net.",
			} {
				host := map[bool]string{true: "app", false: "laptop"}[strings.HasPrefix(name, "shop-vault")]
				if got := n.must(host, "dig", how, "+short", "@168.63.129.16", name); !strings.HasPrefix(got, want) {
					t.Errorf("%s %s: %q", how, name, got)
				}
			}
			if got := n.must("laptop", "dig", how, "@168.63.129.16", "nobody.shop.internal"); !strings.Contains(got, "status: NXDOMAIN") {
				t.Errorf("%s %s", how, got)
			}
		}
	})
	t.Run("Azure's SDK", func(t *testing.T) {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		t.Setenv(roleVariable, "sdk")
		if got := n.must("app", self); got != `correct-horse {"id": 1}` {
			t.Errorf("%s", got)
		}
	})
	for name, how := range map[string][]string{"": nil, " back": {"-R"}, " UDP": {"-u", "-b", "20M"}} {
		t.Run("iperf3"+name, func(t *testing.T) {
			out := n.must("app", append([]string{"iperf3", "-c", "speed", "-t", "1", "-J"}, how...)...)
			if rate := received(t, out); rate < 1e6 {
				t.Errorf("%.0f bit/s\n%s", rate, out)
			}
		})
	}
	t.Run("a drill while a stream runs", func(t *testing.T) {
		stream := n.command(t.Context(), "exec", "app", "--", "iperf3", "-c", "speed", "-t", "5", "-J")
		var out lines
		stream.Stdout, stream.Stderr = &out, &out
		if err := stream.Start(); err != nil {
			t.Fatal(err)
		}
		drill, code := n.run("drill", "host", "web-1", "--for", "2s")
		if code != 0 || !strings.Contains(drill, "host web-1") {
			t.Errorf("%d %s", code, drill)
		}
		if err := stream.Wait(); err != nil {
			t.Fatalf("%v\n%s", err, &out)
		}
		if rate := received(t, out.String()); rate < 1e6 {
			t.Errorf("%.0f bit/s", rate)
		}
	})
	t.Run("forward", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		forward := n.command(ctx, "forward", "0:10.0.0.100:80", "--from", "laptop")
		var out lines
		forward.Stdout, forward.Stderr = &out, &out
		if err := forward.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { cancel(); _ = forward.Wait() }()
		address := ""
		await(t.Context(), func() bool {
			_, after, ok := strings.Cut(out.String(), "127.0.0.1:")
			address, _, _ = strings.Cut("127.0.0.1:"+after, " ")
			return ok
		})
		resp, err := http.Get("http://" + strings.TrimSpace(address) + "/")
		if err != nil {
			t.Fatalf("%v\n%s", err, &out)
		}
		defer resp.Body.Close()
		if b, err := io.ReadAll(resp.Body); err != nil || !strings.HasPrefix(string(b), "web-") {
			t.Errorf("%s %v", b, err)
		}
	})
	if err := n.end(syscall.SIGINT); err != nil {
		t.Errorf("%v\n%s", err, n.out)
	}
	p.clean("after Ctrl-C")
}

// received returns the bits a second that iperf3 says arrived.
func received(t *testing.T, out string) float64 {
	t.Helper()
	var v struct {
		End struct {
			Received struct {
				Rate float64 `json:"bits_per_second"`
			} `json:"sum_received"`
		}
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return v.End.Received.Rate
}
