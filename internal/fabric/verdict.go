package fabric

// Verdict is what becomes of a packet. It is data, never an error.
type Verdict uint8

// The verdicts. The zero value is Deny: nothing passes by accident.
const (
	VerdictDeny Verdict = iota
	VerdictAllow
	// VerdictUnknown means the network depends on something that could not be
	// resolved or is not modelled; the reason says what.
	VerdictUnknown
)

// String returns "deny", "allow" or "unknown".
func (v Verdict) String() string {
	switch v {
	case VerdictAllow:
		return "allow"
	case VerdictUnknown:
		return "unknown"
	default:
		return "deny"
	}
}

// Code says why a verdict was reached.
type Code uint8

// The codes of reasons.
const (
	CodeNone           Code = iota
	CodeDelivered           // allow: the port owns the destination
	CodePlatform            // allow: the destination is a platform address
	CodeRule                // a rule of a filter decided
	CodeFilterDefault       // no rule of a filter matched and its default decided
	CodeSourceCheck         // deny: the port does not own the source address and does not forward
	CodeNoRoute             // deny: no route holds the destination
	CodeRouteDrop           // deny: the route's hop drops
	CodeRouteUnknown        // unknown: the route's hop is not modelled
	CodeNextHopMissing      // deny: no port has the route's next-hop address
	CodeNoPort              // deny: no port has the destination address
	CodeNotForwarding       // deny: the packet reached a port that does not forward
	CodeLoop                // deny: more than MaxHops ports were passed
	CodeNoOutbound          // deny: no public source address towards the internet
	CodePrivateAtEdge       // deny: the internet does not route this destination
	CodeNoTranslation       // deny: the public address leads to no port
	CodePublicUnknown       // unknown: what the public address leads to is not modelled
	CodeNoSession           // deny: a reply reached a stateful device that never saw the flow, or came back changed
	CodeNoRedirect          // deny: no rule of a balancer takes the packet
	CodeNoTarget            // deny: every target of a redirect is down, or it has none
	CodeHairpin             // deny: a balancer handed a packet back to its own source
	CodeClosed              // deny: a Standard public address leads to a port without any security group
)

var codeNames = [...]string{
	CodeNone:           "none",
	CodeDelivered:      "delivered",
	CodePlatform:       "platform",
	CodeRule:           "rule",
	CodeFilterDefault:  "filter-default",
	CodeSourceCheck:    "source-check",
	CodeNoRoute:        "no-route",
	CodeRouteDrop:      "route-drop",
	CodeRouteUnknown:   "route-unknown",
	CodeNextHopMissing: "next-hop-missing",
	CodeNoPort:         "no-port",
	CodeNotForwarding:  "not-forwarding",
	CodeLoop:           "loop",
	CodeNoOutbound:     "no-outbound",
	CodePrivateAtEdge:  "private-at-edge",
	CodeNoTranslation:  "no-translation",
	CodePublicUnknown:  "public-unknown",
	CodeNoSession:      "no-session",
	CodeNoRedirect:     "no-redirect",
	CodeNoTarget:       "no-target",
	CodeHairpin:        "hairpin",
	CodeClosed:         "closed",
}

// String returns the code's name, for example "filter-default".
func (c Code) String() string {
	if int(c) < len(codeNames) {
		return codeNames[c]
	}
	return "?"
}

// Codes returns every code, for generated documentation and tests.
func Codes() []Code {
	out := make([]Code, len(codeNames))
	for i := range out {
		out[i] = Code(i)
	}
	return out
}

// Reason is why a verdict was reached, as positions in the image. Reasons are
// comparable: interpreters that agree give equal reasons. Fields that do not
// apply are None.
type Reason struct {
	Code   Code
	Port   PortID   // the port where it was decided
	Filter FilterID // CodeRule and CodeFilterDefault
	Rule   int32    // CodeRule: index into the filter's rules. CodeNoTarget and CodeHairpin: into the port's redirects
	Table  TableID  // CodeRouteDrop, CodeRouteUnknown, CodeNextHopMissing, CodeNoPort, CodeNoRoute
	Route  int32    // index into the table's routes; None for CodeNoRoute
}

// None marks a position that does not apply.
const None = -1

// At returns a reason that names only a port.
func At(code Code, port PortID) Reason {
	return Reason{Code: code, Port: port, Filter: None, Rule: None, Table: None, Route: None}
}

// AtRule returns the reason of a rule, or of a filter's default when rule is None.
func AtRule(port PortID, filter FilterID, rule int32) Reason {
	code := CodeRule
	if rule == None {
		code = CodeFilterDefault
	}
	return Reason{Code: code, Port: port, Filter: filter, Rule: rule, Table: None, Route: None}
}

// AtRoute returns a reason that names a route of a table.
func AtRoute(code Code, port PortID, table TableID, route int32) Reason {
	return Reason{Code: code, Port: port, Filter: None, Rule: None, Table: table, Route: route}
}

// AtRedirect returns a reason that names a redirect of a port.
func AtRedirect(code Code, port PortID, redirect int32) Reason {
	return Reason{Code: code, Port: port, Filter: None, Rule: redirect, Table: None, Route: None}
}

// Fault is a failure of the machinery rather than a decision of the network.
type Fault uint8

// The faults.
const (
	FaultNone           Fault = iota
	FaultMalformed            // the packet does not parse
	FaultFragment             // a fragment other than the first, which carries no ports
	FaultTableFull            // the flow table has no room
	FaultNoPort               // the packet entered at a port the image does not have
	FaultPortsExhausted       // a pool of source ports has none left for the destination
	NumFaults
)

// String returns the fault's name.
func (f Fault) String() string {
	switch f {
	case FaultMalformed:
		return "malformed"
	case FaultFragment:
		return "fragment"
	case FaultTableFull:
		return "table-full"
	case FaultNoPort:
		return "no-port"
	case FaultPortsExhausted:
		return "ports-exhausted"
	default:
		return "none"
	}
}

// OriginOf returns where the part of the image that a reason names came from:
// the rule, the filter for its default, the redirect or the route. The zero Origin means the
// reason names none.
func (img *Image) OriginOf(r Reason) Origin {
	switch {
	case r.Filter == None && r.Rule != None:
		return img.Ports[r.Port].Inward.Redirects[r.Rule].Origin
	case r.Filter != None && r.Code == CodeRule:
		return img.Filters[r.Filter].Rules[r.Rule].Origin
	case r.Filter != None && r.Code == CodeFilterDefault:
		return img.Filters[r.Filter].Origin
	case r.Table != None && r.Route != None && r.Code != CodeRule && r.Code != CodeFilterDefault && r.Code != CodeNone:
		return img.Tables[r.Table].Routes[r.Route].Origin
	default:
		return Origin{}
	}
}
