package arm

import (
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// amendGroup makes a document of what PATCH of a resource group sends
// ("Resource Groups - Update": tags, managedBy; what only the server says may be
// sent as it is).
func amendGroup(id model.ID, old, body map[string]any) (map[string]any, *Fault) {
	doc := shallow(old)
	doc["properties"] = model.CloneJSON(old["properties"])
	for name, v := range body {
		switch {
		case name == "tags":
			if v == nil {
				v = map[string]any{}
			}
			doc["tags"] = v
		case name == "managedBy":
			if was := text(old, "managedBy"); was != "" && v != old["managedBy"] {
				return nil, invalidProperty(id, "managedBy", v, "it cannot be changed from '"+was+"'")
			}
			doc["managedBy"] = v
		case name == "name" && strings.EqualFold(text(body, "name"), id.Name()), name == "properties":
		case name == "location" && strings.EqualFold(model.NormalizeLocation(text(body, "location")), text(old, "location")):
		default:
			return nil, badRequest("InvalidRequestContent", "PATCH of resource group '%s' cannot change '%.100s': it takes tags and managedBy.", id.Name(), name)
		}
	}
	return doc, nil
}
