package waf

import (
	"fmt"
	"net/netip"
	"strings"
)

// Mode says whether a policy blocks.
type Mode string

// The modes ("Web application firewall policy overview").
const (
	Detection  Mode = "Detection"  // what would be blocked is logged
	Prevention Mode = "Prevention" // and blocked
)

// Policy is a web application firewall policy. It is not changed once a
// [Firewall] was made of it.
type Policy struct {
	Name string
	Mode Mode
	// Disabled lets everything pass, and logs nothing.
	Disabled bool
	Custom   []Rule
	Managed  []RuleSet
	// Exclusions are parts of requests that managed rules do not look at.
	Exclusions []Exclusion
	// Paranoia is the level of the managed rules, 1 to 4; 0 means 1.
	Paranoia int
	// NoBody leaves bodies uninspected, of any size.
	NoBody bool
	// InspectLimit is how much of a body is inspected, MaxBody how large one may be
	// that is not multipart/form-data, MaxUpload one that is; in bytes. 0 means
	// 128 KiB, 128 KiB and 100 MiB.
	InspectLimit, MaxBody, MaxUpload int64
	// AnyBody and AnyUpload let larger ones pass: what is beyond the inspected part
	// is not looked at.
	AnyBody, AnyUpload bool
	// Responses are inspected too, of the types text and JSON and up to 512 KiB.
	// Azure's firewall does not.
	Responses bool
	// BlockStatus and BlockBody are the answer to a blocked request: 403 and a
	// plain page unless they are set.
	BlockStatus int
	BlockBody   string
}

// Defaults and limits of the resource ("Web Application Firewall request and file
// upload size limits", "WAF custom rules", Microsoft Learn).
const (
	defaultBody   = 128 << 10
	defaultUpload = 100 << 20
	maxBody       = 2 << 20
	maxUpload     = 4 << 30
	maxCustom     = 100
	maxPriority   = 100
	maxValues     = 600
	blockStatus   = 403
	// largeStatus answers a body beyond the limits in prevention mode.
	largeStatus = 413
	// threshold is the score from which a request is blocked ("CRS rule groups and
	// rules": a critical rule suffices).
	threshold = 5
)

// RuleSet is a managed rule set.
type RuleSet struct {
	Type, Version string // "OWASP" "4.25"; see [RuleSets]
	Overrides     []Override
}

// Override changes a managed rule, or all rules of a group.
type Override struct {
	Group    string // "REQUEST-942-APPLICATION-ATTACK-SQLI", or Azure's short "SQLI"
	Rule     int    // 0 means the group's
	Disabled bool
	Action   Action // AnomalyScoring (also if empty), Allow, Block or Log
}

// Exclusion is a part of requests that managed rules do not look at.
type Exclusion struct {
	// Variable is RequestHeader, RequestCookie or RequestArg with Names, Keys or
	// Values: names and values exclude the value of what has the name, keys the
	// name itself ("Web Application Firewall exclusion lists").
	Variable string
	Operator string // Equals, StartsWith, EndsWith, Contains or EqualsAny
	Selector string
	// Groups and Rules restrict it; without either it is for all managed rules.
	Groups []string
	Rules  []int
}

// Action is what a rule does to a request it matches.
type Action string

// The actions.
const (
	Allow          Action = "Allow"
	Block          Action = "Block"
	Log            Action = "Log"
	AnomalyScoring Action = "AnomalyScoring"
)

// Rule is a custom rule: it matches if all its conditions do.
type Rule struct {
	Name       string
	Priority   int // 1 to 100, the lowest first, unique
	Disabled   bool
	Conditions []Condition
	Action     Action // Allow, Block or Log
	Rate       *Rate  // if set, only requests beyond it match
}

// Rate bounds the requests that match a rule.
type Rate struct {
	Threshold int // 1 to 5000
	Minutes   int // 1 or 5
	// By is ClientAddr, ClientAddrXFFHeader or None.
	By string
}

// Condition compares variables with values: one of either suffices.
type Condition struct {
	Variables  []Variable
	Operator   string
	Negate     bool
	Values     []string
	Transforms []string
}

// Variable is a part of a request: RemoteAddr, RequestMethod, QueryString,
// PostArgs, RequestUri, RequestHeaders, RequestBody or RequestCookies. A selector
// names a header, cookie or argument; without it each of them is compared.
type Variable struct{ Name, Selector string }

// String returns the variable as people write it: RequestHeaders:User-Agent.
func (v Variable) String() string {
	if v.Selector == "" {
		return v.Name
	}
	return v.Name + ":" + v.Selector
}

// Options are what a firewall needs of the world.
type Options struct {
	// Country returns the two letters of an address' country; nil means that
	// countries are not known, and that rules by them are refused.
	Country func(netip.Addr) (string, bool)
}

// Problems are everything wrong with a policy.
type Problems []string

// Error lists them, one a line.
func (p Problems) Error() string { return strings.Join(p, "\n") }

func (p *Problems) add(format string, args ...any) { *p = append(*p, fmt.Sprintf(format, args...)) }

// or returns a value, or what stands for zero.
func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}
