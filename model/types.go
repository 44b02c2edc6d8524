package model

// Resource types in the spelling Azure's own documents use.
const (
	TypeResourceGroup       = "Microsoft.Resources/resourceGroups"
	TypeVirtualNetwork      = "Microsoft.Network/virtualNetworks"
	TypeSubnet              = "Microsoft.Network/virtualNetworks/subnets"
	TypePeering             = "Microsoft.Network/virtualNetworks/virtualNetworkPeerings"
	TypeNSG                 = "Microsoft.Network/networkSecurityGroups"
	TypeSecurityRule        = "Microsoft.Network/networkSecurityGroups/securityRules"
	TypeASG                 = "Microsoft.Network/applicationSecurityGroups"
	TypeRouteTable          = "Microsoft.Network/routeTables"
	TypeRoute               = "Microsoft.Network/routeTables/routes"
	TypeNIC                 = "Microsoft.Network/networkInterfaces"
	TypePublicIP            = "Microsoft.Network/publicIPAddresses"
	TypeNATGateway          = "Microsoft.Network/natGateways"
	TypeFirewall            = "Microsoft.Network/azureFirewalls"
	TypeFirewallPolicy      = "Microsoft.Network/firewallPolicies"
	TypeRuleCollectionGroup = "Microsoft.Network/firewallPolicies/ruleCollectionGroups"
	TypeIPGroup             = "Microsoft.Network/ipGroups"
	TypePrivateZone         = "Microsoft.Network/privateDnsZones"
	TypePrivateZoneLink     = "Microsoft.Network/privateDnsZones/virtualNetworkLinks"
	TypePrivateZoneA        = "Microsoft.Network/privateDnsZones/A"
	TypePrivateZoneAAAA     = "Microsoft.Network/privateDnsZones/AAAA"
	TypePrivateZoneCNAME    = "Microsoft.Network/privateDnsZones/CNAME"
	TypeVM                  = "Microsoft.Compute/virtualMachines"
	TypeLoadBalancer        = "Microsoft.Network/loadBalancers"
	TypeBackendPool         = "Microsoft.Network/loadBalancers/backendAddressPools"
	TypeInboundNATRule      = "Microsoft.Network/loadBalancers/inboundNatRules"
	TypePrivateEndpoint     = "Microsoft.Network/privateEndpoints"
	TypePrivateZoneGroup    = "Microsoft.Network/privateEndpoints/privateDnsZoneGroups"
	TypePrivateLinkService  = "Microsoft.Network/privateLinkServices"
	TypeEndpointPolicy      = "Microsoft.Network/serviceEndpointPolicies"
	TypeStorageAccount      = "Microsoft.Storage/storageAccounts"
	TypeSQLServer           = "Microsoft.Sql/servers"
	TypeSQLFirewallRule     = "Microsoft.Sql/servers/firewallRules"
	TypeSQLNetworkRule      = "Microsoft.Sql/servers/virtualNetworkRules"
	TypeKeyVault            = "Microsoft.KeyVault/vaults"
	TypeManagementGroup     = "Microsoft.Management/managementGroups"
	TypePolicyDefinition    = "Microsoft.Authorization/policyDefinitions"
	TypePolicyAssignment    = "Microsoft.Authorization/policyAssignments"

	TypeNetworkManager        = "Microsoft.Network/networkManagers"
	TypeNetworkGroup          = "Microsoft.Network/networkManagers/networkGroups"
	TypeStaticMember          = "Microsoft.Network/networkManagers/networkGroups/staticMembers"
	TypeConnectivityConfig    = "Microsoft.Network/networkManagers/connectivityConfigurations"
	TypeSecurityAdminConfig   = "Microsoft.Network/networkManagers/securityAdminConfigurations"
	TypeAdminRuleCollection   = "Microsoft.Network/networkManagers/securityAdminConfigurations/ruleCollections"
	TypeAdminRule             = "Microsoft.Network/networkManagers/securityAdminConfigurations/ruleCollections/rules"
	TypeRoutingConfig         = "Microsoft.Network/networkManagers/routingConfigurations"
	TypeRoutingRuleCollection = "Microsoft.Network/networkManagers/routingConfigurations/ruleCollections"
	TypeRoutingRule           = "Microsoft.Network/networkManagers/routingConfigurations/ruleCollections/rules"

	// TypeCommit stands for one deployment of network-manager configurations
	// to one region: the goal state that POST .../networkManagers/N/commit
	// sets. It is ours: Azure shows commits only through
	// listDeploymentStatus. Its document is a [wire.Commit] and its name is
	// "{commitType}.{location}", for example "SecurityAdmin.westeurope".
	TypeCommit = "Microsoft.Network/networkManagers/commits"
)
