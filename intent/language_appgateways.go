package intent

import "github.com/ceruleannet/cerulean/model"

// This file is the part of the declared language about what handles requests.

// AppGateway is an Azure Application Gateway of version 2.
type AppGateway struct {
	// region: make one in every region, with {region} as its name.
	Each Text `yaml:"each" jsonschema:"enum=region"`
	// Name of the application gateway.
	Name Text `yaml:"name" jsonschema:"required"`
	// Azure region; default that of its subnet.
	Region Text `yaml:"region"`
	// Subnet, which is its own: NAME, or NAME in VIRTUAL NETWORK.
	Subnet Text `yaml:"subnet" jsonschema:"required"`
	// Public frontend: true, or the address; default true without private.
	PublicIP PublicIP `yaml:"public-ip"`
	// Private frontend in the subnet: true, or the address.
	Private PublicIP `yaml:"private"`
	// Default Standard_v2, with a waf-policy WAF_v2.
	Tier Text `yaml:"tier" jsonschema:"enum=Standard_v2,enum=WAF_v2"`
	// Instances; default 2.
	Instances Int `yaml:"instances" jsonschema:"minimum=1,maximum=125"`
	// Instances at most, if it scales; instances is then the least.
	MaxInstances Int `yaml:"max-instances" jsonschema:"minimum=2,maximum=125"`
	// Whether it speaks HTTP/2 with clients; default true.
	HTTP2 Bool `yaml:"http2"`
	// Predefined TLS policy; default AppGwSslPolicy20220101.
	TLSPolicy Text `yaml:"tls-policy"`
	// Web application firewall policy, declared under resources.
	WAFPolicy Text `yaml:"waf-policy"`
	// Certificates by name.
	Certificates Map[GatewayCertificate] `yaml:"certificates"`
	// Authorities of members' and clients' certificates by name.
	Authorities Map[GatewayAuthority] `yaml:"authorities"`
	// Where it takes requests, by name.
	Listeners Map[GatewayListener] `yaml:"listeners" jsonschema:"required"`
	// Members by the name of their pool: hosts, addresses or DNS names; or service:NAME alone, the hosts of the gateway's region that discovery has under the name.
	Pools Map[Texts] `yaml:"pools"`
	// How members are asked, by name.
	Settings Map[GatewaySettings] `yaml:"settings"`
	// How members are asked whether they are well, by name.
	Probes Map[GatewayProbe] `yaml:"probes"`
	// What becomes of requests.
	Rules []GatewayRule `yaml:"rules" jsonschema:"required"`
	// What Azure's resource has no property for, by rule or RULE/PATH: allow, rateLimit, token, cors and so on as in a policy of 'cerulean gateway'.
	Policies Map[Doc]  `yaml:"policies" literal:""`
	Pos      model.Pos `yaml:"-"`
}

// GatewayCertificate is a certificate: of a key vault, or of files.
type GatewayCertificate struct {
	// Secret of a key vault: NAME in VAULT.
	Secret Text `yaml:"secret"`
	// File of certificates in PEM form, beside the network.
	Certificate Text `yaml:"certificate"`
	// File of the key in PEM form.
	Key Text      `yaml:"key"`
	Pos model.Pos `yaml:"-"`
}

// GatewayAuthority is whose signature under certificates counts.
type GatewayAuthority struct {
	// File of certificates in PEM form, beside the network.
	File Text      `yaml:"file"`
	Pos  model.Pos `yaml:"-"`
}

// GatewayListener takes requests.
type GatewayListener struct {
	// Default public where there is a public frontend.
	Frontend Text `yaml:"frontend" jsonschema:"enum=public,enum=private"`
	// Default https with a certificate, else http.
	Protocol Text `yaml:"protocol" jsonschema:"enum=http,enum=https"`
	// Default 80 or 443.
	Port Int `yaml:"port" jsonschema:"minimum=1,maximum=64999"`
	// Names it answers to, at most five, with * and ? for some or one character; default all that no other listener takes.
	Hosts Texts `yaml:"hosts"`
	// Certificate by its name; self, the default of https, is one of the network's own authority.
	Certificate Text `yaml:"certificate"`
	// Authorities of clients' certificates: who has none is refused. network is the network's own.
	ClientAuthorities Texts `yaml:"client-authorities"`
	// Web application firewall policy of its own.
	WAFPolicy Text      `yaml:"waf-policy"`
	Pos       model.Pos `yaml:"-"`
}

// GatewaySettings say how members are asked.
type GatewaySettings struct {
	// Default http.
	Protocol Text `yaml:"protocol" jsonschema:"enum=http,enum=https"`
	// Default 80 or 443.
	Port Int `yaml:"port" jsonschema:"minimum=1,maximum=65535"`
	// Host that members are asked for; default the request's.
	Host Text `yaml:"host"`
	// Whether members are asked for by their own names; default false.
	HostOfMember Bool `yaml:"host-of-member"`
	// Seconds until the first byte of an answer; default 20.
	Timeout Int `yaml:"timeout" jsonschema:"minimum=1,maximum=86400"`
	// Whether a client stays with its member by a cookie; default false.
	Affinity Bool `yaml:"affinity"`
	// Seconds that requests at a member which leaves may go on; default none.
	Drain Int `yaml:"drain" jsonschema:"minimum=1,maximum=3600"`
	// Replaces what a path rule matched.
	Path Text `yaml:"path"`
	// Probe; default Azure's own.
	Probe Text `yaml:"probe"`
	// Authorities of members' certificates, besides those that everybody trusts.
	Authorities Texts     `yaml:"authorities"`
	Pos         model.Pos `yaml:"-"`
}

// GatewayProbe asks members whether they are well.
type GatewayProbe struct {
	// Default http.
	Protocol Text `yaml:"protocol" jsonschema:"enum=http,enum=https"`
	// Host that is asked for; default that of the settings, or 127.0.0.1.
	Host Text `yaml:"host"`
	// Default /.
	Path Text `yaml:"path"`
	// Port; default that of the settings.
	Port Int `yaml:"port" jsonschema:"minimum=1,maximum=65535"`
	// Seconds between two questions; default 30.
	Interval Int `yaml:"interval" jsonschema:"minimum=1,maximum=86400"`
	// Seconds until an answer; default 30.
	Timeout Int `yaml:"timeout" jsonschema:"minimum=1,maximum=86400"`
	// Failures in a row that take a member out; default 3.
	Threshold Int `yaml:"threshold" jsonschema:"minimum=1,maximum=20"`
	// Statuses of a member that is well, as "200-399" or "404"; default "200-399".
	Statuses Texts `yaml:"statuses"`
	// What the answer must contain.
	Body Text      `yaml:"body"`
	Pos  model.Pos `yaml:"-"`
}

// GatewayRule says what becomes of what a listener takes.
type GatewayRule struct {
	// Name of the rule; default that of its listener.
	Name Text `yaml:"name"`
	// Listener; may be left out where there is only one.
	Listener Text `yaml:"listener"`
	// Lower runs first; default 100, 110 and so on.
	Priority Int `yaml:"priority" jsonschema:"minimum=1,maximum=20000"`
	// Pool of members; may be left out where there is only one.
	Pool Text `yaml:"pool"`
	// Pools by their share of the requests, in place of pool: how much each member of one gets, 1 to 100.
	Shares Map[Int] `yaml:"shares"`
	// Settings; may be left out where there is only one.
	Settings Text `yaml:"settings"`
	// Where requests are sent instead.
	Redirect *GatewayRedirect `yaml:"redirect"`
	// How requests and answers are changed.
	Rewrites []GatewayRewrite `yaml:"rewrites"`
	// What is different for some paths, in this order.
	Paths []GatewayPath `yaml:"paths"`
	Pos   model.Pos     `yaml:"-"`
}

// GatewayPath is what becomes of requests for some paths.
type GatewayPath struct {
	// Name of the path rule; default path-1 and so on.
	Name Text `yaml:"name"`
	// Paths, as /images/* or /exactly.
	Match Texts `yaml:"match" jsonschema:"required"`
	// Pool of members.
	Pool Text `yaml:"pool"`
	// Settings; default those of the rule.
	Settings Text `yaml:"settings"`
	// Where requests are sent instead.
	Redirect *GatewayRedirect `yaml:"redirect"`
	// How requests and answers are changed.
	Rewrites []GatewayRewrite `yaml:"rewrites"`
	// Web application firewall policy of its own.
	WAFPolicy Text      `yaml:"waf-policy"`
	Pos       model.Pos `yaml:"-"`
}

// GatewayRedirect sends requests somewhere else.
type GatewayRedirect struct {
	// Address, as https://shop.example.
	URL Text `yaml:"url"`
	// Listener, in place of an address.
	Listener Text `yaml:"listener"`
	// 301 (the default), 302, 303 or 307.
	Status Int `yaml:"status" jsonschema:"enum=301,enum=302,enum=303,enum=307"`
	// Whether the path is kept; default true.
	Path Bool `yaml:"path"`
	// Whether the query is kept; default true.
	Query Bool      `yaml:"query"`
	Pos   model.Pos `yaml:"-"`
}

// GatewayRewrite changes requests and answers.
type GatewayRewrite struct {
	// Name of the rewrite.
	Name Text `yaml:"name"`
	// What must hold, all of it.
	When []GatewayCondition `yaml:"when"`
	// Headers of the request to set; an empty value removes one.
	Request Map[Text] `yaml:"request" literal:""`
	// Headers of the answer to set; an empty value removes one.
	Response Map[Text] `yaml:"response" literal:""`
	// New path.
	Path Text `yaml:"path" literal:""`
	// New query.
	Query Text `yaml:"query" literal:""`
	// Whether the new path is looked up in the rule's paths again; default false.
	Reroute Bool      `yaml:"reroute"`
	Pos     model.Pos `yaml:"-"`
}

// GatewayCondition is something of a request or answer that must match.
type GatewayCondition struct {
	// var_NAME, http_req_NAME or http_resp_NAME.
	Variable Text `yaml:"variable" jsonschema:"required"`
	// Regular expression.
	Matches Text `yaml:"matches" jsonschema:"required" literal:""`
	// Whether case does not matter; default false.
	IgnoreCase Bool `yaml:"ignore-case"`
	// Whether it must not match; default false.
	Not Bool      `yaml:"not"`
	Pos model.Pos `yaml:"-"`
}
