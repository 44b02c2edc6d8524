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

// BGPCommunity is a community that Microsoft puts on routes over ExpressRoute.
type BGPCommunity struct {
	Service string // what the routes lead to, for example "Exchange"
	Region  string // empty for what is global
	Value   string // "12076:5010"
}

// BGPCommunities returns those that Microsoft Learn's "ExpressRoute routing
// requirements" (support for BGP communities) lists for services, and of the
// regions the oldest ones.
func BGPCommunities() []BGPCommunity {
	return []BGPCommunity{
		{"Exchange", "", "12076:5010"},
		{"SharePoint", "", "12076:5020"},
		{"SkypeForBusiness", "", "12076:5030"},
		{"CRMOnline", "", "12076:5040"},
		{"AzureGlobalServices", "", "12076:5050"},
		{"AzureActiveDirectory", "", "12076:5060"},
		{"AzureResourceManager", "", "12076:5070"},
		{"OtherOffice365Services", "", "12076:5100"},
		{"AzureRegion", "westeurope", "12076:51002"},
		{"AzureRegion", "northeurope", "12076:51003"},
		{"AzureRegion", "eastus", "12076:51004"},
		{"AzureRegion", "eastus2", "12076:51005"},
		{"AzureRegion", "westus", "12076:51006"},
	}
}

// WebCategories returns the categories of web sites that firewalls know, by group
// (Microsoft Learn, "Azure Firewall web categories"). How the service spells the
// names in documents is unconfirmed.
func WebCategories() map[string][]string {
	return map[string][]string{
		"Liability": {
			"AlcoholAndTobacco", "ChildAbuseImages", "ChildInappropriate", "CriminalActivity", "DatingAndPersonals", "Gambling",
			"Hacking", "HateAndIntolerance", "IllegalDrug", "IllegalSoftware", "LingerieAndSwimsuits", "Marijuana", "Nudity",
			"PornographyAndSexuallyExplicit", "SchoolCheating", "SelfHarm", "SexEducation", "Tasteless", "Violence", "Weapons",
		},
		"HighBandwidth":    {"ImageSharing", "PeerToPeer", "StreamingMediaAndDownloads", "DownloadSites", "Entertainment"},
		"ProductivityLoss": {"AdvertisementsAndPopUps", "Chat", "Cults", "Games", "InstantMessaging", "SocialNetworking"},
		"GeneralSurfing":   {"Arts", "FashionAndBeauty", "General", "Greetingcards", "LeisureAndRecreation", "NatureAndConservation", "PersonalSites", "PhotographySites", "Religion", "RestaurantsAndDining", "Sports", "Translators", "Travel"},
		"BusinessUse":      {"Business", "ComputersAndTechnology", "Education", "Finance", "Forums", "Government", "HealthAndMedicine", "InformationSecurity", "JobSearch", "News", "NonProfitsAndNgos", "PoliticsAndLaw", "RealEstate", "SearchEnginesAndPortals", "Shopping", "Transportation", "WebBasedEmail"},
		"Uncategorized":    {"Uncategorized"},
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
