package arm

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// maxForm is the largest sign-in form, in bytes.
const maxForm = 64 << 10

// login answers sign-in and discovery; it reports whether the path was one of
// its own. The first segment is a tenant, or "adfs": an authority of that kind
// makes clients skip the discovery at a public host.
//
//	/{tenant}/v2.0/.well-known/openid-configuration
//	/{tenant}/.well-known/openid-configuration
//	/{tenant}/oauth2/v2.0/token, /{tenant}/oauth2/token
//	/{tenant}/discovery/v2.0/keys, /{tenant}/discovery/keys
//	/{tenant}/discovery/instance
func (s *Server) login(w http.ResponseWriter, r *http.Request, base string, path []string) bool {
	if len(path) < 2 {
		return false
	}
	tenant := path[0]
	switch rest := strings.ToLower(strings.Join(path[1:], "/")); rest {
	case "v2.0/.well-known/openid-configuration", ".well-known/openid-configuration":
		if s.allow(w, r, http.MethodGet) && s.knownTenant(w, tenant) {
			writeJSON(w, http.StatusOK, s.openID(base, tenant, strings.HasPrefix(rest, "v2.0")))
		}
	case "discovery/v2.0/keys", "discovery/keys":
		if s.allow(w, r, http.MethodGet) {
			writeJSON(w, http.StatusOK, s.keys())
		}
	case "discovery/instance":
		if s.allow(w, r, http.MethodGet) {
			s.instances(w, r)
		}
	case "oauth2/v2.0/token", "oauth2/token":
		if s.allow(w, r, http.MethodPost) && s.knownTenant(w, tenant) {
			s.token(w, r, base, tenant, strings.Contains(rest, "v2.0"))
		}
	default:
		return false
	}
	return true
}

// knownTenant refuses tenants that are neither ours nor one of the aliases.
func (s *Server) knownTenant(w http.ResponseWriter, tenant string) bool {
	if s.identity.tenant(tenant) {
		return true
	}
	s.loginError(w, http.StatusBadRequest, "invalid_request", 90002, "Tenant '"+tenant+"' not found. Check to make sure you have the correct tenant ID.")
	return false
}

// openID is the OpenID Connect discovery document (OpenID Connect Discovery 1.0
// section 3).
func (s *Server) openID(base, tenant string, v2 bool) map[string]any {
	version, issuer := "", base+"/"+tenant
	if v2 {
		version, issuer = "/v2.0", issuer+"/v2.0"
	}
	return map[string]any{
		"issuer":                                issuer,
		"authorization_endpoint":                base + "/" + tenant + "/oauth2" + version + "/authorize",
		"token_endpoint":                        base + "/" + tenant + "/oauth2" + version + "/token",
		"jwks_uri":                              base + "/" + tenant + "/discovery" + version + "/keys",
		"response_types_supported":              []string{"token"},
		"grant_types_supported":                 []string{"client_credentials"},
		"subject_types_supported":               []string{"pairwise"},
		"id_token_signing_alg_values_supported": []string{"ES256"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "client_secret_basic"},
	}
}

// keys is the JSON Web Key Set (RFC 7517) with the token key.
func (s *Server) keys() map[string]any {
	point, err := s.identity.tokenKey.PublicKey.Bytes() // 4, X, Y (SEC 1 section 2.3.3)
	if err != nil {
		return map[string]any{"keys": []any{}}
	}
	n := (len(point) - 1) / 2
	return map[string]any{"keys": []any{map[string]any{
		"kty": "EC", "use": "sig", "alg": "ES256", "crv": "P-256", "kid": s.identity.tokenKeyID,
		"x": base64.RawURLEncoding.EncodeToString(point[1 : 1+n]),
		"y": base64.RawURLEncoding.EncodeToString(point[1+n:]),
	}}}
}

// token answers the client credentials grant (RFC 6749 section 4.4).
func (s *Server) token(w http.ResponseWriter, r *http.Request, base, tenant string, v2 bool) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		s.loginError(w, http.StatusBadRequest, "invalid_request", 900144, "The request body could not be read as a form.")
		return
	}
	form := r.PostForm
	if g := form.Get("grant_type"); g != "client_credentials" {
		s.loginError(w, http.StatusBadRequest, "unsupported_grant_type", 70003, "The app requested an unsupported grant type '"+g+"'; use client_credentials.")
		return
	}
	client, secret := form.Get("client_id"), form.Get("client_secret")
	if u, p, ok := r.BasicAuth(); ok {
		// RFC 6749 section 2.3.1: both parts are form-encoded.
		client, _ = url.QueryUnescape(u)
		secret, _ = url.QueryUnescape(p)
	}
	who, known, proved, err := s.identity.client(client, secret)
	switch {
	case err != nil:
		s.loginError(w, http.StatusInternalServerError, "server_error", 90033, "The directory cannot be read: "+err.Error())
		return
	case !known:
		s.loginError(w, http.StatusBadRequest, "unauthorized_client", 700016, "Application with identifier '"+client+"' was not found in the directory.")
		return
	case !proved:
		s.loginError(w, http.StatusUnauthorized, "invalid_client", 7000215, "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value.")
		return
	}
	audience := form.Get("resource")
	for _, scope := range strings.Fields(form.Get("scope")) {
		if a, ok := strings.CutSuffix(scope, "/.default"); ok {
			audience = a
		}
	}
	if audience == "" {
		s.loginError(w, http.StatusBadRequest, "invalid_scope", 1002012, "The provided value for scope is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier.")
		return
	}
	now := s.now()
	token, err := s.identity.issueToken(now, base+"/"+tenant, audience, who)
	if err != nil {
		s.loginError(w, http.StatusInternalServerError, "server_error", 90033, "The token could not be signed.")
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	seconds := int(tokenLife / time.Second)
	// The Azure CLI calculates with what an authority of this kind answers, so it
	// is a number (RFC 6749 section 5.1).
	if v2 || strings.EqualFold(tenant, "adfs") {
		writeJSON(w, http.StatusOK, map[string]any{
			"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token,
		})
		return
	}
	// The first version of the endpoint answers numbers as strings.
	writeJSON(w, http.StatusOK, map[string]any{
		"token_type": "Bearer", "expires_in": strconv.Itoa(seconds), "ext_expires_in": strconv.Itoa(seconds),
		"expires_on": strconv.FormatInt(now.Add(tokenLife).Unix(), 10), "not_before": strconv.FormatInt(now.Unix(), 10),
		"resource": audience, "access_token": token,
	})
}

// loginError answers in the form of Microsoft Entra ID.
func (s *Server) loginError(w http.ResponseWriter, status int, code string, number int, text string) {
	now := s.now().UTC()
	trace := uuid.NewString()
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, status, map[string]any{
		"error":             code,
		"error_description": "AADSTS" + strconv.Itoa(number) + ": " + text,
		"error_codes":       []int{number},
		"timestamp":         now.Format("2006-01-02 15:04:05Z"),
		"trace_id":          trace,
		"correlation_id":    trace,
	})
}
