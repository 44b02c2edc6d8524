package arm

import (
	"encoding/json"
	"net/http"
	"regexp"

	"github.com/ceruleannet/cerulean/model"
)

// typePostgres is a target of private endpoints; what its databases hold is not
// here.
const (
	typePostgres   = "Microsoft.DBforPostgreSQL/flexibleServers"
	postgresSuffix = "postgres.database.azure.com"
)

var postgresName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$`)

// databaseKinds are database servers besides SQL's.
func databaseKinds() []*kind {
	return []*kind{{
		Type: typePostgres, Place: inGroup, Location: locationRequired, Name: postgresName, NoEtag: true, SystemData: true, MergePatch: true,
		// The only statuses its clients take ("Servers - Create Or Update", "Update").
		Created: http.StatusAccepted, Updated: http.StatusAccepted, Patched: http.StatusAccepted,
		// The password is taken and never told; how the server was made is not kept.
		Computed: []string{"administratorLoginPassword", "createMode", "state", "fullyQualifiedDomainName", "privateEndpointConnections"},
		Defaults: []setting{
			{"storage.storageSizeGB", json.Number("32")},
			{"storage.autoGrow", "Disabled"},
			{"storage.tier", "P4"},
			{"backup.backupRetentionDays", json.Number("7")},
			{"backup.geoRedundantBackup", "Disabled"},
			{"network.publicNetworkAccess", "Enabled"},
			{"highAvailability.mode", "Disabled"},
			{"authConfig.activeDirectoryAuth", "Disabled"},
			{"authConfig.passwordAuth", "Enabled"},
			{"dataEncryption.type", "SystemManaged"},
			{"replicationRole", "Primary"},
			{"replicaCapacity", json.Number("5")},
			{"maintenanceWindow.customWindow", "Disabled"},
		},
		Refs:  []reference{regionalSubnetRef("properties.network.delegatedSubnetResourceId"), ref(model.TypePrivateZone, "properties.network.privateDnsZoneArmResourceId")},
		InUse: inUse(codeResourceInUse, "Resource %s is in use by %s and cannot be deleted."),
		Verbs: []verb{linkResourceVerb()},
		Show: func(r *reading, p map[string]any) {
			p["state"], p["fullyQualifiedDomainName"] = "Ready", r.id.Name()+"."+postgresSuffix
		},
	}}
}
