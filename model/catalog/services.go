package catalog

// Delegations returns the services that subnets can be delegated to, as
// subnets name them (Microsoft Learn, "What is subnet delegation?"; REST
// reference, "Available Delegations").
func Delegations() []string {
	return []string{
		"Microsoft.ApiManagement/service", "Microsoft.App/environments", "Microsoft.AVS/PrivateClouds",
		"Microsoft.BareMetal/AzureHostedService", "Microsoft.BareMetal/AzureVMware", "Microsoft.Batch/batchAccounts",
		"Microsoft.ContainerInstance/containerGroups", "Microsoft.ContainerService/managedClusters",
		"Microsoft.Databricks/workspaces", "Microsoft.DBforMySQL/flexibleServers", "Microsoft.DBforPostgreSQL/flexibleServers",
		"Microsoft.DevCenter/networkConnection", "Microsoft.DevOpsInfrastructure/pools", "Microsoft.DocumentDB/cassandraClusters",
		"Microsoft.HardwareSecurityModules/dedicatedHSMs", "Microsoft.Kusto/clusters", "Microsoft.LabServices/labplans",
		"Microsoft.Logic/integrationServiceEnvironments", "Microsoft.MachineLearningServices/workspaces", "Microsoft.Netapp/volumes",
		"Microsoft.Network/applicationGateways", "Microsoft.Network/dnsResolvers", "Microsoft.Orbital/orbitalGateways",
		"Microsoft.PowerPlatform/enterprisePolicies", "Microsoft.PowerPlatform/vnetaccesslinks",
		"Microsoft.ServiceNetworking/trafficControllers", "Microsoft.Sql/managedInstances", "Microsoft.StoragePool/diskPools",
		"Microsoft.StreamAnalytics/streamingJobs", "Microsoft.Synapse/workspaces", "Microsoft.Web/hostingEnvironments",
		"Microsoft.Web/serverFarms",
	}
}

// EndpointServices returns the services that subnets can have a service endpoint
// of (Microsoft Learn, "Virtual Network service endpoints").
func EndpointServices() []string {
	return []string{
		"Microsoft.AzureActiveDirectory", "Microsoft.AzureCosmosDB", "Microsoft.CognitiveServices", "Microsoft.ContainerRegistry",
		"Microsoft.EventHub", "Microsoft.KeyVault", "Microsoft.ServiceBus", "Microsoft.Sql", "Microsoft.Storage",
		"Microsoft.Storage.Global", "Microsoft.Web",
	}
}

// FirewallTags returns the FQDN tags of Azure Firewall (Microsoft Learn, "FQDN
// tags overview for Azure Firewall"), but for those of Office 365, which come by
// product and category.
func FirewallTags() []string {
	return []string{
		"AppServiceEnvironment", "AzureBackup", "AzureHDInsight", "AzureKubernetesService", "MicrosoftActiveProtectionService",
		"MicrosoftIntune", "Windows365", "WindowsDiagnostics", "WindowsUpdate", "WindowsVirtualDesktop",
	}
}

// ExtendedZone is a small site of Azure that belongs to a region elsewhere.
type ExtendedZone struct {
	Name, DisplayName string
	Home              string // the region it belongs to
}

// ExtendedZones returns the sites (Microsoft Learn, "What is Azure Extended
// Zones?").
func ExtendedZones() []ExtendedZone {
	return []ExtendedZone{{"losangeles", "Los Angeles", "westus"}, {"perth", "Perth", "australiaeast"}}
}
