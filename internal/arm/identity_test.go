package arm_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/arm"
	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
)

// TestIdentityFiles: an installation's secrets are its own, kept across
// restarts, and readable by their owner only.
func TestIdentityFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "identity")
	a, err := arm.OpenIdentity(dir)
	if err != nil {
		t.Fatal(err)
	}
	b, err := arm.OpenIdentity(dir, "cloud.example", "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	if a.TenantID != b.TenantID || a.ClientSecret != b.ClientSecret || a.SubscriptionID != b.SubscriptionID || string(a.CACertificate()) != string(b.CACertificate()) {
		t.Error("the identity changed when it was opened again")
	}
	if other, err := arm.OpenIdentity(""); err != nil || other.ClientSecret == a.ClientSecret || other.TenantID == a.TenantID {
		t.Errorf("two installations share secrets: %v", err)
	}
	for name, mode := range map[string]os.FileMode{"": 0o700, "identity.json": 0o600, "ca.pem": 0o600, ".gitignore": 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%q: %v, %v; want %v", name, info.Mode().Perm(), err, mode)
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 3 {
		t.Errorf("%d files", len(entries))
	}
	if b, err := os.ReadFile(filepath.Join(dir, "ca.pem")); err != nil || string(b) != string(a.CACertificate()) {
		t.Errorf("ca.pem: %v", err)
	}
	file := filepath.Join(dir, "identity.json")
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := arm.OpenIdentity(dir); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a file others can read: %v", err)
	}
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, damage := range []string{"{", "{}", `{"tenant":"t","client":"c","secret":"s","object":"o","subscription":"s","operationKey":"AAAAAAAAAAAAAAAAAAAAAA=="}`} {
		if err := os.WriteFile(file, []byte(damage), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := arm.OpenIdentity(dir); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v", damage, err)
		}
	}
}

// TestIdentityDirectory: a folder that exists keeps its mode, which may be that
// of somebody's project; what is in the way is named.
func TestIdentityDirectory(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := arm.OpenIdentity(dir); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if _, err := os.Stat(filepath.Join(dir, ".gitignore")); !os.IsNotExist(err) {
		t.Errorf("a folder that existed was hidden from version control: %v", err)
	}
	if _, err := arm.OpenIdentity(filepath.Join(dir, "ca.pem")); err == nil || !strings.Contains(err.Error(), "ca.pem is a file") {
		t.Errorf("a file: %v", err)
	}
	odd := t.TempDir()
	if err := os.Mkdir(filepath.Join(odd, "identity.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := arm.OpenIdentity(odd); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a folder in place of identity.json: %v", err)
	}
}

// TestCertificate: the server's certificate is good for its names and no other,
// over TLS 1.2 and up, HTTP/2 and HTTP/1.1.
func TestCertificate(t *testing.T) {
	id, err := arm.OpenIdentity("", "cloud.example")
	if err != nil {
		t.Fatal(err)
	}
	dial := func(name string, change func(*tls.Config)) (string, error) {
		here, there := net.Pipe()
		defer here.Close()
		go func() { defer there.Close(); _ = tls.Server(there, id.TLS()).Handshake() }()
		cfg := &tls.Config{RootCAs: id.CertPool(), ServerName: name, NextProtos: []string{"h2"}}
		if change != nil {
			change(cfg)
		}
		conn := tls.Client(here, cfg)
		err := conn.Handshake()
		return conn.ConnectionState().NegotiatedProtocol, err
	}
	for _, name := range []string{"localhost", "127.0.0.1", "::1", "cloud.example"} {
		if proto, err := dial(name, nil); err != nil || proto != "h2" {
			t.Errorf("%s: %q %v", name, proto, err)
		}
	}
	if _, err := dial("elsewhere.example", nil); err == nil {
		t.Error("valid for another name")
	}
	if _, err := dial("localhost", func(c *tls.Config) { c.MaxVersion = tls.VersionTLS11 }); err == nil {
		t.Error("TLS 1.1 accepted")
	}
	if proto, err := dial("localhost", func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} }); err != nil || proto != "http/1.1" {
		t.Errorf("HTTP/1.1: %q %v", proto, err)
	}
}

// signed makes a token with a key of the caller's.
func signed(t *testing.T, c *cloud, key *ecdsa.PrivateKey, change func(jwt.MapClaims)) string {
	t.Helper()
	now := c.clock.Now()
	claims := jwt.MapClaims{"aud": c.base, "appid": c.identity.ClientID, "tid": c.identity.TenantID, "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix()}
	if change != nil {
		change(claims)
	}
	s, err := jwt.NewWithClaims(jwt.SigningMethodES256, claims).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestTokens: only tokens we signed, for us, in time, are accepted; others get
// 401 with a challenge and Azure's error.
func TestTokens(t *testing.T) {
	c := newCloud(t)
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(c.token, ".")
	none, _ := jwt.NewWithClaims(jwt.SigningMethodNone, jwt.MapClaims{"aud": c.base, "appid": c.identity.ClientID, "tid": c.identity.TenantID}).SignedString(jwt.UnsafeAllowNoneSignatureType)
	hmac, _ := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"aud": c.base, "appid": c.identity.ClientID, "tid": c.identity.TenantID}).SignedString(c.identity.CACertificate())
	for name, tc := range map[string]struct{ header, code string }{
		"none":      {"", "AuthenticationFailed"},
		"basic":     {"Basic YTpi", "AuthenticationFailed"},
		"garbage":   {"Bearer x", "InvalidAuthenticationToken"},
		"unsigned":  {"Bearer " + parts[0] + "." + parts[1] + ".", "InvalidAuthenticationToken"},
		"alg none":  {"Bearer " + none, "InvalidAuthenticationToken"},
		"hmac":      {"Bearer " + hmac, "InvalidAuthenticationToken"},
		"other key": {"Bearer " + signed(t, c, stranger, nil), "InvalidAuthenticationToken"},
		"audience":  {"Bearer " + c.signIn("https://graph.example/.default"), "InvalidAuthenticationTokenAudience"},
	} {
		req, _ := http.NewRequest("GET", c.base+"/subscriptions"+version, nil)
		if tc.header != "" {
			req.Header.Set("Authorization", tc.header)
		}
		resp, err := c.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var body struct {
			Error struct{ Code string }
		}
		_ = json.NewDecoder(resp.Body).Decode(&body)
		resp.Body.Close()
		if resp.StatusCode != 401 || body.Error.Code != tc.code || !strings.HasPrefix(resp.Header.Get("WWW-Authenticate"), `Bearer authorization_uri="`+c.base+"/"+c.identity.TenantID+`"`) {
			t.Errorf("%s: %d %s %q", name, resp.StatusCode, body.Error.Code, resp.Header.Get("WWW-Authenticate"))
		}
	}
	// Terraform reads the audience as one string.
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		Audience string `json:"aud"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil || claims.Audience == "" {
		t.Errorf("audience %q, %v", claims.Audience, err)
	}
	c.token = c.signIn("https://management.azure.com//.default")
	c.must("GET", "/subscriptions", "")
	c.clock.Advance(time.Hour)
	c.refused(401, "ExpiredAuthenticationToken", "GET", "/subscriptions", "")
}

// TestLogin: the client credentials grant at each endpoint, and its refusals.
func TestLogin(t *testing.T) {
	c := newCloud(t)
	id := c.identity
	post := func(path string, form url.Values) (int, map[string]any) {
		t.Helper()
		resp, err := c.client.PostForm(c.base+path, form)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var body map[string]any
		if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, body
	}
	good := func() url.Values {
		return url.Values{"grant_type": {"client_credentials"}, "client_id": {id.ClientID}, "client_secret": {id.ClientSecret}}
	}
	for path, seconds := range map[string]any{"/" + id.TenantID + "/oauth2/token": "3600", "/adfs/oauth2/token": 3600.0} {
		form := good()
		form.Set("resource", c.base+"/")
		status, body := post(path, form)
		if status != 200 || at(body, "expires_in") != seconds || str(body, "token_type") != "Bearer" {
			t.Errorf("%s: %d %v", path, status, body)
		}
		c.token = str(body, "access_token")
		c.must("GET", "/subscriptions", "")
	}
	form := good()
	form.Set("scope", "openid "+c.base+"/.default offline_access")
	if status, body := post("/common/oauth2/v2.0/token", form); status != 200 || at(body, "expires_in") != 3600.0 {
		t.Errorf("%d %v", status, body)
	}
	for name, tc := range map[string]struct {
		path, key, value string
		status           int
		code             string
	}{
		"secret": {"/common/oauth2/v2.0/token", "client_secret", "x", 401, "invalid_client"},
		"client": {"/common/oauth2/v2.0/token", "client_id", "x", 400, "unauthorized_client"},
		"grant":  {"/common/oauth2/v2.0/token", "grant_type", "password", 400, "unsupported_grant_type"},
		"scope":  {"/common/oauth2/v2.0/token", "scope", "openid", 400, "invalid_scope"},
		"tenant": {"/elsewhere/oauth2/v2.0/token", "x", "y", 400, "invalid_request"},
		"large":  {"/common/oauth2/v2.0/token", "x", strings.Repeat("y", 1<<17), 400, "invalid_request"},
	} {
		form := good()
		form.Set("scope", c.base+"/.default")
		form.Set(tc.key, tc.value)
		status, body := post(tc.path, form)
		if status != tc.status || str(body, "error") != tc.code || !strings.HasPrefix(str(body, "error_description"), "AADSTS") {
			t.Errorf("%s: %d %v", name, status, body)
		}
	}
	// Discovery names endpoints that are there, and the key tokens are signed
	// with.
	for _, path := range []string{"/" + id.TenantID + "/v2.0", "/" + id.TenantID, "/adfs", "/common/v2.0"} {
		doc := c.get(path + "/.well-known/openid-configuration")
		if got := str(doc, "issuer"); got != c.base+path {
			t.Errorf("issuer %q, want %q", got, c.base+path)
		}
		status, _ := post(strings.TrimPrefix(str(doc, "token_endpoint"), c.base), url.Values{})
		if status != 400 {
			t.Errorf("token endpoint %d", status)
		}
		key := at(c.get(str(doc, "jwks_uri")), "keys", 0)
		point := []byte{4} // uncompressed
		for _, name := range []string{"x", "y"} {
			b, err := base64.RawURLEncoding.DecodeString(str(key, name))
			if err != nil {
				t.Error(err)
			}
			point = append(point, b...)
		}
		public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
		if err != nil {
			t.Error(err)
			continue
		}
		token, err := jwt.Parse(c.signIn(c.base+"/.default"), func(tk *jwt.Token) (any, error) {
			if tk.Header["kid"] != str(key, "kid") {
				return nil, fmt.Errorf("kid %v", tk.Header["kid"])
			}
			return public, nil
		})
		if err != nil {
			t.Error(err)
			continue
		}
		claims := token.Claims.(jwt.MapClaims)
		for _, name := range []string{"oid", "appid", "tid", "iss", "sub", "jti"} {
			if claims[name] == "" || claims[name] == nil {
				t.Errorf("no claim %s", name)
			}
		}
	}
}

// TestMetadata: the three shapes of /metadata/endpoints, without a token.
func TestMetadata(t *testing.T) {
	c := newCloud(t)
	c.token = "none"
	one := c.get("/metadata/endpoints?api-version=2022-09-01")
	if str(one, "resourceManager") != c.base || str(one, "authentication", "loginEndpoint") != c.base || str(one, "microsoftGraphResourceId") == "" || str(one, "name") == "" {
		t.Errorf("%v", one)
	}
	var list []any
	if err := json.Unmarshal(c.must("GET", "/metadata/endpoints?api-version=2019-05-01", "").raw, &list); err != nil || len(list) != 1 {
		t.Errorf("%v", err)
	} else if diff := cmp.Diff(any(one), list[0]); diff != "" {
		t.Error(diff)
	}
	old := c.get("/metadata/endpoints?api-version=2015-01-01")
	if str(old, "authentication", "audiences", 0) != c.base || str(old, "portalEndpoint") == "" {
		t.Errorf("%v", old)
	}
	c.refused(400, "MissingApiVersionParameter", "GET", "/metadata/endpoints?x=1", "")
	c.refused(405, "MethodNotAllowed", "POST", "/metadata/endpoints?api-version=2022-09-01", "")
}

// TestHost: requests addressed to other names are refused, so that a web page
// cannot reach a server on loopback.
func TestHost(t *testing.T) {
	c := newCloud(t)
	for host, want := range map[string]int{"evil.example": 421, "evil.example:443": 421, "LOCALHOST:1": 200, "[::1]:8443": 200} {
		r := httptest.NewRequest("GET", "https://placeholder/metadata/endpoints?api-version=2022-09-01", nil)
		r.Host = host
		w := httptest.NewRecorder()
		c.server.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s: %d", host, w.Code)
		}
	}
	fixed := newCloud(t, func(cfg *arm.Config) { cfg.BaseURL = "https://cloud.example:8443/" })
	if got := str(fixed.get("/metadata/endpoints?api-version=2022-09-01"), "resourceManager"); got != "https://cloud.example:8443" {
		t.Errorf("resourceManager %q", got)
	}
}

// TestListen: without a host, only loopback.
func TestListen(t *testing.T) {
	for _, address := range []string{"", ":0"} {
		l, err := arm.Listen(address)
		if err != nil {
			t.Fatal(err)
		}
		if ip := l.Addr().(*net.TCPAddr).IP; !ip.IsLoopback() {
			t.Errorf("%q listens on %s", address, ip)
		}
		l.Close()
	}
	if _, err := arm.Listen("8443"); err == nil {
		t.Error("an address without a port was accepted")
	}
}

// TestServeStops: when the context ends, Serve returns with idle connections
// closed and nothing of its own running.
func TestServeStops(t *testing.T) {
	id, err := arm.OpenIdentity("")
	if err != nil {
		t.Fatal(err)
	}
	store, err := arm.OpenStore("")
	if err != nil {
		t.Fatal(err)
	}
	s, err := arm.New(arm.Config{Store: store, Identity: id})
	if err != nil {
		t.Fatal(err)
	}
	l, err := arm.Listen("")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	for _, h2 := range []bool{true, false} {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: id.CertPool()}, ForceAttemptHTTP2: h2}
		defer transport.CloseIdleConnections()
		resp, err := (&http.Client{Transport: transport}).Get("https://" + l.Addr().String() + "/metadata/endpoints?api-version=2022-09-01")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if (resp.ProtoMajor == 2) != h2 {
			t.Errorf("HTTP/%d", resp.ProtoMajor)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Serve: %v", err)
	}
	// A goroutine that has told us it is done may need a moment to leave.
	var stacks string
	for range 1000 {
		buf := make([]byte, 1<<20)
		stacks = string(buf[:runtime.Stack(buf, true)])
		if !strings.Contains(stacks, "net/http.(*conn).serve") && !strings.Contains(stacks, "arm.(*Server)") {
			return
		}
		runtime.Gosched()
	}
	t.Errorf("still running:\n%s", stacks)
}

// TestNew: a server needs a store with its index, and an identity.
func TestNew(t *testing.T) {
	id, err := arm.OpenIdentity("")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := arm.New(arm.Config{Identity: id}); err == nil {
		t.Error("no store")
	}
	if _, err := arm.New(arm.Config{Store: state.Memory(state.Options{}), Identity: id}); err == nil || !strings.Contains(err.Error(), "OpenStore") {
		t.Errorf("a store without the index: %v", err)
	}
}
