package node

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/drill"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/traffic/frontdoor"
	"github.com/ceruleannet/cerulean/model"
)

// The claims about a front door notice when what they are about is broken, at each
// of their legs.
func TestFrontDoorClaims(t *testing.T) {
	const fiscal = "../../examples/fiscal/network.yaml"
	const edges, invoices, analytics, plain = "https (edge to fiscal-gateway-", "/invoices/1", "/analytics/today", "http://www.fiscal.example/"
	for _, c := range []struct {
		name   string
		change []string
		broken []string // expectations, by a part of their names
	}{
		{"as it is", nil, nil},
		// The gateways' security group lets nobody's edges in.
		{"edges kept out", []string{"allow: AzureFrontDoor.Backend -> any http", "allow: 192.0.2.80 -> any http"}, []string{edges, invoices, analytics}},
		// The services' security group lets the gateways in no more.
		{"members closed", []string{"allow: edge -> any tcp/8080", "allow: edge -> any tcp/8081"}, []string{invoices, analytics}},
		// The route is for something else.
		{"no route", []string{"all: {origin-group: gateways, forwarding: http}", "all: {origin-group: gateways, forwarding: http, paths: [/invoices/*]}", `      analytics: {paths: ["/analytics/*"], origin-group: analytics, forwarding: http}` + "\n", ""}, []string{analytics, plain}},
		// Plain requests are answered where they come: which status the services give
		// is theirs, so only the request tells.
		{"no redirect", []string{"all: {origin-group: gateways, forwarding: http}", "all: {origin-group: gateways, forwarding: http, https-redirect: false}"}, []string{plain}},
		// The gateways do not listen there.
		{"another port", []string{`{"gateway-{region}": {}}`, `{"gateway-{region}": {port: 81}}`, `{"gateway-{region}": {}}`, `{"gateway-{region}": {port: 81}}`}, []string{edges, invoices, analytics}},
		// Of two origins one is not reached, and nobody finds that out.
		{"one origin, not probed", []string{`{"gateway-{region}": {}}`, `{gateway-westeurope: {}, gateway-northeurope: {port: 81}}`, `{"gateway-{region}": {}}`, `{gateway-westeurope: {}, gateway-northeurope: {port: 81}}`, "        probe: {path: /alive, interval: 10}\n", "", "        probe: {path: /analytics/alive, interval: 10}\n", ""}, []string{edges, invoices, analytics}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := upWith(t, fiscal, UpOptions{}, c.change...)
			for i, r := range s.Rows() {
				if !strings.Contains(r.Expectation, "fiscal.example") {
					continue
				}
				bad := r.Proof != "holds" || len(r.Requests) > 0
				want := slices.ContainsFunc(c.broken, func(part string) bool { return strings.Contains(r.Expectation, part) })
				if c.name == "one origin, not probed" && strings.Contains(r.Expectation, "gateway-westeurope") {
					want = false
				}
				if bad != want {
					t.Errorf("%s: proof %s, requests %q, %s", r.Expectation, r.Proof, r.Requests, s.Report.Findings[i].Why)
				}
				if strings.Contains(r.Expectation, edges) && len(s.Probes[i].Probes) == 0 {
					t.Errorf("%s: no packets were tried", r.Expectation)
				}
				if c.name != "no redirect" && r.Proof == "holds" && len(r.Requests) > 0 {
					t.Errorf("%s: proved, and yet %q", r.Expectation, r.Requests)
				}
			}
		})
	}
}

const doorNetwork = `
network: shop
regions: [westeurope, eastus]
networks:
  - name: net-{region}
    each: region
    subnets:
      web: {nsg: web, hosts: {"web-{region}": {serves: [http/80], public-ip: true}}}
      apps: {hosts: {"app-{region}": {}}, default-outbound-access: true}
nsgs:
  web: {inbound: [{name: edges, allow: AzureFrontDoor.Backend -> any http}]}
internet:
  tokyo.example: {address: 192.0.2.80, region: japaneast}
front-doors:
  - name: shop
    domains: {www.shop.example: {}}
    origin-groups:
      web: {origins: {"web-{region}": {}}, samples: 1, successful: 1, probe: {interval: 30}}
    routes:
      all: {forwarding: http}
      kept: {forwarding: http, paths: [/kept/*], cache: {compress: true}}
`

func upDoor(t *testing.T, o UpOptions) *System {
	t.Helper()
	file := filepath.Join(t.TempDir(), "network.yaml")
	if err := os.WriteFile(file, []byte(doorNetwork), 0o600); err != nil {
		t.Fatal(err)
	}
	return upWith(t, file, o)
}

// requested asks for a page from a host and returns what came, with the edge that
// answered.
func requested(t *testing.T, s *System, logs, host, url string) (page, pop, cache string) {
	t.Helper()
	h, err := s.Net.Host(host)
	if err != nil {
		t.Fatal(err)
	}
	got := h.Get(t.Context(), url, s.listensAt(&model.Expectation{To: model.Selector{Prefixes: doorPrefix(s)}, Request: &model.Request{URL: url, FrontDoor: "shop"}})(true))
	if got.Err != nil {
		return got.Err.Error(), "", ""
	}
	ref := got.Header.Get("X-Azure-Ref")
	for range 200 { // the line is written once the answer is
		b, err := os.ReadFile(filepath.Join(logs, "FrontDoorAccessLog", "shop.json"))
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(b) {
			var r frontdoor.Record
			if json.Unmarshal(line, &r) == nil && r.TrackingReference == ref {
				return strings.TrimSpace(string(got.Body)), r.Pop, got.Header.Get("X-Cache")
			}
		}
		<-time.After(10 * time.Millisecond)
	}
	t.Fatalf("no line of the access log for %s", url)
	return "", "", ""
}

// The nearest edge answers, asks the nearest origin, keeps answers until they are
// purged, and goes on elsewhere when a region fails.
func TestFrontDoorRuns(t *testing.T) {
	logs := t.TempDir()
	s := upDoor(t, UpOptions{FlowLogs: logs, Pace: 1000})
	const page, kept = "https://www.shop.example/", "https://www.shop.example/kept/x"
	for host, want := range map[string]string{
		"app-westeurope": "web-westeurope westeurope", "app-eastus": "web-eastus eastus", "tokyo.example": "web-eastus japaneast", "internet": "web-eastus eastus",
	} {
		if p, pop, _ := requested(t, s, logs, host, page); p+" "+pop != want {
			t.Errorf("%s: %s by %s, want %s", host, p, pop, want)
		}
	}
	status := s.FrontDoors()
	if len(status) != 1 || len(status[0].Edges) != 3 || len(status[0].Names) != 2 || status[0].Problem != "" || len(status[0].Edges[0].Origins) != 2 {
		t.Errorf("%+v", status)
	}
	// What a drill goes by: the origins' addresses inside, and how long probes need.
	taken := &model.Expectation{From: model.Selector{Internet: true}, Request: &model.Request{URL: page, FrontDoor: "Shop"}}
	if x, ok := s.doors.takes(taken); !ok || x.Gateway != "shop" || x.Pool != "web" || len(x.Members) != 2 || !x.Members[0].IsPrivate() || x.Named || x.Within <= 0 {
		t.Errorf("%+v %v", x, ok)
	}
	told, err := s.doctorURL(t.Context(), "app-westeurope", page)
	if err != nil || !told.OK {
		t.Fatal(err, told)
	}
	steps := fmt.Sprint(told.Steps)
	for _, want := range []string{"shop: edge in westeurope, route all, origin group web", "web-westeurope: status 200", "GET https://www.shop.example/: 200"} {
		if !strings.Contains(steps, want) {
			t.Errorf("nothing of %q in %s", want, steps)
		}
	}
	back := s.doors.setPace(1)
	if x, _ := s.doors.takes(taken); x.Within < 30*time.Second {
		t.Errorf("at another pace within %s", x.Within)
	}
	back()

	requested(t, s, logs, "app-westeurope", kept)
	if n := s.doors.all()[0].server.Purge("www.shop.example", "/kept/*"); n > 1 {
		t.Error(n)
	}

	restore := s.Net.Fail(func(img *fabric.Image) fabric.Failure {
		target, err := drill.Parse(img, "region", "westeurope")
		if err != nil {
			t.Error(err)
			return fabric.Failure{}
		}
		f, err := target.Failure(img)
		if err != nil {
			t.Error(err)
		}
		return f
	})
	healthy := func(origin string) bool {
		return !slices.ContainsFunc(s.doors.all()[0].server.Health(), func(h frontdoor.Health) bool { return h.Origin == origin && !h.Healthy })
	}
	wait := func(what string, done func() bool) {
		t.Helper()
		for range 1000 {
			if done() {
				return
			}
			<-time.After(10 * time.Millisecond)
		}
		t.Fatalf("not %s: %+v", what, s.doors.all()[0].server.Health())
	}
	wait("noticed at every edge", func() bool {
		return !slices.ContainsFunc(s.doors.all()[0].server.Health(), func(h frontdoor.Health) bool { return h.Origin == "web-westeurope" && h.Healthy })
	})
	for _, host := range []string{"app-eastus", "tokyo.example"} {
		if p, _, _ := requested(t, s, logs, host, page); p != "web-eastus" {
			t.Errorf("%s: %s", host, p)
		}
	}
	restore()
	wait("well again", func() bool { return healthy("web-westeurope") })
	if p, pop, _ := requested(t, s, logs, "app-westeurope", page); p+" "+pop != "web-westeurope westeurope" {
		t.Error(p, pop)
	}
	if b, err := os.ReadFile(filepath.Join(logs, "FrontDoorHealthProbeLog", "shop.json")); err != nil || !bytes.Contains(b, []byte(`"originName":"web-westeurope"`)) {
		t.Error("no failed probe in the log", err)
	}
}

// doorPrefix is the address of the network's front door.
func doorPrefix(s *System) (out []netip.Prefix) {
	for _, d := range s.Design.doors() {
		out = append(out, netip.PrefixFrom(d.Addr, d.Addr.BitLen()))
	}
	return out
}

// What changes in the cloud comes into force, and what is wrong there changes
// nothing and is told.
func TestFrontDoorFollows(t *testing.T) {
	logs := t.TempDir()
	s := upDoor(t, UpOptions{FlowLogs: logs})
	run := s.doors.all()[0]
	resources := placed(s.Cloud.Snapshot(), s.Design.Network().Resources)
	changed := func(name string, change func(map[string]any)) []*model.Resource {
		out := slices.Clone(resources)
		for i, r := range out {
			if r.ID.Is(model.TypeDoorRoute) && r.ID.Name() == name {
				out[i] = r.Clone()
				change(out[i].Properties())
			}
		}
		return out
	}
	if err := s.doors.follow(changed("all", func(p map[string]any) { p["originPath"] = "/elsewhere"; p["patternsToMatch"] = []any{"/only/*"} })); err != nil {
		t.Fatal(err)
	}
	if p, _, _ := requested(t, s, logs, "app-eastus", "https://www.shop.example/"); !strings.Contains(p, "no route") {
		t.Error(p)
	}
	err := s.doors.follow(changed("all", func(p map[string]any) { p["forwardingProtocol"] = "Moon" }))
	if err == nil || !strings.Contains(err.Error(), `forwarding "Moon"`) || s.FrontDoors()[0].Problem == "" {
		t.Error(err, s.FrontDoors()[0].Problem)
	}
	if p, _, _ := requested(t, s, logs, "app-eastus", "https://www.shop.example/"); !strings.Contains(p, "no route") {
		t.Error("what is wrong came into force:", p)
	}
	if err := s.doors.follow(resources); err != nil || s.FrontDoors()[0].Problem != "" {
		t.Error(err)
	}
	if p, _, _ := requested(t, s, logs, "app-eastus", "https://www.shop.example/"); p != "web-eastus" {
		t.Error(p)
	}
	gone := slices.DeleteFunc(slices.Clone(resources), func(r *model.Resource) bool { return r.ID.Is(model.TypeFrontDoor) })
	if err := s.doors.follow(gone); err != nil || len(s.doors.all()) != 0 {
		t.Error(err)
	}
	if _, ok := s.Net.Edge(edgeName(run.id, "eastus")); ok {
		t.Error("its edges are still there")
	}
}

// explain says which edge, domain, route and origins, and why the others not.
func TestExplainFrontDoor(t *testing.T) {
	file := filepath.Join(t.TempDir(), "network.yaml")
	if err := os.WriteFile(file, []byte(doorNetwork), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := Open(file, LockWrite)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		from, url string
		ok        bool
		want      []string
	}{
		{"app-eastus", "https://www.shop.example/kept/x", true, []string{
			"the nearest edge is that in eastus", "not route all: route kept is for a more exact domain or path", "route     kept (/kept/*)", "answers are kept",
			"web-westeurope.westeurope.cloudapp.azure.com:80, asked for www.shop.example", "not now, as another is faster", "takes 100%", "X-Azure-FDID: ",
		}},
		{"internet", "http://www.shop.example/x", true, []string{"is outside the network", "redirect  307 to https://www.shop.example/x"}},
		{"192.0.2.80", "https://www.shop.example/", true, []string{"client    in japaneast, so the nearest edge is that in japaneast"}},
	} {
		x, err := d.ExplainURL(c.from, c.url)
		if err != nil {
			t.Errorf("%s: %v", c.url, err)
			continue
		}
		var b strings.Builder
		if err := x.WriteText(&b); err != nil {
			t.Fatal(err)
		}
		if x.OK != c.ok {
			t.Errorf("%s: %v %s", c.url, x.OK, x.Why)
		}
		for _, want := range c.want {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%s: nothing of %q in\n%s", c.url, want, b.String())
			}
		}
		if doc, err := json.Marshal(x); err != nil || !strings.Contains(string(doc), `"frontDoor":{"frontDoor":"shop"`) {
			t.Error(err, string(doc))
		}
	}
}

// A domain's certificate is that of its files, where it has some; nobody in the
// network trusts that authority here.
func TestFrontDoorCertificate(t *testing.T) {
	dir := t.TempDir()
	cert, key := selfSigned(t, dir, "own.example")
	file := filepath.Join(dir, "network.yaml")
	text := strings.Replace(doorNetwork, "{www.shop.example: {}}", fmt.Sprintf("{www.shop.example: {}, own.example: {certificate: %q, key: %q}}", cert, key), 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Up(t.Context(), file, UpOptions{}, func(Event) {})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	h, err := s.Net.Host("app-westeurope")
	if err != nil {
		t.Fatal(err)
	}
	if got := h.Get(t.Context(), "https://www.shop.example/", nil); got.Status != 200 {
		t.Error(got.Err)
	}
	if got := h.Get(t.Context(), "https://own.example/", nil); got.Err == nil || !strings.Contains(got.Err.Error(), "unknown authority") {
		t.Error(got.Status, got.Err)
	}
	// Another file is another certificate; one that is none is told, and nothing starts.
	if err := os.WriteFile(filepath.Join(dir, "bad.pem"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(text, cert, "bad.pem", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if bad, err := Up(t.Context(), file, UpOptions{}, func(Event) {}); err == nil || !strings.Contains(err.Error(), "certificate of own.example") || !strings.Contains(err.Error(), "network.yaml:") {
		t.Error(err)
		if bad != nil {
			bad.Close()
		}
	}
}

// selfSigned writes a certificate for a name, and returns its files' names.
func selfSigned(t *testing.T, dir, name string) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"own.pem": {Type: "CERTIFICATE", Bytes: der}, "own-key.pem": {Type: "EC PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return "own.pem", "own-key.pem"
}
