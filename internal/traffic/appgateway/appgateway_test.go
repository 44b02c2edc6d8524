package appgateway

import (
	"crypto/tls"
	"encoding/base64"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/traffic/gateway"
	"github.com/ceruleannet/cerulean/model"
)

const id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/applicationGateways/shop"

const firewallID = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/applicationGatewayWebApplicationFirewallPolicies/wall"

// document is a gateway with every part; "~x/y" stands for the ID of a part.
const document = `{"location":"westeurope","properties":{
	"sku":{"name":"WAF_v2","tier":"WAF_v2","capacity":2},"enableHttp2":true,
	"sslPolicy":{"policyType":"Predefined","policyName":"AppGwSslPolicy20220101"},
	"firewallPolicy":{"id":"` + firewallID + `"},
	"frontendIPConfigurations":[{"name":"public","properties":{}}],
	"frontendPorts":[{"name":"p443","properties":{"port":443}},{"name":"p80","properties":{"port":80}}],
	"sslCertificates":[{"name":"self","properties":{}}],
	"httpListeners":[
		{"name":"web","properties":{"frontendIPConfiguration":{"id":"~frontendIPConfigurations/public"},"frontendPort":{"id":"~frontendPorts/p443"},"protocol":"Https","hostName":"shop.example","sslCertificate":{"id":"~sslCertificates/self"}}},
		{"name":"plain","properties":{"frontendIPConfiguration":{"id":"~frontendIPConfigurations/public"},"frontendPort":{"id":"~frontendPorts/p80"},"protocol":"Http","hostNames":["shop.example","*.shop.example"]}},
		{"name":"idle","properties":{"frontendIPConfiguration":{"id":"~frontendIPConfigurations/public"},"frontendPort":{"id":"~frontendPorts/p80"},"protocol":"Http","hostName":"idle.example"}}],
	"backendAddressPools":[{"name":"a","properties":{"backendAddresses":[{"ipAddress":"10.0.0.4"},{"fqdn":"m.example."}]}},{"name":"b","properties":{"backendAddresses":[{"ipAddress":"10.0.0.9"}]}}],
	"probes":[{"name":"p","properties":{"protocol":"Http","path":"/h","host":"127.0.0.1","interval":7,"timeout":6,"unhealthyThreshold":2,"port":81,"match":{"statusCodes":["200-399","404"],"body":"ok"}}}],
	"backendHttpSettingsCollection":[{"name":"s","properties":{"port":8080,"protocol":"Http","cookieBasedAffinity":"Enabled","requestTimeout":9,"connectionDraining":{"enabled":true,"drainTimeoutInSec":30},"hostName":"m.example","path":"/v2/","probe":{"id":"~probes/p"}}}],
	"redirectConfigurations":[{"name":"up","properties":{"redirectType":"Permanent","targetListener":{"id":"~httpListeners/web"},"includePath":true,"includeQueryString":true}}],
	"rewriteRuleSets":[{"name":"r","properties":{"rewriteRules":[
		{"name":"second","ruleSequence":200,"actionSet":{"responseHeaderConfigurations":[{"headerName":"Server","headerValue":""}]}},
		{"name":"first","ruleSequence":100,"conditions":[{"variable":"var_uri_path","pattern":"/x","ignoreCase":true}],"actionSet":{"requestHeaderConfigurations":[{"headerName":"X-A","headerValue":"1"}],"urlConfiguration":{"modifiedPath":"/y","reroute":true}}}]}}],
	"loadDistributionPolicies":[{"name":"l","properties":{"loadDistributionAlgorithm":"RoundRobin","loadDistributionTargets":[
		{"name":"a","properties":{"backendAddressPool":{"id":"~backendAddressPools/a"},"weightPerServer":9}},{"name":"b","properties":{"backendAddressPool":{"id":"~backendAddressPools/b"},"weightPerServer":1}}]}}],
	"urlPathMaps":[{"name":"m","properties":{"defaultBackendAddressPool":{"id":"~backendAddressPools/a"},"defaultBackendHttpSettings":{"id":"~backendHttpSettingsCollection/s"},"defaultRewriteRuleSet":{"id":"~rewriteRuleSets/r"},
		"pathRules":[{"name":"images","properties":{"paths":["/images/*"],"backendAddressPool":{"id":"~backendAddressPools/a"},"backendHttpSettings":{"id":"~backendHttpSettingsCollection/s"},"loadDistributionPolicy":{"id":"~loadDistributionPolicies/l"}}}]}}],
	"requestRoutingRules":[
		{"name":"web","properties":{"ruleType":"PathBasedRouting","priority":10,"httpListener":{"id":"~httpListeners/web"},"urlPathMap":{"id":"~urlPathMaps/m"}}},
		{"name":"plain","properties":{"ruleType":"Basic","priority":20,"httpListener":{"id":"~httpListeners/plain"},"redirectConfiguration":{"id":"~redirectConfigurations/up"}}}]
}}`

const wallDocument = `{"properties":{"policySettings":{"state":"Enabled","mode":"Prevention","requestBodyInspectLimitInKB":64,"customBlockResponseStatusCode":405,"customBlockResponseBody":"` + "PGI+bm88L2I+" + `"},
	"customRules":[{"name":"r","priority":5,"ruleType":"RateLimitRule","rateLimitDuration":"FiveMins","rateLimitThreshold":100,"action":"Block","groupByUserSession":[{"groupByVariables":[{"variableName":"None"}]}],
		"matchConditions":[{"matchVariables":[{"variableName":"RequestHeaders","selector":"X-A"}],"operator":"Contains","negationConditon":true,"matchValues":["a"],"transforms":["Lowercase"]}]}],
	"managedRules":{"managedRuleSets":[{"ruleSetType":"OWASP","ruleSetVersion":"3.2","ruleGroupOverrides":[{"ruleGroupName":"REQUEST-942-APPLICATION-ATTACK-SQLI","rules":[{"ruleId":"942100","state":"Disabled"}]}]}],
		"exclusions":[{"matchVariable":"RequestArgNames","selectorMatchOperator":"Equals","selector":"q","exclusionManagedRuleSets":[{"ruleSetType":"OWASP","ruleSetVersion":"3.2","ruleGroups":[{"ruleGroupName":"REQUEST-941-APPLICATION-ATTACK-XSS","rules":[{"ruleId":"941100"}]}]}]}]}}}`

func resource(t testing.TB, id, text string) *model.Resource {
	t.Helper()
	doc, err := model.ParseJSON([]byte(strings.ReplaceAll(text, `"~`, `"`+id+"/")))
	if err != nil {
		t.Fatal(err)
	}
	return &model.Resource{ID: model.MustParseID(id), Doc: doc, Pos: model.Pos{File: "net.yaml", Line: 7, Column: 3}}
}

func source(t testing.TB, text string) Source {
	wall := resource(t, firewallID, wallDocument)
	return Source{
		Gateway:  resource(t, id, text),
		Frontend: func(name string) (netip.Addr, bool) { return netip.MustParseAddr("203.0.113.7"), name == "public" },
		Resource: func(id string) (*model.Resource, bool) { return wall, strings.EqualFold(id, firewallID) },
		SelfSigned: func(hosts []string) (tls.Certificate, error) {
			if !slices.Equal(hosts, []string{"shop.example"}) {
				t.Errorf("a certificate for %v", hosts)
			}
			return tls.Certificate{}, nil
		},
		Interfaces: func(pool string) []netip.Addr {
			if strings.HasSuffix(pool, "/backendaddresspools/b") {
				return []netip.Addr{netip.MustParseAddr("10.0.0.10")}
			}
			return nil
		},
	}
}

func TestConvert(t *testing.T) {
	c, findings, err := Convert(source(t, document))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Listeners) != 2 || c.Listeners[0].Address.String() != "203.0.113.7:443" || c.Listeners[1].Hosts[1] != "*.shop.example" || c.Firewall != "wall" {
		t.Errorf("listeners %+v", c.Listeners)
	}
	s := c.Settings[0]
	if s.Port != 8080 || !s.Affinity || s.Timeout != 9*time.Second || s.Drain != 30*time.Second || s.Host != "m.example" || s.Path != "/v2/" || s.Probe != "p" {
		t.Errorf("settings %+v", s)
	}
	p := c.Probes[0]
	if p.Interval != 7*time.Second || p.Timeout != 6*time.Second || p.Threshold != 2 || p.Port != 81 || p.Body != "ok" || !slices.Equal(p.Statuses, []string{"200-399", "404"}) || p.Host != "127.0.0.1" {
		t.Errorf("probe %+v", p)
	}
	web := c.Rules[0]
	if web.Priority != 10 || len(web.Paths) != 1 || web.Paths[0].Action.Pool != "load distribution l" || web.Default.Pool != "a" || web.Place != "net.yaml:7:3" {
		t.Errorf("rule %+v", web)
	}
	if w := web.Default.Rewrites; len(w) != 2 || w[0].Name != "first" || !w[0].Reroute || *w[0].Path != "/y" || w[1].Response[0].Name != "Server" {
		t.Errorf("rewrites %+v", w)
	}
	if r := c.Rules[1].Default.Redirect; r == nil || r.Status != 301 || r.Listener != "web" || !r.IncludePath {
		t.Errorf("redirect %+v", r)
	}
	var shared []gateway.Member
	for _, x := range c.Pools {
		if x.Name == "load distribution l" {
			shared = x.Members
		}
	}
	if want := []gateway.Member{{Host: "10.0.0.4", Weight: 9}, {Host: "m.example", Weight: 9}, {Host: "10.0.0.9", Weight: 1}, {Host: "10.0.0.10", Weight: 1}}; !slices.Equal(shared, want) {
		t.Errorf("shares %+v", shared)
	}
	wall := c.Firewalls[0].Policy
	if wall.Disabled || wall.Mode != "Prevention" || wall.InspectLimit != 64<<10 || wall.BlockStatus != 405 || wall.BlockBody != "<b>no</b>" ||
		wall.Custom[0].Rate.Minutes != 5 || !wall.Custom[0].Conditions[0].Negate || wall.Managed[0].Overrides[0].Rule != 942100 || wall.Exclusions[0].Rules[0] != 941100 {
		t.Errorf("firewall %+v", wall)
	}
	var told []string
	for _, f := range findings {
		told = append(told, f.What)
	}
	for _, want := range []string{"listener idle has no rule", "certificate self has neither content nor secret", "for managed rules OWASP 3.2 stand those of"} {
		if !slices.ContainsFunc(told, func(s string) bool { return strings.Contains(s, want) }) {
			t.Errorf("nothing says %q: %q", want, told)
		}
	}
	if len(told) != 3 {
		t.Errorf("findings %q", told)
	}
}

// What is not done is told, and never nothing.
func TestFindings(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{`"enableHttp2":true`, `"enableHttp2":true,"customErrorConfigurations":[{"statusCode":"HttpStatus502","customErrorPageUrl":"https://x"}]`, "customErrorPageUrl"},
		{`"enableHttp2":true`, `"enableHttp2":true,"globalConfiguration":{"enableRequestBuffering":true}`, "enableRequestBuffering"},
		{`"interval":7`, `"interval":7,"somethingNew":{"deep":[{"x":1}]}`, "x (1) is not done"},
		{`"loadDistributionAlgorithm":"RoundRobin"`, `"loadDistributionAlgorithm":"IpHash"`, "IpHash is not done"},
		{`AppGwSslPolicy20220101`, `AppGwSslPolicy20150501`, "older than TLS 1.2"},
		{`"policyType":"Predefined"`, `"cipherSuites":["X"],"policyType":"Custom"`, "cipher suites are not restricted"},
		{`"priority":10`, `"priority":0`, ""},
	} {
		_, findings, err := Convert(source(t, strings.Replace(document, c.old, c.new, 1)))
		if c.want == "" {
			if err == nil || !strings.Contains(err.Error(), "1 of 2 rules have no priority") {
				t.Errorf("%s: %v", c.new, err)
			}
			continue
		}
		if err != nil || !slices.ContainsFunc(findings, func(f Finding) bool { return strings.Contains(f.What, c.want) && f.Place != "" }) {
			t.Errorf("%s: %v %v", c.new, findings, err)
		}
	}
}

// What is wrong has its place.
func TestProblems(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{`"~backendAddressPools/a"},"defaultBackendHttpSettings"`, `"~backendAddressPools/none"},"defaultBackendHttpSettings"`, `no backendAddressPools "none"`},
		{`"redirectType":"Permanent"`, `"redirectType":"Sometimes"`, `type "Sometimes"`},
		{`"~frontendIPConfigurations/public"},"frontendPort":{"id":"~frontendPorts/p443"}`, `"~frontendIPConfigurations/private"},"frontendPort":{"id":"~frontendPorts/p443"}`, "frontend private has no address"},
		{`"paths":["/images/*"]`, `"paths":["images"]`, `"images" must begin with /`},
		{`"properties":{}}],
	"httpListeners"`, `"properties":{"data":"!"}}],
	"httpListeners"`, "it is not base64"},
		{`"properties":{}}],
	"httpListeners"`, `"properties":{"data":"` + base64.StdEncoding.EncodeToString([]byte("x")) + `"}}],
	"httpListeners"`, "no PFX that can be read"},
		{`"properties":{}}],
	"httpListeners"`, `"properties":{"keyVaultSecretId":"https://v.vault.azure.net/secrets/x"}}],
	"httpListeners"`, "no key vault is at hand"},
		{firewallID, firewallID + "x", "wallx is not among the resources"},
		{`"port":8080`, `"port":"eighty"`, "want a whole number"},
	} {
		_, _, err := Convert(source(t, strings.Replace(document, c.old, c.new, 1)))
		var p gateway.Problems
		if !errors.As(err, &p) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "net.yaml:7:3") {
			t.Errorf("%s: %v; want %s", c.new, err, c.want)
		}
	}
}

// Who may read a certificate of a key vault: a gateway with a user-assigned identity,
// and one of the short form ("TLS termination with Key Vault certificates").
func TestVaultIdentity(t *testing.T) {
	with := strings.Replace(document, `"properties":{}}],
	"httpListeners"`, `"properties":{"keyVaultSecretId":"https://v.vault.azure.net/secrets/x"}}],
	"httpListeners"`, 1)
	const asked = "the vault was asked"
	for _, tt := range []struct {
		name     string
		identity any
		trusted  bool
		want     string
	}{
		{"none", nil, false, "the gateway has no identity to read it by"},
		{"type None", map[string]any{"type": "None"}, false, "the gateway has no identity to read it by"},
		{"system-assigned", map[string]any{"type": "SystemAssigned", "principalId": "p"}, false, "the gateway has no identity to read it by"},
		{"user-assigned", map[string]any{"type": "UserAssigned", "userAssignedIdentities": map[string]any{"/i": map[string]any{}}}, false, asked},
		{"short form", nil, true, asked},
	} {
		s := source(t, with)
		if s.Trusted = tt.trusted; tt.identity != nil {
			s.Gateway.Doc["identity"] = tt.identity
		}
		s.Secret = func(string) ([]byte, error) { return nil, errors.New(asked) }
		if _, _, err := Convert(s); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v; want %s", tt.name, err, tt.want)
		}
	}
}

// FuzzConvert: no document makes it panic, and what it returns can be routed by.
func FuzzConvert(f *testing.F) {
	f.Add([]byte(strings.ReplaceAll(document, `"~`, `"`+id+"/")))
	f.Add([]byte(`{"properties":{"httpListeners":[{"name":"a"}],"requestRoutingRules":[{"name":"a","properties":{"priority":1,"httpListener":{"id":"` + id + `/httpListeners/a"}}}]}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		doc, err := model.ParseJSON(text)
		if err != nil {
			return
		}
		s := source(t, document)
		s.Gateway = &model.Resource{ID: model.MustParseID(id), Doc: doc}
		s.SelfSigned = func([]string) (tls.Certificate, error) { return tls.Certificate{}, nil }
		c, _, err := Convert(s)
		if err != nil {
			return
		}
		if _, err := gateway.NewRouter(c); err != nil {
			t.Error(err)
		}
	})
}
