package arm

import "github.com/ceruleannet/cerulean/model"

// managerKinds are Virtual Network Manager's.
func managerKinds() []*kind {
	child := func(t string, k kind) *kind {
		k.Type, k.Name = t, networkName
		k.State, k.SystemData, k.Sync, k.GUID = true, true, true, true
		return &k
	}
	return []*kind{
		{
			Type: model.TypeNetworkManager, Place: inGroup, Location: locationRequired, Name: networkName,
			State: true, SystemData: true, Sync: true, MergePatch: true, GUID: true,
			Check: checkNetworkManager,
			Verbs: managerVerbs(),
		},
		// A manager's scope and what it is to govern connect to each other ("Configure
		// cross-tenant connection"): each side waits for the other's connection.
		child(typeScopeConnection, kind{
			SyncDelete: true, Computed: []string{"connectionState"}, Show: showScopeConnection,
		}),
		{
			Type: typeManagerConnection, Place: inSubscription | inManagementGroup, Name: networkName, SystemData: true, Sync: true, SyncDelete: true, Untracked: true,
			Refs: []reference{looseRef(model.TypeNetworkManager, "properties.networkManagerId")}, Computed: []string{"connectionState"}, Show: showManagerConnection,
		},
		child(model.TypeNetworkGroup, kind{
			Defaults: []setting{{"memberType", "VirtualNetwork"}},
			InUse:    inUse(codeGroupInUse, "Network group %s is in use by %s and cannot be deleted."),
		}),
		child(model.TypeStaticMember, kind{
			SyncDelete: true,
			Refs:       []reference{looseRef(model.TypeVirtualNetwork, "properties.resourceId")},
			Computed:   []string{"region"},
			Check:      checkStaticMember, Fill: fillStaticMember,
		}),
		child(model.TypeConnectivityConfig, kind{
			Refs: []reference{
				ref(model.TypeNetworkGroup, "properties.appliesToGroups.*.networkGroupId"),
				looseRef(model.TypeVirtualNetwork, "properties.hubs.*.resourceId"),
			},
			InUse: deployed, Check: checkConnectivityConfig, Settle: settleConfiguration,
		}),
		child(model.TypeSecurityAdminConfig, kind{InUse: deployed, Settle: settleConfiguration}),
		child(model.TypeAdminRuleCollection, kind{
			Refs: []reference{ref(model.TypeNetworkGroup, "properties.appliesToGroups.*.networkGroupId")},
		}),
		child(model.TypeAdminRule, kind{Check: checkAdminRule}),
		child(model.TypeRoutingConfig, kind{InUse: deployed, Settle: settleConfiguration}),
		child(model.TypeRoutingRuleCollection, kind{
			Refs: []reference{ref(model.TypeNetworkGroup, "properties.appliesTo.*.networkGroupId")},
		}),
		child(model.TypeRoutingRule, kind{Defaults: []setting{{"nextHop.nextHopAddress", ""}}, Check: checkRoutingRule}),
		child(typePool, kind{
			Location: locationRequired, MergePatch: true,
			InUse:    inUse(codeResourceInUse, "IPAM pool %s is in use by %s and cannot be deleted."),
			Computed: []string{"ipAddressType"},
			Check:    checkPool, Fill: fillPool, Verbs: poolVerbs(),
		}),
		child(typePool+"/staticCidrs", kind{Computed: []string{"totalNumberOfIPAddresses"}, Check: checkStaticCIDR, Fill: fillStaticCIDR}),
		child(typeWorkspace, kind{Location: locationRequired, MergePatch: true}),
		child(typeIntent, kind{
			SyncDelete: true,
			InUse:      inUse(codeResourceInUse, "Reachability analysis intent %s is in use by %s and cannot be deleted."),
			Check:      checkIntent,
		}),
		child(typeRun, kind{
			Computed: []string{"analysisResult", "errorMessage", "intentContent"},
			Refs:     []reference{ref(typeIntent, "properties.intentId")},
			Prepare:  prepareRun, Fill: fillRun,
		}),
		{
			// Commits are written by POST .../commit only.
			Type: model.TypeCommit, Name: policyName, State: true, ReadOnly: true,
			Refs: []reference{
				ref(model.TypeConnectivityConfig, "properties.configurationIds.*"),
			},
		},
	}
}

// deployed refuses to delete a configuration that a commit has in force;
// force=true deletes it all the same, as the API's parameter of that name does.
func deployed(id model.ID, users []string) *Fault {
	return inUse(codeConfigDeployed, "Configuration %s is deployed by %s and cannot be deleted. Commit without it first, or delete it with force=true.")(id, users)
}
