package arm_test

import (
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/dns/armdns"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/privatedns/armprivatedns"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/trafficmanager/armtrafficmanager"
)

// TestSDKZones: public zones and their record sets.
func TestSDKZones(t *testing.T) {
	f := clients(newSDK(t, newCloud(t).withGroup()), armdns.NewClientFactory)
	zones, records := f.NewZonesClient(), f.NewRecordSetsClient()
	record := func(kind armdns.RecordType, name, body string) life {
		return life{
			id: network + "/dnsZones/example.com/" + string(kind) + "/" + name,
			create: func() (any, error) {
				return records.CreateOrUpdate(ctx, groupName, "example.com", name, kind, doc[armdns.RecordSet](body), nil)
			},
			get: func() (any, error) { return records.Get(ctx, groupName, "example.com", name, kind, nil) },
			lists: idLists{below(records.NewListByDNSZonePager, "example.com"), below(records.NewListAllByDNSZonePager, "example.com"), func() ([]string, error) {
				page, err := records.NewListByTypePager(groupName, "example.com", kind, nil).NextPage(ctx)
				ids := make([]string, 0, len(page.Value))
				for _, r := range page.Value {
					ids = append(ids, *r.ID)
				}
				return ids, err
			}},
			remove: func() (any, error) { return records.Delete(ctx, groupName, "example.com", name, kind, nil) },
		}
	}
	www := record(armdns.RecordTypeA, "www", `{"properties":{"TTL":60,"ARecords":[{"ipv4Address":"198.51.100.4"}]}}`)
	www.check = that(func(t *testing.T, r armdns.RecordSetsClientGetResponse) {
		is(t, "name", r.Properties.Fqdn, "www.example.com.")
		is(t, "address", one(t, r.Properties.ARecords).IPv4Address, "198.51.100.4")
		merged, err := records.Update(ctx, groupName, "example.com", "www", armdns.RecordTypeA, doc[armdns.RecordSet](`{"properties":{"metadata":{"k":"v"}}}`), nil)
		if err != nil {
			t.Fatal(err)
		}
		is(t, "metadata", merged.Properties.Metadata["k"], "v")
		is(t, "TTL", merged.Properties.TTL, 60)
	})
	live(t, []life{
		{
			id: network + "/dnsZones/example.com", create: set(zones.CreateOrUpdate, groupName, "example.com", doc[armdns.Zone](`{"location":"global","tags":{"team":"net"}}`)),
			get: call(zones.Get, groupName, "example.com"), lists: idLists{inGroup(zones.NewListByResourceGroupPager), everywhere(zones.NewListPager)},
			tag: set(zones.Update, groupName, "example.com", armdns.ZoneUpdate{Tags: teamTags}), remove: drop(zones.BeginDelete, groupName, "example.com"),
			check: that(func(t *testing.T, r armdns.ZonesClientGetResponse) {
				is(t, "record sets", r.Properties.NumberOfRecordSets, 9)
				is(t, "type", r.Properties.ZoneType, armdns.ZoneTypePublic)
				if len(r.Properties.NameServers) != 4 {
					t.Errorf("name servers %v", r.Properties.NameServers)
				}
				soa, err := records.Get(ctx, groupName, "example.com", "@", armdns.RecordTypeSOA, nil)
				if err != nil {
					t.Fatal(err)
				}
				is(t, "host", soa.Properties.SoaRecord.Host, *r.Properties.NameServers[0])
			}),
		},
		www,
		record(armdns.RecordTypeAAAA, "www", `{"properties":{"TTL":60,"AAAARecords":[{"ipv6Address":"2001:db8::4"}]}}`),
		record(armdns.RecordTypeCNAME, "alias", `{"properties":{"TTL":60,"CNAMERecord":{"cname":"www.example.com"}}}`),
		record(armdns.RecordTypeMX, "mail", `{"properties":{"TTL":60,"MXRecords":[{"preference":10,"exchange":"mx.example.com"}]}}`),
		record(armdns.RecordTypeTXT, "txt", `{"properties":{"TTL":60,"TXTRecords":[{"value":["hello"]}]}}`),
		record(armdns.RecordTypeSRV, "_sip._tcp", `{"properties":{"TTL":60,"SRVRecords":[{"priority":1,"weight":2,"port":5060,"target":"sip.example.com"}]}}`),
		record(armdns.RecordTypeCAA, "caa", `{"properties":{"TTL":60,"caaRecords":[{"flags":0,"tag":"issue","value":"ca.example.com"}]}}`),
	})
}

// TestSDKPrivateZones: private zones, their links and record sets.
func TestSDKPrivateZones(t *testing.T) {
	s := newSDK(t, newCloud(t).withGroup())
	f := clients(s, armprivatedns.NewClientFactory)
	zones, links, records := f.NewPrivateZonesClient(), f.NewVirtualNetworkLinksClient(), f.NewRecordSetsClient()
	const zone = "corp.internal"
	record := func(kind armprivatedns.RecordType, name, body string) life {
		return life{
			id: network + "/privateDnsZones/" + zone + "/" + string(kind) + "/" + name,
			create: func() (any, error) {
				return records.CreateOrUpdate(ctx, groupName, zone, kind, name, doc[armprivatedns.RecordSet](body), nil)
			},
			get:    func() (any, error) { return records.Get(ctx, groupName, zone, kind, name, nil) },
			lists:  idLists{below(records.NewListPager, zone)},
			remove: func() (any, error) { return records.Delete(ctx, groupName, zone, kind, name, nil) },
		}
	}
	live(t, []life{
		lifeOf(clients(s, armnetwork.NewClientFactory), "v", `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]}}}`),
		{
			id: network + "/privateDnsZones/" + zone, create: begin(zones.BeginCreateOrUpdate, groupName, zone, doc[armprivatedns.PrivateZone](`{"location":"global","tags":{"team":"net"}}`)),
			get: call(zones.Get, groupName, zone), lists: idLists{inGroup(zones.NewListByResourceGroupPager), everywhere(zones.NewListPager)},
			tag: begin(zones.BeginUpdate, groupName, zone, armprivatedns.PrivateZone{Tags: teamTags}), remove: drop(zones.BeginDelete, groupName, zone),
			check: that(func(t *testing.T, r armprivatedns.PrivateZonesClientGetResponse) {
				p := r.Properties
				is(t, "record sets", p.NumberOfRecordSets, 4)
				is(t, "links", p.NumberOfVirtualNetworkLinks, 1)
				is(t, "registering links", p.NumberOfVirtualNetworkLinksWithRegistration, 1)
				is(t, "most record sets", p.MaxNumberOfRecordSets, 25000)
				if p.InternalID == nil {
					t.Error("no internal ID")
				}
				if _, err := wait(zones.BeginDelete(ctx, groupName, zone, nil)); codeOf(err) != "CannotDeleteResource" || statusOf(err) != 409 {
					t.Errorf("deleting a linked zone: %v", err)
				}
				soa, err := records.Get(ctx, groupName, zone, armprivatedns.RecordTypeSOA, "@", nil)
				if err != nil {
					t.Fatal(err)
				}
				is(t, "host", soa.Properties.SoaRecord.Host, "azureprivatedns.net")
			}),
		},
		{
			id: network + "/privateDnsZones/" + zone + "/virtualNetworkLinks/l",
			create: beginChild(links.BeginCreateOrUpdate, groupName, zone, "l", doc[armprivatedns.VirtualNetworkLink](
				`{"location":"global","tags":{"team":"net"},"properties":{"virtualNetwork":{"id":"@/virtualNetworks/v"},"registrationEnabled":true}}`)),
			get: callChild(links.Get, groupName, zone, "l"), lists: idLists{below(links.NewListPager, zone)},
			tag:    beginChild(links.BeginUpdate, groupName, zone, "l", armprivatedns.VirtualNetworkLink{Tags: teamTags}),
			remove: dropChild(links.BeginDelete, groupName, zone, "l"),
			check: that(func(t *testing.T, r armprivatedns.VirtualNetworkLinksClientGetResponse) {
				is(t, "state", r.Properties.VirtualNetworkLinkState, armprivatedns.VirtualNetworkLinkStateCompleted)
				is(t, "resolution", r.Properties.ResolutionPolicy, armprivatedns.ResolutionPolicyDefault)
			}),
		},
		record(armprivatedns.RecordTypeA, "www", `{"properties":{"ttl":60,"aRecords":[{"ipv4Address":"10.0.0.4"}]}}`),
		record(armprivatedns.RecordTypeTXT, "txt", `{"properties":{"ttl":60,"txtRecords":[{"value":["hello"]}]}}`),
		record(armprivatedns.RecordTypePTR, "4", `{"properties":{"ttl":60,"ptrRecords":[{"ptrdname":"www.corp.internal"}]}}`),
	})
}

// TestSDKTrafficManager: profiles with endpoints written with them and alone.
func TestSDKTrafficManager(t *testing.T) {
	f := clients(newSDK(t, newCloud(t).withGroup()), armtrafficmanager.NewClientFactory)
	profiles, endpoints := f.NewProfilesClient(), f.NewEndpointsClient()
	const external = armtrafficmanager.EndpointTypeExternalEndpoints
	// The endpoint written alone stays when the profile is written without any.
	live(t, []life{
		{
			id: network + "/trafficManagerProfiles/tm",
			create: set(profiles.CreateOrUpdate, groupName, "tm", doc[armtrafficmanager.Profile](
				`{"location":"global","tags":{"team":"net"},"properties":{"trafficRoutingMethod":"Weighted","dnsConfig":{"relativeName":"shop"},"monitorConfig":{"protocol":"HTTPS","port":443,"path":"/"}}}`)),
			get: call(profiles.Get, groupName, "tm"), lists: idLists{inGroup(profiles.NewListByResourceGroupPager), everywhere(profiles.NewListBySubscriptionPager)},
			tag: set(profiles.Update, groupName, "tm", armtrafficmanager.Profile{Tags: teamTags}), remove: call(profiles.Delete, groupName, "tm"),
			check: that(func(t *testing.T, r armtrafficmanager.ProfilesClientGetResponse) {
				p := r.Properties
				is(t, "name", p.DNSConfig.Fqdn, "shop.trafficmanager.net")
				is(t, "TTL", p.DNSConfig.TTL, 60)
				is(t, "status", p.ProfileStatus, armtrafficmanager.ProfileStatusEnabled)
				is(t, "view", p.TrafficViewEnrollmentStatus, armtrafficmanager.TrafficViewEnrollmentStatusDisabled)
				is(t, "interval", p.MonitorConfig.IntervalInSeconds, 30)
				is(t, "timeout", p.MonitorConfig.TimeoutInSeconds, 10)
				is(t, "failures", p.MonitorConfig.ToleratedNumberOfFailures, 3)
				is(t, "endpoint", one(t, p.Endpoints).ID, network+"/trafficManagerProfiles/tm/externalEndpoints/e")
			}),
		},
		{
			id: network + "/trafficManagerProfiles/tm/externalEndpoints/e",
			create: func() (any, error) {
				return endpoints.CreateOrUpdate(ctx, groupName, "tm", external, "e", doc[armtrafficmanager.Endpoint](`{"properties":{"target":"www.example.com"}}`), nil)
			},
			get: func() (any, error) { return endpoints.Get(ctx, groupName, "tm", external, "e", nil) },
			check: that(func(t *testing.T, r armtrafficmanager.EndpointsClientGetResponse) {
				is(t, "status", r.Properties.EndpointStatus, armtrafficmanager.EndpointStatusEnabled)
				is(t, "weight", r.Properties.Weight, 1)
				is(t, "priority", r.Properties.Priority, 1)
				merged, err := endpoints.Update(ctx, groupName, "tm", external, "e", doc[armtrafficmanager.Endpoint](`{"properties":{"weight":7}}`), nil)
				if err != nil {
					t.Fatal(err)
				}
				is(t, "merged weight", merged.Properties.Weight, 7)
				is(t, "merged target", merged.Properties.Target, "www.example.com")
			}),
			remove: func() (any, error) { return endpoints.Delete(ctx, groupName, "tm", external, "e", nil) },
		},
	})
}

// TestSDKGeographies: the tree of regions, by Microsoft's client.
func TestSDKGeographies(t *testing.T) {
	f := clients(newSDK(t, newCloud(t)), armtrafficmanager.NewClientFactory)
	got, err := f.NewGeographicHierarchiesClient().GetDefault(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	var walk func(*armtrafficmanager.Region)
	walk = func(r *armtrafficmanager.Region) {
		if names[*r.Code] != "" {
			t.Error(*r.Code, "is there twice")
		}
		names[*r.Code] = *r.Name
		for _, in := range r.Regions {
			walk(in)
		}
	}
	walk(got.Properties.GeographicHierarchy)
	for code, want := range map[string]string{"WORLD": "World", "GEO-EU": "Europe", "DE": "Germany", "GB": "United Kingdom", "US-CA": "California"} {
		if names[code] != want {
			t.Errorf("%s is %q, want %q", code, names[code], want)
		}
	}
	if len(names) < 250 {
		t.Error(len(names), "regions")
	}
}
