package wire

// AppGateway is Microsoft.Network/applicationGateways.
type AppGateway struct {
	Head
	Properties AppGatewayProperties `json:"properties"`
}

// AppGatewayProperties are the properties of an AppGateway.
type AppGatewayProperties struct {
	SKU              *AppGatewaySKU                       `json:"sku,omitempty"`
	Autoscale        *AppGatewayAutoscale                 `json:"autoscaleConfiguration,omitempty"`
	OperationalState string                               `json:"operationalState,omitempty"` // Stopped, Starting, Running, Stopping
	SSLPolicy        *AppGatewaySSLPolicy                 `json:"sslPolicy,omitempty"`
	FirewallPolicy   *Ref                                 `json:"firewallPolicy,omitempty"`
	IPConfigurations []AppGatewayPart[SubnetRef]          `json:"gatewayIPConfigurations,omitempty"`
	Frontends        []FrontendIPConfiguration            `json:"frontendIPConfigurations,omitempty"`
	FrontendPorts    []AppGatewayPart[FrontendPort]       `json:"frontendPorts,omitempty"`
	Certificates     []AppGatewayPart[Certificate]        `json:"sslCertificates,omitempty"`
	TrustedRoots     []AppGatewayPart[Certificate]        `json:"trustedRootCertificates,omitempty"`
	TrustedClients   []AppGatewayPart[Certificate]        `json:"trustedClientCertificates,omitempty"`
	SSLProfiles      []AppGatewayPart[SSLProfile]         `json:"sslProfiles,omitempty"`
	Listeners        []AppGatewayPart[HTTPListener]       `json:"httpListeners,omitempty"`
	Pools            []AppGatewayPart[GatewayPool]        `json:"backendAddressPools,omitempty"`
	Settings         []AppGatewayPart[HTTPSettings]       `json:"backendHttpSettingsCollection,omitempty"`
	Probes           []AppGatewayPart[GatewayProbe]       `json:"probes,omitempty"`
	Rules            []AppGatewayPart[RequestRoutingRule] `json:"requestRoutingRules,omitempty"`
	PathMaps         []AppGatewayPart[URLPathMap]         `json:"urlPathMaps,omitempty"`
	Redirects        []AppGatewayPart[GatewayMoved]       `json:"redirectConfigurations,omitempty"`
	RewriteSets      []AppGatewayPart[RewriteSet]         `json:"rewriteRuleSets,omitempty"`
	Shares           []AppGatewayPart[LoadDistribution]   `json:"loadDistributionPolicies,omitempty"`
	// Layer 4: listeners that hand TCP or TLS on as it is.
	StreamListeners []AppGatewayPart[HTTPListener]       `json:"listeners,omitempty"`
	StreamSettings  []AppGatewayPart[HTTPSettings]       `json:"backendSettingsCollection,omitempty"`
	StreamRules     []AppGatewayPart[RequestRoutingRule] `json:"routingRules,omitempty"`
	PrivateLinks    []AppGatewayPart[struct{}]           `json:"privateLinkConfigurations,omitempty"`
}

// AppGatewaySKU is the size of an application gateway: Standard_v2, WAF_v2,
// Basic, and those of version 1.
type AppGatewaySKU struct {
	Name     string `json:"name,omitempty"`
	Tier     string `json:"tier,omitempty"`
	Capacity int    `json:"capacity,omitempty"` // instances
}

// AppGatewayAutoscale bounds the instances.
type AppGatewayAutoscale struct {
	MinCapacity int  `json:"minCapacity"`
	MaxCapacity *int `json:"maxCapacity,omitempty"`
}

// AppGatewaySSLPolicy says what TLS a gateway or profile speaks with clients.
type AppGatewaySSLPolicy struct {
	Type         string   `json:"policyType,omitempty"` // Predefined, Custom, CustomV2
	Name         string   `json:"policyName,omitempty"`
	MinProtocol  string   `json:"minProtocolVersion,omitempty"` // TLSv1_2, TLSv1_3
	CipherSuites []string `json:"cipherSuites,omitempty"`
	Disabled     []string `json:"disabledSslProtocols,omitempty"`
}

// AppGatewayPart is a named part of an application gateway, which others refer
// to by its ID.
type AppGatewayPart[T any] struct {
	ID         string `json:"id,omitempty"`
	Name       string `json:"name"`
	Properties T      `json:"properties"`
}

// SubnetRef is what refers to a subnet only.
type SubnetRef struct {
	Subnet *Ref `json:"subnet,omitempty"`
}

// FrontendPort is a port at which an application gateway listens.
type FrontendPort struct {
	Port int `json:"port"`
}

// Certificate is a certificate of an application gateway, given itself or by a
// key vault's secret.
type Certificate struct {
	Data     string `json:"data,omitempty"`     // base64: PFX of a server's, PEM or DER of an authority's
	Password string `json:"password,omitempty"` // of the PFX
	SecretID string `json:"keyVaultSecretId,omitempty"`
}

// SSLProfile is a TLS policy of listeners with the authorities of their clients.
type SSLProfile struct {
	SSLPolicy      *AppGatewaySSLPolicy `json:"sslPolicy,omitempty"`
	TrustedClients []Ref                `json:"trustedClientCertificates,omitempty"`
	ClientAuth     *ClientAuth          `json:"clientAuthConfiguration,omitempty"`
}

// ClientAuth says what of clients' certificates is looked at.
type ClientAuth struct {
	VerifyIssuerDN   bool   `json:"verifyClientCertIssuerDN,omitempty"`
	VerifyRevocation string `json:"verifyClientRevocation,omitempty"` // None, OCSP
	VerifyMode       string `json:"verifyClientAuthMode,omitempty"`   // Strict, Passthrough
}

// HTTPListener takes requests at a frontend's port for some hosts.
type HTTPListener struct {
	Frontend       *Ref          `json:"frontendIPConfiguration,omitempty"`
	Port           *Ref          `json:"frontendPort,omitempty"`
	Protocol       string        `json:"protocol,omitempty"` // Http, Https; Tcp, Tls at layer 4
	HostName       string        `json:"hostName,omitempty"`
	HostNames      []string      `json:"hostNames,omitempty"`
	Certificate    *Ref          `json:"sslCertificate,omitempty"`
	Profile        *Ref          `json:"sslProfile,omitempty"`
	FirewallPolicy *Ref          `json:"firewallPolicy,omitempty"`
	RequireSNI     bool          `json:"requireServerNameIndication,omitempty"`
	ErrorPages     []CustomError `json:"customErrorConfigurations,omitempty"`
}

// CustomError replaces an error of the gateway by a page.
type CustomError struct {
	StatusCode string `json:"statusCode,omitempty"` // HttpStatus403, HttpStatus502
	URL        string `json:"customErrorPageUrl,omitempty"`
}

// GatewayPool is a pool of members; interfaces name it, too.
type GatewayPool struct {
	Addresses []GatewayMember `json:"backendAddresses,omitempty"`
}

// GatewayMember is a member by its address or its name.
type GatewayMember struct {
	IPAddress string `json:"ipAddress,omitempty"`
	FQDN      string `json:"fqdn,omitempty"`
}

// HTTPSettings say how members are asked.
type HTTPSettings struct {
	Port             int       `json:"port"`
	Protocol         string    `json:"protocol,omitempty"`
	Affinity         string    `json:"cookieBasedAffinity,omitempty"` // Enabled, Disabled
	AffinityCookie   string    `json:"affinityCookieName,omitempty"`
	RequestTimeout   int       `json:"requestTimeout,omitempty"` // seconds
	Draining         *Draining `json:"connectionDraining,omitempty"`
	Path             string    `json:"path,omitempty"`
	HostName         string    `json:"hostName,omitempty"`
	HostOfMember     bool      `json:"pickHostNameFromBackendAddress,omitempty"`
	Probe            *Ref      `json:"probe,omitempty"`
	ProbeEnabled     bool      `json:"probeEnabled,omitempty"`
	TrustedRoots     []Ref     `json:"trustedRootCertificates,omitempty"`
	ValidateChain    *bool     `json:"validateCertChainAndExpiry,omitempty"`
	ValidateSNI      *bool     `json:"validateSNI,omitempty"`
	SNI              string    `json:"sniName,omitempty"`
	DedicatedBackend bool      `json:"dedicatedBackendConnection,omitempty"`
}

// Draining is how long a member that left may go on.
type Draining struct {
	Enabled bool `json:"enabled"`
	Timeout int  `json:"drainTimeoutInSec"`
}

// GatewayProbe asks members whether they are well.
type GatewayProbe struct {
	Protocol       string      `json:"protocol,omitempty"`
	Host           string      `json:"host,omitempty"`
	Path           string      `json:"path,omitempty"`
	Interval       int         `json:"interval,omitempty"` // seconds
	Timeout        int         `json:"timeout,omitempty"`  // seconds
	Threshold      int         `json:"unhealthyThreshold,omitempty"`
	HostOfSettings bool        `json:"pickHostNameFromBackendHttpSettings,omitempty"`
	MinServers     int         `json:"minServers,omitempty"`
	Port           int         `json:"port,omitempty"`
	Match          *ProbeMatch `json:"match,omitempty"`
}

// ProbeMatch is what a healthy answer is.
type ProbeMatch struct {
	Body        string   `json:"body,omitempty"`
	StatusCodes []string `json:"statusCodes,omitempty"`
}

// RequestRoutingRule routes what a listener takes: to a pool, a redirect, or by a path
// map.
type RequestRoutingRule struct {
	Type     string `json:"ruleType,omitempty"` // Basic, PathBasedRouting
	Priority int    `json:"priority,omitempty"`
	Listener *Ref   `json:"httpListener,omitempty"`
	Stream   *Ref   `json:"listener,omitempty"` // at layer 4
	Pool     *Ref   `json:"backendAddressPool,omitempty"`
	Settings *Ref   `json:"backendHttpSettings,omitempty"`
	Forward  *Ref   `json:"backendSettings,omitempty"` // at layer 4
	PathMap  *Ref   `json:"urlPathMap,omitempty"`
	Redirect *Ref   `json:"redirectConfiguration,omitempty"`
	Rewrites *Ref   `json:"rewriteRuleSet,omitempty"`
	Shares   *Ref   `json:"loadDistributionPolicy,omitempty"`
}

// URLPathMap routes by path.
type URLPathMap struct {
	DefaultPool     *Ref                       `json:"defaultBackendAddressPool,omitempty"`
	DefaultSettings *Ref                       `json:"defaultBackendHttpSettings,omitempty"`
	DefaultRedirect *Ref                       `json:"defaultRedirectConfiguration,omitempty"`
	DefaultRewrites *Ref                       `json:"defaultRewriteRuleSet,omitempty"`
	DefaultShares   *Ref                       `json:"defaultLoadDistributionPolicy,omitempty"`
	Rules           []AppGatewayPart[PathRule] `json:"pathRules,omitempty"`
}

// PathRule routes some paths.
type PathRule struct {
	Paths          []string `json:"paths,omitempty"`
	Pool           *Ref     `json:"backendAddressPool,omitempty"`
	Settings       *Ref     `json:"backendHttpSettings,omitempty"`
	Redirect       *Ref     `json:"redirectConfiguration,omitempty"`
	Rewrites       *Ref     `json:"rewriteRuleSet,omitempty"`
	Shares         *Ref     `json:"loadDistributionPolicy,omitempty"`
	FirewallPolicy *Ref     `json:"firewallPolicy,omitempty"`
}

// LoadDistribution divides requests among pools.
type LoadDistribution struct {
	Algorithm string                         `json:"loadDistributionAlgorithm,omitempty"` // RoundRobin, LeastConnections, IpHash
	Targets   []AppGatewayPart[Distribution] `json:"loadDistributionTargets,omitempty"`
}

// Distribution is a pool with what each of its members gets.
type Distribution struct {
	Pool   *Ref `json:"backendAddressPool,omitempty"`
	Weight int  `json:"weightPerServer"` // 1 to 100
}

// GatewayMoved is a redirect.
type GatewayMoved struct {
	Type         string `json:"redirectType,omitempty"` // Permanent, Found, SeeOther, Temporary
	Listener     *Ref   `json:"targetListener,omitempty"`
	URL          string `json:"targetUrl,omitempty"`
	IncludePath  bool   `json:"includePath,omitempty"`
	IncludeQuery bool   `json:"includeQueryString,omitempty"`
}

// RewriteSet is a list of rewrites.
type RewriteSet struct {
	Rules []RewriteRule `json:"rewriteRules,omitempty"`
}

// RewriteRule changes a request and its response where its conditions hold.
type RewriteRule struct {
	Name       string             `json:"name"`
	Sequence   int                `json:"ruleSequence"`
	Conditions []RewriteCondition `json:"conditions,omitempty"`
	Actions    *RewriteActions    `json:"actionSet,omitempty"`
}

// RewriteCondition compares a variable with a pattern.
type RewriteCondition struct {
	Variable   string `json:"variable,omitempty"`
	Pattern    string `json:"pattern,omitempty"`
	IgnoreCase bool   `json:"ignoreCase,omitempty"`
	Negate     bool   `json:"negate,omitempty"`
}

// RewriteActions are what a rewrite does.
type RewriteActions struct {
	Request  []RewriteHeader `json:"requestHeaderConfigurations,omitempty"`
	Response []RewriteHeader `json:"responseHeaderConfigurations,omitempty"`
	URL      *RewriteURL     `json:"urlConfiguration,omitempty"`
}

// RewriteHeader sets a header; an empty value removes it.
type RewriteHeader struct {
	Name  string `json:"headerName,omitempty"`
	Value string `json:"headerValue,omitempty"`
}

// RewriteURL sets path and query.
type RewriteURL struct {
	Path    *string `json:"modifiedPath,omitempty"`
	Query   *string `json:"modifiedQueryString,omitempty"`
	Reroute bool    `json:"reroute,omitempty"`
}
