package arm

import (
	"net/http"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// typeDNSReference is asked for the record sets that are aliases of resources.
const typeDNSReference = "Microsoft.Network/getDnsResourceReference"

// maxDNSTargets is how many resources one request may ask about; the bound is
// ours.
const maxDNSTargets = 1000

// dnsReferences answers "DNS Resource Reference - Get By Target Resources": which
// record sets of public zones are aliases of each of some resources, as far as the
// caller may read them.
func (c *call) dnsReferences(scope model.ID) *Fault {
	body, f := readBody(c.w, c.r)
	if f != nil {
		return f
	}
	targets := objects(object(body, "properties"), "targetResources")
	if len(targets) == 0 || len(targets) > maxDNSTargets {
		return badRequest("InvalidRequestContent", "The request content was invalid: properties.targetResources must be a list of 1 to %d IDs.", maxDNSTargets)
	}
	if f := c.permitBelow(operationOf("Microsoft.Network/dnsZones", "read"), scope); f != nil {
		return f
	}
	v := c.s.store.View()
	found := []any{}
	for _, target := range targets {
		id, err := model.ParseID(text(target, "id"))
		if err != nil {
			return badRequest("LinkedInvalidPropertyId", "Property id '%.300s' at path 'properties.targetResources' is invalid. Expect fully qualified resource Id that start with '/subscriptions/{subscriptionId}'.", text(target, "id"))
		}
		sets := []any{}
		for _, e := range findExact(v, termRef+id.Key()) {
			t := e.Resource.Type()
			if strings.HasPrefix(strings.ToLower(t), "microsoft.network/dnszones/") && c.rights().at(operationOf(t, "read"), e.Resource.ID) {
				sets = append(sets, map[string]any{"id": e.Resource.ID.String()})
			}
		}
		if len(sets) > 0 {
			found = append(found, map[string]any{"dnsResources": sets, "targetResource": map[string]any{"id": id.String()}})
		}
	}
	writeJSON(c.w, http.StatusOK, map[string]any{"properties": map[string]any{"dnsResourceReferences": found}})
	return nil
}
