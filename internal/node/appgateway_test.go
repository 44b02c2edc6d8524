package node

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/arm"
	"github.com/ceruleannet/cerulean/internal/drill"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/observe"
	"github.com/ceruleannet/cerulean/internal/paas"
	"github.com/ceruleannet/cerulean/model"
)

// upWith runs a network, given or one of the examples, changed.
func upWith(t *testing.T, path string, o UpOptions, change ...string) *System {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for i := 0; i < len(change); i += 2 {
		if !bytes.Contains(text, []byte(change[i])) {
			t.Fatalf("%s has no %q", path, change[i])
		}
		text = bytes.Replace(text, []byte(change[i]), []byte(change[i+1]), 1)
	}
	file := filepath.Join(dir, "network.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Up(t.Context(), file, o, func(Event) {})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if left := s.Net.Leaked(); left != "" {
			t.Error(left)
		}
	})
	return s
}

// The examples hold, by proof and by requests; and each expectation notices when
// what it is about is broken.
func TestGatewayExamples(t *testing.T) {
	const api, models = "../../examples/api-gateway/network.yaml", "../../examples/model-gateway/network.yaml"
	for _, c := range []struct {
		name, path string
		change     []string
		broken     []string // expectations, by a part of their names
	}{
		{"api", api, nil, nil},
		{"models", models, nil, nil},
		// The member's security group lets the gateway's packets in no more.
		{"members closed", api, []string{"{name: gateway, allow: api-gateway -> any tcp/8080}", "{name: gateway, allow: 10.9.9.9 -> any tcp/8080}"}, []string{"https://api.shop.example/ ", "/stock/7 (status 200)", "http://api.shop.example/orders/7", "-> orders-1", "-> orders-next"}},
		// The gateway's own security group keeps the internet out.
		{"edge closed", api, []string{"allow: internet -> any http https", "allow: 192.0.2.1 -> any http https"}, []string{"https://api.shop.example/ ", "orders need a token", "/stock/7 (status 200)", "status 301"}},
		// Orders need no token.
		{"no token", api, []string{"token: {issuer", "cors: {origins: [\"*\"]}\n        # {issuer"}, []string{"orders need a token"}},
		// A listener that nobody asks.
		{"another host", api, []string{"{port: 8080, timeout: 5, probe: alive, drain: 10}", "{port: 8081, timeout: 5, probe: alive, drain: 10}"}, []string{"https://api.shop.example/ ", "/stock/7 (status 200)", "http://api.shop.example/orders/7", "-> orders-1", "-> orders-next"}},
		// The endpoint's certificate is not for the name it is asked for.
		{"wrong host", models, []string{"host: contoso.models.example, timeout", "host: other.example, timeout"}, []string{"a customer asks"}},
		// The firewall looks and blocks nothing.
		{"detection", models, []string{"mode: Prevention", "mode: Detection"}, []string{"administration closed", "look at what is asked"}},
		{"egress", models, []string{"allow: any -> 198.51.100.77 https", "allow: any -> 198.51.100.78 https"}, []string{"a customer asks", "-> 198.51.100.77 https"}},
		// A customer without a certificate of the authority: asked from elsewhere.
		{"no certificate", models, []string{"    address: 192.0.2.50", "    address: 192.0.2.51"}, []string{"a customer asks", "administration closed", "look at what is asked"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := upWith(t, c.path, UpOptions{}, c.change...)
			if s.Failed() != (len(c.broken) > 0) {
				t.Errorf("failed: %v", s.Failed())
			}
			for i, r := range s.Rows() {
				bad := r.Proof != "holds" || len(r.Requests) > 0
				want := slices.ContainsFunc(c.broken, func(part string) bool { return strings.Contains(r.Expectation, part) })
				if bad != want {
					t.Errorf("%s: proof %s, requests %q, %s", r.Expectation, r.Proof, r.Requests, s.Report.Findings[i].Why)
				}
				if r.Contradiction != "" {
					t.Errorf("%s: %s", r.Expectation, r.Contradiction)
				}
			}
		})
	}
}

// asking sends requests from a host until it is told to end, and returns how many
// there were, and those that failed.
func asking(t *testing.T, s *System, host, url string, workers int) (end func() (sent int64, failed []string)) {
	t.Helper()
	h, err := s.Net.Host(host)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var sent atomic.Int64
	var mu sync.Mutex
	var failed []string
	var all sync.WaitGroup
	transport := &http.Transport{DialContext: h.DialContext, MaxIdleConnsPerHost: workers}
	for range workers {
		all.Go(func() {
			client := &http.Client{Transport: transport, Timeout: 20 * time.Second}
			for ctx.Err() == nil {
				resp, err := client.Get(url)
				sent.Add(1)
				text := ""
				if err != nil {
					text = err.Error()
				} else {
					_, err = io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
					if err != nil || resp.StatusCode != 200 {
						text = fmt.Sprint(resp.Status, " ", err)
					}
				}
				if text != "" {
					mu.Lock()
					failed = append(failed, text)
					mu.Unlock()
				}
			}
		})
	}
	// It has begun once every worker could have had an answer.
	until(t, "requests are answered", func() bool { return sent.Load() >= int64(4*workers) })
	return func() (int64, []string) {
		cancel()
		all.Wait()
		transport.CloseIdleConnections()
		return sent.Load(), failed
	}
}

// until waits for something that others do.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-ctx.Done():
			t.Fatal("it did not happen: ", what)
		case <-tick.C:
		}
	}
}

const apiExample = "../../examples/api-gateway/network.yaml"

// A change of the document in the cloud comes into force without one failed
// request; a wrong one is told, and the last good one stays.
func TestGatewayFollowsTheCloud(t *testing.T) {
	s := upWith(t, apiExample, UpOptions{NoProbe: true})
	end := asking(t, s, "app", "http://api.shop.example/stock/1", 4)
	var doc *model.Resource
	for _, r := range s.Cloud.Snapshot() {
		if r.ID.Is(model.TypeAppGateway) {
			doc = r
		}
	}
	put := func(change func(string) string) {
		t.Helper()
		b, _ := json.Marshal(doc.Doc)
		var changed map[string]any
		if err := json.Unmarshal([]byte(change(string(b))), &changed); err != nil {
			t.Fatal(err)
		}
		s.followed(append(slices.DeleteFunc(placed(s.Cloud.Snapshot(), nil), func(r *model.Resource) bool { return r.ID.Equal(doc.ID) }), &model.Resource{ID: doc.ID, Doc: changed}))
	}
	before := s.Gateways()[0].Loaded
	for i := range 20 {
		put(func(text string) string {
			return strings.ReplaceAll(text, `"requestTimeout":5`, fmt.Sprintf(`"requestTimeout":%d`, 10+i%2))
		})
	}
	if now := s.Gateways()[0]; !now.Loaded.After(before) || now.Problem != "" {
		t.Errorf("%+v", now)
	}
	put(func(text string) string {
		return strings.ReplaceAll(text, `"redirectType":"Permanent"`, `"redirectType":"Sometimes"`)
	})
	if now := s.Gateways()[0]; !strings.Contains(now.Problem, "Sometimes") {
		t.Errorf("problem %q", now.Problem)
	}
	sent, failed := end()
	if len(failed) > 0 {
		t.Errorf("%d of %d requests failed: %v", len(failed), sent, failed[0])
	}
}

// A member that dies under load costs at most the requests that were with it,
// and none once the probes know.
func TestGatewayFailsOver(t *testing.T) {
	s := upWith(t, apiExample, UpOptions{NoProbe: true, Pace: 50}, "timeout: 5, probe", "timeout: 1, probe")
	const workers = 4
	end := asking(t, s, "app", "http://api.shop.example/x", workers)
	target, err := drill.Parse(s.Net.Declared(), "host", "orders-1")
	if err != nil {
		t.Fatal(err)
	}
	restore := s.Net.Fail(func(img *fabric.Image) fabric.Failure {
		f, err := target.Failure(img)
		if err != nil {
			t.Error(err)
		}
		return f
	})
	down := func() bool {
		for _, m := range s.Gateways()[0].Members {
			if strings.HasPrefix(m.Member, addrOf(t, s, "orders-1").String()+":") && !m.Healthy {
				return true
			}
		}
		return false
	}
	until(t, "the probes notice", down)
	sent, failed := end()
	if len(failed) > workers {
		t.Errorf("%d of %d requests failed, more than were under way: %v", len(failed), sent, failed)
	}
	t.Logf("%d of %d requests failed", len(failed), sent)
	health, ok := s.gateways.BackendHealth(s.gateways.all()[0].id)
	if !ok || !slices.ContainsFunc(health, func(m arm.BackendMember) bool { return m.Health == "Down" }) || !slices.ContainsFunc(health, func(m arm.BackendMember) bool { return m.Health == "Up" }) {
		t.Errorf("backend health %+v", health)
	}
	// The rest of them take all requests.
	calm := asking(t, s, "app", "http://api.shop.example/x", workers)
	if sent, failed := calm(); len(failed) > 0 {
		t.Errorf("%d of %d requests failed although the probes know: %v", len(failed), sent, failed[0])
	}
	restore()
	until(t, "the member is back", func() bool { return !down() })
}

func addrOf(t *testing.T, s *System, host string) netip.Addr {
	t.Helper()
	h, err := s.Net.Host(host)
	if err != nil {
		t.Fatal(err)
	}
	return h.Addrs()[0]
}

// Canary weights: of ten members' shares one has nine, the other one.
func TestGatewayShares(t *testing.T) {
	s := upWith(t, apiExample, UpOptions{NoProbe: true})
	h, err := s.Net.Host("app")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for range 190 {
		r := h.Get(t.Context(), "http://api.shop.example/", nil)
		if r.Status != 200 {
			t.Fatal(r.Status, r.Err)
		}
		got[strings.TrimSpace(string(r.Body))]++
	}
	if got["orders-next"] != 10 || got["orders-1"] != 90 || got["orders-2"] != 90 {
		t.Errorf("%v", got)
	}
}

// All members down: 502, and not a word of a member.
func TestGatewayWithoutMembers(t *testing.T) {
	s := upWith(t, apiExample, UpOptions{NoProbe: true, Pace: 50}, "path: /alive, interval", "path: /alive, port: 1, interval", "allow: api-gateway -> any tcp/8080", "allow: api-gateway -> any tcp/1 tcp/8080")
	until(t, "all are down", func() bool {
		return !slices.ContainsFunc(s.gateways.members(), func(m observe.GatewayMember) bool { return m.Up })
	})
	h, err := s.Net.Host("app")
	if err != nil {
		t.Fatal(err)
	}
	if r := h.Get(t.Context(), "http://api.shop.example/", nil); r.Status != 502 {
		t.Error(r.Status, r.Err)
	}
}

// Logs have the columns of the tables they are for.
func TestGatewayLogs(t *testing.T) {
	logs := t.TempDir()
	s := upWith(t, "../../examples/model-gateway/network.yaml", UpOptions{FlowLogs: logs})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for table, want := range map[string]string{"AGWAccessLogs": `"ListenerName":"api"`, "AGWFirewallLogs": `"RuleId"`} {
		b, err := os.ReadFile(filepath.Join(logs, table, "model-gateway.json"))
		if err != nil || !strings.Contains(string(b), want) {
			t.Errorf("%s: %v %s", table, err, b)
		}
	}
}

// A certificate of a key vault is the listener's.
func TestGatewayCertificateOfVault(t *testing.T) {
	s := upWith(t, apiExample, UpOptions{NoProbe: true})
	vault := model.GroupID("s", "g").Resource(model.TypeKeyVault, "keys")
	g := &appGateways{system: s, secrets: heldSecrets{"cert": "text"}}
	resources := []*model.Resource{{ID: vault}}
	as := func(objects ...string) *model.Resource {
		users := map[string]any{}
		for _, o := range objects {
			users["/identities/"+o] = map[string]any{"principalId": o}
		}
		if len(users) == 0 {
			return &model.Resource{} // of the short form
		}
		return &model.Resource{Doc: map[string]any{"identity": map[string]any{"userAssignedIdentities": users}}}
	}
	unknown := &model.Resource{Doc: map[string]any{"identity": map[string]any{"type": "UserAssigned", "userAssignedIdentities": map[string]any{"/identities/x": map[string]any{}}}}}
	if _, err := g.secret(unknown, resources, "https://keys.vault.azure.net/secrets/cert"); err == nil || !strings.Contains(err.Error(), "UserAssigned is known") {
		t.Errorf("an identity that nobody knows: %v", err)
	}
	for _, of := range []*model.Resource{as(), as("reader"), as("other", "reader")} {
		if b, err := g.secret(of, resources, "https://keys.vault.azure.net/secrets/cert"); err != nil || string(b) != "text" {
			t.Errorf("%q %v", b, err)
		}
	}
	if _, err := g.secret(as("other"), resources, "https://keys.vault.azure.net/secrets/cert"); err == nil || !strings.Contains(err.Error(), "other may not") {
		t.Errorf("without a role: %v", err)
	}
	for _, id := range []string{"https://other.vault.azure.net/secrets/cert", "https://keys.vault.azure.net/secrets/none", "https://keys.vault.azure.net/keys/x", "nonsense"} {
		if _, err := g.secret(as(), resources, id); err == nil {
			t.Errorf("%s is a secret", id)
		}
	}
}

type heldSecrets map[string]string

func (h heldSecrets) Held(_ model.ID, name, _ string) (string, bool) {
	v, ok := h[name]
	return v, ok
}

func (h heldSecrets) Readable(_ model.ID, _, object string) error {
	if object != "reader" {
		return fmt.Errorf("%s may not", object)
	}
	return nil
}

var _ secretHolder = (*paas.Planes)(nil)

// A URL is explained with the places of what decides.
func TestExplainURL(t *testing.T) {
	d, err := Open("../../examples/api-gateway", LockRead)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		from, url string
		ok        bool
		want      []string
	}{
		{"internet", "https://api.shop.example/orders/7", true, []string{"no zone of the network has", "listener  api", "path      orders (/orders/*)", "pool      orders", "network.yaml:", "not rule api, path orders: pattern /orders does not match", "it gets there"}},
		{"app", "http://api.shop.example/x", true, []string{"api.shop.example -> 10.0.0.10, zone shop.example", "listener  inside", "load distribution inside"}},
		{"app", "https://api.shop.example/x", false, []string{"does not work", "no rule of api-gateway takes"}},
		{"internet", "https://elsewhere.example/", false, []string{"has no address"}},
		{"internet", "http://api.shop.example/", true, []string{"redirect  https://api.shop.example"}},
	} {
		x, err := d.ExplainURL(c.from, c.url)
		if err != nil {
			t.Errorf("%s: %v", c.url, err)
			continue
		}
		var text strings.Builder
		if err := x.WriteText(&text); err != nil || x.OK != c.ok {
			t.Errorf("%s from %s: %v, ok %v", c.url, c.from, err, x.OK)
		}
		for _, want := range c.want {
			if !strings.Contains(text.String(), want) {
				t.Errorf("%s from %s has no %q:\n%s", c.url, c.from, want, text.String())
			}
		}
	}
	if _, err := d.ExplainURL("nobody", "https://api.shop.example/"); err == nil {
		t.Error("nobody asks")
	}
	if _, err := d.ExplainURL("app", "ftp://api.shop.example/"); err == nil {
		t.Error("ftp is no http")
	}
}

// drilled drills. A machine that is too busy to tell shows nothing but that the
// drill ends.
func drilled(t *testing.T, s *System, o DrillOptions) *drill.Report {
	t.Helper()
	r, err := s.Drill(t.Context(), o, func(drill.Event) {})
	if err != nil {
		t.Fatal(err)
	}
	if r.Busy != "" {
		if !r.OK() {
			t.Errorf("worse than predicted, and %s", r.Busy)
		}
		t.Skip(r.Busy)
	}
	return r
}

// A drill sends requests through the gateway while a member dies: what they cost until
// its probes have noticed, and nothing from then on.
func TestDrillRequests(t *testing.T) {
	s := upWith(t, apiExample, UpOptions{NoProbe: true, Pace: 20}, "timeout: 5, probe", "timeout: 1, probe")
	report := drilled(t, s, DrillOptions{Target: []string{"host", "orders-1"}})
	var text strings.Builder
	if err := report.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	t.Log(text.String())
	lost := 0
	for _, r := range report.Requests {
		if r.Lost > 0 {
			lost++
		}
		if r.Sent.Noticed == 0 || r.Comparison != drill.AsPredicted {
			t.Errorf("%+v", r)
		}
	}
	if lost == 0 || !report.OK() {
		t.Error("no request was to a pool that loses a member")
	}
	b, err := json.Marshal(report)
	if err != nil || !bytes.Contains(b, []byte(`"requests":[{"url":"http`)) || !bytes.Contains(b, []byte(`"untilNoticed":`)) {
		t.Errorf("%s, %v", b, err)
	}
}
