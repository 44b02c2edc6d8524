package gateway

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/ceruleannet/cerulean/internal/traffic/cache"
)

// maxFile bounds the file of a gateway, in bytes.
const maxFile = 4 << 20

// ReadFile reads a gateway's configuration: YAML, with the files it names beside
// it. Everything wrong is told at once, as [Problems].
func ReadFile(path string) (*Config, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxFile)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, b)
}

// Parse is ReadFile of a file's content; path says where it is from.
func Parse(path string, content []byte) (*Config, error) {
	var doc document
	if err := yaml.UnmarshalWithOptions(content, &doc, yaml.Strict()); err != nil {
		return nil, Problems{syntax(path, err)}
	}
	b := builder{dir: filepath.Dir(path), file: path, config: &Config{Name: doc.Gateway}}
	b.build(&doc)
	if err := b.config.Check(); err != nil {
		var p Problems
		if errors.As(err, &p) {
			b.problems = append(b.problems, p...)
		}
	}
	if len(b.problems) > 0 {
		return nil, b.problems
	}
	return b.config, nil
}

// syntax is the problem of a file that cannot be read as YAML, or has what does
// not belong there.
func syntax(path string, err error) Problem {
	var e yaml.Error
	if errors.As(err, &e) && e.GetToken() != nil {
		at := e.GetToken().Position
		return Problem{Place(fmt.Sprintf("%s:%d:%d", path, at.Line, at.Column)), e.GetMessage()}
	}
	return Problem{Place(path), err.Error()}
}

// document is the file.
type document struct {
	Gateway   string
	Listeners []listenerDoc
	Pools     []poolDoc
	Settings  []settingsDoc
	Probes    []probeDoc
	Rules     []ruleDoc
	Firewalls []firewallDoc `yaml:"wafPolicies"`
	Firewall  string        `yaml:"wafPolicy"`
	CacheSize string        `yaml:"cacheSize"`
}

// spot is where an element begins.
type spot struct{ line, column int }

// decode reads an element and notes where it begins.
func (s *spot) decode(n ast.Node, into any) error {
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 {
		s.at(m.Values[0].Key)
	} else if v, ok := n.(*ast.MappingValueNode); ok {
		s.at(v.Key)
	} else {
		s.at(n)
	}
	return yaml.NodeToValue(n, into, yaml.Strict())
}

func (s *spot) at(n ast.Node) {
	if t := n.GetToken(); t != nil {
		s.line, s.column = t.Position.Line, t.Position.Column
	}
}

type listenerDoc struct {
	spot         `yaml:"-"`
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
	spot    `yaml:"-"`
	Name    string
	Members []memberDoc
}

type memberDoc struct {
	Host   string
	Port   uint16
	Weight int
}

type settingsDoc struct {
	spot         `yaml:"-"`
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
	spot       `yaml:"-"`
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
	Rewrites []rewriteDoc
	Policy   *policyDoc
}

type policyDoc struct {
	spot      `yaml:"-"`
	Allow     []string
	CORS      *corsDoc `yaml:"cors"`
	RateLimit *rateDoc `yaml:"rateLimit"`
	Token     *tokenDoc
	MaxBody   string `yaml:"maxBody"`
	Deadline  string
	Compress  bool
	Cache     *cacheDoc
	Breaker   *breakerDoc
}

type breakerDoc struct {
	Requests       int
	Failures       float64
	Interval, Open string
}

type cacheDoc struct {
	Query     string
	Names     []string
	TTL       string `yaml:"ttl"`
	Override  bool
	MaxObject string `yaml:"maxObject"`
}

type corsDoc struct {
	Origins, Methods, Headers, Expose []string
	Credentials                       bool
	MaxAge                            string `yaml:"maxAge"`
}

type rateDoc struct {
	Requests int
	Per      string
	Burst    int
	By       string
}

type tokenDoc struct {
	Issuer, Audience, Keys string
	Require                map[string][]string
	Forward                map[string]string
}

type redirectDoc struct {
	Status   int
	URL      string `yaml:"url"`
	Listener string
	Path     *bool
	Query    *bool
}

type rewriteDoc struct {
	spot     `yaml:"-"`
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
	spot      `yaml:"-"`
	Name      string
	Priority  int
	Listener  string
	Paths     []pathDoc
	ActionDoc `yaml:",inline"`
}

type pathDoc struct {
	spot      `yaml:"-"`
	Name      string
	Match     []string
	Firewall  string `yaml:"wafPolicy"`
	ActionDoc `yaml:",inline"`
}

// UnmarshalYAML implements [yaml.NodeUnmarshaler], as the others do: it notes
// where the element begins.
func (d *listenerDoc) UnmarshalYAML(n ast.Node) error {
	type plain listenerDoc
	var s spot
	err := s.decode(n, (*plain)(d))
	d.spot = s
	return err
}

// UnmarshalYAML implements [yaml.NodeUnmarshaler].
func (d *poolDoc) UnmarshalYAML(n ast.Node) error {
	type plain poolDoc
	var s spot
	err := s.decode(n, (*plain)(d))
	d.spot = s
	return err
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
			return fmt.Errorf("member %q: %q is no port", short, port)
		}
	}
	return nil
}

// UnmarshalYAML implements [yaml.NodeUnmarshaler].
func (d *settingsDoc) UnmarshalYAML(n ast.Node) error {
	type plain settingsDoc
	var s spot
	err := s.decode(n, (*plain)(d))
	d.spot = s
	return err
}

// UnmarshalYAML implements [yaml.NodeUnmarshaler].
func (d *probeDoc) UnmarshalYAML(n ast.Node) error {
	type plain probeDoc
	var s spot
	err := s.decode(n, (*plain)(d))
	d.spot = s
	return err
}

// UnmarshalYAML implements [yaml.NodeUnmarshaler].
func (d *rewriteDoc) UnmarshalYAML(n ast.Node) error {
	type plain rewriteDoc
	var s spot
	err := s.decode(n, (*plain)(d))
	d.spot = s
	return err
}

// UnmarshalYAML implements [yaml.NodeUnmarshaler].
func (d *ruleDoc) UnmarshalYAML(n ast.Node) error {
	type plain ruleDoc
	var s spot
	err := s.decode(n, (*plain)(d))
	d.spot = s
	return err
}

// UnmarshalYAML implements [yaml.NodeUnmarshaler].
func (d *pathDoc) UnmarshalYAML(n ast.Node) error {
	type plain pathDoc
	var s spot
	err := s.decode(n, (*plain)(d))
	d.spot = s
	return err
}

// UnmarshalYAML implements [yaml.NodeUnmarshaler].
func (d *policyDoc) UnmarshalYAML(n ast.Node) error {
	type plain policyDoc
	var s spot
	err := s.decode(n, (*plain)(d))
	d.spot = s
	return err
}

// builder makes a configuration of a file.
type builder struct {
	dir, file string
	config    *Config
	problems  Problems
}

func (b *builder) place(s spot) Place {
	return Place(fmt.Sprintf("%s:%d:%d", b.file, s.line, s.column))
}

func (b *builder) add(s spot, format string, args ...any) {
	b.problems = append(b.problems, Problem{b.place(s), fmt.Sprintf(format, args...)})
}

func (b *builder) build(d *document) {
	c := b.config
	c.Firewall = d.Firewall
	if d.CacheSize != "" {
		n, err := bytesOf(d.CacheSize)
		if err != nil {
			b.problems = append(b.problems, Problem{Place(b.file), "cacheSize: " + err.Error()})
		}
		c.CacheSize = n
	}
	for i := range d.Firewalls {
		c.Firewalls = append(c.Firewalls, b.firewall(&d.Firewalls[i]))
	}
	for i := range d.Listeners {
		c.Listeners = append(c.Listeners, b.listener(&d.Listeners[i]))
	}
	for i := range d.Pools {
		p := &d.Pools[i]
		pool := Pool{Name: p.Name, Place: b.place(p.spot)}
		for _, m := range p.Members {
			pool.Members = append(pool.Members, Member(m))
		}
		c.Pools = append(c.Pools, pool)
	}
	for i := range d.Settings {
		c.Settings = append(c.Settings, b.settings(&d.Settings[i]))
	}
	for i := range d.Probes {
		c.Probes = append(c.Probes, b.probe(&d.Probes[i]))
	}
	for i := range d.Rules {
		r := &d.Rules[i]
		rule := Rule{Name: r.Name, Place: b.place(r.spot), Priority: r.Priority, Listener: r.Listener, Default: b.action(&r.ActionDoc)}
		for j := range r.Paths {
			p := &r.Paths[j]
			name := p.Name
			if name == "" {
				name = strings.Join(p.Match, " ")
			}
			rule.Paths = append(rule.Paths, PathRule{Name: name, Place: b.place(p.spot), Patterns: p.Match, Firewall: p.Firewall, Action: b.action(&p.ActionDoc)})
		}
		c.Rules = append(c.Rules, rule)
	}
}

func protocol(s string, otherwise Protocol) Protocol {
	switch strings.ToLower(s) {
	case "":
		return otherwise
	case "http":
		return HTTP
	case "https":
		return HTTPS
	case "grpc":
		return GRPC
	}
	return Protocol(s)
}

func (b *builder) listener(d *listenerDoc) Listener {
	usual := HTTP
	if len(d.Certificates) > 0 {
		usual = HTTPS
	}
	l := Listener{Name: d.Name, Place: b.place(d.spot), Protocol: protocol(d.Protocol, usual), Hosts: d.Hosts, HTTP3: d.HTTP3, Firewall: d.Firewall}
	addr := netip.Addr{}
	if d.Address != "" {
		a, err := netip.ParseAddr(d.Address)
		if err != nil {
			b.add(d.spot, "listener %s: %q is no address", d.Name, d.Address)
		}
		addr = a
	} else {
		// Nothing listens beyond this machine unless asked to.
		addr = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	l.Address = netip.AddrPortFrom(addr, d.Port)
	for _, k := range d.Certificates {
		pair, err := tls.LoadX509KeyPair(b.path(k.Certificate), b.path(k.Key))
		if err != nil {
			b.add(d.spot, "listener %s: certificate %s: %v", d.Name, k.Certificate, err)
			continue
		}
		l.Certificates = append(l.Certificates, pair)
	}
	l.ClientCAs = b.roots(d.spot, "listener "+d.Name, d.ClientCAs)
	switch d.MinTLS {
	case "", "1.2":
	case "1.3":
		l.MinTLS = tls.VersionTLS13
	default:
		b.add(d.spot, "listener %s: minTLS %q; use 1.2 or 1.3", d.Name, d.MinTLS)
	}
	return l
}

// path returns a file's path beside the configuration.
func (b *builder) path(p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(b.dir, p)
}

// roots reads certificates of authorities.
func (b *builder) roots(at spot, what, file string) *x509.CertPool {
	if file == "" {
		return nil
	}
	pem, err := os.ReadFile(b.path(file))
	if err != nil {
		b.add(at, "%s: %v", what, err)
		return nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		b.add(at, "%s: %s holds no certificate", what, file)
	}
	return pool
}

func (b *builder) duration(at spot, what, s string) time.Duration {
	if s == "" {
		return 0
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		b.add(at, "%s: %q is no duration; write 20s or 1m30s", what, s)
		return 0
	}
	return d
}

func (b *builder) settings(d *settingsDoc) Settings {
	what := "backend setting " + d.Name
	s := Settings{
		Name: d.Name, Place: b.place(d.spot), Protocol: protocol(d.Protocol, HTTP), Port: d.Port,
		Affinity: d.Affinity, Cookie: d.Cookie, Host: d.Host, HostOfMember: d.HostOfMember, Path: d.Path,
		Probe: d.Probe, Insecure: d.Insecure, SNI: d.SNI,
		Timeout: b.duration(d.spot, what+": timeout", d.Timeout), Drain: b.duration(d.spot, what+": drain", d.Drain),
		Roots: b.roots(d.spot, what, d.Roots),
	}
	if s.Port == 0 {
		s.Port = 80
		if s.Protocol == HTTPS {
			s.Port = 443
		}
	}
	return s
}

func (b *builder) probe(d *probeDoc) Probe {
	what := "probe " + d.Name
	p := Probe{
		Name: d.Name, Place: b.place(d.spot), Protocol: protocol(d.Protocol, HTTP), Host: d.Host, Path: d.Path, Service: d.Service, Port: d.Port,
		Threshold: d.Threshold, Statuses: d.Statuses, Body: d.Body, MinServers: d.MinServers, HostOfSettings: d.Host == "",
		Interval: b.duration(d.spot, what+": interval", d.Interval), Timeout: b.duration(d.spot, what+": timeout", d.Timeout),
	}
	if p.Path == "" {
		p.Path = "/"
	}
	return p
}

func (b *builder) action(d *ActionDoc) Action {
	a := Action{Pool: d.Pool, Settings: d.Settings}
	if d.Policy != nil {
		a.Policy = b.policy(d.Policy)
	}
	if r := d.Redirect; r != nil {
		yes := func(p *bool) bool { return p == nil || *p }
		a.Redirect = &Redirect{Status: r.Status, URL: r.URL, Listener: r.Listener, IncludePath: yes(r.Path), IncludeQuery: yes(r.Query)}
		if r.Status == 0 {
			a.Redirect.Status = 301
		}
	}
	for i := range d.Rewrites {
		r := &d.Rewrites[i]
		w := Rewrite{Name: r.Name, Place: b.place(r.spot), Path: r.Path, Query: r.Query, Reroute: r.Reroute, Request: headers(r.Request), Response: headers(r.Response)}
		for _, c := range r.When {
			w.Conditions = append(w.Conditions, Condition{Variable: c.Variable, Pattern: c.Matches, IgnoreCase: c.IgnoreCase, Negate: c.Not})
		}
		a.Rewrites = append(a.Rewrites, w)
	}
	return a
}

func (b *builder) policy(d *policyDoc) Policy {
	p := Policy{Compress: d.Compress, Deadline: b.duration(d.spot, "deadline", d.Deadline)}
	for _, s := range d.Allow {
		prefix, err := netip.ParsePrefix(s)
		if a, aerr := netip.ParseAddr(s); aerr == nil {
			prefix, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			b.add(d.spot, "allow: %q is no address or prefix", s)
			continue
		}
		p.Allow = append(p.Allow, prefix)
	}
	if d.MaxBody != "" {
		n, err := bytesOf(d.MaxBody)
		if err != nil {
			b.add(d.spot, "maxBody: %v", err)
		}
		p.MaxBody = n
	}
	if c := d.Cache; c != nil {
		p.Cache = &cache.Policy{Query: cache.Query(c.Query), Names: c.Names, TTL: b.duration(d.spot, "cache: ttl", c.TTL), Override: c.Override}
		if c.MaxObject != "" {
			n, err := bytesOf(c.MaxObject)
			if err != nil {
				b.add(d.spot, "cache: maxObject: %v", err)
			}
			p.Cache.MaxObject = n
		}
	}
	if x := d.Breaker; x != nil {
		p.Breaker = &Breaker{
			Requests: x.Requests, Failures: x.Failures,
			Interval: b.duration(d.spot, "breaker: interval", x.Interval), Open: b.duration(d.spot, "breaker: open", x.Open),
		}
	}
	if r := d.RateLimit; r != nil {
		p.RateLimit = &RateLimit{Requests: r.Requests, Per: b.duration(d.spot, "rateLimit: per", r.Per), Burst: r.Burst, By: r.By}
	}
	if t := d.Token; t != nil {
		x := Token(*t)
		p.Token = &x
	}
	if c := d.CORS; c != nil {
		p.CORS = &CORS{
			Origins: c.Origins, Methods: c.Methods, Headers: c.Headers, Expose: c.Expose,
			Credentials: c.Credentials, MaxAge: b.duration(d.spot, "cors: maxAge", c.MaxAge),
		}
	}
	return p
}

// bytesOf reads "128KiB", "10MiB" or a plain number.
func bytesOf(s string) (int64, error) {
	number, unit := s, int64(1)
	for suffix, u := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if n, ok := strings.CutSuffix(s, suffix); ok {
			number, unit = n, u
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
	if err != nil || n <= 0 || n > maxPolicyBody/unit {
		return 0, fmt.Errorf("%q is no size; write 128KiB or 10MiB", s)
	}
	return n * unit, nil
}

// headers returns the headers to set in the order of their names.
func headers(m map[string]string) (out []Header) {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		out = append(out, Header{name, m[name]})
	}
	return out
}
