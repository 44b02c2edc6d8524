package gateway

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// document is the file.
type document struct {
	Gateway   string
	Listeners []located[listenerDoc]
	Pools     []located[poolDoc]
	Settings  []located[settingsDoc]
	Probes    []located[probeDoc]
	Rules     []located[ruleDoc]
	Firewalls []located[firewallDoc] `yaml:"wafPolicies"`
	Firewall  string                 `yaml:"wafPolicy"`
	CacheSize string                 `yaml:"cacheSize"`
	HTTP2     *bool                  `yaml:"http2"`
	Discovery *located[registryDoc]
}

type listenerDoc struct {
	Name         string
	Protocol     string
	Address      string
	Port         uint16
	Hosts        []string
	Certificates []keyPairDoc
	ClientCAs    string `yaml:"clientCAs"`
	MinTLS       string `yaml:"minTLS"`
	HTTP3        bool   `yaml:"http3"`
	Firewall     string `yaml:"wafPolicy"`
}

type keyPairDoc struct{ Certificate, Key string }

type poolDoc struct {
	Name      string
	Members   []memberDoc
	Discovery string
}

type registryDoc struct {
	URL       string `yaml:"url"`
	TokenFile string `yaml:"tokenFile"`
}

type memberDoc struct {
	Host   string
	Port   uint16
	Weight int
}

type settingsDoc struct {
	Name         string
	Protocol     string
	Port         uint16
	Affinity     bool
	Cookie       string
	Timeout      string
	Drain        string
	Host         string
	HostOfMember bool `yaml:"hostOfMember"`
	Path         string
	Probe        string
	Roots        string
	Insecure     bool
	SNI          string `yaml:"sni"`
}

type probeDoc struct {
	Name       string
	Protocol   string
	Host       string
	Path       string
	Service    string
	Port       uint16
	Interval   string
	Timeout    string
	Threshold  int
	Statuses   []string
	Body       string
	MinServers int `yaml:"minServers"`
}

// ActionDoc is exported because the decoder fills embedded structs only if they are.
type ActionDoc struct {
	Pool     string
	Settings string
	Redirect *redirectDoc
	Rewrites []located[rewriteDoc]
	Policy   *located[policyDoc]
}

type redirectDoc struct {
	Status   int
	URL      string `yaml:"url"`
	Listener string
	Path     *bool
	Query    *bool
}

type rewriteDoc struct {
	Name     string
	When     []conditionDoc
	Request  map[string]string
	Response map[string]string
	Path     *string
	Query    *string
	Reroute  bool
}

type conditionDoc struct {
	Variable   string
	Matches    string
	IgnoreCase bool `yaml:"ignoreCase"`
	Not        bool
}

type ruleDoc struct {
	Name      string
	Priority  int
	Listener  string
	Paths     []located[pathDoc]
	ActionDoc `yaml:",inline"`
}

type pathDoc struct {
	Name      string
	Match     []string
	Firewall  string `yaml:"wafPolicy"`
	ActionDoc `yaml:",inline"`
}

// UnmarshalYAML implements [yaml.NodeUnmarshaler]: a member is "HOST" or
// "HOST:PORT", or written out.
func (d *memberDoc) UnmarshalYAML(n ast.Node) error {
	var short string
	if yaml.NodeToValue(n, &short) != nil {
		type plain memberDoc
		return yaml.NodeToValue(n, (*plain)(d), yaml.Strict())
	}
	if a, err := netip.ParseAddr(short); err == nil {
		d.Host = a.String()
		return nil
	}
	if a, err := netip.ParseAddrPort(short); err == nil {
		d.Host, d.Port = a.Addr().String(), a.Port()
		return nil
	}
	host, port, some := strings.Cut(short, ":")
	d.Host = host
	if some {
		if _, err := fmt.Sscanf(port+" ", "%d ", &d.Port); err != nil || fmt.Sprint(d.Port) != port {
			return &yaml.SyntaxError{Token: n.GetToken(), Message: fmt.Sprintf("member %q: %q is no port; write HOST:PORT with 1 to 65535", short, port)}
		}
	}
	return nil
}
