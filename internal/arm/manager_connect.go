package arm

import (
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// typeScopeConnection and typeManagerConnection are the two sides between a
// network manager and a subscription or management group.
const (
	typeScopeConnection   = model.TypeNetworkManager + "/scopeConnections"
	typeManagerConnection = "Microsoft.Network/networkManagerConnections"
)

// showScopeConnection shows whether the scope has connected to the manager, too.
func showScopeConnection(r *reading, p map[string]any) {
	at := strings.ToLower(strings.TrimRight(text(p, "resourceId"), "/"))
	p["connectionState"] = "Pending"
	for _, e := range findExact(r.view, termType+strings.ToLower(typeManagerConnection)) {
		if e.Resource.ID.Parent().Key() == at && strings.EqualFold(text(e.Resource.Properties(), "networkManagerId"), r.id.Parent().String()) {
			p["connectionState"] = "Connected"
		}
	}
}

// showManagerConnection shows whether the manager has connected to the scope,
// too.
func showManagerConnection(r *reading, p map[string]any) {
	p["connectionState"] = "Pending"
	prefix := strings.ToLower(text(p, "networkManagerId")) + "/"
	for _, e := range findExact(r.view, termType+strings.ToLower(typeScopeConnection)) {
		at := strings.TrimRight(text(e.Resource.Properties(), "resourceId"), "/")
		if strings.HasPrefix(e.Resource.ID.Key(), prefix) && strings.EqualFold(at, r.id.Parent().String()) {
			p["connectionState"] = "Connected"
		}
	}
}
