package frontdoor

import (
	"net/netip"
	"time"

	"github.com/ceruleannet/cerulean/internal/traffic/cache"
)

// Config is a profile of Front Door. It is not changed once a [Server] has it.
type Config struct {
	Name     string
	Edges    []Edge
	Groups   []Group
	Routes   []Route
	RuleSets []RuleSet
}

// Edge is a place where clients are answered.
type Edge struct {
	Name    string
	Region  string // of the catalogue
	Address netip.AddrPort
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
}

// Origin is a server of a group.
type Origin struct {
	Name       string
	Host       string // an address or a name
	Port       uint16 // 0 means 80
	HostHeader string // empty: the host
	Region     string // of the catalogue: its distance to the edge is added to its latency
	Priority   int    // 1..5; 0 means 1
	Weight     int    // 1..1000; 0 means 50
	Disabled   bool
}

// Probe asks origins whether they are well: only 200 counts ("Health probes").
type Probe struct {
	Path     string
	Method   string        // HEAD or GET; empty means HEAD
	Interval time.Duration // 5 s to 255 s; 0 means 30 s
}

// Route sends requests to an origin group.
type Route struct {
	Name     string
	Domains  []string // exact, or *.example; none means every one
	Patterns []string // paths: exact, or ending with /*; none means /*
	Group    string
	// OriginPath is put in place of what the pattern matched up to its *.
	OriginPath string
	Cache      *cache.Policy
	RuleSets   []string // in their order
	Disabled   bool
}

// RuleSet is a list of rules.
type RuleSet struct {
	Name  string
	Rules []Rule
}

// Rule does its actions to requests that meet all its conditions.
type Rule struct {
	Name       string
	Order      int
	Conditions []Condition
	Actions    []Action
	Stop       bool // later rules are not looked at
}

// Condition compares a part of a request with values; one of them suffices.
type Condition struct {
	// Variable is RequestMethod, RequestUri, UrlPath, UrlFileName, UrlFileExtension,
	// QueryString, RequestHeader, Cookies, RemoteAddress, RequestScheme, HostName,
	// HttpVersion or ServerPort ("Rules engine match conditions").
	Variable   string
	Selector   string // of RequestHeader, Cookies or QueryString
	Operator   string // Equal, Contains, BeginsWith, EndsWith, RegEx, Any, IPMatch, LessThan, …
	Negate     bool
	Values     []string
	Transforms []string // Lowercase, Uppercase, Trim, UrlDecode
}

// Action is one of its parts.
type Action struct {
	ModifyRequestHeader, ModifyResponseHeader *HeaderAction
	Redirect                                  *Redirect
	Rewrite                                   *Rewrite
	Override                                  *Override
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
// the route's), and the cache.
type Override struct {
	Group   string
	Cache   *cache.Policy
	NoCache bool
}

// Defaults and limits ("Azure Front Door origins and origin groups", "Health
// probes"). Samples and probe intervals are unconfirmed.
const (
	defaultWeight     = 50
	defaultSamples    = 4
	defaultSuccessful = 3
	defaultInterval   = 30 * time.Second
	minInterval       = 5 * time.Second
	maxInterval       = 255 * time.Second
	maxPriority       = 5
	maxWeight         = 1000
	probeAgent        = "Edge Health Probe"
)

// or returns a value, or what stands for zero.
func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}
