package arm

import "strings"

// headNames are the properties that every resource and every named part of one
// has, and those of the addresses of an application gateway's pools.
var headNames = []string{"name", "id", "type", "location", "properties", "tags", "sku", "zones", "ipAddress", "fqdn"}

// spell gives the head of a document, and those of the named parts of its lists,
// the names this package reads them by. The service ignores the case of property
// names, and clients rely on it: the Azure CLI names the rules of an application
// gateway by "Name" and their addresses "IpAddress".
func spell(doc map[string]any) {
	for key, v := range doc {
		for _, name := range headNames {
			if _, both := doc[name]; key != name && strings.EqualFold(key, name) && !both {
				delete(doc, key)
				doc[name] = v
			}
		}
	}
	spellParts(object(doc, "properties"))
}

func spellParts(properties map[string]any) {
	for _, v := range properties {
		list, _ := v.([]any)
		for _, e := range list {
			if part, ok := e.(map[string]any); ok {
				spell(part)
			}
		}
	}
}
