package paas

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// managed is a managed identity of a machine.
type managed struct {
	principal Principal
	user      bool   // user-assigned
	id        string // resource ID of a user-assigned one
}

// identities returns the managed identities of a machine, the system-assigned
// one first.
func (s instanceServer) identities(vm *model.Resource) []managed {
	doc, _ := vm.Doc["identity"].(map[string]any)
	var out []managed
	kind := strings.ToLower(textAt(doc, "type"))
	if object := textAt(doc, "principalId"); object != "" && strings.Contains(kind, "systemassigned") {
		// The application of a system-assigned identity is told by no document;
		// clients do not ask for it by that.
		out = append(out, managed{principal: Principal{AppID: applicationOf(object), ObjectID: object, TenantID: s.planes.cloud.Tenant(), Resource: vm.ID.String()}})
	}
	user, _ := doc["userAssignedIdentities"].(map[string]any)
	for _, name := range sortedNames(user) {
		id, err := model.ParseID(name)
		if err != nil {
			continue
		}
		r, ok := s.planes.cloud.Resource(id)
		if !ok {
			continue
		}
		p := r.Properties()
		out = append(out, managed{
			principal: Principal{AppID: textAt(p, "clientId"), ObjectID: textAt(p, "principalId"), TenantID: s.planes.cloud.Tenant(), Resource: r.ID.String()},
			user:      true, id: r.ID.String(),
		})
	}
	return out
}

// token answers a request for an access token ("How to use managed identities
// for Azure resources on an Azure VM to acquire an access token").
func (s instanceServer) token(w http.ResponseWriter, r *http.Request, vm *model.Resource) {
	fail := func(text string) {
		instanceJSON(w, http.StatusBadRequest, map[string]any{"error": "invalid_request", "error_description": text})
	}
	q := r.URL.Query()
	resource := q.Get("resource")
	if resource == "" {
		fail("Required audience parameter not specified")
		return
	}
	if len(resource) > 1024 || strings.ContainsAny(resource, " \t\r\n") {
		instanceJSON(w, http.StatusBadRequest, map[string]any{"error": "invalid_resource", "error_description": "AADSTS50001: The application named " + strconv.Quote(resource[:min(len(resource), 64)]) + " was not found in the tenant."})
		return
	}
	chosen, text := choose(s.identities(vm), q.Get("client_id"), q.Get("object_id"), firstOf(q.Get("mi_res_id"), q.Get("msi_res_id")))
	if text != "" {
		fail(text)
		return
	}
	t, err := s.planes.cloud.Issue(chosen.principal, resource, s.planes.limits.TokenLife)
	if err != nil {
		instanceJSON(w, http.StatusInternalServerError, map[string]any{"error": "server_error", "error_description": err.Error()})
		return
	}
	seconds := strconv.FormatInt(int64(t.Expiry.Sub(s.planes.now()).Seconds()), 10)
	w.Header().Set("Cache-Control", "no-store")
	instanceJSON(w, http.StatusOK, map[string]any{
		"access_token": t.Value, "client_id": chosen.principal.AppID, "expires_in": seconds, "ext_expires_in": seconds,
		"expires_on": strconv.FormatInt(t.Expiry.Unix(), 10), "not_before": strconv.FormatInt(t.NotBefore.Unix(), 10),
		"resource": resource, "token_type": "Bearer",
	})
}

// choose picks the identity that a request names, else the system-assigned one,
// else the only one there is. The second result says what is wrong.
func choose(all []managed, client, object, resource string) (managed, string) {
	named := client != "" || object != "" || resource != ""
	if named {
		for _, m := range all {
			if client != "" && strings.EqualFold(client, m.principal.AppID) || object != "" && strings.EqualFold(object, m.principal.ObjectID) ||
				resource != "" && strings.EqualFold(resource, m.id) {
				return m, ""
			}
		}
		return managed{}, "Identity not found"
	}
	switch {
	case len(all) == 0:
		return managed{}, "Identity not found"
	case !all[0].user || len(all) == 1:
		return all[0], ""
	default:
		return managed{}, "Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request"
	}
}
