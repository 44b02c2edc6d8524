package arm_test

import (
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/authorization/armauthorization/v2"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/keyvault/armkeyvault"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/msi/armmsi"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armresources/v4"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/sql/armsql"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/storage/armstorage/v2"
)

const (
	storageProvider  = group + "/providers/Microsoft.Storage"
	sqlProvider      = group + "/providers/Microsoft.Sql"
	computeProvider  = group + "/providers/Microsoft.Compute"
	vaultProvider    = group + "/providers/Microsoft.KeyVault"
	identityProvider = group + "/providers/Microsoft.ManagedIdentity"
)

// TestSDKMachine: a virtual machine is a host behind its interface, with a power
// state its actions change.
func TestSDKMachine(t *testing.T) {
	s := newSDK(t, newCloud(t).withGroup())
	f, compute := clients(s, armnetwork.NewClientFactory), clients(s, armcompute.NewClientFactory)
	machines, disks, sets := compute.NewVirtualMachinesClient(), compute.NewDisksClient(), compute.NewAvailabilitySetsClient()
	nics := f.NewInterfacesClient()
	power := func(t *testing.T, want string) {
		t.Helper()
		view, err := machines.InstanceView(ctx, groupName, "vm", nil)
		if err != nil || len(view.Statuses) != 2 {
			t.Fatalf("%d statuses, %v", len(view.Statuses), err)
		}
		is(t, "power state", view.Statuses[1].Code, "PowerState/"+want)
	}
	live(t, []life{
		lifeOf(f, "v", `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"subnets":[{"name":"app","properties":{"addressPrefix":"10.0.1.0/24"}}]}}`),
		{
			id: network + "/networkInterfaces/nic",
			create: begin(nics.BeginCreateOrUpdate, groupName, "nic", doc[armnetwork.Interface](
				`{"location":"westeurope","properties":{"ipConfigurations":[{"name":"ip","properties":{"subnet":{"id":"@/virtualNetworks/v/subnets/app"}}}]}}`)),
			get: call(nics.Get, groupName, "nic"), remove: drop(nics.BeginDelete, groupName, "nic"),
			check: that(func(t *testing.T, r armnetwork.InterfacesClientGetResponse) {
				is(t, "machine", r.Properties.VirtualMachine.ID, computeProvider+"/virtualMachines/vm")
				is(t, "primary", r.Properties.Primary, true)
				if _, err := wait(nics.BeginDelete(ctx, groupName, "nic", nil)); codeOf(err) != "NicInUse" {
					t.Errorf("deleting it: %v", err)
				}
			}),
		},
		{
			id: computeProvider + "/disks/data",
			create: begin(disks.BeginCreateOrUpdate, groupName, "data", doc[armcompute.Disk](
				`{"location":"westeurope","sku":{"name":"Standard_LRS"},"properties":{"creationData":{"createOption":"Empty"},"diskSizeGB":10}}`)),
			get: call(disks.Get, groupName, "data"), lists: idLists{inGroup(disks.NewListByResourceGroupPager), everywhere(disks.NewListPager)},
			tag: begin(disks.BeginUpdate, groupName, "data", armcompute.DiskUpdate{Tags: teamTags}), remove: drop(disks.BeginDelete, groupName, "data"),
		},
		{
			id:     computeProvider + "/availabilitySets/set",
			create: set(sets.CreateOrUpdate, groupName, "set", doc[armcompute.AvailabilitySet](`{"location":"westeurope","sku":{"name":"Aligned"}}`)),
			get:    call(sets.Get, groupName, "set"), lists: idLists{inGroup(sets.NewListPager), everywhere(sets.NewListBySubscriptionPager)},
			tag: set(sets.Update, groupName, "set", armcompute.AvailabilitySetUpdate{Tags: teamTags}), remove: call(sets.Delete, groupName, "set"),
		},
		{
			id: computeProvider + "/virtualMachines/vm",
			create: begin(machines.BeginCreateOrUpdate, groupName, "vm", doc[armcompute.VirtualMachine](`{"location":"westeurope","properties":{"hardwareProfile":{"vmSize":"Standard_B1s"},
				"osProfile":{"computerName":"vm","adminUsername":"a","adminPassword":"secret"},"networkProfile":{"networkInterfaces":[{"id":"@/networkInterfaces/nic","properties":{"primary":true}}]}}}`)),
			get: call(machines.Get, groupName, "vm"), lists: idLists{inGroup(machines.NewListPager), everywhere(machines.NewListAllPager)},
			tag: begin(machines.BeginUpdate, groupName, "vm", armcompute.VirtualMachineUpdate{Tags: teamTags}), remove: drop(machines.BeginDelete, groupName, "vm"),
			check: that(func(t *testing.T, r armcompute.VirtualMachinesClientGetResponse) {
				if p := r.Properties; p.VMID == nil || p.TimeCreated == nil || p.InstanceView != nil || p.OSProfile.AdminPassword != nil {
					t.Errorf("%v %v %v %v", p.VMID, p.TimeCreated, p.InstanceView, p.OSProfile.AdminPassword)
				}
				power(t, "running")
				for _, step := range []struct {
					act  func() (any, error)
					want string
				}{
					{drop(machines.BeginDeallocate, groupName, "vm"), "deallocated"},
					{drop(machines.BeginStart, groupName, "vm"), "running"},
					{drop(machines.BeginPowerOff, groupName, "vm"), "stopped"},
					{drop(machines.BeginRestart, groupName, "vm"), "running"},
				} {
					if _, err := step.act(); err != nil {
						t.Fatal(err)
					}
					power(t, step.want)
				}
				with, err := machines.Get(ctx, groupName, "vm", &armcompute.VirtualMachinesClientGetOptions{Expand: to.Ptr(armcompute.InstanceViewTypesInstanceView)})
				if err != nil || with.Properties.InstanceView == nil {
					t.Errorf("with its instance view: %v", err)
				}
			}),
		},
	})
}

// TestSDKStorage: accounts, with their firewall and keys.
func TestSDKStorage(t *testing.T) {
	cloud := newCloud(t).withGroup()
	s := newSDK(t, cloud)
	c := clients(s, armstorage.NewClientFactory).NewAccountsClient()
	f := clients(s, armnetwork.NewClientFactory)
	live(t, []life{
		lifeOf(f, "v", `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"subnets":[
			{"name":"app","properties":{"addressPrefix":"10.0.1.0/24","serviceEndpoints":[{"service":"Microsoft.Storage"}]}}]}}`),
		{
			id: storageProvider + "/storageAccounts/files1",
			create: begin(c.BeginCreate, groupName, "files1", doc[armstorage.AccountCreateParameters](`{"location":"westeurope","kind":"StorageV2","sku":{"name":"Standard_LRS"},"tags":{"team":"net"},
				"properties":{"networkAcls":{"defaultAction":"Deny","virtualNetworkRules":[{"id":"@/virtualNetworks/v/subnets/app","action":"Allow"}]}}}`)),
			get: call(c.GetProperties, groupName, "files1"), lists: idLists{inGroup(c.NewListByResourceGroupPager), everywhere(c.NewListPager)},
			tag: set(c.Update, groupName, "files1", armstorage.AccountUpdateParameters{Tags: teamTags}), remove: call(c.Delete, groupName, "files1"),
			check: that(func(t *testing.T, r armstorage.AccountsClientGetPropertiesResponse) {
				p := r.Properties
				is(t, "blob", p.PrimaryEndpoints.Blob, "https://files1.blob.core.windows.net/")
				is(t, "status", p.StatusOfPrimary, armstorage.AccountStatusAvailable)
				is(t, "action", p.NetworkRuleSet.DefaultAction, armstorage.DefaultActionDeny)
				is(t, "rule", one(t, p.NetworkRuleSet.VirtualNetworkRules).VirtualNetworkResourceID, network+"/virtualNetworks/v/subnets/app")
				is(t, "state of the rule", one(t, p.NetworkRuleSet.VirtualNetworkRules).State, armstorage.StateSucceeded)
				is(t, "SKU tier", r.SKU.Tier, armstorage.SKUTierStandard)
				is(t, "access tier", p.AccessTier, armstorage.AccessTierHot)
				keys, err := c.ListKeys(ctx, groupName, "files1", nil)
				if err != nil || len(keys.Keys) != 2 {
					t.Fatalf("keys %v %v", keys.Keys, err)
				}
				cloud.clock.Advance(time.Second)
				fresh, err := c.RegenerateKey(ctx, groupName, "files1", armstorage.AccountRegenerateKeyParameters{KeyName: to.Ptr("key1")}, nil)
				if err != nil || *fresh.Keys[0].Value == *keys.Keys[0].Value || *fresh.Keys[1].Value != *keys.Keys[1].Value {
					t.Errorf("a new key: %v", err)
				}
			}),
		},
	})
}

// TestSDKDatabases: SQL servers, databases, rules and failover groups, which are
// seen from both servers and change sides.
func TestSDKDatabases(t *testing.T) {
	s := newSDK(t, newCloud(t).withGroup())
	f := clients(s, armsql.NewClientFactory)
	servers, databases, groups, rules := f.NewServersClient(), f.NewDatabasesClient(), f.NewFailoverGroupsClient(), f.NewFirewallRulesClient()
	server := func(name, location string) life {
		return life{
			id: sqlProvider + "/servers/" + name,
			create: begin(servers.BeginCreateOrUpdate, groupName, name, doc[armsql.Server](
				`{"location":"`+location+`","properties":{"administratorLogin":"a","administratorLoginPassword":"Correct-horse1"}}`)),
			get: call(servers.Get, groupName, name), lists: idLists{inGroup(servers.NewListByResourceGroupPager), everywhere(servers.NewListPager)},
			tag: begin(servers.BeginUpdate, groupName, name, armsql.ServerUpdate{Tags: teamTags}), remove: drop(servers.BeginDelete, groupName, name),
			check: that(func(t *testing.T, r armsql.ServersClientGetResponse) {
				p := r.Properties
				is(t, "name", p.FullyQualifiedDomainName, name+".database.windows.net")
				is(t, "state", p.State, "Ready")
				is(t, "version", p.Version, "12.0")
				is(t, "kind", r.Kind, "v12.0")
				is(t, "access", p.PublicNetworkAccess, "Enabled")
				if p.AdministratorLoginPassword != nil {
					t.Error("the password is told")
				}
			}),
		}
	}
	role := func(t *testing.T, server string, want armsql.FailoverGroupReplicationRole) {
		t.Helper()
		g, err := groups.Get(ctx, groupName, server, "fog", nil)
		if err != nil {
			t.Fatal(err)
		}
		is(t, "role at "+server, g.Properties.ReplicationRole, want)
	}
	live(t, []life{
		server("west", "westeurope"), server("north", "northeurope"),
		{
			id:     sqlProvider + "/servers/west/databases/db",
			create: beginChild(databases.BeginCreateOrUpdate, groupName, "west", "db", doc[armsql.Database](`{"location":"westeurope"}`)),
			get:    callChild(databases.Get, groupName, "west", "db"), lists: idLists{below(databases.NewListByServerPager, "west")},
			tag:    beginChild(databases.BeginUpdate, groupName, "west", "db", armsql.DatabaseUpdate{Tags: teamTags}),
			remove: dropChild(databases.BeginDelete, groupName, "west", "db"),
			check: that(func(t *testing.T, r armsql.DatabasesClientGetResponse) {
				is(t, "status", r.Properties.Status, armsql.DatabaseStatusOnline)
				is(t, "SKU", r.SKU.Name, "GP_Gen5")
				is(t, "objective", r.Properties.CurrentServiceObjectiveName, "GP_Gen5_2")
			}),
		},
		{
			id: sqlProvider + "/servers/west/firewallRules/r",
			create: setChild(rules.CreateOrUpdate, groupName, "west", "r", doc[armsql.FirewallRule](
				`{"properties":{"startIpAddress":"198.51.100.1","endIpAddress":"198.51.100.9"}}`)),
			get: callChild(rules.Get, groupName, "west", "r"), lists: idLists{below(rules.NewListByServerPager, "west")},
			remove: callChild(rules.Delete, groupName, "west", "r"),
		},
		{
			id: sqlProvider + "/servers/west/failoverGroups/fog",
			create: beginChild(groups.BeginCreateOrUpdate, groupName, "west", "fog", doc[armsql.FailoverGroup](`{"properties":{"partnerServers":[{"id":"~/providers/Microsoft.Sql/servers/north"}],
				"readWriteEndpoint":{"failoverPolicy":"Automatic","failoverWithDataLossGracePeriodMinutes":60},"databases":["~/providers/Microsoft.Sql/servers/west/databases/db"]}}`)),
			get: callChild(groups.Get, groupName, "west", "fog"), lists: idLists{below(groups.NewListByServerPager, "west")},
			remove: dropChild(groups.BeginDelete, groupName, "west", "fog"),
			check: that(func(t *testing.T, r armsql.FailoverGroupsClientGetResponse) {
				is(t, "partner", one(t, r.Properties.PartnerServers).Location, "North Europe")
				is(t, "partner's role", one(t, r.Properties.PartnerServers).ReplicationRole, armsql.FailoverGroupReplicationRoleSecondary)
				role(t, "west", armsql.FailoverGroupReplicationRolePrimary)
				role(t, "north", armsql.FailoverGroupReplicationRoleSecondary)
				if _, err := databases.Get(ctx, groupName, "north", "db", nil); err != nil {
					t.Errorf("the copy of the database: %v", err)
				}
				if _, err := wait(groups.BeginFailover(ctx, groupName, "north", "fog", nil)); err != nil {
					t.Fatal(err)
				}
				role(t, "west", armsql.FailoverGroupReplicationRoleSecondary)
				role(t, "north", armsql.FailoverGroupReplicationRolePrimary)
				if _, err := wait(groups.BeginForceFailoverAllowDataLoss(ctx, groupName, "west", "fog", nil)); err != nil {
					t.Fatal(err)
				}
				role(t, "west", armsql.FailoverGroupReplicationRolePrimary)
			}),
		},
	})
}

// TestSDKVault: a deleted vault keeps its name until it is recovered or purged.
func TestSDKVault(t *testing.T) {
	s := newSDK(t, newCloud(t).withGroup())
	c := clients(s, armkeyvault.NewClientFactory).NewVaultsClient()
	body := func(mode string) armkeyvault.VaultCreateOrUpdateParameters {
		return doc[armkeyvault.VaultCreateOrUpdateParameters](`{"location":"westeurope","properties":{` + mode + `"tenantId":"44444444-4444-4444-4444-444444444444","sku":{"family":"A","name":"standard"},"accessPolicies":[]}}`)
	}
	live(t, []life{{
		id: vaultProvider + "/vaults/vault1", create: begin(c.BeginCreateOrUpdate, groupName, "vault1", body("")),
		get: call(c.Get, groupName, "vault1"), lists: idLists{inGroup(c.NewListByResourceGroupPager), everywhere(c.NewListBySubscriptionPager)},
		tag: set(c.Update, groupName, "vault1", armkeyvault.VaultPatchParameters{Tags: teamTags}), remove: call(c.Delete, groupName, "vault1"),
		check: that(func(t *testing.T, r armkeyvault.VaultsClientGetResponse) {
			is(t, "URI", r.Properties.VaultURI, "https://vault1.vault.azure.net/")
			is(t, "retention", r.Properties.SoftDeleteRetentionInDays, 90)
		}),
	}})
	gone, err := c.GetDeleted(ctx, "vault1", region, nil)
	if err != nil {
		t.Fatal(err)
	}
	is(t, "deleted vault", gone.Properties.VaultID, vaultProvider+"/vaults/vault1")
	if page, err := c.NewListDeletedPager(nil).NextPage(ctx); err != nil || len(page.Value) != 1 {
		t.Errorf("deleted vaults %v %v", page.Value, err)
	}
	if _, err := wait(c.BeginCreateOrUpdate(ctx, groupName, "vault1", body(""), nil)); codeOf(err) != "ConflictError" {
		t.Errorf("taking its name: %v", err)
	}
	if _, err := wait(c.BeginCreateOrUpdate(ctx, groupName, "vault1", body(`"createMode":"recover",`), nil)); err != nil {
		t.Error(err)
	}
	if _, err := c.GetDeleted(ctx, "vault1", region, nil); statusOf(err) != 404 {
		t.Errorf("after its recovery: %v", err)
	}
	if _, err := c.Delete(ctx, groupName, "vault1", nil); err != nil {
		t.Error(err)
	}
	if _, err := wait(c.BeginPurgeDeleted(ctx, "vault1", region, nil)); err != nil {
		t.Error(err)
	}
	if _, err := wait(c.BeginCreateOrUpdate(ctx, groupName, "vault1", body(""), nil)); err != nil {
		t.Errorf("after its purge: %v", err)
	}
}

// TestSDKAccess: identities, roles and their assignment, and resource groups.
func TestSDKAccess(t *testing.T) {
	cloud := newCloud(t).withGroup()
	s := newSDK(t, cloud)
	identities := clients(s, armmsi.NewClientFactory).NewUserAssignedIdentitiesClient()
	f := clients(s, armauthorization.NewClientFactory)
	roles, assignments := f.NewRoleDefinitionsClient(), f.NewRoleAssignmentsClient()
	const role, grant = "22222222-2222-2222-2222-222222222222", "33333333-3333-3333-3333-333333333333"
	live(t, []life{
		{
			id:     identityProvider + "/userAssignedIdentities/mi",
			create: set(identities.CreateOrUpdate, groupName, "mi", doc[armmsi.Identity](`{"location":"westeurope","tags":{"team":"net"}}`)),
			get:    call(identities.Get, groupName, "mi"), lists: idLists{inGroup(identities.NewListByResourceGroupPager), everywhere(identities.NewListBySubscriptionPager)},
			tag: set(identities.Update, groupName, "mi", armmsi.IdentityUpdate{Tags: teamTags}), remove: call(identities.Delete, groupName, "mi"),
			check: that(func(t *testing.T, r armmsi.UserAssignedIdentitiesClientGetResponse) {
				p := r.Properties
				if p.PrincipalID == nil || p.ClientID == nil || *p.PrincipalID == *p.ClientID {
					t.Errorf("principal %v, client %v", p.PrincipalID, p.ClientID)
				}
				is(t, "tenant", p.TenantID, cloud.identity.TenantID)
			}),
		},
		{
			id: group + "/providers/Microsoft.Authorization/roleDefinitions/" + role,
			create: func() (any, error) {
				return roles.CreateOrUpdate(ctx, group, role, doc[armauthorization.RoleDefinition](
					`{"properties":{"roleName":"r","type":"CustomRole","assignableScopes":["~"],"permissions":[{"actions":["Microsoft.Network/*/read"]}]}}`), nil)
			},
			get: call(roles.Get, group, role), remove: call(roles.Delete, group, role),
			lists: idLists{pages(func() *runtime.Pager[armauthorization.RoleDefinitionsClientListResponse] {
				return roles.NewListPager(group, nil)
			})},
		},
		{
			id: group + "/providers/Microsoft.Authorization/roleAssignments/" + grant,
			create: func() (any, error) {
				return assignments.Create(ctx, group, grant, doc[armauthorization.RoleAssignmentCreateParameters](
					`{"properties":{"roleDefinitionId":"~/providers/Microsoft.Authorization/roleDefinitions/`+role+`","principalId":"44444444-4444-4444-4444-444444444444","principalType":"ServicePrincipal"}}`), nil)
			},
			get: call(assignments.Get, group, grant), remove: call(assignments.Delete, group, grant),
			check: that(func(t *testing.T, r armauthorization.RoleAssignmentsClientGetResponse) {
				is(t, "scope", r.Properties.Scope, group)
			}),
		},
	})
	groups := clients(s, armresources.NewClientFactory).NewResourceGroupsClient()
	if _, err := groups.Update(ctx, groupName, armresources.ResourceGroupPatchable{Tags: teamTags}, nil); err != nil {
		t.Error(err)
	}
	got, err := groups.Get(ctx, groupName, nil)
	if err != nil || tagOf(got) != "net" {
		t.Errorf("tags %v, %v", got.Tags, err)
	}
	if ids, err := everywhere(groups.NewListPager)(); err != nil || len(ids) == 0 {
		t.Errorf("groups %v, %v", ids, err)
	}
	if found, err := groups.CheckExistence(ctx, groupName, nil); err != nil || !found.Success {
		t.Errorf("existence %v, %v", found, err)
	}
	if _, err := wait(groups.BeginDelete(ctx, groupName, nil)); err != nil {
		t.Error(err)
	}
	if found, err := groups.CheckExistence(ctx, groupName, nil); err != nil || found.Success {
		t.Errorf("existence after the deletion %v, %v", found, err)
	}
}
