package arm_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/arm"
	"github.com/ceruleannet/cerulean/internal/state"
)

const (
	subscription = "/subscriptions/11111111-1111-1111-1111-111111111111"
	group        = subscription + "/resourceGroups/Net"
	network      = group + "/providers/Microsoft.Network"
	version      = "?api-version=2025-01-01"
)

// clock is a clock tests set.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// cloud is a server on loopback with a client signed in to it.
type cloud struct {
	t        testing.TB
	server   *arm.Server
	store    state.Store
	identity *arm.Identity
	clock    *clock
	base     string
	client   *http.Client
	token    string
}

func newCloud(t testing.TB, change ...func(*arm.Config)) *cloud {
	t.Helper()
	id, err := arm.OpenIdentity("")
	if err != nil {
		t.Fatal(err)
	}
	store, err := arm.OpenStore("")
	if err != nil {
		t.Fatal(err)
	}
	c := &cloud{t: t, store: store, identity: id, clock: &clock{now: time.Now()}}
	cfg := arm.Config{Store: store, Identity: id, Now: c.clock.Now}
	for _, f := range change {
		f(&cfg)
	}
	c.store, c.identity = cfg.Store, cfg.Identity
	id = cfg.Identity
	if c.server, err = arm.New(cfg); err != nil {
		t.Fatal(err)
	}
	l, err := arm.Listen("")
	if err != nil {
		t.Fatal(err)
	}
	c.base = "https://" + l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.server.Serve(ctx, l) }()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: id.CertPool()}, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 64}
	c.client = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
		if err := c.store.Close(); err != nil {
			t.Errorf("closing the store: %v", err)
		}
	})
	c.token = c.signIn(c.base + "/.default")
	return c
}

func (c *cloud) signIn(scope string) string {
	c.t.Helper()
	resp, err := c.client.PostForm(c.base+"/"+c.identity.TenantID+"/oauth2/v2.0/token", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {c.identity.ClientID}, "client_secret": {c.identity.ClientSecret}, "scope": {scope},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	var body struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil || body.Token == "" {
		c.t.Fatalf("token: %d %v", resp.StatusCode, err)
	}
	return body.Token
}

// answer is what the server said.
type answer struct {
	status int
	header http.Header
	raw    []byte
	body   map[string]any
}

// code returns the error's code.
func (a answer) code() string { return str(a.body, "error", "code") }

func (a answer) message() string { return str(a.body, "error", "message") }

// at follows names and indexes through JSON.
func at(v any, path ...any) any {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[p]
		case int:
			s, _ := v.([]any)
			if p >= len(s) {
				return nil
			}
			v = s[p]
		}
	}
	return v
}

func str(v any, path ...any) string {
	s, _ := at(v, path...).(string)
	return s
}

// do sends a request; path may be absolute, headers are "Name: value".
func (c *cloud) do(method, path, body string, headers ...string) answer {
	c.t.Helper()
	if !strings.HasPrefix(path, "https://") {
		path = c.base + path
	}
	if !strings.Contains(path, "?") {
		path += version
	}
	req, err := http.NewRequest(method, path, bytes.NewReader([]byte(body)))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	a := answer{status: resp.StatusCode, header: resp.Header}
	if a.raw, err = io.ReadAll(resp.Body); err != nil {
		c.t.Fatal(err)
	}
	if len(a.raw) > 0 && a.raw[0] == '{' {
		if err := json.Unmarshal(a.raw, &a.body); err != nil {
			c.t.Fatalf("%s %s: %v: %s", method, path, err, a.raw)
		}
	}
	return a
}

// must sends a request that has to succeed.
func (c *cloud) must(method, path, body string, headers ...string) answer {
	c.t.Helper()
	a := c.do(method, path, body, headers...)
	if a.status >= 300 {
		c.t.Fatalf("%s %s: %d %s", method, path, a.status, a.raw)
	}
	return a
}

// refused sends a request that has to fail with a status and a code.
func (c *cloud) refused(status int, code, method, path, body string, headers ...string) answer {
	c.t.Helper()
	a := c.do(method, path, body, headers...)
	if a.status != status || a.code() != code {
		c.t.Errorf("%s %s: %d %s %q, want %d %s", method, path, a.status, a.code(), a.message(), status, code)
	}
	return a
}

func (c *cloud) get(path string) map[string]any {
	c.t.Helper()
	return c.must("GET", path, "").body
}

// withGroup makes the resource group the tests work in.
func (c *cloud) withGroup() *cloud {
	c.t.Helper()
	c.must("PUT", group, `{"location":"westeurope"}`)
	return c
}

const vnetBody = `{"location":"West Europe","tags":{"env":"prod"},"properties":{
	"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"custom":{"x":null,"y":[]},
	"subnets":[{"name":"app","properties":{"addressPrefix":"10.0.1.0/24"}},{"name":"Data","properties":{"addressPrefix":"10.0.2.0/24"}}]}}`

func nicBody(subnet, extra string) string {
	return `{"location":"westeurope","properties":{"ipConfigurations":[{"name":"ip1","properties":{"subnet":{"id":"` + subnet + `"}` + extra + `}}]}}`
}
