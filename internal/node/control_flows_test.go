package node_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/node"
)

// The table of flows says where each enters and ends, what decided, and how long
// the first reply took; --denied and --host choose.
func TestFlows(t *testing.T) {
	s, r := running(t, "../../examples/three-tier", node.UpOptions{})
	h, err := s.Net.Host("app-1")
	if err != nil {
		t.Fatal(err)
	}
	c, err := h.DialContext(t.Context(), "tcp", "10.0.2.4:6379")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = dial(t, s, "cache-1", "10.0.3.4:5432")
	table, err := r.Flows(t.Context(), "CACHE-1", false)
	if err != nil {
		t.Fatal(err)
	}
	byState := map[string]int{}
	for _, f := range table.Flows {
		byState[f.State]++
		switch f.State {
		case "open":
			if f.From != "app-1" || f.To != "cache-1" || f.Destination != "10.0.2.4:6379" || f.Protocol != "tcp" || f.ConnectMS == nil ||
				f.PacketsOut < 2 || f.PacketsBack < 1 || !slices.Equal(f.Rules, []string{"AllowVnetOutBound", "redis-from-app"}) || f.Reply == nil {
				t.Errorf("open: %+v", f)
			}
		case "denied":
			if d := f.Decision; f.From != "cache-1" || f.To != "db-1" || d.Rule != "nothing-else" || d.At != "db-1" || !strings.Contains(d.Place, "network.yaml:") || f.ConnectMS != nil {
				t.Errorf("denied: %+v", f)
			}
		}
	}
	if byState["open"] != 1 || byState["denied"] != 1 {
		t.Errorf("states %v of %+v", byState, table.Flows)
	}
	denied, err := r.Flows(t.Context(), "", true)
	if err != nil || len(denied.Flows) != 1 || denied.Flows[0].Destination != "10.0.3.4:5432" {
		t.Errorf("denied: %+v, %v", denied, err)
	}
	var text bytes.Buffer
	if err := table.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"FLOW", "BECAUSE OF", "nothing-else at db-1", "AllowVnetOutBound, redis-from-app"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the table does not say %q:\n%s", want, text.String())
		}
	}
	if _, err := r.Flows(t.Context(), "nobody", false); err == nil || !strings.Contains(err.Error(), `nothing is called "nobody"`) {
		t.Errorf("nobody: %v", err)
	}
}

// What a host asks of the platform ends there, and what the platform sends begins
// there: a health probe.
func TestFlowsOfThePlatform(t *testing.T) {
	s, r := running(t, "../../examples/real-programs", node.UpOptions{Pace: 20})
	h, err := s.Net.Host("laptop")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.LookupHost(t.Context(), "www.shop.internal"); err != nil {
		t.Fatal(err)
	}
	table, err := r.Flows(t.Context(), "laptop", false)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range table.Flows {
		if strings.HasSuffix(f.Destination, ":53") && (f.From != "laptop" || f.To != "platform") {
			t.Errorf("a query is from %s to %s", f.From, f.To)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	found := false
	if err := r.Follow(ctx, "db-1", false, nil, func(n node.FlowNews) error {
		if strings.HasPrefix(n.Source, "168.63.129.16:") {
			if found = true; n.From != "platform" || n.To != "db-1" || !slices.Contains(n.Rules, "probes") {
				t.Errorf("a probe: %+v", n.FlowRow)
			}
			cancel()
		}
		return nil
	}); err != nil || !found {
		t.Errorf("no probe: %v", err)
	}
}

// --follow tells when flows begin, are denied and end, until it is interrupted.
func TestFollow(t *testing.T) {
	s, r := running(t, "../../examples/three-tier", node.UpOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	begun, done := make(chan struct{}), make(chan error, 1)
	news := make(chan node.FlowNews, 1000)
	go func() {
		done <- r.Follow(ctx, "cache-1", false, func() { close(begun) }, func(n node.FlowNews) error { news <- n; return nil })
	}()
	<-begun
	if err := dial(t, s, "app-1", "10.0.2.4:6379"); err != nil {
		t.Error(err)
	}
	if err := dial(t, s, "app-1", "10.0.3.4:5432"); err != nil { // not of cache-1
		t.Error(err)
	}
	_ = dial(t, s, "cache-1", "10.0.3.4:5432")
	var lines []string
	for range 2 {
		n := <-news
		lines = append(lines, n.Line())
	}
	all := strings.Join(lines, "\n")
	for _, want := range []string{
		" begins: tcp 10.0.1.4:", " > 10.0.2.4:6379, app-1 to cache-1: allow: AllowVnetOutBound, redis-from-app",
		" denied: tcp 10.0.2.4:", " > 10.0.3.4:5432, cache-1 to db-1: deny: nothing-else at db-1",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not told:\n%s", want, all)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("interrupted: %v", err)
	}
	// The network's end is the follower's.
	begun = make(chan struct{})
	go func() {
		done <- r.Follow(t.Context(), "", false, func() { close(begun) }, func(node.FlowNews) error { return nil })
	}()
	<-begun
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Errorf("the network ended: %v", err)
	}
}

// Every pair of hosts, at every port that anybody serves and one that nobody
// does: what the running network did with the flow is what the design explains,
// and is what `explain` of the same two places says.
func TestLiveExplainIsTheDesigns(t *testing.T) {
	s, r := running(t, "../../examples/three-tier", node.UpOptions{})
	ports := []int{22, 443, 5432, 6379, 8080}
	verdicts := map[string]int{}
	for _, from := range s.Net.Hosts() {
		for _, to := range s.Net.Hosts() {
			if from == to {
				continue
			}
			for _, port := range ports {
				target := fmt.Sprintf("%s:%d", to.Addrs()[0], port)
				_ = dial(t, s, from.Name, target)
				x, err := r.ExplainLive(t.Context(), from.Name, fmt.Sprintf("%s:%d", to.Name, port))
				if err != nil {
					t.Fatal(err)
				}
				if !x.Same || !x.Proved {
					t.Errorf("%s to %s: %v", from.Name, target, x.Differences)
				}
				if x.Flow.From != from.Name || x.Flow.Destination != target {
					t.Errorf("%s to %s: the flow %s > %s is explained", from.Name, target, x.Flow.From, x.Flow.Destination)
				}
				design, err := s.Design.Explain(from.Name, fmt.Sprintf("%s:%d", to.Name, port), node.Ask{})
				if err != nil {
					t.Fatal(err)
				}
				if works := x.Running.Decision.Verdict == "allow"; works != design.Works() {
					t.Errorf("%s to %s: running %s, the design explains that it works: %v", from.Name, target, x.Running.Decision.Text, design.Works())
				}
				var text bytes.Buffer
				if err := design.WriteText(&text, false, false); err != nil {
					t.Fatal(err)
				}
				if rule := x.Running.Decision.Rule; rule != "" && !strings.Contains(text.String(), rule) {
					t.Errorf("%s to %s: denied by %s, the design explains\n%s", from.Name, target, rule, text.String())
				}
				verdicts[x.Running.Decision.Verdict]++
			}
		}
	}
	if verdicts["allow"] < 5 || verdicts["deny"] < 50 {
		t.Errorf("verdicts %v: the test proves little", verdicts)
	}
	for words, want := range map[string]string{
		"nobody db-1:5432": "no flow from nobody to db-1:5432 lives",
		"12":               "flow 12 is over",
		"x":                `"x" is no flow's number`,
		"app-1 db-1:x/1":   "use PLACE:PORT",
	} {
		if _, err := r.ExplainLive(t.Context(), strings.Fields(words)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", words, err)
		}
	}
}

// The metrics are served to Prometheus and over the control socket, in its
// format, with what the network did.
func TestMetrics(t *testing.T) {
	s, r := running(t, "../../examples/three-tier", node.UpOptions{Metrics: "127.0.0.1:0"})
	if err := dial(t, s, "app-1", "10.0.2.4:6379"); err != nil {
		t.Error(err)
	}
	_ = dial(t, s, "cache-1", "10.0.3.4:5432")
	var text bytes.Buffer
	if err := r.Metrics(t.Context(), &text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"# TYPE cerulean_packets_total counter\n",
		`cerulean_flows_denied_total{network="three-tier"} 1` + "\n",
		`cerulean_rule_flows_total{action="deny",direction="inbound",group="data",network="three-tier",rule="nothing-else",stage="subnet rules"} 1` + "\n",
		`cerulean_rule_flows_total{action="allow",direction="inbound",group="cache",network="three-tier",rule="redis-from-app",stage="subnet rules"} 1` + "\n",
		`cerulean_port_packets_total{direction="outbound",network="three-tier",port="app-1"} `,
		`cerulean_tcp_connect_seconds_count{host="cache-1",network="three-tier",service="tcp/6379"} 1` + "\n",
		`cerulean_tcp_connect_quantile_seconds{host="cache-1",network="three-tier",quantile="0.99",service="tcp/6379"} `,
		`cerulean_lost_packets_total{fault="malformed",network="three-tier"} 0` + "\n",
		"cerulean_build_info{", "cerulean_goroutines{",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the metrics do not say %q", want)
		}
	}
	if t.Failed() {
		t.Log(text.String())
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.MetricsAddr()+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK || !bytes.Contains(b, []byte("cerulean_flows{")) {
		t.Errorf("scrape: %d, %v, %d bytes", resp.StatusCode, err, len(b))
	}
	http.DefaultClient.CloseIdleConnections()
}
