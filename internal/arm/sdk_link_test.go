package arm_test

import (
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/keyvault/armkeyvault"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/sql/armsql"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/storage/armstorage/v2"
)

// TestSDKPrivateLink: private endpoints, the records of their zone groups, and
// their connections as the owner of the service sees and answers them.
func TestSDKPrivateLink(t *testing.T) {
	s := newSDK(t, newCloud(t).withGroup())
	f, accounts := clients(s, armnetwork.NewClientFactory), clients(s, armstorage.NewClientFactory)
	servers, vaults := clients(s, armsql.NewClientFactory), clients(s, armkeyvault.NewClientFactory)
	endpoints, groups := f.NewPrivateEndpointsClient(), f.NewPrivateDNSZoneGroupsClient()
	must := func(f func() (any, error)) any {
		t.Helper()
		got, err := f()
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	setUp := append([]life{
		lifeOf(f, "v", `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"subnets":[
			{"name":"app","properties":{"addressPrefix":"10.0.1.0/24","privateLinkServiceNetworkPolicies":"Disabled"}}]}}`),
		lifeOfPublicIP(f, "out", nil),
	}, livesOfBalancer(f)...)
	for _, l := range setUp {
		must(l.create)
	}
	must(begin(accounts.NewAccountsClient().BeginCreate, groupName, "files1", doc[armstorage.AccountCreateParameters](`{"location":"westeurope","kind":"StorageV2","sku":{"name":"Standard_LRS"}}`)))
	must(begin(servers.NewServersClient().BeginCreateOrUpdate, groupName, "sql1", doc[armsql.Server](`{"location":"westeurope","properties":{"administratorLogin":"a"}}`)))
	must(begin(vaults.NewVaultsClient().BeginCreateOrUpdate, groupName, "vault1", doc[armkeyvault.VaultCreateOrUpdateParameters](
		`{"location":"westeurope","properties":{"tenantId":"44444444-4444-4444-4444-444444444444","sku":{"family":"A","name":"standard"},"accessPolicies":[]}}`)))
	zone := network + "/privateDnsZones/privatelink.blob.core.windows.net"
	if _, err := s.run("PUT", zone, map[string]any{"location": "global"}); err != nil {
		t.Fatal(err)
	}
	endpoint := func(list, target, group string) armnetwork.PrivateEndpoint {
		return doc[armnetwork.PrivateEndpoint](`{"location":"westeurope","properties":{"subnet":{"id":"@/virtualNetworks/v/subnets/app"},"` + list + `":[{"name":"c","properties":{
			"privateLinkServiceId":"` + target + `","groupIds":[` + group + `],"requestMessage":"please"}}]}}`)
	}
	const auto, manual = "privateLinkServiceConnections", "manualPrivateLinkServiceConnections"
	storage, sql := "~/providers/Microsoft.Storage/storageAccounts/files1", "~/providers/Microsoft.Sql/servers/sql1"

	// The owner's own connection is approved at once.
	automatic := life{
		id: network + "/privateEndpoints/pe", create: begin(endpoints.BeginCreateOrUpdate, groupName, "pe", endpoint(auto, sql, `"sqlServer"`)), get: call(endpoints.Get, groupName, "pe"),
		lists: idLists{inGroup(endpoints.NewListPager), everywhere(endpoints.NewListBySubscriptionPager)}, remove: drop(endpoints.BeginDelete, groupName, "pe"),
		check: that(func(t *testing.T, r armnetwork.PrivateEndpointsClientGetResponse) {
			p := r.Properties
			is(t, "status", one(t, p.PrivateLinkServiceConnections).Properties.PrivateLinkServiceConnectionState.Status, "Approved")
			is(t, "name", one(t, p.CustomDNSConfigs).Fqdn, "sql1.database.windows.net")
			nic := lastOf(*one(t, p.NetworkInterfaces).ID)
			if _, err := wait(f.NewInterfacesClient().BeginDelete(ctx, groupName, nic, nil)); codeOf(err) != "NicInUseWithPrivateEndpoint" {
				t.Errorf("deleting its NIC: %v", err)
			}
			tagged, err := f.NewInterfacesClient().UpdateTags(ctx, groupName, nic, tagsObject, nil)
			if err != nil {
				t.Fatalf("tagging its NIC: %v", err)
			}
			if _, err := wait(f.NewInterfacesClient().BeginCreateOrUpdate(ctx, groupName, nic, tagged.Interface, nil)); codeOf(err) != "CannotModifyNicAttachedToPrivateEndpoint" {
				t.Errorf("writing its NIC: %v", err)
			}
			server, err := servers.NewServersClient().Get(ctx, groupName, "sql1", nil)
			if err != nil {
				t.Fatal(err)
			}
			is(t, "endpoint", one(t, server.Properties.PrivateEndpointConnections).Properties.PrivateEndpoint.ID, network+"/privateEndpoints/pe")
		}),
	}
	live(t, []life{automatic})

	// A manual one waits for the owner; its names appear once it is approved.
	must(begin(endpoints.BeginCreateOrUpdate, groupName, "files", endpoint(manual, storage, `"blob"`)))
	must(beginChild(groups.BeginCreateOrUpdate, groupName, "files", "default", doc[armnetwork.PrivateDNSZoneGroup](
		`{"properties":{"privateDnsZoneConfigs":[{"name":"blob","properties":{"privateDnsZoneId":"@/privateDnsZones/privatelink.blob.core.windows.net"}}]}}`)))
	record := func() int { _, err := s.run("GET", zone+"/A/files1", nil); return statusOf(err) }
	if record() != 404 {
		t.Error("a pending connection has a record")
	}
	links := accounts.NewPrivateEndpointConnectionsClient()
	page, err := links.NewListPager(groupName, "files1", nil).NextPage(ctx)
	if err != nil {
		t.Fatal(err)
	}
	pending := one(t, page.Value)
	is(t, "state at the account", pending.Properties.PrivateLinkServiceConnectionState.Status, armstorage.PrivateEndpointServiceConnectionStatusPending)
	answer := doc[armstorage.PrivateEndpointConnection](`{"properties":{"privateLinkServiceConnectionState":{"status":"Approved","description":"welcome"}}}`)
	approved, err := links.Put(ctx, groupName, "files1", *pending.Name, answer, nil)
	if err != nil {
		t.Fatal(err)
	}
	is(t, "approved", approved.Properties.PrivateLinkServiceConnectionState.Status, armstorage.PrivateEndpointServiceConnectionStatusApproved)
	seen, err := endpoints.Get(ctx, groupName, "files", nil)
	if err != nil {
		t.Fatal(err)
	}
	is(t, "state at the endpoint", one(t, seen.Properties.ManualPrivateLinkServiceConnections).Properties.PrivateLinkServiceConnectionState.Description, "welcome")
	if record() != 0 {
		t.Error("an approved connection has no record")
	}
	// Writing the endpoint again does not change what the owner said.
	must(begin(endpoints.BeginCreateOrUpdate, groupName, "files", endpoint(manual, storage, `"blob"`)))
	if got, err := links.Get(ctx, groupName, "files1", *pending.Name, nil); err != nil || *got.Properties.PrivateLinkServiceConnectionState.Status != "Approved" {
		t.Errorf("after a second write: %v %v", got, err)
	}
	if _, err := links.Delete(ctx, groupName, "files1", *pending.Name, nil); err != nil {
		t.Fatal(err)
	}
	if seen, err = endpoints.Get(ctx, groupName, "files", nil); err != nil {
		t.Fatal(err)
	}
	is(t, "removed", one(t, seen.Properties.ManualPrivateLinkServiceConnections).Properties.PrivateLinkServiceConnectionState.Status, "Disconnected")
	if record() != 404 {
		t.Error("a removed connection has a record")
	}

	// The same at a vault and at a private link service.
	must(begin(endpoints.BeginCreateOrUpdate, groupName, "keys", endpoint(manual, "~/providers/Microsoft.KeyVault/vaults/vault1", `"vault"`)))
	keys := vaults.NewPrivateEndpointConnectionsClient()
	vault, err := vaults.NewVaultsClient().Get(ctx, groupName, "vault1", nil)
	if err != nil {
		t.Fatal(err)
	}
	name := lastOf(*one(t, vault.Properties.PrivateEndpointConnections).ID)
	rejected, err := keys.Put(ctx, groupName, "vault1", name, doc[armkeyvault.PrivateEndpointConnection](`{"properties":{"privateLinkServiceConnectionState":{"status":"Rejected","description":"no"}}}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	is(t, "rejected", rejected.Properties.PrivateLinkServiceConnectionState.Status, armkeyvault.PrivateEndpointServiceConnectionStatusRejected)
	must(dropChild(keys.BeginDelete, groupName, "vault1", name))
	must(begin(endpoints.BeginCreateOrUpdate, groupName, "own", endpoint(manual, "@/privateLinkServices/pls", "")))
	services := f.NewPrivateLinkServicesClient()
	own, err := services.Get(ctx, groupName, "pls", nil)
	if err != nil {
		t.Fatal(err)
	}
	name = *one(t, own.Properties.PrivateEndpointConnections).Name
	if _, err := services.UpdatePrivateEndpointConnection(ctx, groupName, "pls", name, doc[armnetwork.PrivateEndpointConnection](
		`{"properties":{"privateLinkServiceConnectionState":{"status":"Approved","description":"ok"}}}`), nil); err != nil {
		t.Fatal(err)
	}
	got, err := services.GetPrivateEndpointConnection(ctx, groupName, "pls", name, nil)
	if err != nil {
		t.Fatal(err)
	}
	is(t, "approved", got.Properties.PrivateLinkServiceConnectionState.Status, "Approved")
	must(dropChild(services.BeginDeletePrivateEndpointConnection, groupName, "pls", name))
}
