package wire

// LoadBalancer is Microsoft.Network/loadBalancers.
type LoadBalancer struct {
	Head
	SKU        *SKU                   `json:"sku,omitempty"` // Basic, Standard, Gateway; tier Regional, Global
	Properties LoadBalancerProperties `json:"properties"`
}

// LoadBalancerProperties are the properties of a LoadBalancer.
type LoadBalancerProperties struct {
	FrontendIPConfigurations []FrontendIPConfiguration `json:"frontendIPConfigurations,omitempty"`
	BackendAddressPools      []BackendAddressPool      `json:"backendAddressPools,omitempty"`
	LoadBalancingRules       []LoadBalancingRule       `json:"loadBalancingRules,omitempty"`
	Probes                   []Probe                   `json:"probes,omitempty"`
	InboundNATRules          []InboundNATRule          `json:"inboundNatRules,omitempty"`
	InboundNATPools          []InboundNATPool          `json:"inboundNatPools,omitempty"`
	OutboundRules            []OutboundRule            `json:"outboundRules,omitempty"`
}

// FrontendIPConfiguration is one address at which a load balancer takes
// packets: private in a subnet, or public.
type FrontendIPConfiguration struct {
	ID         string                            `json:"id,omitempty"`
	Name       string                            `json:"name"`
	Properties FrontendIPConfigurationProperties `json:"properties"`
}

// FrontendIPConfigurationProperties are the properties of a
// FrontendIPConfiguration.
type FrontendIPConfigurationProperties struct {
	PrivateIPAddress          string `json:"privateIPAddress,omitempty"`
	PrivateIPAllocationMethod string `json:"privateIPAllocationMethod,omitempty"` // Static, Dynamic
	PrivateIPAddressVersion   string `json:"privateIPAddressVersion,omitempty"`   // IPv4, IPv6
	Subnet                    *Ref   `json:"subnet,omitempty"`
	PublicIPAddress           *Ref   `json:"publicIPAddress,omitempty"`
	PublicIPPrefix            *Ref   `json:"publicIPPrefix,omitempty"`
	GatewayLoadBalancer       *Ref   `json:"gatewayLoadBalancer,omitempty"`
}

// BackendAddressPool is a set of members of a load balancer. Interfaces may
// name the pool, or the pool its members.
type BackendAddressPool struct {
	ID         string                       `json:"id,omitempty"`
	Name       string                       `json:"name"`
	Properties BackendAddressPoolProperties `json:"properties"`
}

// BackendAddressPoolProperties are the properties of a BackendAddressPool.
type BackendAddressPoolProperties struct {
	BackendIPConfigurations []Ref            `json:"backendIPConfigurations,omitempty"`
	BackendAddresses        []BackendAddress `json:"loadBalancerBackendAddresses,omitempty"`
	VirtualNetwork          *Ref             `json:"virtualNetwork,omitempty"`
	DrainPeriod             int              `json:"drainPeriodInSeconds,omitempty"` // 0: none
}

// BackendAddress is a member of a pool given by its address, by the
// configuration of an interface or, in a global load balancer, by a regional
// load balancer's frontend.
type BackendAddress struct {
	Name       string                   `json:"name"`
	Properties BackendAddressProperties `json:"properties"`
}

// BackendAddressProperties are the properties of a BackendAddress.
type BackendAddressProperties struct {
	IPAddress                           string           `json:"ipAddress,omitempty"`
	VirtualNetwork                      *Ref             `json:"virtualNetwork,omitempty"`
	Subnet                              *Ref             `json:"subnet,omitempty"`
	NetworkInterfaceIPConfiguration     *Ref             `json:"networkInterfaceIPConfiguration,omitempty"`
	LoadBalancerFrontendIPConfiguration *Ref             `json:"loadBalancerFrontendIPConfiguration,omitempty"`
	AdminState                          string           `json:"adminState,omitempty"` // None, Up, Down
	InboundNATRulesPortMapping          []NATPortMapping `json:"inboundNatRulesPortMapping,omitempty"`
}

// NATPortMapping is the frontend port that Azure gave a member of a pool for
// one inbound NAT rule.
type NATPortMapping struct {
	InboundNATRuleName string `json:"inboundNatRuleName"`
	FrontendPort       int    `json:"frontendPort"`
	BackendPort        int    `json:"backendPort"`
}

// LoadBalancingRule hands what arrives at a frontend to the members of a pool.
type LoadBalancingRule struct {
	ID         string                      `json:"id,omitempty"`
	Name       string                      `json:"name"`
	Properties LoadBalancingRuleProperties `json:"properties"`
}

// LoadBalancingRuleProperties are the properties of a LoadBalancingRule. Ports
// are 0 to 65535; both 0 with protocol All is a high-availability ports rule.
type LoadBalancingRuleProperties struct {
	FrontendIPConfiguration *Ref   `json:"frontendIPConfiguration,omitempty"`
	BackendAddressPool      *Ref   `json:"backendAddressPool,omitempty"`
	BackendAddressPools     []Ref  `json:"backendAddressPools,omitempty"`
	Probe                   *Ref   `json:"probe,omitempty"`
	Protocol                string `json:"protocol"`                   // Tcp, Udp, All, Quic
	LoadDistribution        string `json:"loadDistribution,omitempty"` // Default, SourceIP, SourceIPProtocol
	FrontendPort            int    `json:"frontendPort"`
	BackendPort             int    `json:"backendPort"`
	EnableFloatingIP        bool   `json:"enableFloatingIP,omitempty"`
	DisableOutboundSNAT     bool   `json:"disableOutboundSnat,omitempty"`
	IdleTimeout             int    `json:"idleTimeoutInMinutes,omitempty"` // of TCP; 0: 4
	EnableTCPReset          bool   `json:"enableTcpReset,omitempty"`
}

// Probe asks the members of a pool whether they are well.
type Probe struct {
	ID         string          `json:"id,omitempty"`
	Name       string          `json:"name"`
	Properties ProbeProperties `json:"properties"`
}

// ProbeProperties are the properties of a Probe.
type ProbeProperties struct {
	Protocol                  string `json:"protocol"` // Tcp, Http, Https
	Port                      int    `json:"port"`
	RequestPath               string `json:"requestPath,omitempty"`
	IntervalInSeconds         int    `json:"intervalInSeconds,omitempty"`         // 0: 15
	NumberOfProbes            int    `json:"numberOfProbes,omitempty"`            // of failures; ProbeThreshold goes before it
	ProbeThreshold            int    `json:"probeThreshold,omitempty"`            // in a row, either way; 0: 1
	NoHealthyBackendsBehavior string `json:"noHealthyBackendsBehavior,omitempty"` // AllProbedDown, AllProbedUp
}

// InboundNATRule leads one frontend port to one interface, or a range of
// frontend ports to the members of a pool, one each.
type InboundNATRule struct {
	ID         string                   `json:"id,omitempty"`
	Name       string                   `json:"name"`
	Properties InboundNATRuleProperties `json:"properties"`
}

// InboundNATRuleProperties are the properties of an InboundNATRule.
type InboundNATRuleProperties struct {
	FrontendIPConfiguration *Ref   `json:"frontendIPConfiguration,omitempty"`
	BackendIPConfiguration  *Ref   `json:"backendIPConfiguration,omitempty"`
	BackendAddressPool      *Ref   `json:"backendAddressPool,omitempty"`
	Protocol                string `json:"protocol"` // Tcp, Udp, All
	FrontendPort            int    `json:"frontendPort,omitempty"`
	FrontendPortRangeStart  int    `json:"frontendPortRangeStart,omitempty"`
	FrontendPortRangeEnd    int    `json:"frontendPortRangeEnd,omitempty"`
	BackendPort             int    `json:"backendPort"`
	EnableFloatingIP        bool   `json:"enableFloatingIP,omitempty"`
	IdleTimeout             int    `json:"idleTimeoutInMinutes,omitempty"` // of TCP; 0: 4
	EnableTCPReset          bool   `json:"enableTcpReset,omitempty"`
}

// InboundNATPool gives each instance of a scale set a frontend port of a range.
type InboundNATPool struct {
	ID         string                   `json:"id,omitempty"`
	Name       string                   `json:"name"`
	Properties InboundNATPoolProperties `json:"properties"`
}

// InboundNATPoolProperties are the properties of an InboundNATPool.
type InboundNATPoolProperties struct {
	FrontendIPConfiguration *Ref   `json:"frontendIPConfiguration,omitempty"`
	Protocol                string `json:"protocol"` // Tcp, Udp, All
	FrontendPortRangeStart  int    `json:"frontendPortRangeStart"`
	FrontendPortRangeEnd    int    `json:"frontendPortRangeEnd"`
	BackendPort             int    `json:"backendPort"`
	EnableFloatingIP        bool   `json:"enableFloatingIP,omitempty"`
	IdleTimeout             int    `json:"idleTimeoutInMinutes,omitempty"` // of TCP; 0: 4
	EnableTCPReset          bool   `json:"enableTcpReset,omitempty"`
}

// OutboundRule gives the members of a pool the addresses of public frontends
// towards the internet.
type OutboundRule struct {
	ID         string                 `json:"id,omitempty"`
	Name       string                 `json:"name"`
	Properties OutboundRuleProperties `json:"properties"`
}

// OutboundRuleProperties are the properties of an OutboundRule.
type OutboundRuleProperties struct {
	FrontendIPConfigurations []Ref  `json:"frontendIPConfigurations,omitempty"`
	BackendAddressPool       *Ref   `json:"backendAddressPool,omitempty"`
	Protocol                 string `json:"protocol"` // Tcp, Udp, All
	// AllocatedOutboundPorts is how many source ports each member has; 0 leaves
	// it to the size of the pool.
	AllocatedOutboundPorts int  `json:"allocatedOutboundPorts,omitempty"`
	IdleTimeout            int  `json:"idleTimeoutInMinutes,omitempty"` // of TCP; 0: 4
	EnableTCPReset         bool `json:"enableTcpReset,omitempty"`
}

// Balanced is what an IP configuration of an interface says of load balancers.
type Balanced struct {
	BackendAddressPools []Ref `json:"loadBalancerBackendAddressPools,omitempty"`
	InboundNATRules     []Ref `json:"loadBalancerInboundNatRules,omitempty"`
	GatewayLoadBalancer *Ref  `json:"gatewayLoadBalancer,omitempty"`
}
