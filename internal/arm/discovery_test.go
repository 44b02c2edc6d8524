package arm_test

import (
	"net/url"
	"testing"
)

// TestInstances: an installation vouches for itself and for no other authority.
func TestInstances(t *testing.T) {
	c := newCloud(t)
	ask := func(endpoint string) answer {
		return c.do("GET", "/common/discovery/instance?api-version=1.1&authorization_endpoint="+url.QueryEscape(endpoint), "", "Authorization: ")
	}
	if a := ask(c.base + "/" + c.identity.TenantID + "/oauth2/v2.0/authorize"); a.status != 200 ||
		str(a.body, "tenant_discovery_endpoint") != c.base+"/"+c.identity.TenantID+"/v2.0/.well-known/openid-configuration" {
		t.Errorf("%d %s", a.status, a.raw)
	}
	for _, other := range []string{"https://login.example/common/oauth2/v2.0/authorize", c.base + "/other/oauth2/v2.0/authorize", "", "%"} {
		if a := ask(other); a.status != 400 {
			t.Errorf("%q: %d %s", other, a.status, a.raw)
		}
	}
}
