package arm

import "github.com/ceruleannet/cerulean/model"

// firewallKinds are Azure Firewall, its policies and IP groups.
func firewallKinds() []*kind {
	return []*kind{
		{
			Type: model.TypeFirewall, Fixed: true, Place: inGroup, Location: locationRequired, Name: networkName, State: true,
			Defaults: []setting{{"sku.name", "AZFW_VNet"}, {"sku.tier", "Standard"}, {"threatIntelMode", "Alert"}, {"applicationRuleCollections", []any{}}, {"natRuleCollections", []any{}}, {"networkRuleCollections", []any{}}, {"additionalProperties", map[string]any{}}},
			Refs: append(ipConfigurationRefs(),
				// A policy may be of another region.
				ref(model.TypeFirewallPolicy, "properties.firewallPolicy.id"), regionalRef(typeVirtualHub, "properties.virtualHub.id")),
			Check: checkFirewall, Fill: fillFirewall, Terms: firewallTerms,
		},
		{
			Type: model.TypeFirewallPolicy, Place: inGroup, Location: locationRequired, Name: networkName, State: true,
			Computed: []string{"ruleCollectionGroups", "firewalls", "childPolicies"},
			Defaults: []setting{{"sku.tier", "Standard"}, {"threatIntelMode", "Alert"}, {"size", "0.5MB"}},
			Refs:     []reference{ref(model.TypeFirewallPolicy, "properties.basePolicy.id")},
			InUse:    inUse(codeFirewallPolicyInUse, "Firewall policy %s is in use by %s and cannot be deleted."),
			Check:    checkFirewallPolicy, Show: showFirewallPolicy,
		},
		{
			Type: model.TypeRuleCollectionGroup, Name: networkName, State: true,
			Refs: []reference{
				ref(model.TypeIPGroup, "properties.ruleCollections.*.rules.*.sourceIpGroups.*"),
				ref(model.TypeIPGroup, "properties.ruleCollections.*.rules.*.destinationIpGroups.*"),
			},
			Check: checkRuleCollectionGroup,
		},
		{
			Type: model.TypeIPGroup, Place: inGroup, Location: locationRequired, Name: networkName, State: true,
			Computed: []string{"firewalls", "firewallPolicies"},
			InUse:    inUse(codeIPGroupInUse, "IP group %s is in use by %s and cannot be deleted."),
			Defaults: []setting{{"ipAddresses", []any{}}},
			Check:    checkIPGroup, Show: showIPGroup,
		},
	}
}
