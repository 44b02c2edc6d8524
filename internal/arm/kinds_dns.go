package arm

import (
	"net/http"

	"github.com/ceruleannet/cerulean/model"
)

// dnsKinds are private DNS zones, their links and record sets.
func dnsKinds() []*kind {
	record := func(t string) *kind {
		return &kind{
			Type: t, Name: recordName, Sync: true, SyncDelete: true, MergePatch: true, Whole: []string{"metadata"}, BareEtag: true,
			Words:    privateRecordWords,
			Computed: []string{"fqdn", "isAutoRegistered"},
			Check:    checkRecordSet, Show: showRecordSet, Fill: fillRecordSet,
		}
	}
	kinds := []*kind{
		{
			Type: model.TypePrivateZone, Place: inGroup, Location: locationGlobal, Name: zoneName, State: true, MergePatch: true,
			BareEtag: true, Created: http.StatusAccepted, Updated: http.StatusAccepted, Patched: http.StatusAccepted,
			Computed: []string{"numberOfRecordSets", "numberOfVirtualNetworkLinks", "maxNumberOfRecordSets", "maxNumberOfVirtualNetworkLinks", "internalId"},
			Since:    []since{{"internalId", "2020-01-01"}},
			Settle:   settleZone, Show: showPrivateZone,
		},
		{
			Type: model.TypePrivateZoneLink, Location: locationGlobal, Name: networkName, State: true, MergePatch: true,
			BareEtag: true, Created: http.StatusAccepted, Updated: http.StatusAccepted, Patched: http.StatusAccepted,
			// Azure keeps a zone from being deleted while networks are linked to it.
			Block:    true,
			Computed: []string{"virtualNetworkLinkState"},
			Defaults: []setting{{"registrationEnabled", false}, {"resolutionPolicy", "Default"}},
			Since:    []since{{"resolutionPolicy", "2024-06-01"}},
			// A linked network may be deleted; the link stays.
			Refs:  []reference{looseRef(model.TypeVirtualNetwork, "properties.virtualNetwork.id")},
			Check: checkZoneLink, Show: showZoneLink,
		},
	}
	for _, t := range recordTypes(model.TypePrivateZone) {
		kinds = append(kinds, record(model.TypePrivateZone+"/"+t))
	}
	return kinds
}
