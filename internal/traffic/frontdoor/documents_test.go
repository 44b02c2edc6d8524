package frontdoor

import (
	"crypto/tls"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/traffic/cache"
	"github.com/ceruleannet/cerulean/internal/traffic/waf"
	"github.com/ceruleannet/cerulean/model"
)

const profileID = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Cdn/profiles/shop"

// parseDocuments makes resources of lines "PATH BODY"; PATH is below the profile, or
// an ID; @ stands for the profile's.
func parseDocuments(t testing.TB, text string) (profile *model.Resource, all []*model.Resource) {
	t.Helper()
	for line := range strings.Lines(text) {
		path, body, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok {
			continue
		}
		if !strings.HasPrefix(path, "/") {
			path = strings.TrimSuffix(profileID+"/"+path, "/.")
		}
		doc, err := model.ParseJSON([]byte(strings.ReplaceAll(body, "@", profileID)))
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		r := &model.Resource{ID: model.MustParseID(path), Doc: doc}
		if r.ID.Is(model.TypeFrontDoor) {
			profile = r
		}
		all = append(all, r)
	}
	return profile, all
}

const wafID = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/frontDoorWebApplicationFirewallPolicies/edge"

// The shapes are those of the REST API (Microsoft.Cdn 2023-05-01), as Terraform's
// azurerm_cdn_frontdoor_* resources send them.
const shopDocuments = `
. {"sku":{"name":"Premium_AzureFrontDoor"},"properties":{"originResponseTimeoutSeconds":16}}
afdEndpoints/web {"properties":{"enabledState":"Enabled"}}
afdEndpoints/off {"properties":{"enabledState":"Disabled"}}
originGroups/main {"properties":{"loadBalancingSettings":{"sampleSize":5,"successfulSamplesRequired":2,"additionalLatencyInMilliseconds":30},"healthProbeSettings":{"probePath":"/h","probeRequestType":"GET","probeProtocol":"Https","probeIntervalInSeconds":60},"sessionAffinityState":"Enabled"}}
originGroups/main/origins/eu {"properties":{"hostName":"EU.example.","httpPort":8080,"httpsPort":8443,"originHostHeader":"eu","priority":2,"weight":7,"enabledState":"Enabled","enforceCertificateNameCheck":false}}
originGroups/main/origins/us {"properties":{"hostName":"us.example","enabledState":"Disabled","sharedPrivateLinkResource":{}}}
originGroups/old {"properties":{"healthProbeSettings":{"probeRequestType":"NotSet"}}}
originGroups/old/origins/o {"properties":{"hostName":"192.0.2.1"}}
customDomains/www {"properties":{"hostName":"WWW.shop.example","tlsSettings":{"certificateType":"CustomerCertificate","minimumTlsVersion":"TLS13","secret":{"id":"@/secrets/cert"}}}}
secrets/cert {"properties":{"parameters":{"type":"CustomerCertificate","secretSource":{"id":"/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/v/secrets/www"},"useLatestVersion":false,"secretVersion":"7"}}}
afdEndpoints/web/routes/all {"properties":{"originGroup":{"id":"@/originGroups/main"},"customDomains":[{"id":"@/customDomains/www"}],"ruleSets":[{"id":"@/ruleSets/one"}],"supportedProtocols":["Http","Https"],"patternsToMatch":["/*"],"forwardingProtocol":"HttpsOnly","linkToDefaultDomain":"Enabled","httpsRedirect":"Enabled","cacheConfiguration":{"queryStringCachingBehavior":"IncludeSpecifiedQueryStrings","queryParameters":"a, b","compressionSettings":{"isCompressionEnabled":true,"contentTypesToCompress":["text/css"]}}}}
afdEndpoints/web/routes/idle {"properties":{"originGroup":{"id":"@/originGroups/old"},"patternsToMatch":["/idle"],"linkToDefaultDomain":"Disabled"}}
afdEndpoints/off/routes/all {"properties":{"originGroup":{"id":"@/originGroups/old"},"linkToDefaultDomain":"Enabled"}}
ruleSets/one {"properties":{}}
ruleSets/one/rules/second {"properties":{"order":2,"conditions":[{"name":"SocketAddr","parameters":{"operator":"IPMatch","negateCondition":true,"matchValues":["10.0.0.0/8"],"transforms":[]}}],"actions":[{"name":"UrlRedirect","parameters":{"redirectType":"Moved","destinationProtocol":"Https","customPath":"/new","customHostname":"h","customQueryString":"q=1","customFragment":"f"}}],"matchProcessingBehavior":"Stop"}}
ruleSets/one/rules/first {"properties":{"order":1,"conditions":[{"name":"RequestHeader","parameters":{"selector":"X","operator":"Equal","matchValues":["1"],"transforms":["Lowercase"]}}],"actions":[{"name":"ModifyRequestHeader","parameters":{"headerAction":"Append","headerName":"A","value":"b"}},{"name":"UrlRewrite","parameters":{"sourcePattern":"/a","destination":"/b","preserveUnmatchedPath":true}},{"name":"RouteConfigurationOverride","parameters":{"originGroupOverride":{"originGroup":{"id":"@/originGroups/old"},"forwardingProtocol":"HttpOnly"},"cacheConfiguration":{"queryStringCachingBehavior":"UseQueryString","cacheBehavior":"OverrideAlways","cacheDuration":"1.02:03:04"}}}]}}
securityPolicies/p {"properties":{"parameters":{"type":"WebApplicationFirewall","wafPolicy":{"id":"` + wafID + `"},"associations":[{"domains":[{"id":"@/customDomains/www"},{"id":"@/afdEndpoints/web"}],"patternsToMatch":["/*"]}]}}}
` + wafID + ` {"properties":{"policySettings":{"enabledState":"Enabled","mode":"Prevention","redirectUrl":"https://r.example/","customBlockResponseStatusCode":429,"customBlockResponseBody":"bm8="},"customRules":{"rules":[{"name":"r","priority":1,"enabledState":"Enabled","ruleType":"RateLimitRule","rateLimitDurationInMinutes":5,"rateLimitThreshold":100,"action":"Redirect","matchConditions":[{"matchVariable":"RequestHeader","selector":"User-Agent","operator":"RegEx","negateCondition":true,"matchValue":["x"],"transforms":["Lowercase"]}]},{"name":"challenge","priority":2,"ruleType":"MatchRule","action":"JSChallenge","matchConditions":[{"matchVariable":"SocketAddr","operator":"IPMatch","matchValue":["10.0.0.0/8"]}]}]},"managedRules":{"managedRuleSets":[{"ruleSetType":"Microsoft_DefaultRuleSet","ruleSetVersion":"2.1","exclusions":[{"matchVariable":"QueryStringArgNames","selectorMatchOperator":"Equals","selector":"q"}]},{"ruleSetType":"Microsoft_BotManagerRuleSet","ruleSetVersion":"1.0"}]}}}
`

func TestFromDocuments(t *testing.T) {
	profile, all := parseDocuments(t, shopDocuments)
	type wanted struct{ domain, host, secret, version string }
	var asked []wanted
	c, findings, err := FromDocuments(Documents{
		Profile: profile, Resources: all, Region: func(host string) string { return map[string]string{"eu.example": "westeurope"}[host] },
		Certificate: func(domain model.ID, host, secret, version string) (*tls.Certificate, error) {
			asked = append(asked, wanted{domain.Name(), host, secret[strings.LastIndexByte(secret, '/')+1:], version})
			return &tls.Certificate{}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	own := model.EndpointHost(model.MustParseID(profileID + "/afdEndpoints/web"))
	if !slices.Equal(asked, []wanted{{"web", own, "", ""}, {"www", "www.shop.example", "www", "7"}}) {
		t.Error(asked)
	}
	if !strings.HasPrefix(own, "web-") || !strings.HasSuffix(own, ".z01.azurefd.net") {
		t.Error(own)
	}
	for i, want := range []string{
		"origin us: private links of origins are not done", "route idle has no domain",
		"rule challenge: the action JSChallenge is not done", "Microsoft_DefaultRuleSet 2.1 stand those of OWASP CRS", "Microsoft_BotManagerRuleSet 1.0 are not here",
	} {
		if i >= len(findings) || !strings.Contains(findings[i].String(), want) || findings[i].Place == "" {
			t.Errorf("%d: no finding of %q in %v", i, want, findings)
		}
	}
	if len(c.ID) != 36 || c.Timeout != 16*time.Second || len(c.Domains) != 2 || c.Domains[1].MinTLS != tls.VersionTLS13 || c.Domains[1].Endpoint != own {
		t.Errorf("%+v", c)
	}
	g := c.Groups[0]
	if o := g.Origins[0]; g.Samples != 5 || g.Successful != 2 || g.Sensitivity != 30*time.Millisecond || !g.Affinity || !g.Probe.Secure || g.Probe.Method != "GET" || g.Probe.Interval != time.Minute ||
		o.Host != "eu.example" || o.Port != 8080 || o.SecurePort != 8443 || o.HostHeader != "eu" || o.Region != "westeurope" || o.Priority != 2 || o.Weight != 7 || !o.AnyName || o.Disabled || !g.Origins[1].Disabled || c.Groups[1].Probe != nil {
		t.Errorf("%+v", g)
	}
	i := slices.IndexFunc(c.Routes, func(r Route) bool { return r.Name == "all" && !r.Disabled })
	if i < 0 {
		i = slices.IndexFunc(c.Routes, func(r Route) bool { return r.Name == "web/all" })
	}
	if r := c.Routes[i]; r.Group != "main" || !r.Redirect || r.Forwarding != HTTPSOnly || !slices.Equal(r.Domains, []string{own, "www.shop.example"}) || r.Cache.Query != cache.IncludeSome ||
		!slices.Equal(r.Cache.Names, []string{"a", "b"}) || !slices.Equal(r.Compress, []string{"text/css"}) || !slices.Equal(r.RuleSets, []string{"one"}) {
		t.Errorf("%+v", r)
	}
	f := c.Firewalls[0]
	if p := f.Policy; p.Mode != waf.Prevention || p.BlockStatus != 429 || p.BlockBody != "no" || f.RedirectTo != "https://r.example/" || !slices.Equal(f.Redirects, []string{"r"}) ||
		!slices.Equal(f.Domains, []string{"www.shop.example", own}) || p.Custom[0].Rate.Minutes != 5 || p.Custom[0].Conditions[0].Operator != "Regex" || p.Custom[1].Action != waf.Log || len(p.Exclusions) != 1 {
		t.Errorf("%+v", f)
	}
	// What it does with requests.
	router, err := NewRouter(c)
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		"http://www.shop.example/x?y": "all  307 https://www.shop.example/x?y", "https://www.shop.example/x": "all one/second 301 https://h/new?q=1#f",
		"https://other.example/": "  400 ",
	} {
		u, _ := url.Parse(in)
		d := router.Decide(u, "westeurope", nil)
		d.Route = strings.TrimPrefix(d.Route, "web/")
		if got := fmt.Sprintf("%s %s %d %s", d.Route, strings.Join(d.Rules, ","), d.Status, d.Redirect); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

// Documents that are wrong are told with where they are and what is wrong.
func TestWrongDocuments(t *testing.T) {
	profile, all := parseDocuments(t, `
. {"sku":{"name":"Standard_AzureFrontDoor"},"properties":{}}
afdEndpoints/web {"properties":{}}
originGroups/g {"properties":{"healthProbeSettings":{"probePath":"h","probeIntervalInSeconds":1}}}
originGroups/g/origins/o {"properties":{"hostName":"a b","httpPort":70000,"priority":9}}
afdEndpoints/web/routes/r {"properties":{"originGroup":{"id":"@/originGroups/none"},"customDomains":[{"id":"@/customDomains/none"}],"patternsToMatch":["x"],"linkToDefaultDomain":"Enabled","forwardingProtocol":"Moon"}}
afdEndpoints/web/routes/s {"properties":{"linkToDefaultDomain":"Enabled","patternsToMatch":["/s"]}}
securityPolicies/p {"properties":{"parameters":{"wafPolicy":{"id":"/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/frontDoorWebApplicationFirewallPolicies/none"}}}}
`)
	_, _, err := FromDocuments(Documents{Profile: profile, Resources: all})
	for _, want := range []string{
		"/originGroups/g/origins/o#/properties/httpPort: origin o: 70000 is no port",
		"/routes/r#/properties/originGroup: there is no originGroups", "/routes/r#/properties/customDomains/0: there is no customDomains",
		"/routes/s#/properties/originGroup: route s has no origin group", "there is no frontDoorWebApplicationFirewallPolicies",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("nothing of %q in\n%v", want, err)
		}
	}
	profile, all = parseDocuments(t, `
. {"sku":{"name":"Standard_AzureFrontDoor"},"properties":{}}
originGroups/g {"properties":{"healthProbeSettings":{"probePath":"h","probeIntervalInSeconds":1}}}
originGroups/g/origins/o {"properties":{"hostName":"a b","priority":9}}
`)
	_, _, err = FromDocuments(Documents{Profile: profile, Resources: all})
	for _, want := range []string{"#/properties/healthProbeSettings: origin group g: the probe path", "probed every 1s", "origins/o: origin group g: origin o: \"a b\" is neither", "a priority of 9"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("nothing of %q in\n%v", want, err)
		}
	}
}

// A profile that is being made, a part at a time, is never refused for what is not
// there yet.
func TestGrowing(t *testing.T) {
	profile, all := parseDocuments(t, shopDocuments)
	order := []string{model.TypeFrontDoor, model.TypeDoorWAFPolicy, model.TypeDoorEndpoint, model.TypeDoorSecret, model.TypeCustomDomain, model.TypeDoorRuleSet, model.TypeOriginGroup, model.TypeOrigin, model.TypeDoorRule, model.TypeDoorRoute, model.TypeSecurityPolicy}
	var have []*model.Resource
	for _, kind := range order {
		for _, r := range all {
			if !r.ID.Is(kind) {
				continue
			}
			have = append(have, r)
			_, _, err := FromDocuments(Documents{
				Profile: profile, Resources: have, Edges: []Edge{{Name: "e", Region: "westeurope", Address: netip.MustParseAddrPort("192.0.2.1:80"), Secure: netip.MustParseAddrPort("192.0.2.1:443")}},
				Certificate: func(model.ID, string, string, string) (*tls.Certificate, error) { return &tls.Certificate{}, nil },
			})
			if err != nil {
				t.Errorf("with %s: %v", r.ID, err)
			}
		}
	}
	if len(have) != len(all) {
		t.Errorf("%d of %d", len(have), len(all))
	}
}

// Cache durations as the API writes them ("Rules engine actions").
func TestTimeSpan(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"1.02:03:04": 26*time.Hour + 3*time.Minute + 4*time.Second, "00:10:00": 10 * time.Minute, "": -1, "x": -1, "25:00:00": -1, "1.00:60:00": -1, "400.00:00:00": -1,
	} {
		got, ok := timeSpan(in)
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

func FuzzDocuments(f *testing.F) {
	for line := range strings.Lines(shopDocuments) {
		if _, body, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			f.Add("originGroups/main/origins/eu", body)
			f.Add("ruleSets/one/rules/first", body)
			f.Add("afdEndpoints/web/routes/all", body)
		}
	}
	f.Fuzz(func(t *testing.T, path, body string) {
		doc, err := model.ParseJSON([]byte(body))
		id, idErr := model.ParseID(profileID + "/" + path)
		if err != nil || idErr != nil {
			return
		}
		profile, all := parseDocuments(t, shopDocuments)
		all = slices.DeleteFunc(all, func(r *model.Resource) bool { return r.ID.Equal(id) })
		c, _, err := FromDocuments(Documents{Profile: profile, Resources: append(all, &model.Resource{ID: id, Doc: doc})})
		if err != nil {
			return
		}
		r, err := NewRouter(c)
		if err != nil {
			t.Fatal("checked, and yet:", err)
		}
		for _, text := range []string{"https://www.shop.example/x", "http://" + c.Domains[0].Name + "/idle"} {
			u, _ := url.Parse(text)
			r.Decide(u, "westeurope", nil)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(profile))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := Parse("p.yaml", b); err == nil {
			if _, err := NewRouter(c); err != nil {
				t.Fatal("checked, and yet:", err)
			}
		}
	})
}
