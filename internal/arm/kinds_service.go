package arm

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"

	"github.com/ceruleannet/cerulean/internal/paas"
	"github.com/ceruleannet/cerulean/model"
	"github.com/google/uuid"
)

// Types of platform services and of access.
const (
	typeSQLDatabase    = "Microsoft.Sql/servers/databases"
	typeSQLFailover    = "Microsoft.Sql/servers/failoverGroups"
	typeIdentity       = "Microsoft.ManagedIdentity/userAssignedIdentities"
	typeRoleAssignment = "Microsoft.Authorization/roleAssignments"
	typeRoleDefinition = "Microsoft.Authorization/roleDefinitions"
	typeDisk           = "Microsoft.Compute/disks"
	typeAvailability   = "Microsoft.Compute/availabilitySets"
)

// Forms of names of services, which are parts of DNS names.
var (
	accountName = regexp.MustCompile(`^[a-z0-9]{3,24}$`)
	sqlName     = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	vaultName   = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{1,22}[A-Za-z0-9]$`)
	guidName    = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)
)

// serviceKinds are platform services, as far as networks reach them, and the
// identities and roles that give access.
func serviceKinds() []*kind {
	rules := ref(model.TypeSubnet, "properties.networkAcls.virtualNetworkRules.*.id")
	used := inUse(codeResourceInUse, "Resource %s is in use by %s and cannot be deleted.")
	kinds := []*kind{
		{
			Type: model.TypeStorageAccount, Place: inGroup, NoEtag: true, Location: locationRequired, Name: accountName, State: true, SyncDelete: true, MergePatch: true,
			Created: http.StatusAccepted, // "Storage Accounts - Create"
			Computed: []string{
				"primaryEndpoints", "primaryLocation", "statusOfPrimary", "secondaryEndpoints", "secondaryLocation", "statusOfSecondary",
				"privateEndpointConnections", "creationTime", "keyCreationTime",
			},
			Defaults: []setting{
				{"minimumTlsVersion", "TLS1_0"},
				// Since November 2023, accounts that say nothing about it have no public
				// containers ("Remediate anonymous read access to blob data").
				{"allowBlobPublicAccess", false},
				{"networkAcls.bypass", "AzureServices"},
				{"networkAcls.defaultAction", "Allow"},
				{"networkAcls.ipRules", []any{}},
				{"networkAcls.virtualNetworkRules", []any{}},
				{"supportsHttpsTrafficOnly", true},
				{"networkAcls.ipRules.*.action", "Allow"},
				{"networkAcls.virtualNetworkRules.*.action", "Allow"},
				{"networkAcls.virtualNetworkRules.*.state", "Succeeded"},
			},
			Prepare: ownTenant,
			Refs:    []reference{rules}, InUse: used,
			Fill: fillStorageAccount, Settle: settleStorageAccount, Show: showStorageAccount, Verbs: storageVerbs(),
		},
		{
			Type: model.TypeSQLServer, Place: inGroup, NoEtag: true, Location: locationRequired, Name: sqlName, MergePatch: true,
			Created: http.StatusAccepted, Updated: http.StatusAccepted, Patched: http.StatusAccepted, // "Servers - Create Or Update", "Update"
			// The password is taken and never told; of it a hash is kept, which no answer shows.
			Computed: []string{"fullyQualifiedDomainName", "state", "privateEndpointConnections", "administratorLoginPassword", paas.PasswordHashProperty},
			Defaults: []setting{
				{"version", "12.0"},
				{"publicNetworkAccess", "Enabled"},
				{"restrictOutboundNetworkAccess", "Disabled"},
				{"externalGovernanceStatus", "Disabled"},
			},
			InUse: used, Prepare: prepareSQLServer, Fill: fillSQLServer, Show: showSQLServer, Verbs: []verb{linkResourceVerb()},
		},
		{
			Type: model.TypeSQLFirewallRule, NoEtag: true, Name: policyName, Sync: true, SyncDelete: true,
			Created: http.StatusOK, // what Azure answers of those that "Firewall Rules - Create Or Update" names
		},
		{
			Type: model.TypeSQLNetworkRule, NoEtag: true, Name: networkName, Created: http.StatusAccepted, Updated: http.StatusAccepted,
			Computed: []string{"state"}, Refs: []reference{ref(model.TypeSubnet, "properties.virtualNetworkSubnetId")},
			Show: func(_ *reading, p map[string]any) { p["state"] = "Ready" },
		},
		{
			Type: typeSQLDatabase, NoEtag: true, Location: locationRequired, Name: policyName, MergePatch: true,
			Created: http.StatusAccepted, Updated: http.StatusAccepted, Patched: http.StatusAccepted, // "Databases - Create Or Update", "Update"
			Computed: []string{
				"status", "databaseId", "creationDate", "currentServiceObjectiveName", "requestedServiceObjectiveName", "currentSku",
				"currentBackupStorageRedundancy", "defaultSecondaryLocation", "maxLogSizeBytes",
			},
			Defaults: []setting{
				{"collation", "SQL_Latin1_General_CP1_CI_AS"},
				{"catalogCollation", "SQL_Latin1_General_CP1_CI_AS"},
				{"zoneRedundant", false},
				{"availabilityZone", "NoPreference"},
				{"isInfraEncryptionEnabled", false},
				{"requestedBackupStorageRedundancy", "Geo"},
				{"isLedgerOn", false},
			},
			InUse: used, Fill: fillDatabase,
		},
		{
			Type: typeSQLFailover, NoEtag: true, Name: sqlName, MergePatch: true,
			Created: http.StatusAccepted, Updated: http.StatusAccepted, Patched: http.StatusAccepted, // "Failover Groups - Create Or Update", "Update"
			Computed: []string{"replicationRole", "replicationState"},
			Defaults: []setting{
				{"readWriteEndpoint.failoverPolicy", "Automatic"},
				{"readOnlyEndpoint.failoverPolicy", "Disabled"},
				{"databases", []any{}},
			},
			Refs: []reference{
				// A server that goes takes its groups with it, on both sides; unconfirmed:
				// Azure may refuse instead.
				looseRef(model.TypeSQLServer, "properties.partnerServers.*.id"), ref(typeSQLDatabase, "properties.databases.*"),
			},
			Check: checkFailoverGroup, Fill: fillFailoverGroup, Settle: settleFailoverGroup,
			Verbs: failoverVerbs(),
		},
		{
			Type: model.TypeKeyVault, Place: inGroup, NoEtag: true, SystemData: true, Location: locationRequired, Name: vaultName, State: true, Sync: true, SyncDelete: true, MergePatch: true,
			Created:  http.StatusOK, // what Azure answers of those that "Vaults - Create Or Update" names
			Computed: []string{"vaultUri", "hsmPoolResourceId", "privateEndpointConnections"},
			Defaults: []setting{
				{"enableSoftDelete", true},
				{"softDeleteRetentionInDays", json.Number("90")},
				{"publicNetworkAccess", "Enabled"},
				{"accessPolicies", []any{}},
				{"enabledForDeployment", false},
			},
			Refs: []reference{rules}, InUse: used,
			Check: checkVault, Fill: fillVault, Settle: settleVault,
			Show:  showVault,
			Verbs: []verb{linkResourceVerb()},
		},
		{
			Type: typeIdentity, NoEtag: true, Place: inGroup, Location: locationRequired, Name: networkName, Sync: true, SyncDelete: true, MergePatch: true,
			Prepare:  ownTenant,
			Defaults: []setting{{"isolationScope", "None"}},
			Fill:     fillIdentity,
		},
		{
			Type: typeDisk, NoEtag: true, Place: inGroup, Location: locationRequired, Name: networkName, State: true, MergePatch: true,
			Created:  http.StatusOK, // the only one its clients take besides 202 (Disks - Create Or Update)
			Computed: []string{"timeCreated", "uniqueId", "diskState"},
			InUse:    used, Fill: fillDisk,
		},
		{Type: typeAvailability, NoEtag: true, Created: http.StatusOK, Place: inGroup, Location: locationRequired, Name: networkName, Sync: true, SyncDelete: true, MergePatch: true, InUse: used},
	}
	return append(append(kinds, storageServiceKinds()...), deletedVaultKinds()...)
}

func showSQLServer(r *reading, p map[string]any) {
	delete(p, paas.PasswordHashProperty)
	r.showConnections(p)
	p["fullyQualifiedDomainName"], p["state"] = strings.ToLower(r.id.Name())+".database.windows.net", "Ready"
}

// keep gives a property the value it had, or a new identifier.
func (c *change) keep(name string) {
	v := text(c.oldProps(), name)
	if v == "" {
		v = uuid.NewString()
	}
	c.props()[name] = v
}

func fillIdentity(c *change) *Fault {
	c.keep("principalId")
	c.keep("clientId")
	if tenant, ok := c.prepared.(string); ok {
		c.props()["tenantId"] = tenant
	} else if was := text(c.oldProps(), "tenantId"); was != "" {
		c.props()["tenantId"] = was
	}
	return nil
}
