package arm

import "github.com/ceruleannet/cerulean/model"

// dnsKinds are private DNS zones, their links and record sets.
func dnsKinds() []*kind {
	record := func(t string) *kind {
		return &kind{
			Type: t, Name: recordName, Sync: true, SyncDelete: true,
			Computed: []string{"fqdn", "isAutoRegistered"},
			Check:    checkRecordSet, Show: showRecordSet,
		}
	}
	return []*kind{
		{
			Type: model.TypePrivateZone, Place: inGroup, Location: locationGlobal, Name: zoneName, State: true, MergePatch: true,
			Computed: []string{"numberOfRecordSets", "numberOfVirtualNetworkLinks", "maxNumberOfRecordSets", "maxNumberOfVirtualNetworkLinks", "internalId"},
		},
		{
			Type: model.TypePrivateZoneLink, Location: locationGlobal, Name: networkName, State: true, MergePatch: true,
			// Azure keeps a zone from being deleted while networks are linked to it.
			Block:    true,
			Computed: []string{"virtualNetworkLinkState"},
			Defaults: []setting{{"registrationEnabled", false}, {"resolutionPolicy", "Default"}},
			// A linked network may be deleted; the link stays.
			Refs:  []reference{looseRef(model.TypeVirtualNetwork, "properties.virtualNetwork.id")},
			Check: checkZoneLink, Show: showZoneLink,
		},
		record(model.TypePrivateZoneA),
		record(model.TypePrivateZoneAAAA),
		record(model.TypePrivateZoneCNAME),
	}
}
