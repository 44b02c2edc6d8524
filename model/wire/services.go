package wire

// PrivateEndpoint is Microsoft.Network/privateEndpoints.
type PrivateEndpoint struct {
	Head
	Properties PrivateEndpointProperties `json:"properties"`
}

// PrivateEndpointProperties are the properties of a PrivateEndpoint.
type PrivateEndpointProperties struct {
	Subnet                    *Ref                             `json:"subnet,omitempty"`
	Connections               []PrivateLinkServiceConnection   `json:"privateLinkServiceConnections,omitempty"`
	ManualConnections         []PrivateLinkServiceConnection   `json:"manualPrivateLinkServiceConnections,omitempty"`
	IPConfigurations          []PrivateEndpointIPConfiguration `json:"ipConfigurations,omitempty"`
	NetworkInterfaces         []Ref                            `json:"networkInterfaces,omitempty"`
	CustomNetworkInterface    string                           `json:"customNetworkInterfaceName,omitempty"`
	ApplicationSecurityGroups []Ref                            `json:"applicationSecurityGroups,omitempty"`
	CustomDNSConfigs          []CustomDNSConfig                `json:"customDnsConfigs,omitempty"`
}

// PrivateLinkServiceConnection joins a private endpoint to a resource.
type PrivateLinkServiceConnection struct {
	Name       string                                 `json:"name"`
	Properties PrivateLinkServiceConnectionProperties `json:"properties"`
}

// PrivateLinkServiceConnectionProperties are the properties of a
// PrivateLinkServiceConnection. GroupIDs names the sub-resource, for example
// "blob".
type PrivateLinkServiceConnectionProperties struct {
	PrivateLinkServiceID string          `json:"privateLinkServiceId"`
	GroupIDs             []string        `json:"groupIds,omitempty"`
	State                ConnectionState `json:"privateLinkServiceConnectionState"`
}

// ConnectionState says whether the owner of a resource lets an endpoint reach
// it.
type ConnectionState struct {
	Status string `json:"status,omitempty"` // Approved, Pending, Rejected, Disconnected
}

// PrivateEndpointIPConfiguration is a chosen address of a private endpoint.
type PrivateEndpointIPConfiguration struct {
	Name       string                                   `json:"name"`
	Properties PrivateEndpointIPConfigurationProperties `json:"properties"`
}

// PrivateEndpointIPConfigurationProperties are the properties of a
// PrivateEndpointIPConfiguration.
type PrivateEndpointIPConfigurationProperties struct {
	GroupID          string `json:"groupId,omitempty"`
	MemberName       string `json:"memberName,omitempty"`
	PrivateIPAddress string `json:"privateIPAddress,omitempty"`
}

// CustomDNSConfig is a public name with the addresses a private endpoint has
// for it.
type CustomDNSConfig struct {
	FQDN        string   `json:"fqdn"`
	IPAddresses []string `json:"ipAddresses,omitempty"`
}

// PrivateDNSZoneGroup is Microsoft.Network/privateEndpoints/privateDnsZoneGroups.
type PrivateDNSZoneGroup struct {
	Head
	Properties PrivateDNSZoneGroupProperties `json:"properties"`
}

// PrivateDNSZoneGroupProperties are the properties of a PrivateDNSZoneGroup.
type PrivateDNSZoneGroupProperties struct {
	Configs []PrivateDNSZoneConfig `json:"privateDnsZoneConfigs,omitempty"`
}

// PrivateDNSZoneConfig names a zone that a private endpoint writes into.
type PrivateDNSZoneConfig struct {
	Name       string                         `json:"name"`
	Properties PrivateDNSZoneConfigProperties `json:"properties"`
}

// PrivateDNSZoneConfigProperties are the properties of a PrivateDNSZoneConfig.
type PrivateDNSZoneConfigProperties struct {
	PrivateDNSZoneID string `json:"privateDnsZoneId"`
}

// PrivateEndpointConnection is the owner's side of a private endpoint: a child
// of the resource it reaches, named privateEndpointConnections.
type PrivateEndpointConnection struct {
	Head
	Properties PrivateEndpointConnectionProperties `json:"properties"`
}

// PrivateEndpointConnectionProperties are the properties of a
// PrivateEndpointConnection.
type PrivateEndpointConnectionProperties struct {
	PrivateEndpoint Ref             `json:"privateEndpoint"`
	State           ConnectionState `json:"privateLinkServiceConnectionState"`
}

// PrivateLinkService is Microsoft.Network/privateLinkServices.
type PrivateLinkService struct {
	Head
	Properties PrivateLinkServiceProperties `json:"properties"`
}

// PrivateLinkServiceProperties are the properties of a PrivateLinkService. The
// IP configurations are the addresses its translation takes sources from.
type PrivateLinkServiceProperties struct {
	Frontends        []Ref             `json:"loadBalancerFrontendIpConfigurations,omitempty"`
	IPConfigurations []IPConfiguration `json:"ipConfigurations,omitempty"`
}

// ServiceEndpointPolicy is Microsoft.Network/serviceEndpointPolicies.
type ServiceEndpointPolicy struct {
	Head
	Properties ServiceEndpointPolicyProperties `json:"properties"`
}

// ServiceEndpointPolicyProperties are the properties of a
// ServiceEndpointPolicy.
type ServiceEndpointPolicyProperties struct {
	Definitions []ServiceEndpointPolicyDefinition `json:"serviceEndpointPolicyDefinitions,omitempty"`
}

// ServiceEndpointPolicyDefinition lists resources of a service that may be
// reached.
type ServiceEndpointPolicyDefinition struct {
	Name       string                                    `json:"name"`
	Properties ServiceEndpointPolicyDefinitionProperties `json:"properties"`
}

// ServiceEndpointPolicyDefinitionProperties are the properties of a
// ServiceEndpointPolicyDefinition. A resource may be a subscription, a resource
// group, a storage account or an alias of Azure's own accounts.
type ServiceEndpointPolicyDefinitionProperties struct {
	Service          string   `json:"service"`
	ServiceResources []string `json:"serviceResources,omitempty"`
}

// StorageAccount is Microsoft.Storage/storageAccounts.
type StorageAccount struct {
	Head
	Properties StorageAccountProperties `json:"properties"`
}

// StorageAccountProperties are the properties of a StorageAccount.
type StorageAccountProperties struct {
	PublicNetworkAccess string       `json:"publicNetworkAccess,omitempty"` // Enabled, Disabled, SecuredByPerimeter
	NetworkACLs         *NetworkACLs `json:"networkAcls,omitempty"`
}

// KeyVault is Microsoft.KeyVault/vaults.
type KeyVault struct {
	Head
	Properties KeyVaultProperties `json:"properties"`
}

// KeyVaultProperties are the properties of a KeyVault.
type KeyVaultProperties struct {
	PublicNetworkAccess string       `json:"publicNetworkAccess,omitempty"` // enabled, disabled
	NetworkACLs         *NetworkACLs `json:"networkAcls,omitempty"`
}

// NetworkACLs is the firewall of a storage account or key vault.
type NetworkACLs struct {
	DefaultAction       string               `json:"defaultAction,omitempty"` // Allow, Deny
	Bypass              string               `json:"bypass,omitempty"`
	IPRules             []ServiceIPRule      `json:"ipRules,omitempty"`
	VirtualNetworkRules []ServiceNetworkRule `json:"virtualNetworkRules,omitempty"`
	ResourceAccessRules []ResourceAccessRule `json:"resourceAccessRules,omitempty"`
}

// ServiceIPRule lets one public address or prefix in.
type ServiceIPRule struct {
	Value  string `json:"value"`
	Action string `json:"action,omitempty"` // Allow
}

// ServiceNetworkRule lets a subnet in by its service endpoint.
type ServiceNetworkRule struct {
	ID    string `json:"id"`
	State string `json:"state,omitempty"`
}

// ResourceAccessRule lets instances of another Azure service in.
type ResourceAccessRule struct {
	ResourceID string `json:"resourceId"`
}

// SQLServer is Microsoft.Sql/servers.
type SQLServer struct {
	Head
	Properties SQLServerProperties `json:"properties"`
}

// SQLServerProperties are the properties of a SQLServer.
type SQLServerProperties struct {
	PublicNetworkAccess string `json:"publicNetworkAccess,omitempty"` // Enabled, Disabled
}

// SQLFirewallRule is Microsoft.Sql/servers/firewallRules.
type SQLFirewallRule struct {
	Head
	Properties SQLFirewallRuleProperties `json:"properties"`
}

// SQLFirewallRuleProperties are the properties of a SQLFirewallRule. Both
// addresses 0.0.0.0 stand for every Azure service.
type SQLFirewallRuleProperties struct {
	StartIPAddress string `json:"startIpAddress"`
	EndIPAddress   string `json:"endIpAddress"`
}

// SQLNetworkRule is Microsoft.Sql/servers/virtualNetworkRules.
type SQLNetworkRule struct {
	Head
	Properties SQLNetworkRuleProperties `json:"properties"`
}

// SQLNetworkRuleProperties are the properties of a SQLNetworkRule.
type SQLNetworkRuleProperties struct {
	VirtualNetworkSubnetID string `json:"virtualNetworkSubnetId"`
}
