package wire

// NetworkManager is Microsoft.Network/networkManagers.
type NetworkManager struct {
	Head
	Properties NetworkManagerProperties `json:"properties"`
}

// NetworkManagerProperties are the properties of a NetworkManager.
type NetworkManagerProperties struct {
	Scopes        ManagerScopes `json:"networkManagerScopes"`
	ScopeAccesses []string      `json:"networkManagerScopeAccesses"` // Connectivity, SecurityAdmin, Routing
}

// ManagerScopes are the management groups and subscriptions a manager governs.
type ManagerScopes struct {
	ManagementGroups []string `json:"managementGroups,omitempty"`
	Subscriptions    []string `json:"subscriptions,omitempty"`
}

// NetworkGroup is Microsoft.Network/networkManagers/networkGroups.
type NetworkGroup struct {
	Head
	Properties NetworkGroupProperties `json:"properties"`
}

// NetworkGroupProperties are the properties of a NetworkGroup.
type NetworkGroupProperties struct {
	Description string `json:"description,omitempty"`
	MemberType  string `json:"memberType,omitempty"` // VirtualNetwork (default), Subnet
}

// StaticMember is a member of a network group named by ID.
type StaticMember struct {
	Head
	Properties StaticMemberProperties `json:"properties"`
}

// StaticMemberProperties are the properties of a StaticMember.
type StaticMemberProperties struct {
	ResourceID string `json:"resourceId"`
}

// PolicyDefinition is Microsoft.Authorization/policyDefinitions with mode
// Microsoft.Network.Data: the condition of a dynamic network group.
type PolicyDefinition struct {
	Head
	Properties PolicyDefinitionProperties `json:"properties"`
}

// PolicyDefinitionProperties are the properties of a PolicyDefinition.
type PolicyDefinitionProperties struct {
	PolicyType  string     `json:"policyType,omitempty"` // Custom
	Mode        string     `json:"mode"`                 // Microsoft.Network.Data
	DisplayName string     `json:"displayName,omitempty"`
	PolicyRule  PolicyRule `json:"policyRule"`
}

// PolicyRule is the condition and effect of a PolicyDefinition.
type PolicyRule struct {
	If   Condition    `json:"if"`
	Then PolicyEffect `json:"then"`
}

// PolicyEffect is the effect addToNetworkGroup with its group.
type PolicyEffect struct {
	Effect  string              `json:"effect"` // addToNetworkGroup
	Details PolicyEffectDetails `json:"details"`
}

// PolicyEffectDetails names the network group of a PolicyEffect.
type PolicyEffectDetails struct {
	NetworkGroupID string `json:"networkGroupId"`
}

// Condition is one node of a policy rule's condition: exactly one of AllOf,
// AnyOf, Not, or Field with one operator. Field is "name", "id", "type",
// "location" or "tags['NAME']"; comparisons ignore case.
type Condition struct {
	AllOf       []Condition `json:"allOf,omitempty"`
	AnyOf       []Condition `json:"anyOf,omitempty"`
	Not         *Condition  `json:"not,omitempty"`
	Field       string      `json:"field,omitempty"`
	Equals      *string     `json:"equals,omitempty"`
	NotEquals   *string     `json:"notEquals,omitempty"`
	In          []string    `json:"in,omitempty"`
	NotIn       []string    `json:"notIn,omitempty"`
	Contains    *string     `json:"contains,omitempty"`
	NotContains *string     `json:"notContains,omitempty"`
	Like        *string     `json:"like,omitempty"` // one * as wildcard
	Exists      any         `json:"exists,omitempty"`
}

// PolicyAssignment is Microsoft.Authorization/policyAssignments: it puts a
// definition into force at the scope of its own ID.
type PolicyAssignment struct {
	Head
	Properties PolicyAssignmentProperties `json:"properties"`
}

// PolicyAssignmentProperties are the properties of a PolicyAssignment.
type PolicyAssignmentProperties struct {
	PolicyDefinitionID string `json:"policyDefinitionId"`
	EnforcementMode    string `json:"enforcementMode,omitempty"` // Default, DoNotEnforce
}

// ConnectivityConfig is networkManagers/connectivityConfigurations. Its
// booleans are the strings "True" and "False".
type ConnectivityConfig struct {
	Head
	Properties ConnectivityConfigProperties `json:"properties"`
}

// ConnectivityConfigProperties are the properties of a ConnectivityConfig.
type ConnectivityConfigProperties struct {
	Description           string             `json:"description,omitempty"`
	ConnectivityTopology  string             `json:"connectivityTopology"` // Mesh, HubAndSpoke
	Hubs                  []Hub              `json:"hubs,omitempty"`
	AppliesToGroups       []ConnectivityItem `json:"appliesToGroups"`
	IsGlobal              string             `json:"isGlobal,omitempty"`
	DeleteExistingPeering string             `json:"deleteExistingPeering,omitempty"`
}

// Hub is the hub of a hub-and-spoke configuration.
type Hub struct {
	ResourceID   string `json:"resourceId"`
	ResourceType string `json:"resourceType"` // Microsoft.Network/virtualNetworks
}

// ConnectivityItem is a group a connectivity configuration applies to.
type ConnectivityItem struct {
	NetworkGroupID    string `json:"networkGroupId"`
	GroupConnectivity string `json:"groupConnectivity"` // None, DirectlyConnected
	UseHubGateway     string `json:"useHubGateway,omitempty"`
	IsGlobal          string `json:"isGlobal,omitempty"`
}

// SecurityAdminConfig is networkManagers/securityAdminConfigurations.
type SecurityAdminConfig struct {
	Head
	Properties SecurityAdminConfigProperties `json:"properties"`
}

// SecurityAdminConfigProperties are the properties of a SecurityAdminConfig.
type SecurityAdminConfigProperties struct {
	Description string `json:"description,omitempty"`
}

// AdminRuleCollection is securityAdminConfigurations/ruleCollections.
type AdminRuleCollection struct {
	Head
	Properties AdminRuleCollectionProperties `json:"properties"`
}

// AdminRuleCollectionProperties are the properties of an AdminRuleCollection.
type AdminRuleCollectionProperties struct {
	AppliesToGroups []GroupItem `json:"appliesToGroups"`
}

// GroupItem names a network group.
type GroupItem struct {
	NetworkGroupID string `json:"networkGroupId"`
}

// AdminRule is one security admin rule; Kind is Custom.
type AdminRule struct {
	Head
	Kind       string              `json:"kind"`
	Properties AdminRuleProperties `json:"properties"`
}

// AdminRuleProperties are the properties of an AdminRule.
type AdminRuleProperties struct {
	Description           string        `json:"description,omitempty"`
	Access                string        `json:"access"`    // Allow, AlwaysAllow, Deny
	Direction             string        `json:"direction"` // Inbound, Outbound
	Priority              int           `json:"priority"`  // 1..4096
	Protocol              string        `json:"protocol"`  // Tcp, Udp, Icmp, Esp, Any, Ah
	Sources               []AddressItem `json:"sources,omitempty"`
	Destinations          []AddressItem `json:"destinations,omitempty"`
	SourcePortRanges      []string      `json:"sourcePortRanges,omitempty"`
	DestinationPortRanges []string      `json:"destinationPortRanges,omitempty"`
}

// AddressItem is an address of an admin rule: a prefix, a service tag or a
// network group's ID.
type AddressItem struct {
	AddressPrefix     string `json:"addressPrefix"`
	AddressPrefixType string `json:"addressPrefixType"` // IPPrefix, ServiceTag, NetworkGroup
}

// RoutingConfig is networkManagers/routingConfigurations.
type RoutingConfig struct {
	Head
	Properties RoutingConfigProperties `json:"properties"`
}

// RoutingConfigProperties are the properties of a RoutingConfig.
type RoutingConfigProperties struct {
	Description         string `json:"description,omitempty"`
	RouteTableUsageMode string `json:"routeTableUsageMode,omitempty"` // ManagedOnly, UseExisting
}

// RoutingRuleCollection is routingConfigurations/ruleCollections.
type RoutingRuleCollection struct {
	Head
	Properties RoutingRuleCollectionProperties `json:"properties"`
}

// RoutingRuleCollectionProperties are the properties of a RoutingRuleCollection.
type RoutingRuleCollectionProperties struct {
	AppliesTo                  []GroupItem `json:"appliesTo"`
	DisableBGPRoutePropagation string      `json:"disableBgpRoutePropagation,omitempty"`
}

// RoutingRule is one rule of a routing rule collection.
type RoutingRule struct {
	Head
	Properties RoutingRuleProperties `json:"properties"`
}

// RoutingRuleProperties are the properties of a RoutingRule.
type RoutingRuleProperties struct {
	Destination RoutingDestination `json:"destination"`
	NextHop     RoutingNextHop     `json:"nextHop"`
}

// RoutingDestination is a prefix or a service tag.
type RoutingDestination struct {
	Type               string `json:"type"` // AddressPrefix, ServiceTag
	DestinationAddress string `json:"destinationAddress"`
}

// RoutingNextHop is where a RoutingRule sends traffic.
type RoutingNextHop struct {
	NextHopType    string `json:"nextHopType"` // VirtualAppliance, VirtualNetworkGateway, VnetLocal, Internet, NoNextHop
	NextHopAddress string `json:"nextHopAddress,omitempty"`
}

// Commit is the document of a model.TypeCommit: which configurations of one
// type are in force in one region. Configurations, where present, is the
// snapshot of the documents (with id) taken at the commit: later edits do not
// take effect until the next one. Without it the current documents count.
type Commit struct {
	Head
	Properties CommitProperties `json:"properties"`
}

// CommitProperties are the properties of a Commit.
type CommitProperties struct {
	CommitType       string           `json:"commitType"` // Connectivity, SecurityAdmin, Routing
	TargetLocation   string           `json:"targetLocation"`
	ConfigurationIDs []string         `json:"configurationIds"`
	Configurations   []map[string]any `json:"configurations,omitempty"`
	CommitTime       string           `json:"commitTime,omitempty"` // RFC 3339
}
