package compile

import (
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// TestListenerNames: a group's names lead to its servers by their roles, with a
// TTL of 30 seconds, and move with the roles.
func TestListenerNames(t *testing.T) {
	const group = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/g/providers/"
	resource := func(id string, doc map[string]any) *model.Resource {
		parsed, err := model.ParseID(group + id)
		if err != nil {
			t.Fatal(err)
		}
		doc["id"] = group + id
		return &model.Resource{ID: parsed, Doc: doc}
	}
	at := func(server, role, partner string) *model.Resource {
		return resource("Microsoft.Sql/servers/"+server+"/failoverGroups/Fog", map[string]any{"properties": map[string]any{
			"replicationRole": role,
			"partnerServers":  []any{map[string]any{"id": group + "Microsoft.Sql/servers/" + partner}},
		}})
	}
	for _, c := range []struct{ west, north, primary, secondary string }{
		{"Primary", "Secondary", "west", "north"},
		{"Secondary", "Primary", "north", "west"},
	} {
		img, err := Compile([]*model.Resource{
			resource("Microsoft.Network/virtualNetworks/net", map[string]any{"location": "westeurope", "properties": map[string]any{
				"addressSpace": map[string]any{"addressPrefixes": []any{"10.0.0.0/16"}},
			}}),
			resource("Microsoft.Sql/servers/west", map[string]any{"location": "westeurope", "properties": map[string]any{}}),
			resource("Microsoft.Sql/servers/north", map[string]any{"location": "northeurope", "properties": map[string]any{}}),
			at("west", c.west, "north"), at("north", c.north, "west"),
		}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		view := &img.Spaces[0].View
		for name, server := range map[string]string{"fog": c.primary, "fog.secondary": c.secondary} {
			f := view.Follow(name + "." + sqlDomain)
			if f.Verdict != fabric.VerdictAllow || f.Name != server+"."+sqlDomain || f.Aliases[0].TTL != failoverTTL {
				t.Errorf("%s with primary %s: %+v", name, c.primary, f)
			}
		}
	}
}
