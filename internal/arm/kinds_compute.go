package arm

import (
	"net/http"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// computeKinds are virtual machines.
func computeKinds() []*kind {
	return []*kind{{
		Type: model.TypeVM, Place: inGroup, Location: locationRequired, Name: machineName, State: true,
		MergePatch: true,
		Computed:   []string{"instanceView", "vmId", "timeCreated"},
		SinceHead:  []since{{"etag", "2023-09-01"}}, // armcompute 5.4.0
		Defaults:   []setting{{"storageProfile.dataDisks", []any{}}},
		Refs:       []reference{regionalRef(model.TypeNIC, "properties.networkProfile.networkInterfaces.*.id")},
		Prepare:    ownTenant,
		Check:      checkVM, Fill: fillVM, Show: showVM, Verbs: machineVerbs(),
		Expand: func(r *model.Resource, expand string, p map[string]any) {
			switch {
			case strings.EqualFold(expand, "instanceView"):
				p["instanceView"] = r.Properties()["instanceView"]
			case strings.EqualFold(expand, "userData") && r.Properties()["userData"] != nil:
				p["userData"] = r.Properties()["userData"]
			}
		},
	}}
}

// policyKinds are policy definitions and assignments: the conditions of dynamic
// network groups.
func policyKinds() []*kind {
	return []*kind{
		{
			Type: model.TypePolicyDefinition, Place: inSubscription, Name: policyName, Sync: true, SyncDelete: true, SystemData: true,
			Updated:  http.StatusCreated, // the only one its clients take (Policy Definitions - Create Or Update)
			Defaults: []setting{{"policyType", "Custom"}, {"mode", "All"}},
			Refs:     []reference{looseRef(model.TypeNetworkGroup, "properties.policyRule.then.details.networkGroupId")},
			InUse:    inUse(codePolicyInUse, "Policy definition %s is in use by %s and cannot be deleted."),
			Check:    checkPolicyDefinition,
		},
		{
			Type: model.TypePolicyAssignment, Place: inSubscription | inGroup | onResource, Name: policyName, Sync: true, SyncDelete: true, SystemData: true,
			Updated:  http.StatusCreated, // the only one its clients take (Policy Assignments - Create)
			Defaults: []setting{{"enforcementMode", "Default"}},
			Refs:     []reference{ref(model.TypePolicyDefinition, "properties.policyDefinitionId")},
			Check:    checkPolicyAssignment,
		},
	}
}
