package wire

// VirtualNetwork is Microsoft.Network/virtualNetworks.
type VirtualNetwork struct {
	Head
	Properties VirtualNetworkProperties `json:"properties"`
}

// VirtualNetworkProperties are the properties of a VirtualNetwork.
type VirtualNetworkProperties struct {
	AddressSpace AddressSpace `json:"addressSpace"`
	DHCPOptions  *DHCPOptions `json:"dhcpOptions,omitempty"`
	Subnets      []Subnet     `json:"subnets,omitempty"`
	Peerings     []Peering    `json:"virtualNetworkPeerings,omitempty"`
}

// AddressSpace is a list of prefixes in CIDR form.
type AddressSpace struct {
	AddressPrefixes []string `json:"addressPrefixes"`
}

// DHCPOptions carries the custom DNS servers of a virtual network.
type DHCPOptions struct {
	DNSServers []string `json:"dnsServers,omitempty"`
}

// Subnet is Microsoft.Network/virtualNetworks/subnets, inline in its network.
type Subnet struct {
	ID         string           `json:"id,omitempty"`
	Name       string           `json:"name"`
	Properties SubnetProperties `json:"properties"`
}

// SubnetProperties are the properties of a Subnet.
type SubnetProperties struct {
	AddressPrefix                     string            `json:"addressPrefix,omitempty"`
	AddressPrefixes                   []string          `json:"addressPrefixes,omitempty"`
	NetworkSecurityGroup              *Ref              `json:"networkSecurityGroup,omitempty"`
	RouteTable                        *Ref              `json:"routeTable,omitempty"`
	NATGateway                        *Ref              `json:"natGateway,omitempty"`
	ServiceEndpoints                  []ServiceEndpoint `json:"serviceEndpoints,omitempty"`
	ServiceEndpointPolicies           []Ref             `json:"serviceEndpointPolicies,omitempty"`
	Delegations                       []Delegation      `json:"delegations,omitempty"`
	PrivateEndpointNetworkPolicies    string            `json:"privateEndpointNetworkPolicies,omitempty"`
	PrivateLinkServiceNetworkPolicies string            `json:"privateLinkServiceNetworkPolicies,omitempty"`
	DefaultOutboundAccess             *bool             `json:"defaultOutboundAccess,omitempty"`
}

// Prefixes returns addressPrefix and addressPrefixes as one list.
func (p *SubnetProperties) Prefixes() []string {
	if p.AddressPrefix != "" {
		return []string{p.AddressPrefix}
	}
	return p.AddressPrefixes
}

// ServiceEndpoint is a service whose public prefixes are reached directly.
type ServiceEndpoint struct {
	Service   string   `json:"service"`
	Locations []string `json:"locations,omitempty"`
}

// Delegation gives a subnet to one service.
type Delegation struct {
	Name       string               `json:"name"`
	Properties DelegationProperties `json:"properties"`
}

// DelegationProperties names the service of a Delegation.
type DelegationProperties struct {
	ServiceName string `json:"serviceName"`
}

// Peering is Microsoft.Network/virtualNetworks/virtualNetworkPeerings.
type Peering struct {
	ID         string            `json:"id,omitempty"`
	Name       string            `json:"name"`
	Properties PeeringProperties `json:"properties"`
}

// PeeringProperties are the properties of a Peering. AllowVirtualNetworkAccess
// defaults to true, the other flags to false.
type PeeringProperties struct {
	RemoteVirtualNetwork      Ref    `json:"remoteVirtualNetwork"`
	AllowVirtualNetworkAccess *bool  `json:"allowVirtualNetworkAccess,omitempty"`
	AllowForwardedTraffic     *bool  `json:"allowForwardedTraffic,omitempty"`
	AllowGatewayTransit       *bool  `json:"allowGatewayTransit,omitempty"`
	UseRemoteGateways         *bool  `json:"useRemoteGateways,omitempty"`
	PeeringState              string `json:"peeringState,omitempty"`
}

// NSG is Microsoft.Network/networkSecurityGroups.
type NSG struct {
	Head
	Properties NSGProperties `json:"properties"`
}

// NSGProperties are the properties of an NSG. Default rules are not stored.
type NSGProperties struct {
	SecurityRules []SecurityRule `json:"securityRules,omitempty"`
}

// SecurityRule is one rule of an NSG.
type SecurityRule struct {
	ID         string                 `json:"id,omitempty"`
	Name       string                 `json:"name"`
	Properties SecurityRuleProperties `json:"properties"`
}

// SecurityRuleProperties are the properties of a SecurityRule. The singular
// and plural forms of a field exclude each other.
type SecurityRuleProperties struct {
	Description                          string   `json:"description,omitempty"`
	Priority                             int      `json:"priority"`  // 100..4096
	Direction                            string   `json:"direction"` // Inbound, Outbound
	Access                               string   `json:"access"`    // Allow, Deny
	Protocol                             string   `json:"protocol"`  // Tcp, Udp, Icmp, Esp, Ah, *
	SourceAddressPrefix                  string   `json:"sourceAddressPrefix,omitempty"`
	SourceAddressPrefixes                []string `json:"sourceAddressPrefixes,omitempty"`
	SourceApplicationSecurityGroups      []Ref    `json:"sourceApplicationSecurityGroups,omitempty"`
	SourcePortRange                      string   `json:"sourcePortRange,omitempty"`
	SourcePortRanges                     []string `json:"sourcePortRanges,omitempty"`
	DestinationAddressPrefix             string   `json:"destinationAddressPrefix,omitempty"`
	DestinationAddressPrefixes           []string `json:"destinationAddressPrefixes,omitempty"`
	DestinationApplicationSecurityGroups []Ref    `json:"destinationApplicationSecurityGroups,omitempty"`
	DestinationPortRange                 string   `json:"destinationPortRange,omitempty"`
	DestinationPortRanges                []string `json:"destinationPortRanges,omitempty"`
}

// RouteTable is Microsoft.Network/routeTables.
type RouteTable struct {
	Head
	Properties RouteTableProperties `json:"properties"`
}

// RouteTableProperties are the properties of a RouteTable.
type RouteTableProperties struct {
	Routes                     []Route `json:"routes,omitempty"`
	DisableBGPRoutePropagation bool    `json:"disableBgpRoutePropagation,omitempty"`
}

// Route is one user-defined route.
type Route struct {
	ID         string          `json:"id,omitempty"`
	Name       string          `json:"name"`
	Properties RouteProperties `json:"properties"`
}

// RouteProperties are the properties of a Route.
type RouteProperties struct {
	AddressPrefix    string `json:"addressPrefix"`
	NextHopType      string `json:"nextHopType"` // VirtualAppliance, VirtualNetworkGateway, VnetLocal, Internet, None
	NextHopIPAddress string `json:"nextHopIpAddress,omitempty"`
	HasBGPOverride   bool   `json:"hasBgpOverride,omitempty"`
}

// NIC is Microsoft.Network/networkInterfaces.
type NIC struct {
	Head
	Properties NICProperties `json:"properties"`
}

// NICProperties are the properties of a NIC.
type NICProperties struct {
	IPConfigurations     []IPConfiguration `json:"ipConfigurations"`
	NetworkSecurityGroup *Ref              `json:"networkSecurityGroup,omitempty"`
	EnableIPForwarding   bool              `json:"enableIPForwarding,omitempty"`
	DNSSettings          *NICDNSSettings   `json:"dnsSettings,omitempty"`
	PrivateEndpoint      *Ref              `json:"privateEndpoint,omitempty"` // of an interface that Azure made for one
}

// NICDNSSettings carries the custom DNS servers of a NIC.
type NICDNSSettings struct {
	DNSServers []string `json:"dnsServers,omitempty"`
}

// IPConfiguration is one address of a NIC or of a firewall.
type IPConfiguration struct {
	ID         string                    `json:"id,omitempty"`
	Name       string                    `json:"name"`
	Properties IPConfigurationProperties `json:"properties"`
}

// IPConfigurationProperties are the properties of an IPConfiguration.
type IPConfigurationProperties struct {
	PrivateIPAddress          string `json:"privateIPAddress,omitempty"`
	PrivateIPAllocationMethod string `json:"privateIPAllocationMethod,omitempty"` // Static, Dynamic
	PrivateIPAddressVersion   string `json:"privateIPAddressVersion,omitempty"`   // IPv4, IPv6
	Primary                   *bool  `json:"primary,omitempty"`
	Subnet                    *Ref   `json:"subnet,omitempty"`
	PublicIPAddress           *Ref   `json:"publicIPAddress,omitempty"`
	ApplicationSecurityGroups []Ref  `json:"applicationSecurityGroups,omitempty"`
	AppGatewayPools           []Ref  `json:"applicationGatewayBackendAddressPools,omitempty"`
	Balanced
}

// PublicIP is Microsoft.Network/publicIPAddresses.
type PublicIP struct {
	Head
	SKU        *SKU               `json:"sku,omitempty"`
	Properties PublicIPProperties `json:"properties"`
}

// PublicIPProperties are the properties of a PublicIP.
type PublicIPProperties struct {
	IPAddress                string `json:"ipAddress,omitempty"`
	PublicIPAllocationMethod string `json:"publicIPAllocationMethod,omitempty"` // Static, Dynamic
	PublicIPAddressVersion   string `json:"publicIPAddressVersion,omitempty"`
}

// NATGateway is Microsoft.Network/natGateways.
type NATGateway struct {
	Head
	SKU        *SKU                 `json:"sku,omitempty"`
	Properties NATGatewayProperties `json:"properties"`
}

// NATGatewayProperties are the properties of a NATGateway.
type NATGatewayProperties struct {
	PublicIPAddresses []Ref `json:"publicIpAddresses,omitempty"`
	PublicIPPrefixes  []Ref `json:"publicIpPrefixes,omitempty"`
	IdleTimeout       int   `json:"idleTimeoutInMinutes,omitempty"` // of TCP, minutes; 0: 4
}

// PublicIPPrefix is Microsoft.Network/publicIPPrefixes.
type PublicIPPrefix struct {
	Head
	Properties PublicIPPrefixProperties `json:"properties"`
}

// PublicIPPrefixProperties are the properties of a PublicIPPrefix.
type PublicIPPrefixProperties struct {
	IPPrefix     string `json:"ipPrefix,omitempty"` // as Azure chose it
	PrefixLength int    `json:"prefixLength,omitempty"`
	Version      string `json:"publicIPAddressVersion,omitempty"` // IPv4, IPv6
}

// Firewall is Microsoft.Network/azureFirewalls.
type Firewall struct {
	Head
	Properties FirewallProperties `json:"properties"`
}

// FirewallProperties are the properties of a Firewall.
type FirewallProperties struct {
	SKU              *SKU              `json:"sku,omitempty"` // AZFW_VNet; Standard, Premium, Basic
	FirewallPolicy   *Ref              `json:"firewallPolicy,omitempty"`
	IPConfigurations []IPConfiguration `json:"ipConfigurations,omitempty"`

	// Classic rules, of firewalls without a policy.
	NetworkRuleCollections     []ClassicCollection            `json:"networkRuleCollections,omitempty"`
	NATRuleCollections         []ClassicCollection            `json:"natRuleCollections,omitempty"`
	ApplicationRuleCollections []ClassicApplicationCollection `json:"applicationRuleCollections,omitempty"`
}

// ClassicCollection is a collection of network or NAT rules inside a Firewall.
type ClassicCollection struct {
	Name       string                      `json:"name"`
	Properties ClassicCollectionProperties `json:"properties"`
}

// ClassicCollectionProperties are the properties of a ClassicCollection.
type ClassicCollectionProperties struct {
	Priority int                  `json:"priority"` // 100..65000
	Action   RuleCollectionAction `json:"action"`   // Allow, Deny; Dnat, Snat
	Rules    []ClassicRule        `json:"rules,omitempty"`
}

// ClassicRule is a network or NAT rule inside a Firewall.
type ClassicRule struct {
	Name                 string   `json:"name"`
	Protocols            []string `json:"protocols,omitempty"` // TCP, UDP, ICMP, Any
	SourceAddresses      []string `json:"sourceAddresses,omitempty"`
	SourceIPGroups       []string `json:"sourceIpGroups,omitempty"`
	DestinationAddresses []string `json:"destinationAddresses,omitempty"`
	DestinationIPGroups  []string `json:"destinationIpGroups,omitempty"`
	DestinationFQDNs     []string `json:"destinationFqdns,omitempty"`
	DestinationPorts     []string `json:"destinationPorts,omitempty"`
	TranslatedAddress    string   `json:"translatedAddress,omitempty"`
	TranslatedFQDN       string   `json:"translatedFqdn,omitempty"`
	TranslatedPort       string   `json:"translatedPort,omitempty"`
}

// ClassicApplicationCollection is a collection of application rules inside a
// Firewall.
type ClassicApplicationCollection struct {
	Name       string `json:"name"`
	Properties struct {
		Priority int                  `json:"priority"`        // 100..65000
		Action   RuleCollectionAction `json:"action"`          // Allow, Deny
		Rules    []FirewallRule       `json:"rules,omitempty"` // without RuleType
	} `json:"properties"`
}

// FirewallPolicy is Microsoft.Network/firewallPolicies.
type FirewallPolicy struct {
	Head
	Properties FirewallPolicyProperties `json:"properties"`
}

// FirewallPolicyProperties are the properties of a FirewallPolicy.
type FirewallPolicyProperties struct {
	SKU             *SKU          `json:"sku,omitempty"`
	BasePolicy      *Ref          `json:"basePolicy,omitempty"`
	ThreatIntelMode string        `json:"threatIntelMode,omitempty"` // Off, Alert, Deny
	SNAT            *FirewallSNAT `json:"snat,omitempty"`
}

// FirewallSNAT lists the destinations a firewall does not source-translate.
type FirewallSNAT struct {
	PrivateRanges []string `json:"privateRanges,omitempty"`
}

// RuleCollectionGroup is Microsoft.Network/firewallPolicies/ruleCollectionGroups.
type RuleCollectionGroup struct {
	Head
	Properties RuleCollectionGroupProperties `json:"properties"`
}

// RuleCollectionGroupProperties are the properties of a RuleCollectionGroup.
type RuleCollectionGroupProperties struct {
	Priority        int              `json:"priority"` // 100..65000
	RuleCollections []RuleCollection `json:"ruleCollections,omitempty"`
}

// RuleCollection is a filter or NAT collection of a firewall policy.
type RuleCollection struct {
	RuleCollectionType string               `json:"ruleCollectionType"` // FirewallPolicyFilterRuleCollection, FirewallPolicyNatRuleCollection
	Name               string               `json:"name"`
	Priority           int                  `json:"priority"`
	Action             RuleCollectionAction `json:"action"`
	Rules              []FirewallRule       `json:"rules,omitempty"`
}

// RuleCollectionAction is what a collection does: Allow, Deny or DNAT.
type RuleCollectionAction struct {
	Type string `json:"type"`
}

// FirewallRule is a network, application or NAT rule of a firewall policy.
type FirewallRule struct {
	RuleType             string                        `json:"ruleType"` // NetworkRule, ApplicationRule, NatRule
	Name                 string                        `json:"name"`
	IPProtocols          []string                      `json:"ipProtocols,omitempty"` // TCP, UDP, ICMP, Any
	SourceAddresses      []string                      `json:"sourceAddresses,omitempty"`
	SourceIPGroups       []string                      `json:"sourceIpGroups,omitempty"`
	DestinationAddresses []string                      `json:"destinationAddresses,omitempty"`
	DestinationIPGroups  []string                      `json:"destinationIpGroups,omitempty"`
	DestinationFQDNs     []string                      `json:"destinationFqdns,omitempty"`
	DestinationPorts     []string                      `json:"destinationPorts,omitempty"`
	Protocols            []FirewallApplicationProtocol `json:"protocols,omitempty"`
	TargetFQDNs          []string                      `json:"targetFqdns,omitempty"`
	FQDNTags             []string                      `json:"fqdnTags,omitempty"`
	WebCategories        []string                      `json:"webCategories,omitempty"`
	TargetURLs           []string                      `json:"targetUrls,omitempty"`
	TranslatedAddress    string                        `json:"translatedAddress,omitempty"`
	TranslatedFQDN       string                        `json:"translatedFqdn,omitempty"`
	TranslatedPort       string                        `json:"translatedPort,omitempty"`
}

// FirewallApplicationProtocol is a protocol and port of an application rule.
type FirewallApplicationProtocol struct {
	ProtocolType string `json:"protocolType"` // Http, Https, Mssql
	Port         int    `json:"port"`
}

// IPGroup is Microsoft.Network/ipGroups.
type IPGroup struct {
	Head
	Properties IPGroupProperties `json:"properties"`
}

// IPGroupProperties are the properties of an IPGroup.
type IPGroupProperties struct {
	IPAddresses []string `json:"ipAddresses"`
}

// PrivateZone is Microsoft.Network/privateDnsZones; its location is "global".
type PrivateZone struct {
	Head
	Properties struct{} `json:"properties"`
}

// PrivateZoneLink is Microsoft.Network/privateDnsZones/virtualNetworkLinks.
type PrivateZoneLink struct {
	Head
	Properties PrivateZoneLinkProperties `json:"properties"`
}

// PrivateZoneLinkProperties are the properties of a PrivateZoneLink.
type PrivateZoneLinkProperties struct {
	VirtualNetwork      Ref  `json:"virtualNetwork"`
	RegistrationEnabled bool `json:"registrationEnabled"`
}

// RecordSet is a record set of a private DNS zone; its type is the record type.
type RecordSet struct {
	Head
	Properties RecordSetProperties `json:"properties"`
}

// RecordSetProperties are the properties of a RecordSet. TTL is in seconds.
type RecordSetProperties struct {
	TTL         int          `json:"ttl"`
	ARecords    []ARecord    `json:"aRecords,omitempty"`
	AAAARecords []AAAARecord `json:"aaaaRecords,omitempty"`
	CNAMERecord *CNAMERecord `json:"cnameRecord,omitempty"`
	MXRecords   []MXRecord   `json:"mxRecords,omitempty"`
	PTRRecords  []PTRRecord  `json:"ptrRecords,omitempty"`
	SRVRecords  []SRVRecord  `json:"srvRecords,omitempty"`
	TXTRecords  []TXTRecord  `json:"txtRecords,omitempty"`
	SOARecord   *SOARecord   `json:"soaRecord,omitempty"`
	NSRecords   []NSRecord   `json:"nsRecords,omitempty"`  // public zones only
	CAARecords  []CAARecord  `json:"caaRecords,omitempty"` // public zones only
	DSRecords   []DSRecord   `json:"dsRecords,omitempty"`  // public zones only
	// TLSARecords are of public zones only.
	TLSARecords []TLSARecord `json:"tlsaRecords,omitempty"`
	// TargetResource is whose addresses an alias record set has. Public zones only.
	TargetResource *Ref `json:"targetResource,omitempty"`
}

// NSRecord is one name server of a zone.
type NSRecord struct {
	NSDName string `json:"nsdname"`
}

// CAARecord says who may issue certificates (RFC 8659).
type CAARecord struct {
	Flags int    `json:"flags"`
	Tag   string `json:"tag"`
	Value string `json:"value"`
}

// DSRecord tells the key that signs a zone below (RFC 4034 section 5).
type DSRecord struct {
	KeyTag    int `json:"keyTag"`
	Algorithm int `json:"algorithm"`
	Digest    struct {
		Algorithm int    `json:"algorithmType"`
		Value     string `json:"value"` // hexadecimal
	} `json:"digest"`
}

// TLSARecord ties a certificate to a name (RFC 6698 section 2).
type TLSARecord struct {
	Usage        int    `json:"usage"`
	Selector     int    `json:"selector"`
	MatchingType int    `json:"matchingType"`
	Data         string `json:"certAssociationData"` // hexadecimal
}

// MXRecord is one mail exchange.
type MXRecord struct {
	Preference int    `json:"preference"`
	Exchange   string `json:"exchange"`
}

// PTRRecord is one name of an address.
type PTRRecord struct {
	PTRDName string `json:"ptrdname"`
}

// SRVRecord is one server of a service.
type SRVRecord struct {
	Priority int    `json:"priority"`
	Weight   int    `json:"weight"`
	Port     int    `json:"port"`
	Target   string `json:"target"`
}

// TXTRecord is one text in parts of at most 255 bytes.
type TXTRecord struct {
	Value []string `json:"value"`
}

// SOARecord is the start of a zone's authority; times are in seconds.
type SOARecord struct {
	Host         string `json:"host"`
	Email        string `json:"email"`
	SerialNumber int    `json:"serialNumber"`
	RefreshTime  int    `json:"refreshTime"`
	RetryTime    int    `json:"retryTime"`
	ExpireTime   int    `json:"expireTime"`
	MinimumTTL   int    `json:"minimumTtl"`
}

// ARecord is one IPv4 address.
type ARecord struct {
	IPv4Address string `json:"ipv4Address"`
}

// AAAARecord is one IPv6 address.
type AAAARecord struct {
	IPv6Address string `json:"ipv6Address"`
}

// CNAMERecord is an alias.
type CNAMERecord struct {
	CNAME string `json:"cname"`
}

// VM is Microsoft.Compute/virtualMachines (2024-07-01).
type VM struct {
	Head
	Identity   *Identity    `json:"identity,omitempty"`
	Zones      []string     `json:"zones,omitempty"`
	Properties VMProperties `json:"properties"`
}

// Identity is what a resource is to Microsoft Entra ID.
type Identity struct {
	Type string `json:"type"` // None, SystemAssigned, UserAssigned, "SystemAssigned, UserAssigned"
}

// VMProperties are the properties of a VM.
type VMProperties struct {
	HardwareProfile *HardwareProfile `json:"hardwareProfile,omitempty"`
	NetworkProfile  NetworkProfile   `json:"networkProfile"`
}

// HardwareProfile is the size of a VM.
type HardwareProfile struct {
	VMSize string `json:"vmSize,omitempty"`
}

// NetworkProfile lists the NICs of a VM.
type NetworkProfile struct {
	NetworkInterfaces []Ref `json:"networkInterfaces"`
}
