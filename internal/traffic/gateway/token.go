package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// algorithms are the signatures that tokens may have: no shared secrets, and not
// "none" (RFC 8725 section 3.1).
var algorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// verifier checks bearer tokens.
type verifier struct {
	token *Token
	ctx   context.Context // of the gateway, with its way to the issuer
	way   *issuerWay

	mu    sync.Mutex
	ready *oidc.IDTokenVerifier
}

func newVerifier(s *Server, t *Token) *verifier {
	way := &issuerWay{
		RoundTripper: &http.Transport{DialContext: s.options.Dial, IdleConnTimeout: 30 * time.Second, Proxy: http.ProxyFromEnvironment},
		asked:        map[string]time.Time{},
	}
	client := &http.Client{Timeout: 10 * time.Second, Transport: way}
	v := &verifier{token: t, ctx: oidc.ClientContext(s.ctx, client), way: way}
	if t.Keys != "" {
		v.ready = oidc.NewVerifier(t.Issuer, oidc.NewRemoteKeySet(v.ctx, t.Keys), v.config())
	}
	return v
}

func (v *verifier) config() *oidc.Config {
	return &oidc.Config{ClientID: v.token.Audience, SupportedSigningAlgs: algorithms}
}

// verifier returns what verifies, and asks the issuer for its keys if need be.
func (v *verifier) verifier() (*oidc.IDTokenVerifier, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.ready != nil {
		return v.ready, nil
	}
	p, err := oidc.NewProvider(v.ctx, v.token.Issuer)
	if err != nil {
		return nil, err
	}
	v.ready = p.VerifierContext(v.ctx, v.config())
	return v.ready, nil
}

// admit lets a request with a good token pass, and answers others.
func (v *verifier) admit(w http.ResponseWriter, r *http.Request) bool {
	for name := range r.Header {
		for _, h := range v.token.Forward {
			if alike(name, h) {
				delete(r.Header, name) // only a token may say it
			}
		}
	}
	raw, ok := bearer(r)
	if !ok {
		challenge(w, http.StatusUnauthorized, "")
		return false
	}
	check, err := v.verifier()
	if err != nil {
		respond(w, http.StatusServiceUnavailable)
		return false
	}
	token, err := check.Verify(r.Context(), raw)
	if err != nil {
		var expired *oidc.TokenExpiredError
		what := "the token is not valid here"
		if errors.As(err, &expired) {
			what = "the token has expired"
		} else if v.way.isDown() {
			respond(w, http.StatusServiceUnavailable) // it may be a good one
			return false
		}
		challenge(w, http.StatusUnauthorized, `error="invalid_token", error_description="`+what+`"`)
		return false
	}
	var claims map[string]json.RawMessage
	if err := token.Claims(&claims); err != nil {
		challenge(w, http.StatusUnauthorized, `error="invalid_token"`)
		return false
	}
	for name, values := range v.token.Require {
		if !slices.ContainsFunc(words(claims[name]), func(s string) bool { return slices.Contains(values, s) }) {
			challenge(w, http.StatusForbidden, `error="insufficient_scope"`)
			return false
		}
	}
	for claim, header := range v.token.Forward {
		if s := text(claims[claim]); s != "" {
			r.Header.Set(header, clean(s))
		}
	}
	return true
}

// alike reports whether some server takes the name of a field for another: those that
// make variables of names (RFC 3875, 4.1.18) tell no dash from an underscore.
func alike(a, b string) bool {
	return strings.EqualFold(strings.ReplaceAll(a, "_", "-"), strings.ReplaceAll(b, "_", "-"))
}

// bearer returns the token of a request (RFC 6750 section 2.1).
func bearer(r *http.Request) (string, bool) {
	all := r.Header.Values("Authorization")
	if len(all) != 1 {
		return "", false
	}
	scheme, token, ok := strings.Cut(all[0], " ")
	return strings.TrimSpace(token), ok && strings.EqualFold(scheme, "Bearer") && token != ""
}

// challenge answers by what RFC 6750 section 3 asks for.
func challenge(w http.ResponseWriter, status int, parameters string) {
	value := `Bearer realm="gateway"`
	if parameters != "" {
		value += ", " + parameters
	}
	w.Header().Set("WWW-Authenticate", value)
	respond(w, status)
}

// text returns a claim as a header has it.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return strings.Join(words(raw), " ")
}

// words returns the values of a claim: of a list each, of a text its words.
func words(raw json.RawMessage) []string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return append(strings.Fields(s), s)
	}
	var list []any
	if json.Unmarshal(raw, &list) == nil {
		var out []string
		for _, x := range list {
			out = append(out, fmt.Sprint(x))
		}
		return out
	}
	var other any
	if json.Unmarshal(raw, &other) == nil && other != nil {
		return []string{fmt.Sprint(other)}
	}
	return nil
}
