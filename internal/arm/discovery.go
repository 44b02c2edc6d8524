package arm

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// instances answers the question whether an authority is a real one, which
// clients ask of login.microsoftonline.com before they sign in anywhere
// (Microsoft's "Instance discovery"; the shape is that of api-version 1.1). An
// installation vouches for itself alone, by all of its names.
func (s *Server) instances(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	endpoint, err := url.Parse(q.Get("authorization_endpoint"))
	if err != nil || endpoint.Scheme != "https" || !slices.ContainsFunc(s.identity.hosts, func(h string) bool { return strings.EqualFold(h, endpoint.Hostname()) }) {
		s.loginError(w, http.StatusBadRequest, "invalid_instance", 50049, "Unknown or invalid instance '"+q.Get("authorization_endpoint")+"'.")
		return
	}
	tenant, _, _ := strings.Cut(strings.TrimPrefix(endpoint.Path, "/"), "/")
	if !s.knownTenant(w, tenant) {
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"tenant_discovery_endpoint": "https://" + endpoint.Host + "/" + tenant + "/v2.0/.well-known/openid-configuration",
		"api-version":               "1.1",
		"metadata": []any{map[string]any{
			"preferred_network": endpoint.Host, "preferred_cache": endpoint.Host, "aliases": []any{endpoint.Host},
		}},
	})
}
