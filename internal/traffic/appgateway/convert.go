package appgateway

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/crypto/pkcs12"

	"github.com/ceruleannet/cerulean/internal/traffic/gateway"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
)

// Source is an application gateway with what its document refers to.
type Source struct {
	Gateway *model.Resource
	// Resource returns another resource, as a web application firewall policy.
	Resource func(id string) (*model.Resource, bool)
	// Frontend returns the address of a frontend by its name.
	Frontend func(name string) (netip.Addr, bool)
	// Interfaces returns the addresses of interfaces that name a pool, by the
	// pool's ID.
	Interfaces func(pool string) []netip.Addr
	// SelfSigned makes a certificate for some hosts, where a certificate has
	// neither content nor secret; Named returns one of the files of that name.
	SelfSigned func(hosts []string) (tls.Certificate, error)
	Named      func(name string) (tls.Certificate, bool, error)
	// Authority returns the certificates of a file, in PEM form, by its name.
	Authority func(name string) ([]byte, bool, error)
	// Secret returns what a secret of a key vault holds, by its address.
	Secret func(id string) ([]byte, error)
	// Trusted means that a gateway without an identity may read secrets: it was
	// declared in the short form, which has no word for one. Otherwise it may not, as
	// in Azure ("TLS termination with Key Vault certificates").
	Trusted bool
	// Roots is whom everybody trusts; nil means the system's.
	Roots *x509.CertPool
	// Own is the network's own authority, for clients' certificates.
	Own      *x509.CertPool
	Policies []model.AppGatewayPolicy
	// Routes means that only routes are wanted: certificates are not looked for.
	Routes bool
}

// Convert returns the configuration of a gateway, and what of the documents is
// not done as it is written. The error is [gateway.Problems], each with its
// place.
func Convert(s Source) (*gateway.Config, []Finding, error) {
	c := &converter{source: s, id: s.Gateway.ID.Key(), config: &gateway.Config{Name: s.Gateway.ID.Name()}}
	if err := wire.Decode(s.Gateway.Doc, &c.view); err != nil {
		return nil, nil, gateway.Problems{{Place: c.place(""), Text: err.Error()}}
	}
	c.p = &c.view.Properties
	if h2, ok := s.Gateway.Properties()["enableHttp2"].(bool); ok {
		c.config.NoHTTP2 = !h2
	}
	c.config.Firewall = c.firewallNamed(c.p.FirewallPolicy)
	c.pools()
	c.probes()
	c.settings()
	c.rules()
	c.listeners()
	c.policies()
	c.unheard()
	if len(c.problems) > 0 {
		return nil, c.findings, c.problems
	}
	if err := c.config.Check(); err != nil {
		return nil, c.findings, err
	}
	return c.config, c.findings, nil
}

// converter makes one configuration.
type converter struct {
	source   Source
	id       string // of the gateway, lower case
	view     wire.AppGateway
	p        *wire.AppGatewayProperties
	config   *gateway.Config
	ruled    map[string]bool // listeners with a rule
	problems gateway.Problems
	findings []Finding
}

// place is where a part was declared: its file, or the resource's ID.
func (c *converter) place(pointer string) gateway.Place { return placeIn(c.source.Gateway, pointer) }

func placeIn(r *model.Resource, pointer string) gateway.Place {
	if pos := r.PosOf(pointer); !pos.IsZero() {
		return gateway.Place(pos.String())
	}
	return gateway.Place(r.ID.String() + "#" + pointer)
}

func (c *converter) problem(pointer, format string, args ...any) {
	c.problems = append(c.problems, gateway.Problem{Place: c.place(pointer), Text: fmt.Sprintf(format, args...)})
}

func (c *converter) finding(pointer, format string, args ...any) {
	c.findings = append(c.findings, Finding{Place: c.place(pointer), Pointer: pointer, What: fmt.Sprintf(format, args...)})
}

// part finds a part by a reference; a dangling one is a problem.
func part[T any](c *converter, list string, parts []wire.AppGatewayPart[T], ref *wire.Ref, pointer string) (*wire.AppGatewayPart[T], int) {
	if ref == nil {
		return nil, 0
	}
	for i := range parts {
		if strings.EqualFold(c.id+"/"+list+"/"+parts[i].Name, ref.ID) {
			return &parts[i], i
		}
	}
	c.problem(pointer, "there is no %s %q in the gateway", list, last(ref.ID))
	return nil, 0
}

func last(id string) string { return id[strings.LastIndexByte(id, '/')+1:] }

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

func protocol(s string) gateway.Protocol {
	switch strings.ToLower(s) {
	case "", "http":
		return gateway.HTTP
	case "https":
		return gateway.HTTPS
	}
	return gateway.Protocol(s)
}

func (c *converter) pools() {
	for i := range c.p.Pools {
		p := &c.p.Pools[i]
		at := fmt.Sprintf("/properties/backendAddressPools/%d", i)
		out := gateway.Pool{Name: p.Name, Place: c.place(at)}
		add := func(host string) {
			for _, m := range out.Members {
				if strings.EqualFold(m.Host, host) {
					return
				}
			}
			out.Members = append(out.Members, gateway.Member{Host: host})
		}
		for _, a := range p.Properties.Addresses {
			if a.IPAddress != "" {
				add(a.IPAddress)
			} else if a.FQDN != "" {
				add(strings.TrimSuffix(a.FQDN, "."))
			}
		}
		if c.source.Interfaces != nil {
			for _, a := range c.source.Interfaces(c.id + "/backendaddresspools/" + strings.ToLower(p.Name)) {
				add(a.String())
			}
		}
		c.config.Pools = append(c.config.Pools, out)
	}
}

func (c *converter) probes() {
	for i := range c.p.Probes {
		p := &c.p.Probes[i]
		v := &p.Properties
		at := fmt.Sprintf("/properties/probes/%d", i)
		out := gateway.Probe{
			Name: p.Name, Place: c.place(at), Protocol: protocol(v.Protocol), Host: v.Host, Path: v.Path, Port: uint16(v.Port),
			Interval: seconds(v.Interval), Timeout: seconds(v.Timeout), Threshold: v.Threshold,
			HostOfSettings: v.HostOfSettings, MinServers: v.MinServers,
		}
		if out.Path == "" {
			out.Path = "/"
		}
		if v.Port < 0 || v.Port > 65535 {
			c.problem(at+"/properties/port", "probe %s: port %d; use 1 to 65535", p.Name, v.Port)
		}
		if m := v.Match; m != nil {
			out.Body, out.Statuses = m.Body, m.StatusCodes
		}
		c.config.Probes = append(c.config.Probes, out)
	}
}

func (c *converter) settings() {
	for i := range c.p.Settings {
		s := &c.p.Settings[i]
		v := &s.Properties
		at := fmt.Sprintf("/properties/backendHttpSettingsCollection/%d", i)
		out := gateway.Settings{
			Name: s.Name, Place: c.place(at), Protocol: protocol(v.Protocol), Port: uint16(v.Port),
			Affinity: strings.EqualFold(v.Affinity, "Enabled"), Cookie: v.AffinityCookie, Timeout: seconds(v.RequestTimeout),
			Host: v.HostName, HostOfMember: v.HostOfMember, Path: v.Path, SNI: v.SNI, Roots: c.source.Roots,
			Insecure: v.ValidateChain != nil && !*v.ValidateChain,
		}
		if v.Port < 0 || v.Port > 65535 {
			c.problem(at+"/properties/port", "backend settings %s: port %d; use 1 to 65535", s.Name, v.Port)
		}
		if v.Port == 0 {
			out.Port = map[gateway.Protocol]uint16{gateway.HTTP: 80, gateway.HTTPS: 443}[out.Protocol]
		}
		if d := v.Draining; d != nil && d.Enabled {
			out.Drain = seconds(d.Timeout)
		}
		if probe, _ := part(c, "probes", c.p.Probes, v.Probe, at+"/properties/probe"); probe != nil {
			out.Probe = probe.Name
		}
		for j := range v.TrustedRoots {
			root, n := part(c, "trustedRootCertificates", c.p.TrustedRoots, &v.TrustedRoots[j], fmt.Sprintf("%s/properties/trustedRootCertificates/%d", at, j))
			if root == nil {
				continue
			}
			if out.Roots == c.source.Roots {
				out.Roots = x509.NewCertPool()
				if c.source.Roots != nil {
					out.Roots = c.source.Roots.Clone()
				}
			}
			c.authority(out.Roots, "trustedRootCertificates", root.Name, n, &root.Properties)
		}
		c.config.Settings = append(c.config.Settings, out)
	}
}

// authority adds the certificates of an authority to a pool.
func (c *converter) authority(to *x509.CertPool, list, name string, i int, v *wire.Certificate) {
	if c.source.Routes {
		return
	}
	at := fmt.Sprintf("/properties/%s/%d", list, i)
	content, err := []byte(nil), error(nil)
	switch {
	case v.SecretID != "":
		content, err = c.secret(v.SecretID)
	case v.Data != "":
		content, err = decode(v.Data)
	case c.source.Authority != nil:
		var ok bool
		if content, ok, err = c.source.Authority(name); !ok && err == nil {
			err = fmt.Errorf("it has neither content nor secret")
		}
	default:
		err = fmt.Errorf("it has neither content nor secret")
	}
	if err != nil {
		c.problem(at, "%s %s: %v", list, name, err)
		return
	}
	if to.AppendCertsFromPEM(content) {
		return
	}
	x, err := x509.ParseCertificate(content)
	if err != nil {
		c.problem(at, "%s %s holds no certificate: %v", list, name, err)
		return
	}
	to.AddCert(x)
}

func (c *converter) secret(id string) ([]byte, error) {
	if c.source.Secret == nil {
		return nil, fmt.Errorf("no key vault is at hand for %s", id)
	}
	identity, _ := c.source.Gateway.Doc["identity"].(map[string]any)
	users, _ := identity["userAssignedIdentities"].(map[string]any)
	switch {
	case len(users) > 0:
	case !c.source.Trusted:
		return nil, fmt.Errorf("%s: the gateway has no identity to read it by: add a user-assigned identity and assign it the role Key Vault Secrets User on the vault", id)
	default:
		c.finding("/identity", "the short form has no identity: %s is read without, where Azure asks for a user-assigned identity with the role Key Vault Secrets User", id)
	}
	b, err := c.source.Secret(id)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", id, err)
	}
	if block, _ := pem.Decode(b); block != nil {
		return b, nil
	}
	return decode(string(b))
}

// SecretKeyPair reads a certificate with its key from what a secret of a key vault
// holds: PEM, or PKCS #12 in base64.
func SecretKeyPair(content []byte) (tls.Certificate, error) {
	if block, _ := pem.Decode(content); block == nil {
		var err error
		if content, err = decode(string(content)); err != nil {
			return tls.Certificate{}, err
		}
	}
	return keyPair(content, "")
}

func decode(text string) ([]byte, error) {
	b, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		return nil, fmt.Errorf("it is not base64: %w", err)
	}
	return b, nil
}

// keyPair reads a certificate with its key: PKCS #12 (RFC 7292), or PEM.
func keyPair(content []byte, password string) (tls.Certificate, error) {
	if block, _ := pem.Decode(content); block != nil {
		return tls.X509KeyPair(content, content)
	}
	blocks, err := pkcs12.ToPEM(content, password)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("it is no PFX that can be read (%w); give it with the algorithms of PKCS #12 from 1999, or as PEM", err)
	}
	var text []byte
	for _, b := range blocks {
		text = append(text, pem.EncodeToMemory(b)...)
	}
	return tls.X509KeyPair(text, text)
}

// certificate returns that of a listener.
func (c *converter) certificate(ref *wire.Ref, hosts []string, at string) (tls.Certificate, bool) {
	if c.source.Routes {
		return tls.Certificate{}, true
	}
	x, i := part(c, "sslCertificates", c.p.Certificates, ref, at+"/properties/sslCertificate")
	if x == nil {
		return tls.Certificate{}, false
	}
	where := fmt.Sprintf("/properties/sslCertificates/%d", i)
	var pair tls.Certificate
	var content []byte
	var err error
	switch v := &x.Properties; {
	case v.SecretID != "":
		if content, err = c.secret(v.SecretID); err == nil {
			pair, err = keyPair(content, v.Password)
		}
	case v.Data != "":
		if content, err = decode(v.Data); err == nil {
			pair, err = keyPair(content, v.Password)
		}
	default:
		found := false
		if c.source.Named != nil {
			pair, found, err = c.source.Named(x.Name)
		}
		if found || err != nil {
			break
		}
		if c.source.SelfSigned == nil {
			err = fmt.Errorf("it has neither content nor secret")
			break
		}
		pair, err = c.source.SelfSigned(hosts)
		c.finding(where, "certificate %s has neither content nor secret: the network's own authority makes it", x.Name)
	}
	if err != nil {
		c.problem(where, "certificate %s: %v", x.Name, err)
		return tls.Certificate{}, false
	}
	return pair, true
}

func (c *converter) listeners() {
	for i := range c.p.Listeners {
		l := &c.p.Listeners[i]
		v := &l.Properties
		at := fmt.Sprintf("/properties/httpListeners/%d", i)
		if !c.ruled[l.Name] {
			c.finding(at, "listener %s has no rule: it takes nothing", l.Name)
			continue
		}
		out := gateway.Listener{Name: l.Name, Place: c.place(at), Protocol: protocol(v.Protocol), Hosts: v.HostNames, Firewall: c.firewallNamed(v.FirewallPolicy)}
		if v.HostName != "" {
			out.Hosts = []string{v.HostName}
		}
		port, _ := part(c, "frontendPorts", c.p.FrontendPorts, v.Port, at+"/properties/frontendPort")
		if v.Frontend == nil || port == nil {
			c.problem(at, "listener %s needs a frontend and a port", l.Name)
			continue
		}
		addr, ok := c.source.Frontend(last(v.Frontend.ID))
		if !ok {
			c.problem(at+"/properties/frontendIPConfiguration", "listener %s: frontend %s has no address", l.Name, last(v.Frontend.ID))
			continue
		}
		if port.Properties.Port < 1 || port.Properties.Port > 65535 {
			c.problem(at+"/properties/frontendPort", "listener %s: port %d; use 1 to 65535", l.Name, port.Properties.Port)
			continue
		}
		out.Address = netip.AddrPortFrom(addr, uint16(port.Properties.Port))
		if out.Protocol == gateway.HTTPS {
			c.secure(&out, v, at)
		}
		c.config.Listeners = append(c.config.Listeners, out)
	}
}

// secure fills in the TLS of a listener.
func (c *converter) secure(out *gateway.Listener, v *wire.HTTPListener, at string) {
	if v.Certificate == nil {
		c.problem(at, "listener %s speaks https and has no certificate", out.Name)
		return
	}
	if pair, ok := c.certificate(v.Certificate, out.Hosts, at); ok {
		out.Certificates = []tls.Certificate{pair}
	}
	policy, where := c.p.SSLPolicy, "/properties/sslPolicy"
	if profile, i := part(c, "sslProfiles", c.p.SSLProfiles, v.Profile, at+"/properties/sslProfile"); profile != nil {
		if profile.Properties.SSLPolicy != nil {
			policy, where = profile.Properties.SSLPolicy, fmt.Sprintf("/properties/sslProfiles/%d/properties/sslPolicy", i)
		}
		c.clientAuth(out, profile, i)
	}
	out.MinTLS = c.minTLS(policy, where)
}

// clientAuth adds the authorities of clients' certificates.
func (c *converter) clientAuth(out *gateway.Listener, profile *wire.AppGatewayPart[wire.SSLProfile], i int) {
	at := fmt.Sprintf("/properties/sslProfiles/%d/properties", i)
	if a := profile.Properties.ClientAuth; a != nil && strings.EqualFold(a.VerifyMode, "Passthrough") {
		c.finding(at+"/clientAuthConfiguration", "client certificates are verified: passing them through is not modelled")
	}
	for j := range profile.Properties.TrustedClients {
		x, n := part(c, "trustedClientCertificates", c.p.TrustedClients, &profile.Properties.TrustedClients[j], fmt.Sprintf("%s/trustedClientCertificates/%d", at, j))
		if x == nil {
			continue
		}
		if out.ClientCAs == nil {
			out.ClientCAs = x509.NewCertPool()
		}
		if v := &x.Properties; v.Data == "" && v.SecretID == "" && c.source.Own != nil && strings.EqualFold(x.Name, OwnAuthority) {
			out.ClientCAs = c.source.Own.Clone()
			c.finding(fmt.Sprintf("/properties/trustedClientCertificates/%d", n), "authority %s has no content: it is the network's own", x.Name)
			continue
		}
		c.authority(out.ClientCAs, "trustedClientCertificates", x.Name, n, &x.Properties)
	}
}

// OwnAuthority is the name of a trusted client certificate without content that
// stands for the network's own authority.
const OwnAuthority = "network"

// minTLS returns the oldest version of a TLS policy ("Application Gateway TLS
// policy overview").
func (c *converter) minTLS(p *wire.AppGatewaySSLPolicy, at string) uint16 {
	if p == nil {
		return 0
	}
	if len(p.CipherSuites) > 0 {
		c.finding(at+"/cipherSuites", "cipher suites are not restricted: those that Go takes for safe are offered")
	}
	switch strings.ToLower(p.MinProtocol) {
	case "tlsv1_3":
		return tls.VersionTLS13
	case "tlsv1_0", "tlsv1_1":
		c.finding(at+"/minProtocolVersion", "%s is not spoken: clients need TLS 1.2", p.MinProtocol)
	}
	switch strings.ToLower(p.Name) {
	case "appgwsslpolicy20150501", "appgwsslpolicy20170401":
		c.finding(at+"/policyName", "%s lets in clients older than TLS 1.2: they are refused", p.Name)
	}
	return 0
}
