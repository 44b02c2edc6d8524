package arm_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestDatabaseObjectives: what a database shows of how it is sold, by what was
// asked for (recorded answers of the service: Azure/azure-cli recordings).
func TestDatabaseObjectives(t *testing.T) {
	c := newCloud(t).withGroup()
	server := group + "/providers/Microsoft.Sql/servers/west"
	c.must("PUT", server, `{"location":"westeurope","properties":{}}`)
	for i, tt := range []struct {
		sku, properties string
		want            string // SKU, kind, objective, size, readScale
	}{
		{``, ``, "GP_Gen5 GeneralPurpose Gen5 2 v12.0,user,vcore GP_Gen5_2 34359738368 Disabled"},
		{`{"name":"GP_Gen5_8","tier":"GeneralPurpose"}`, ``, "GP_Gen5 GeneralPurpose Gen5 8 v12.0,user,vcore GP_Gen5_8 34359738368 Disabled"},
		{`{"name":"GP_Gen5","tier":"GeneralPurpose","family":"Gen5","capacity":4}`, ``, "GP_Gen5 GeneralPurpose Gen5 4 v12.0,user,vcore GP_Gen5_4 34359738368 Disabled"},
		{`{"name":"GP_S_Gen5_2"}`, ``, "GP_S_Gen5 GeneralPurpose Gen5 2 v12.0,user,vcore,serverless GP_S_Gen5_2 34359738368 Disabled"},
		{`{"name":"BC_Gen5_8"}`, `"maxSizeBytes":268435456000,"readScale":"Disabled"`, "BC_Gen5 BusinessCritical Gen5 8 v12.0,user,vcore BC_Gen5_8 268435456000 Disabled"},
		{`{"name":"HS_Gen5_2"}`, ``, "HS_Gen5 Hyperscale Gen5 2 v12.0,user,vcore,hyperscale HS_Gen5_2 -1 Enabled"},
		{`{"name":"S0"}`, ``, "Standard Standard <nil> 10 v12.0,user S0 268435456000 Disabled"},
		{`{"name":"Standard","tier":"Standard","capacity":50}`, ``, "Standard Standard <nil> 50 v12.0,user S2 268435456000 Disabled"},
		{`{"name":"P1"}`, ``, "Premium Premium <nil> 125 v12.0,user P1 536870912000 Enabled"},
		{`{"name":"Basic"}`, ``, "Basic Basic <nil> 5 v12.0,user Basic 2147483648 Disabled"},
		{``, `"elasticPoolId":"` + server + `/elasticPools/p"`, "ElasticPool GeneralPurpose <nil> 0 v12.0,user,vcore,pool ElasticPool 34359738368 Disabled"},
		{``, `"createMode":"Copy","sourceDatabaseId":"` + server + `/databases/db6"`, "Standard Standard <nil> 10 v12.0,user S0 268435456000 Disabled"},
	} {
		db := fmt.Sprint(server, "/databases/db", i)
		body := `{"location":"westeurope","properties":{` + tt.properties + `}}`
		if tt.sku != "" {
			body = strings.Replace(body, "{", `{"sku":`+tt.sku+",", 1)
		}
		if a := c.must("PUT", db, body); a.status != 202 {
			t.Errorf("db%d: a creation is answered with %d", i, a.status)
		}
		got := c.get(db)
		shown := fmt.Sprint(at(got, "sku", "name"), " ", at(got, "sku", "tier"), " ", at(got, "sku", "family"), " ", at(got, "sku", "capacity"), " ",
			got["kind"], " ", at(got, "properties", "currentServiceObjectiveName"), " ", fmt.Sprintf("%.0f", at(got, "properties", "maxSizeBytes")), " ", at(got, "properties", "readScale"))
		if shown != tt.want {
			t.Errorf("%s %s: %s, want %s", tt.sku, tt.properties, shown, tt.want)
		}
		for name, want := range map[string]any{
			"createMode": nil, "sourceDatabaseId": nil, "defaultSecondaryLocation": "northeurope", "currentBackupStorageRedundancy": "Geo",
			"availabilityZone": "NoPreference", "isInfraEncryptionEnabled": false,
		} {
			if v := at(got, "properties", name); v != want {
				t.Errorf("db%d: %s is %v, want %v", i, name, v, want)
			}
		}
		// A second write that says nothing of it keeps the objective.
		c.must("PUT", db, `{"location":"westeurope","properties":{}}`)
		if again := at(c.get(db), "properties", "currentServiceObjectiveName"); !strings.Contains(tt.properties, "elasticPool") && again != at(got, "properties", "currentServiceObjectiveName") {
			t.Errorf("db%d: another write makes %v of it", i, again)
		}
	}
}

// TestStorageAccountShape: which services an account has and where its copy is,
// by kind and SKU, and what the service fills in (recorded answers:
// Azure/azure-cli recordings; "Azure Storage redundancy").
func TestStorageAccountShape(t *testing.T) {
	c := newCloud(t).withGroup()
	for i, tt := range []struct{ kind, sku, services, secondary, copies, tier string }{
		{"StorageV2", "Standard_LRS", "blob dfs file queue table web", "<nil>", "", "Hot"},
		{"StorageV2", "Standard_GRS", "blob dfs file queue table web", "northeurope", "", "Hot"},
		{"StorageV2", "Standard_RAGRS", "blob dfs file queue table web", "northeurope", "blob dfs queue table web", "Hot"},
		{"StorageV2", "Standard_RAGZRS", "blob dfs file queue table web", "northeurope", "blob dfs queue table web", "Hot"},
		{"StorageV2", "Premium_LRS", "blob web", "<nil>", "", "Hot"},
		{"BlobStorage", "Standard_RAGRS", "blob dfs table", "northeurope", "blob dfs table", "Hot"},
		{"Storage", "Standard_LRS", "blob file queue table", "<nil>", "", "<nil>"},
	} {
		account := fmt.Sprintf("%s/providers/Microsoft.Storage/storageAccounts/shape%d", group, i)
		c.must("PUT", account, `{"location":"westeurope","sku":{"name":"`+tt.sku+`"},"kind":"`+tt.kind+`"}`)
		got := c.get(account)
		names := func(property string) string {
			m, _ := at(got, "properties", property).(map[string]any)
			return strings.Join(slices.Sorted(maps.Keys(m)), " ")
		}
		if s := names("primaryEndpoints"); s != tt.services {
			t.Errorf("%s %s: services %s, want %s", tt.kind, tt.sku, s, tt.services)
		}
		if s := names("secondaryEndpoints"); s != tt.copies {
			t.Errorf("%s %s: copies %s, want %s", tt.kind, tt.sku, s, tt.copies)
		}
		if s := fmt.Sprint(at(got, "properties", "secondaryLocation")); s != tt.secondary {
			t.Errorf("%s %s: the copy is in %s, want %s", tt.kind, tt.sku, s, tt.secondary)
		}
		if s := fmt.Sprint(at(got, "properties", "accessTier")); s != tt.tier {
			t.Errorf("%s %s: tier %s, want %s", tt.kind, tt.sku, s, tt.tier)
		}
		for name, want := range map[string]any{"minimumTlsVersion": "TLS1_0", "allowBlobPublicAccess": false, "statusOfPrimary": "available"} {
			if v := at(got, "properties", name); v != want {
				t.Errorf("%s is %v, want %v", name, v, want)
			}
		}
		for _, service := range []string{"blob", "file"} {
			if at(got, "properties", "encryption", "services", service, "enabled") != true || at(got, "properties", "encryption", "services", service, "keyType") != "Account" {
				t.Errorf("%s of %s: %v", service, tt.kind, at(got, "properties", "encryption"))
			}
		}
		made := at(got, "properties", "creationTime")
		c.must("PATCH", account, `{"tags":{"a":"b"}}`)
		if again := at(c.get(account), "properties", "creationTime"); made == nil || again != made {
			t.Errorf("made at %v, later at %v", made, again)
		}
	}
}

// TestServiceNames: whether a storage account, a vault or a server could have a
// name ("Check Name Availability").
func TestServiceNames(t *testing.T) {
	c := newCloud(t).withGroup()
	in := func(resource string) string { return group + "/providers/" + resource }
	c.must("PUT", in("Microsoft.Storage/storageAccounts/taken"), `{"location":"westeurope","sku":{"name":"Standard_LRS"},"kind":"StorageV2"}`)
	vault := `{"location":"westeurope","properties":{"tenantId":"11111111-1111-1111-1111-111111111111","sku":{"family":"A","name":"standard"}}}`
	if a := c.must("PUT", in("Microsoft.KeyVault/vaults/taken"), vault); a.status != 200 {
		t.Errorf("the creation of a vault is answered with %d", a.status)
	}
	c.must("PUT", in("Microsoft.KeyVault/vaults/gone"), vault)
	c.must("DELETE", in("Microsoft.KeyVault/vaults/gone"), "")
	c.must("PUT", in("Microsoft.Sql/servers/taken"), `{"location":"westeurope","properties":{}}`)
	for _, tt := range []struct{ namespace, resourceType, name, tells, reason string }{
		{"Microsoft.Storage", "Microsoft.Storage/storageAccounts", "free", "nameAvailable", ""},
		{"microsoft.storage", "Microsoft.Storage/storageAccounts", "Taken", "nameAvailable", "AlreadyExists"},
		{"Microsoft.Storage", "Microsoft.Storage/storageAccounts", "not-one", "nameAvailable", "AccountNameInvalid"},
		{"Microsoft.KeyVault", "Microsoft.KeyVault/vaults", "free", "nameAvailable", ""},
		{"Microsoft.KeyVault", "Microsoft.KeyVault/vaults", "taken", "nameAvailable", "AlreadyExists"},
		{"Microsoft.KeyVault", "Microsoft.KeyVault/vaults", "gone", "nameAvailable", "AlreadyExists"},
		{"Microsoft.Sql", "Microsoft.Sql/servers", "free", "available", ""},
		{"Microsoft.Sql", "Microsoft.Sql/servers", "taken", "available", "AlreadyExists"},
	} {
		body := c.must("POST", subscription+"/providers/"+tt.namespace+"/checkNameAvailability", `{"name":"`+tt.name+`","type":"`+tt.resourceType+`"}`).body
		reason, _ := body["reason"].(string)
		if reason != tt.reason && !(tt.name == "Taken" && reason == "AccountNameInvalid") || body[tt.tells] != (reason == "") {
			t.Errorf("%s %s: %v", tt.resourceType, tt.name, body)
		}
	}
	c.refused(400, "InvalidRequestContent", "POST", subscription+"/providers/Microsoft.Storage/checkNameAvailability", `{"name":"x","type":"Microsoft.Sql/servers"}`)
	c.refused(405, "MethodNotAllowed", "GET", subscription+"/providers/Microsoft.Storage/checkNameAvailability", "")
	if s := fmt.Sprint(at(c.get(subscription+"/providers/Microsoft.KeyVault/deletedVaults"), "value")); strings.Contains(s, "accessPolicies") {
		t.Errorf("a deleted vault tells what it was: %s", s)
	}
}

// TestAccessAuthor: an assignment says who made it, who changed it, and when; a
// condition is kept and returned; a change is answered with 201 ("Role
// Assignments - Create" as recorded).
func TestAccessAuthor(t *testing.T) {
	c := newCloud(t).withGroup()
	assignment := group + "/providers/Microsoft.Authorization/roleAssignments/88888888-0000-0000-0000-000000000001"
	body := func(description string) string {
		return `{"properties":{"roleDefinitionId":"` + subscription + `/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7",
			"principalId":"285754a5-70ad-44af-9251-28c415538f72","principalType":"User","description":"` + description + `",
			"condition":"@Resource[Microsoft.Storage/storageAccounts/blobServices/containers:Name] stringEquals 'foo'","conditionVersion":"2.0"}}`
	}
	if p := at(c.must("PUT", assignment, body("one")).body, "properties").(map[string]any); p["createdBy"] != nil || p["updatedBy"] == nil {
		t.Errorf("the answer to a write tells who made it: %v", p)
	}
	made := c.get(assignment)
	if at(made, "properties", "conditionVersion") != "2.0" || !strings.HasSuffix(fmt.Sprint(at(made, "properties", "condition")), "'foo'") {
		t.Errorf("the condition: %v", made)
	}
	for _, name := range []string{"createdOn", "createdBy", "updatedOn", "updatedBy"} {
		if s, _ := at(made, "properties", name).(string); s == "" {
			t.Errorf("no %s: %v", name, made)
		}
	}
	roles, _ := c.must("GET", subscription+"/providers/Microsoft.Authorization/roleDefinitions", "").body["value"].([]any)
	for _, r := range roles {
		for _, list := range []string{"actions", "notActions", "dataActions", "notDataActions"} {
			if _, ok := at(r, "properties", "permissions", 0, list).([]any); !ok {
				t.Errorf("%s of %s is no list", list, str(r, "properties", "roleName"))
			}
		}
	}
	c.clock.Advance(1e9)
	if a := c.must("PUT", assignment, body("two")); a.status != 201 {
		t.Errorf("a change is answered with %d", a.status)
	}
	changed := c.get(assignment)
	if at(changed, "properties", "createdOn") != at(made, "properties", "createdOn") || at(changed, "properties", "updatedOn") == at(made, "properties", "updatedOn") {
		t.Errorf("made %v, changed %v", made, changed)
	}
	if gone := c.must("DELETE", assignment, ""); gone.status != 200 || !reflect.DeepEqual(gone.body, changed) {
		t.Errorf("the answer to a deletion is not what was there: %d %v", gone.status, gone.body)
	}
}

// TestDeploymentNames: parameters and outputs are told back in camel case, and
// left out where the template has no such section (Azure/azure-cli recordings).
func TestDeploymentNames(t *testing.T) {
	c := newCloud(t).withGroup()
	deploy := func(name, template, parameters string) map[string]any {
		c.settled(c.must("PUT", deployments+name+ofTemplates, deploymentBody("Incremental", template, parameters)))
		p, _ := c.get(deployments + name)["properties"].(map[string]any)
		return p
	}
	head := `{"$schema":"https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#","contentVersion":"1.0.0.0","resources":[]`
	bare := deploy("bare", head+`}`, `{}`)
	for _, name := range []string{"parameters", "outputs"} {
		if v, ok := bare[name]; ok {
			t.Errorf("a deployment without %s has %v", name, v)
		}
	}
	empty := deploy("empty", head+`,"parameters":{},"outputs":{}}`, `{}`)
	for _, name := range []string{"parameters", "outputs"} {
		if v, ok := empty[name].(map[string]any); !ok || len(v) > 0 {
			t.Errorf("a deployment with empty %s has %v", name, empty[name])
		}
	}
	full := deploy("full", head+`,"parameters":{"CrossRg":{"type":"string"}},"outputs":{"NewNSG":{"type":"string","value":"[parameters('CrossRg')]"},"a":{"type":"int","value":1}}}`, `{"CrossRg":{"value":"x"}}`)
	if at(full, "parameters", "crossRg", "value") != "x" || at(full, "outputs", "newNSG", "value") != "x" || at(full, "outputs", "a", "value") != 1.0 {
		t.Errorf("parameters %v, outputs %v", full["parameters"], full["outputs"])
	}
}

// TestMachineProfiles: what the service fills into the system and the disks of a
// machine (Azure/azure-cli recordings).
func TestMachineProfiles(t *testing.T) {
	c := newCloud(t).withGroup()
	c.must("PUT", network+"/virtualNetworks/v", `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"subnets":[{"name":"s","properties":{"addressPrefix":"10.0.0.0/24"}}]}}`)
	for _, tt := range []struct{ name, system, want string }{
		{"l", `"linuxConfiguration":{"disablePasswordAuthentication":true}`, "Linux ImageDefault true false true"},
		{"bare", `"adminPassword":"Correct-horse1"`, "Linux ImageDefault true false false"},
		{"w", `"windowsConfiguration":{"provisionVMAgent":false}`, "Windows <nil> false false <nil>"},
	} {
		c.must("PUT", network+"/networkInterfaces/"+tt.name, `{"location":"westeurope","properties":{"ipConfigurations":[{"name":"c","properties":{"subnet":{"id":"`+network+`/virtualNetworks/v/subnets/s"}}}]}}`)
		vm := group + "/providers/Microsoft.Compute/virtualMachines/" + tt.name
		c.must("PUT", vm, `{"location":"westeurope","properties":{"hardwareProfile":{"vmSize":"Standard_B1s"},"osProfile":{"computerName":"h","adminUsername":"u",`+tt.system+`},
			"storageProfile":{"osDisk":{"createOption":"fromImage"},"dataDisks":[{"lun":0,"createOption":"empty","diskSizeGB":1}]},
			"networkProfile":{"networkInterfaces":[{"id":"`+network+`/networkInterfaces/`+tt.name+`"}]}}}`)
		p, _ := c.get(vm)["properties"].(map[string]any)
		configuration := at(p, "osProfile", "linuxConfiguration")
		if tt.name == "w" {
			configuration = at(p, "osProfile", "windowsConfiguration")
		}
		got := fmt.Sprint(at(p, "storageProfile", "osDisk", "osType"), " ", at(configuration, "patchSettings", "patchMode"), " ",
			at(configuration, "provisionVMAgent"), " ", at(configuration, "enableVMAgentPlatformUpdates"), " ", at(configuration, "disablePasswordAuthentication"))
		if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
		for where, want := range map[string]any{"allowExtensionOperations": true, "requireGuestProvisionSignal": true} {
			if v := at(p, "osProfile", where); v != want {
				t.Errorf("%s: %s is %v", tt.name, where, v)
			}
		}
		disk, data := at(p, "storageProfile", "osDisk"), at(p, "storageProfile", "dataDisks", 0)
		if at(disk, "createOption") != "FromImage" || at(disk, "deleteOption") != "Detach" || at(data, "createOption") != "Empty" || at(data, "toBeDetached") != false || at(data, "caching") != "None" {
			t.Errorf("%s: disks %v, %v", tt.name, disk, data)
		}
	}
}

// TestReadyAtOnce: interfaces and DDoS plans say Succeeded while the operation
// of their write goes on, networks do not (Azure/azure-cli recordings).
func TestReadyAtOnce(t *testing.T) {
	c := newCloud(t).withGroup()
	v := c.must("PUT", network+"/virtualNetworks/v", `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"subnets":[{"name":"s","properties":{"addressPrefix":"10.0.0.0/24"}}]}}`)
	if got := str(v.body, "properties", "provisioningState"); got != "Updating" {
		t.Errorf("a network that is made says %s", got)
	}
	for path, body := range map[string]string{
		"/networkInterfaces/n":   `{"location":"westeurope","properties":{"ipConfigurations":[{"name":"c","properties":{"subnet":{"id":"` + network + `/virtualNetworks/v/subnets/s"}}}]}}`,
		"/ddosProtectionPlans/d": `{"location":"westeurope"}`,
	} {
		a := c.must("PUT", network+path, body)
		if got := str(a.body, "properties", "provisioningState"); got != "Succeeded" || a.header.Get("Azure-AsyncOperation") == "" {
			t.Errorf("%s: %s, operation %q", path, got, a.header.Get("Azure-AsyncOperation"))
		}
	}
}

// TestServicesAsRecorded: what Azure/azure-cli recordings have of services, where
// it is not what a client wrote.
func TestServicesAsRecorded(t *testing.T) {
	c := newCloud(t).withGroup()
	storage := group + "/providers/Microsoft.Storage/storageAccounts/routed"
	c.must("PUT", storage, `{"location":"eastus","kind":"StorageV2","sku":{"name":"Standard_RAGRS"},"properties":{"routingPreference":{"routingChoice":"InternetRouting","publishInternetEndpoints":true}}}`)
	ends := at(c.get(storage), "properties", "primaryEndpoints", "internetEndpoints")
	if str(ends, "blob") != "https://routed-internetrouting.blob.core.windows.net/" || at(ends, "queue") != nil {
		t.Errorf("the endpoints of the internet: %v", ends)
	}
	server := group + "/providers/Microsoft.Sql/servers/plain"
	c.must("PUT", server, `{"location":"westeurope"}`)
	if v := at(c.get(server), "properties", "minimalTlsVersion"); v != nil {
		t.Errorf("a server of which nothing was said of TLS has %v", v)
	}
	vm := group + "/providers/Microsoft.Compute/virtualMachines/vm"
	c.must("PUT", network+"/virtualNetworks/v", vnetBody)
	c.must("PUT", network+"/networkInterfaces/n", nicBody(network+"/virtualNetworks/v/subnets/app", ""))
	c.must("PUT", vm, `{"location":"westeurope","properties":{"userData":"dQ==","osProfile":{"computerName":"vm","customData":"Yw=="},
		"networkProfile":{"networkInterfaces":[{"id":"`+network+`/networkInterfaces/n","properties":{"deleteOption":null}}]}}}`)
	p := at(c.get(vm), "properties")
	if at(p, "userData") != nil || at(p, "osProfile", "customData") != nil || at(p, "networkProfile", "networkInterfaces", 0, "properties") != nil {
		t.Errorf("the machine tells %v", p)
	}
	if got := str(c.get(vm+version+"&$expand=userData"), "properties", "userData"); got != "dQ==" {
		t.Errorf("its user data is %q", got)
	}
	lock := vm + "/providers/Microsoft.Authorization/locks/l"
	c.must("PUT", lock, `{"properties":{"level":"CanNotDelete"}}`)
	for path, property := range map[string]string{vm: "etag", lock: "systemData"} {
		if c.get(path + "?api-version=2016-09-01")[property] != nil || c.get(path)[property] == nil {
			t.Errorf("%s of %s is not of the version that is asked for", property, path)
		}
	}
	vault := group + "/providers/Microsoft.KeyVault/vaults/asrecorded"
	c.must("PUT", vault, `{"location":"westeurope","properties":{"tenantId":"t","softDeleteRetentionInDays":7,"accessPolicies":[{"objectId":"x"}],"networkAcls":{"bypass":"AzureServices","defaultAction":"Allow"}}}`)
	if v := at(c.get(vault), "properties", "networkAcls"); v != nil {
		t.Errorf("a firewall that lets everything in is shown: %v", v)
	}
	c.must("PUT", network+"/privateEndpoints/pe", `{"location":"westeurope","properties":{"subnet":{"id":"`+network+`/virtualNetworks/v/subnets/app"},
		"privateLinkServiceConnections":[{"name":"mine","properties":{"privateLinkServiceId":"`+vault+`","groupIds":["vault"]}}]}}`)
	link := at(c.get(vault), "properties", "privateEndpointConnections", 0)
	if str(link, "id") != vault+"/privateEndpointConnections/mine" || at(link, "name") != nil || at(link, "properties", "groupIds") != nil {
		t.Errorf("the vault's connection: %v", link)
	}
	if one := c.get(vault + "/privateEndpointConnections/mine"); str(one, "name") != "mine" || str(one, "location") != "westeurope" {
		t.Errorf("the connection itself: %v", one)
	}
	c.must("DELETE", network+"/privateEndpoints/pe", "")
	c.must("DELETE", vault, "")
	c.must("PUT", vault, `{"location":"westeurope","properties":{"tenantId":"t","sku":{"family":"A","name":"standard"},"createMode":"recover"}}`)
	if p := at(c.get(vault), "properties"); fmt.Sprint(at(p, "softDeleteRetentionInDays")) != "7" || str(at(p, "accessPolicies", 0), "objectId") != "x" {
		t.Errorf("a recovered vault is not what it was: %v", p)
	}
}
