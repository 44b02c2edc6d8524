package arm

import (
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// linkResourceVerb tells what of a service private endpoints may lead to
// ("Private Link Resources - List" of each service's reference).
func linkResourceVerb() verb {
	return verb{name: "privateLinkResources", get: true, answer: linkResources}
}

func linkResources(q *question) (any, *Fault) {
	list := []any{}
	for _, group := range linkGroups(q.on.Type()) {
		zone := serviceSuffixes[strings.ToLower(q.on.Type()+" "+group)]
		member := group
		if q.on.ID.Is(model.TypeKeyVault) {
			// "Azure Private Endpoint private DNS zone values": the zone is not named
			// after the service's suffix, nor the member after the group.
			zone, member = "vaultcore.azure.net", "default"
		}
		list = append(list, map[string]any{
			"id": q.on.ID.String() + "/privateLinkResources/" + group, "name": group, "type": q.on.Type() + "/privateLinkResources",
			"properties": map[string]any{"groupId": group, "requiredMembers": []any{member}, "requiredZoneNames": []any{"privatelink." + zone}},
		})
	}
	return map[string]any{"value": list}, nil
}

// linkGroups returns the groups of a service's type, as its reference spells
// them.
func linkGroups(resourceType string) []string {
	var groups []string
	for key := range serviceSuffixes {
		t, group, _ := strings.Cut(key, " ")
		if !strings.EqualFold(t, resourceType) {
			continue
		}
		switch group {
		case "sqlserver":
			group = "sqlServer"
		case "postgresqlserver":
			group = "postgresqlServer"
		}
		groups = append(groups, group)
	}
	slices.Sort(groups)
	return groups
}
