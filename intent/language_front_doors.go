package intent

import "github.com/ceruleannet/cerulean/model"

// This file is the part of the declared language about Front Door.

// FrontDoor is an Azure Front Door: one name and address that the nearest of many
// edges answers, which ask origins.
type FrontDoor struct {
	// Name of the profile.
	Name Text `yaml:"name" jsonschema:"required"`
	// Default standard, with a waf-policy premium.
	Tier Text `yaml:"tier" jsonschema:"enum=standard,enum=premium"`
	// Regions where it has edges; default those of the network and of the internet's hosts.
	Edges Texts `yaml:"edges"`
	// Endpoint, whose DNS name begins with its name; default the front door's name.
	Endpoint Text `yaml:"endpoint"`
	// Seconds that an origin's answer may take to begin; default 60.
	Timeout Int `yaml:"timeout" jsonschema:"minimum=16,maximum=240"`
	// Host names of one's own, which DNS leads to the endpoint.
	Domains Map[DoorDomain] `yaml:"domains"`
	// Web application firewall policy of Front Door for all its domains, declared under resources.
	WAFPolicy Text `yaml:"waf-policy"`
	// Origins by the name of their group.
	OriginGroups Map[OriginGroup] `yaml:"origin-groups" jsonschema:"required"`
	// Where requests go, by name; default one for everything, to the only origin group.
	Routes Map[DoorRoute] `yaml:"routes"`
	// Rules that routes run, by the name of their set; in the order of the list.
	RuleSets Map[[]DoorRule] `yaml:"rule-sets"`
	Pos      model.Pos       `yaml:"-"`
}

// DoorDomain is a host name of a front door.
type DoorDomain struct {
	// Secret of a key vault with its certificate: NAME in VAULT; without it and files the network's own authority makes one, as Azure does.
	Secret Text `yaml:"secret"`
	// File of certificates in PEM form, beside the network.
	Certificate Text `yaml:"certificate"`
	// File of the key in PEM form.
	Key Text `yaml:"key"`
	// Oldest version of TLS, 1.2 (the default) or 1.3.
	MinTLS Text      `yaml:"min-tls"`
	Pos    model.Pos `yaml:"-"`
}

// OriginGroup is a group of origins that stand for one another.
type OriginGroup struct {
	// Origins by name: an application gateway, load balancer or host with a public address, a DNS name or a public address; {region} in a name stands for every region.
	Origins Map[DoorOrigin] `yaml:"origins" jsonschema:"required"`
	// How each edge asks whether they are well; without it all are.
	Probe *DoorProbe `yaml:"probe"`
	// Milliseconds that an origin may be slower than the fastest and still take part; default 0.
	Sensitivity Int `yaml:"sensitivity" jsonschema:"minimum=0,maximum=1000"`
	// Probes that count; default 4.
	Samples Int `yaml:"samples" jsonschema:"minimum=1,maximum=255"`
	// Of these, how many must be well; default 3.
	Successful Int `yaml:"successful" jsonschema:"minimum=1,maximum=255"`
	// Whether a client stays with its origin; default false.
	Affinity Bool      `yaml:"affinity"`
	Pos      model.Pos `yaml:"-"`
}

// DoorOrigin is an origin of a group.
type DoorOrigin struct {
	// What it is, where that is not its name.
	Target Text `yaml:"target"`
	// Port for plain requests; default 80.
	Port Int `yaml:"port" jsonschema:"minimum=1,maximum=65535"`
	// Port for requests over TLS; default 443.
	TLSPort Int `yaml:"tls-port" jsonschema:"minimum=1,maximum=65535"`
	// Host that it is asked for; default that of the client's request.
	HostHeader Text `yaml:"host-header"`
	// The lowest is asked while it is well; default 1.
	Priority Int `yaml:"priority" jsonschema:"minimum=1,maximum=5"`
	// Its share among those of its priority and distance; default 50.
	Weight Int `yaml:"weight" jsonschema:"minimum=1,maximum=1000"`
	// Whether its certificate must be for its name; default true.
	CheckName Bool `yaml:"check-name"`
	// Whether it takes part; default true.
	Enabled Bool      `yaml:"enabled"`
	Pos     model.Pos `yaml:"-"`
}

// DoorProbe asks origins whether they are well: only 200 is.
type DoorProbe struct {
	// Default /.
	Path Text `yaml:"path"`
	// Default HEAD.
	Method Text `yaml:"method" jsonschema:"enum=HEAD,enum=GET"`
	// Default http.
	Protocol Text `yaml:"protocol" jsonschema:"enum=http,enum=https"`
	// Seconds between two probes of an edge; default 30.
	Interval Int       `yaml:"interval" jsonschema:"minimum=5,maximum=255"`
	Pos      model.Pos `yaml:"-"`
}

// DoorRoute sends requests to an origin group.
type DoorRoute struct {
	// Host names it is for; default the endpoint's and all domains.
	Domains Texts `yaml:"domains"`
	// Paths, exact or ending with /*; default /*.
	Paths Texts `yaml:"paths"`
	// Origin group; default the only one.
	OriginGroup Text `yaml:"origin-group"`
	// What is asked for in place of the path's beginning that the pattern has.
	OriginPath Text `yaml:"origin-path"`
	// Whether plain requests are sent to the same address over TLS; default true.
	HTTPSRedirect Bool `yaml:"https-redirect"`
	// How origins are asked: http, https, or match (as the client asked, the default).
	Forwarding Text `yaml:"forwarding" jsonschema:"enum=http,enum=https,enum=match"`
	// How answers are kept at the edges; without it none are.
	Cache *DoorCache `yaml:"cache"`
	// Rule sets, in their order.
	RuleSets Texts `yaml:"rule-sets"`
	// Whether it takes part; default true.
	Enabled Bool      `yaml:"enabled"`
	Pos     model.Pos `yaml:"-"`
}

// DoorCache says how answers are kept.
type DoorCache struct {
	// Which part of a query tells answers apart: none (the default), all, all but the names, or only the names.
	Query Text `yaml:"query" jsonschema:"enum=ignore,enum=use,enum=ignore-some,enum=use-some"`
	// Parameters of ignore-some and use-some.
	Names Texts `yaml:"names"`
	// Whether the edges compress; default false.
	Compress Bool `yaml:"compress"`
	// Types of content that they compress; default Azure's list.
	Types Texts     `yaml:"types"`
	Pos   model.Pos `yaml:"-"`
}

// DoorRule does something to requests that meet all its conditions.
type DoorRule struct {
	// Letters and digits.
	Name Text `yaml:"name" jsonschema:"required"`
	// Conditions, all of which must hold; without any it is for every request.
	When []DoorCondition `yaml:"when"`
	// What it does, in this order.
	Do []DoorAction `yaml:"do" jsonschema:"required"`
	// Whether later rules of the sets are left out; default false.
	Stop Bool      `yaml:"stop"`
	Pos  model.Pos `yaml:"-"`
}

// DoorCondition compares a part of a request with values, one of which suffices.
type DoorCondition struct {
	// Part of the request: UrlPath, RequestHeader, Cookies, PostArgs and so on, by Azure's names.
	Variable Text `yaml:"variable" jsonschema:"required"`
	// Header, cookie or field.
	Selector Text `yaml:"selector"`
	// Default Equal.
	Operator Text `yaml:"operator" jsonschema:"enum=Any,enum=Equal,enum=Contains,enum=BeginsWith,enum=EndsWith,enum=RegEx,enum=IPMatch,enum=LessThan,enum=LessThanOrEqual,enum=GreaterThan,enum=GreaterThanOrEqual"`
	// Whether it must not hold; default false.
	Not Bool `yaml:"not"`
	// What it is compared with.
	Values Texts `yaml:"values"`
	// Changes before that: Lowercase, Uppercase, Trim, UrlDecode, UrlEncode, RemoveNulls.
	Transforms Texts     `yaml:"transforms"`
	Pos        model.Pos `yaml:"-"`
}

// DoorAction is one thing that a rule does.
type DoorAction struct {
	// Changes a header of the request.
	RequestHeader *DoorHeader `yaml:"request-header"`
	// Changes a header of the answer.
	ResponseHeader *DoorHeader `yaml:"response-header"`
	// Answers with another address.
	Redirect *DoorRedirect `yaml:"redirect"`
	// Changes the path that the origin is asked for.
	Rewrite *DoorRewrite `yaml:"rewrite"`
	// Another origin group in place of the route's.
	OriginGroup Text      `yaml:"origin-group"`
	Pos         model.Pos `yaml:"-"`
}

// DoorHeader changes a header.
type DoorHeader struct {
	// append, overwrite (the default) or delete.
	Action Text `yaml:"action" jsonschema:"enum=append,enum=overwrite,enum=delete"`
	// Name of the header.
	Name Text `yaml:"name" jsonschema:"required"`
	// Its value.
	Value Text      `yaml:"value"`
	Pos   model.Pos `yaml:"-"`
}

// DoorRedirect answers with another address; what is not given stays as it is.
type DoorRedirect struct {
	// 301, 302 (the default), 307 or 308.
	Status Int `yaml:"status" jsonschema:"enum=301,enum=302,enum=307,enum=308"`
	// http or https.
	Protocol Text `yaml:"protocol" jsonschema:"enum=http,enum=https"`
	// Host name.
	Host Text `yaml:"host"`
	// Path.
	Path Text `yaml:"path"`
	// Query, without its question mark.
	Query Text      `yaml:"query"`
	Pos   model.Pos `yaml:"-"`
}

// DoorRewrite changes a path.
type DoorRewrite struct {
	// Beginning of the path that is replaced.
	Source Text `yaml:"source" jsonschema:"required"`
	// What is put in its place.
	Destination Text `yaml:"destination" jsonschema:"required"`
	// Whether what follows the source stays; default true.
	KeepRest Bool      `yaml:"keep-rest"`
	Pos      model.Pos `yaml:"-"`
}
