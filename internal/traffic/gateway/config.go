package gateway

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/netip"
	"regexp"
	"time"

	"github.com/ceruleannet/cerulean/internal/traffic/waf"
)

// Config is a gateway. It is not changed once a [Router] was made of it.
type Config struct {
	Name      string
	Listeners []Listener
	Rules     []Rule
	Pools     []Pool
	Settings  []Settings
	Probes    []Probe
	Firewalls []Firewall
	// Firewall names the one that requests pass unless the listener or the path rule
	// names another.
	Firewall string
	// Discovery is the registry of pools that name a service of one.
	Discovery Registry
	// NoHTTP2 leaves clients HTTP/1.1 and, where a listener asks for it, HTTP/3.
	NoHTTP2 bool
	// CacheSize bounds what is kept of answers, in bytes; 0 means 64 MiB.
	CacheSize int64
}

// Firewall is a web application firewall policy.
type Firewall struct {
	Place  Place
	Policy waf.Policy
}

// Place is where something was configured: "file:line:column" or a resource ID.
type Place string

// Protocol is HTTP or HTTPS.
type Protocol string

// The protocols.
const (
	HTTP  Protocol = "Http"
	HTTPS Protocol = "Https"
)

// Listener takes requests for some hosts at an address.
type Listener struct {
	Name     string
	Place    Place
	Protocol Protocol
	Address  netip.AddrPort // an invalid address means all of them
	// Hosts are the names it answers to: none for a basic listener, which takes
	// what no other does; else at most five, where * stands for any characters
	// and ? for one ("Application Gateway multi-site hosting").
	Hosts []string
	// Certificates serve by their names; the first serves who asks for none.
	Certificates []tls.Certificate
	// ClientCAs, if set, must have signed the client's certificate.
	ClientCAs *x509.CertPool
	// MinTLS is tls.VersionTLS12 or tls.VersionTLS13; 0 means the first.
	MinTLS uint16
	// HTTP3 offers HTTP/3 (RFC 9114) at the same port, by UDP.
	HTTP3    bool
	Firewall string // by name; empty means the gateway's
}

// Rule routes what a listener takes.
type Rule struct {
	Name     string
	Place    Place
	Priority int    // 1..20000, the lowest first, unique
	Listener string // by name
	// Paths are tried in their order; what none matches goes to Default.
	Paths   []PathRule
	Default Action
}

// PathRule routes some paths.
type PathRule struct {
	Name  string
	Place Place
	// Patterns begin with "/" and may end with "*"; they match whatever the case.
	Patterns []string
	Action   Action
	Firewall string // by name; empty means the listener's
}

// Action is what becomes of a request: it goes to a pool, or is redirected.
type Action struct {
	Pool, Settings string // by name
	Redirect       *Redirect
	Rewrites       []Rewrite // in their order
	Policy         Policy
}

// Redirect answers with another address.
type Redirect struct {
	Status       int    // 301, 302, 303 or 307
	URL          string // absolute; or
	Listener     string // the name of another listener of the gateway
	IncludePath  bool
	IncludeQuery bool
}

// Rewrite changes a request and its response if all its conditions hold.
type Rewrite struct {
	Name       string
	Place      Place
	Conditions []Condition
	// Request and Response are headers to set; an empty value removes one. Values
	// may hold {var_NAME}, {http_req_NAME}, {http_resp_NAME}, and a condition's
	// captures as {var_NAME_1}.
	Request, Response []Header
	Path, Query       *string // replace them; nil keeps
	Reroute           bool    // the new path is routed again
}

// Header is a header field to set.
type Header struct{ Name, Value string }

// Condition compares a variable with a pattern.
type Condition struct {
	Variable   string // var_NAME, http_req_NAME or http_resp_NAME
	Pattern    string // a regular expression (RE2)
	IgnoreCase bool
	Negate     bool

	compiled *regexp.Regexp
}

// Pool is a group of members.
type Pool struct {
	Name    string
	Place   Place
	Members []Member
	// Discovery is the service of the registry whose instances are the members;
	// Members are then empty.
	Discovery string
}

// Member is one of a pool.
type Member struct {
	Host   string // an address or a name
	Port   uint16 // 0 means the settings'
	Weight int    // 1..1000; 0 means 1
}

// Settings are how members of a pool are asked.
type Settings struct {
	Name     string
	Place    Place
	Protocol Protocol
	Port     uint16
	// Affinity keeps a client at its member by a cookie of the name in Cookie.
	Affinity bool
	Cookie   string        // empty means ApplicationGatewayAffinity
	Timeout  time.Duration // for the response's first byte, 1 s to 24 h; 0 means 20 s
	// Drain is how long requests to a member that left may go on, up to 1 h.
	Drain time.Duration
	// Host replaces the request's; HostOfMember takes the member's.
	Host         string
	HostOfMember bool
	Path         string // put before the request's path
	Probe        string // by name; empty means the default probe
	// Roots must have signed the members' certificates; nil means the system's.
	Roots    *x509.CertPool
	Insecure bool // neither chain nor expiry of certificates are verified
	SNI      string
}

// Probe asks members whether they are well.
type Probe struct {
	Name      string
	Place     Place
	Protocol  Protocol // also GRPC
	Host      string   // empty with HostOfSettings
	Path      string
	Service   string        // of a gRPC probe; empty asks for the whole server
	Port      uint16        // 0 means the settings'
	Interval  time.Duration // 1 s to 24 h; 0 means 30 s
	Timeout   time.Duration // 1 s to 24 h; 0 means 30 s
	Threshold int           // failures in a row, 1..20; 0 means 3
	// Statuses are those of a healthy member, "200-399" or "404"; none means
	// 200-399.
	Statuses []string
	Body     string // must be in the response's first 64 KiB
	// HostOfSettings takes the settings' host.
	HostOfSettings bool
	// MinServers are well whatever the probe says.
	MinServers int
}

// Limits of the resource ("Application Gateway limits", Microsoft Learn; the
// wildcards' are of "Application Gateway multi-site hosting").
const (
	maxHosts     = 5
	maxPriority  = 20000
	maxStars     = 2
	maxWildcards = 4
	maxThreshold = 20
	maxBody      = 4090
	day          = 24 * time.Hour
)

// redirectStatus are the kinds of redirect: Permanent, Found, SeeOther and
// Temporary.
var redirectStatus = map[int]bool{
	http.StatusMovedPermanently: true, http.StatusFound: true,
	http.StatusSeeOther: true, http.StatusTemporaryRedirect: true,
}
