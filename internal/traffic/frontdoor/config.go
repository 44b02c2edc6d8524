package frontdoor

import (
	"crypto/tls"
	"crypto/x509"
	"net/netip"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/internal/traffic/cache"
	"github.com/ceruleannet/cerulean/internal/traffic/waf"
)

// Place says where a part was declared: file:line:column, or a resource and its
// property. Empty means that nobody knows.
type Place string

// Config is a profile of Front Door. It is not changed once a [Server] has it.
type Config struct {
	Name string
	// ID tells origins which profile asks: the header X-Azure-FDID.
	ID        string
	Edges     []Edge
	Domains   []Domain
	Groups    []Group
	Routes    []Route
	RuleSets  []RuleSet
	Firewalls []Firewall
	// Roots are the authorities of origins' certificates; nil means the system's.
	Roots *x509.CertPool
	// Timeout is how long an origin's answer may take to begin; 0 means 60 s.
	Timeout time.Duration
	Place   Place
}

// Edge is a place where clients are answered.
type Edge struct {
	Name    string
	Region  string         // of the catalogue
	Address netip.AddrPort // for plain requests; invalid: none are taken
	Secure  netip.AddrPort // for those over TLS; invalid: none are taken
	Place   Place
}

// Domain is a host name that clients ask for, with its certificate.
type Domain struct {
	Name        string // exact, or *.example
	Endpoint    string // of the log; empty: the name
	Certificate *tls.Certificate
	MinTLS      uint16 // 0 means 1.2
	Place       Place
}

// Group is an origin group.
type Group struct {
	Name    string
	Origins []Origin
	// Sensitivity is how much slower than the fastest an origin may be to take part;
	// 0 takes the fastest only ("Traffic routing methods to origin").
	Sensitivity time.Duration
	// Samples of the last probes, of which Successful must be well; 0 means 4 and 3.
	Samples, Successful int
	Probe               *Probe // nil: not probed, all are well
	Affinity            bool
	Place               Place
}

// Origin is a server of a group.
type Origin struct {
	Name       string
	Host       string // an address or a name
	Port       uint16 // 0 means 80
	SecurePort uint16 // 0 means 443
	HostHeader string // empty: the client's host
	Region     string // of the catalogue: its distance to the edge is added to its latency
	Priority   int    // 1..5; 0 means 1
	Weight     int    // 1..1000; 0 means 50
	Disabled   bool
	// AnyName takes a certificate for another name than the host's.
	AnyName bool
	Place   Place
}

// Probe asks origins whether they are well: only 200 counts ("Health probes").
type Probe struct {
	Path     string
	Method   string        // HEAD or GET; empty means HEAD
	Secure   bool          // over TLS
	Interval time.Duration // 5 s to 255 s; 0 means 30 s
	Place    Place
}

// Forwarding is how origins are asked.
type Forwarding string

// The protocols to origins ("Routing architecture overview").
const (
	HTTPOnly     Forwarding = "HttpOnly"
	HTTPSOnly    Forwarding = "HttpsOnly"
	MatchRequest Forwarding = "MatchRequest" // as the client asked; also if empty
)

// Route sends requests to an origin group.
type Route struct {
	Name     string
	Domains  []string // exact, or *.example; none means every one
	Patterns []string // paths: exact, or ending with /*; none means /*
	// HTTP and HTTPS are the protocols it is for; neither means both.
	HTTP, HTTPS bool
	// Redirect sends plain requests to the same address over TLS.
	Redirect   bool
	Forwarding Forwarding
	Group      string
	// OriginPath is put in place of what the pattern matched up to its *.
	OriginPath string
	Cache      *cache.Policy
	// Compress are the types of content that the edge compresses where it keeps
	// answers; none means it compresses nothing.
	Compress []string
	RuleSets []string // in their order
	Disabled bool
	Place    Place
}

// RuleSet is a list of rules.
type RuleSet struct {
	Name  string
	Rules []Rule
	Place Place
}

// Rule does its actions to requests that meet all its conditions.
type Rule struct {
	Name       string
	Order      int
	Conditions []Condition
	Actions    []Action
	Stop       bool // later rules are not looked at
	Place      Place
}

// Condition compares a part of a request with values; one of them suffices.
type Condition struct {
	// Variable is one of [Variables] ("Rules engine match conditions").
	Variable   string
	Selector   string // of RequestHeader, Cookies, QueryString or PostArgs
	Operator   string // Equal, Contains, BeginsWith, EndsWith, RegEx, Any, IPMatch, LessThan, …
	Negate     bool
	Values     []string
	Transforms []string // Lowercase, Uppercase, Trim, UrlDecode, UrlEncode, RemoveNulls
	Place      Place
}

// Action is one of its parts.
type Action struct {
	ModifyRequestHeader, ModifyResponseHeader *HeaderAction
	Redirect                                  *Redirect
	Rewrite                                   *Rewrite
	Override                                  *Override
	Place                                     Place
}

// HeaderAction changes a header.
type HeaderAction struct {
	Action, Name, Value string // Append, Overwrite or Delete
}

// Redirect answers with another address; empty parts stay as they are.
type Redirect struct {
	Status                               int // 301, 302, 307 or 308
	Protocol, Host, Path, Query, Anchors string
}

// Rewrite changes the path that the origin is asked for.
type Rewrite struct {
	Source, Destination string // path prefixes
	KeepUnmatched       bool   // what follows the source
}

// Override replaces what the route says: the group (which replaces the choosing of
// the route's), how it is asked, and the cache.
type Override struct {
	Group      string
	Forwarding Forwarding
	Cache      *cache.Policy
	NoCache    bool
}

// Firewall is a web application firewall policy and what it is for.
type Firewall struct {
	Policy  waf.Policy
	Domains []string // exact or *.example; none means every one
	// RedirectTo is where the rules of Redirects send who they block.
	RedirectTo string
	Redirects  []string
	Place      Place
}

// Defaults and limits ("Azure Front Door origins and origin groups", "Health
// probes", "File compression"). Samples, probe intervals and the status of a
// redirect to HTTPS are unconfirmed.
const (
	defaultWeight     = 50
	defaultSamples    = 4
	defaultSuccessful = 3
	defaultInterval   = 30 * time.Second
	defaultTimeout    = 60 * time.Second
	minInterval       = 5 * time.Second
	maxInterval       = 255 * time.Second
	maxPriority       = 5
	maxWeight         = 1000
	probeAgent        = "Edge Health Probe"
	redirectStatus    = 307
	minCompress       = 1 << 10
	maxCompress       = 8 << 20
	maxPostArgs       = 64 << 10 // of a body that conditions look at
)

// CompressedTypes are those that Azure compresses unless a route says otherwise
// ("Improve performance by compressing files", default MIME types).
var CompressedTypes = strings.Fields(`application/eot application/font application/font-sfnt application/javascript
application/json application/opentype application/otf application/pkcs7-mime application/truetype application/ttf
application/vnd.ms-fontobject application/xhtml+xml application/xml application/xml+rss application/x-font-opentype
application/x-font-truetype application/x-font-ttf application/x-httpd-cgi application/x-javascript application/x-mpegurl
application/x-opentype application/x-otf application/x-perl application/x-ttf font/eot font/ttf font/otf font/opentype
image/svg+xml text/css text/csv text/html text/javascript text/js text/plain text/richtext text/tab-separated-values
text/xml text/x-script text/x-component text/x-java-source`)

// or returns a value, or what stands for zero.
func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// secure reports whether origins are asked over TLS for a client that came so or
// not.
func (f Forwarding) secure(client bool) bool {
	switch f {
	case HTTPOnly:
		return false
	case HTTPSOnly:
		return true
	default:
		return client
	}
}
