package gateway

import (
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/golang-jwt/jwt/v5"
	"github.com/klauspost/compress/zstd"
)

// guarded is a gateway with one policy in front of a member that says what it got.
func guarded(t *testing.T, p Policy, handler http.HandlerFunc) *running {
	t.Helper()
	c := simple(backendServer(t, "m", handler))
	c.Rules[0].Default.Policy = p
	return start(t, c)
}

func do(t *testing.T, g *running, method string, body io.Reader, headers ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequest(method, "http://shop.example/x", body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	resp, err := g.client("0.0.0.0:80", nil).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func TestAllow(t *testing.T) {
	if resp := do(t, guarded(t, Policy{Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, nil), "GET", nil); resp.StatusCode != 403 {
		t.Error(resp.Status)
	}
	if resp := do(t, guarded(t, Policy{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}, nil), "GET", nil); resp.StatusCode != 200 {
		t.Error(resp.Status)
	}
}

func TestRateLimit(t *testing.T) {
	g := guarded(t, Policy{RateLimit: &RateLimit{Requests: 2, Per: time.Hour, By: "header:X-Key"}}, nil)
	for i, want := range []int{200, 200, 429} {
		resp := do(t, g, "GET", nil, "X-Key", "a")
		if resp.StatusCode != want {
			t.Errorf("request %d: %s", i, resp.Status)
		}
		if want == 429 && resp.Header.Get("Retry-After") != "1800" {
			t.Error(resp.Header)
		}
	}
	if resp := do(t, g, "GET", nil, "X-Key", "b"); resp.StatusCode != 200 {
		t.Error("another key:", resp.Status)
	}
	// Another configuration with the same policy forgets nothing.
	if err := g.Load(g.Router().config); err != nil {
		t.Fatal(err)
	}
	if resp := do(t, g, "GET", nil, "X-Key", "a"); resp.StatusCode != 429 {
		t.Error("after a reload:", resp.Status)
	}
	l := newLimiter(&RateLimit{Requests: 10, Burst: 1})
	now := time.Now()
	if l.take("x", now) != 0 || l.take("x", now) != 100*time.Millisecond || l.take("x", now.Add(100*time.Millisecond)) != 0 {
		t.Error("a burst of one at ten a second")
	}
	for i := range maxKeys + 10 {
		l.take(fmt.Sprint(i), now.Add(time.Hour))
	}
	if len(l.buckets) > maxKeys {
		t.Error("it remembers everybody")
	}
}

func TestMaxBody(t *testing.T) {
	g := guarded(t, Policy{MaxBody: 10}, func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
	if resp := do(t, g, "POST", strings.NewReader("0123456789")); resp.StatusCode != 200 {
		t.Error(resp.Status)
	}
	if resp := do(t, g, "POST", strings.NewReader("0123456789a")); resp.StatusCode != 413 {
		t.Error(resp.Status)
	}
	// Without a length it is found out on the way.
	if resp := do(t, g, "POST", io.MultiReader(strings.NewReader("0123456789"), strings.NewReader("a"))); resp.StatusCode != 413 {
		t.Error(resp.Status)
	}
}

func TestDeadline(t *testing.T) {
	g := guarded(t, Policy{Deadline: 50 * time.Millisecond}, func(_ http.ResponseWriter, r *http.Request) {
		if r.Header.Get("User-Agent") != "cerulean-probe" {
			<-r.Context().Done()
		}
	})
	if resp := do(t, g, "GET", nil); resp.StatusCode != 504 {
		t.Error(resp.Status)
	}
}

func TestCORS(t *testing.T) {
	g := guarded(t, Policy{CORS: &CORS{Origins: []string{"https://shop.example"}, Methods: []string{"GET", "PUT"}, Headers: []string{"X-A"}, Expose: []string{"X-B"}, Credentials: true, MaxAge: time.Hour}}, nil)
	resp := do(t, g, "OPTIONS", nil, "Origin", "https://shop.example", "Access-Control-Request-Method", "PUT")
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin": "https://shop.example", "Access-Control-Allow-Methods": "GET, PUT", "Access-Control-Allow-Headers": "X-A",
		"Access-Control-Allow-Credentials": "true", "Access-Control-Max-Age": "3600", "Vary": "Origin",
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if resp.StatusCode != 204 {
		t.Error(resp.Status)
	}
	if resp := do(t, g, "GET", nil, "Origin", "https://shop.example"); resp.Header.Get("Access-Control-Expose-Headers") != "X-B" || resp.StatusCode != 200 {
		t.Error(resp.Header)
	}
	if resp := do(t, g, "GET", nil, "Origin", "https://evil.example"); resp.Header.Get("Access-Control-Allow-Origin") != "" || resp.StatusCode != 200 {
		t.Error(resp.Header)
	}
	if resp := do(t, g, "OPTIONS", nil, "Origin", "https://evil.example", "Access-Control-Request-Method", "PUT"); resp.StatusCode != 403 {
		t.Error(resp.Status)
	}
}

// issuer is an OpenID Connect issuer with one key.
func issuer(t *testing.T) (url string, sign func(jwt.MapClaims) string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(map[string]any{"issuer": s.URL, "jwks_uri": s.URL + "/keys", "authorization_endpoint": s.URL, "token_endpoint": s.URL})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		point, _ := key.PublicKey.Bytes() // 4, x, y
		b64 := base64.RawURLEncoding.EncodeToString
		json.NewEncoder(w).Encode(map[string]any{"keys": []any{map[string]string{
			"kty": "EC", "crv": "P-256", "kid": "one", "alg": "ES256", "use": "sig", "x": b64(point[1:33]), "y": b64(point[33:]),
		}}})
	})
	return s.URL, func(c jwt.MapClaims) string {
		token := jwt.NewWithClaims(jwt.SigningMethodES256, c)
		token.Header["kid"] = "one"
		out, err := token.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

// Only a token of the issuer, for this audience, in its time and with what is
// required passes; what it says goes on, and only that.
func TestToken(t *testing.T) {
	url, sign := issuer(t)
	otherURL, otherSign := issuer(t)
	// Some servers take X_User for X-User (RFC 3875, 4.1.18).
	echo := func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Header.Get("X-User"), r.Header.Get("X_user"))
	}
	p := Policy{Token: &Token{Issuer: url, Audience: "shop", Require: map[string][]string{"scp": {"orders.read", "orders.write"}}, Forward: map[string]string{"sub": "X-User"}}}
	discovered := guarded(t, p, echo)
	p.Token = &Token{Issuer: url, Audience: "shop", Keys: url + "/keys", Require: p.Token.Require, Forward: p.Token.Forward}
	given := guarded(t, p, echo)
	claims := func(change ...any) jwt.MapClaims {
		c := jwt.MapClaims{"iss": url, "aud": "shop", "sub": "ada", "scp": "profile orders.read", "exp": time.Now().Add(time.Hour).Unix()}
		for i := 0; i < len(change); i += 2 {
			c[change[i].(string)] = change[i+1]
		}
		return c
	}
	unsigned, err := jwt.NewWithClaims(jwt.SigningMethodNone, claims()).SignedString(jwt.UnsafeAllowNoneSignatureType)
	if err != nil {
		t.Fatal(err)
	}
	shared, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims()).SignedString([]byte("shop"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, token string
		status      int
	}{
		{"good", sign(claims()), 200},
		{"a list", sign(claims("scp", []string{"orders.write"}, "aud", []string{"other", "shop"})), 200},
		{"none", "", 401},
		{"no token", "x.y.z", 401},
		{"expired", sign(claims("exp", time.Now().Add(-time.Minute).Unix())), 401},
		{"not yet", sign(claims("nbf", time.Now().Add(time.Hour).Unix())), 401},
		{"another audience", sign(claims("aud", "bank")), 401},
		{"another issuer", sign(claims("iss", otherURL)), 401},
		{"another key", otherSign(claims()), 401},
		{"unsigned", unsigned, 401},
		{"a shared secret", shared, 401},
		{"lacks a claim", sign(claims("scp", "profile")), 403},
	} {
		for _, g := range []*running{discovered, given} {
			headers := []string{"X-User", "root", "X_User", "root"}
			if tt.token != "" {
				headers = append(headers, "Authorization", "Bearer "+tt.token)
			}
			resp := do(t, g, "GET", nil, headers...)
			body, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != tt.status {
				t.Errorf("%s: %s", tt.name, resp.Status)
			}
			if tt.status == 200 && string(body) != "ada" {
				t.Errorf("%s: the member hears of %q", tt.name, body)
			}
			if tt.status != 200 && !strings.HasPrefix(resp.Header.Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("%s: %v", tt.name, resp.Header)
			}
		}
	}
	// Without the issuer nobody passes, and it is not the client's fault.
	dead := guarded(t, Policy{Token: &Token{Issuer: "http://127.0.0.1:1", Audience: "shop"}}, echo)
	keyless := guarded(t, Policy{Token: &Token{Issuer: url, Audience: "shop", Keys: "http://127.0.0.1:1/keys"}}, echo)
	for _, g := range []*running{dead, keyless} {
		if resp := do(t, g, "GET", nil, "Authorization", "Bearer "+sign(claims())); resp.StatusCode != 503 {
			t.Error(resp.Status)
		}
	}
}

// Tokens with made-up key IDs do not make the issuer busy.
func TestTokenFlood(t *testing.T) {
	asked := 0
	way := &issuerWay{asked: map[string]time.Time{}, RoundTripper: roundTripper(func(*http.Request) (*http.Response, error) {
		asked++
		return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
	})}
	synctest.Test(t, func(t *testing.T) {
		for range 100 {
			_, _ = way.RoundTrip(httptest.NewRequest("GET", "http://issuer/keys", nil))
			time.Sleep(time.Second)
		}
	})
	if asked != 20 {
		t.Error(asked, "questions in 100 seconds, one in five wanted")
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestCompress(t *testing.T) {
	long := strings.Repeat("the same again and again. ", 400)
	g := guarded(t, Policy{Compress: true}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", r.Header.Get("X-Type"))
		w.Header().Set("ETag", `"1"`)
		body := long
		if r.Header.Get("X-Short") != "" {
			body = "short"
		}
		fmt.Fprint(w, body)
	})
	for _, tt := range []struct{ kind, accept, want string }{
		{"text/html; charset=utf-8", "gzip, deflate, br", "br"},
		{"application/json", "gzip;q=1.0, br;q=0.5", "gzip"},
		{"application/json", "zstd", "zstd"},
		{"text/css", "*", "br"},
		{"text/css", "br;q=0, gzip;q=0, zstd;q=0", ""},
		{"text/css", "", ""},
		{"image/png", "gzip", ""},
	} {
		resp := do(t, g, "GET", nil, "Accept-Encoding", tt.accept, "X-Type", tt.kind)
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if got := resp.Header.Get("Content-Encoding"); got != tt.want {
			t.Errorf("%s of %q: %q, want %q", tt.kind, tt.accept, got, tt.want)
			continue
		}
		var plain io.Reader = bytes.NewReader(b)
		switch tt.want {
		case "br":
			plain = brotli.NewReader(plain)
		case "gzip":
			if plain, err = gzip.NewReader(plain); err != nil {
				t.Fatal(err)
			}
		case "zstd":
			z, err := zstd.NewReader(plain)
			if err != nil {
				t.Fatal(err)
			}
			defer z.Close()
			plain = z
		}
		if back, err := io.ReadAll(plain); string(back) != long || err != nil {
			t.Errorf("%s: %d bytes come back: %v", tt.want, len(back), err)
		}
		if tt.want != "" && (len(b) > len(long)/4 || resp.Header.Get("ETag") != `W/"1"`) {
			t.Errorf("%s: %d bytes of %d, %v", tt.want, len(b), len(long), resp.Header)
		}
		if tt.kind != "image/png" && !strings.Contains(resp.Header.Get("Vary"), "Accept-Encoding") {
			t.Error(resp.Header)
		}
	}
	if resp := do(t, g, "GET", nil, "Accept-Encoding", "gzip", "X-Type", "text/css", "X-Short", "1"); resp.Header.Get("Content-Encoding") != "" {
		t.Error("a short one is compressed")
	}
}

func TestPolicyFile(t *testing.T) {
	file := shopFile + `    policy:
      allow: [10.0.0.0/8, 192.0.2.7]
      rateLimit: {requests: 100, per: 1m, by: "header:X-Key"}
      token: {issuer: "https://login.example", audience: shop, require: {scp: [a, b]}, forward: {sub: X-User}}
      cors: {origins: ["https://shop.example"], maxAge: 1h}
      maxBody: 10MiB
      deadline: 30s
      compress: true
`
	c, err := Parse("gw.yaml", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	p := c.Rules[0].Default.Policy
	if len(p.Allow) != 2 || p.RateLimit.Per != time.Minute || p.Token.Require["scp"][1] != "b" || p.CORS.MaxAge != time.Hour || p.MaxBody != 10<<20 || p.Deadline != 30*time.Second || !p.Compress {
		t.Errorf("%+v", p)
	}
	for from, want := range map[string]string{
		"10.0.0.0/8":          `allow: "10.0.0.x" is no address or prefix`,
		"10MiB":               `maxBody: "10.0.0.x" is no size`,
		"requests: 100":       "unknown field",
		"audience: shop, ":    "it needs an audience",
		"https://shop.ex":     "is no origin",
		"\"header:X-Key\"":    "use client, all or header:NAME",
		"https://login.examp": "is no absolute URL",
	} {
		to := map[string]string{"requests: 100": "reqs: 100", "audience: shop, ": "", "https://shop.ex": "shop.ex", "\"header:X-Key\"": "ip", "https://login.examp": "login.examp"}[from]
		if to == "" && from != "audience: shop, " {
			to = "10.0.0.x"
		}
		if _, err := Parse("gw.yaml", []byte(strings.Replace(file, from, to, 1))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", from, err, want)
		}
	}
}
