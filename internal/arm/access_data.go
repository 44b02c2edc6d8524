package arm

import (
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/model"
)

// dataRoles are Azure's built-in roles for what is inside key vaults and blobs,
// with their published identifiers and permissions ("Azure built-in roles").
func dataRoles() []role {
	const (
		vaults     = "Microsoft.KeyVault/vaults/"
		containers = "Microsoft.Storage/storageAccounts/blobServices/containers"
		delegation = "Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action"
	)
	managing := []string{
		"Microsoft.Authorization/*/read", "Microsoft.Insights/alertRules/*", "Microsoft.Resources/deployments/*",
		"Microsoft.Resources/subscriptions/resourceGroups/read", "Microsoft.Support/*", "Microsoft.KeyVault/checkNameAvailability/read",
		"Microsoft.KeyVault/deletedVaults/read", "Microsoft.KeyVault/locations/*/read", "Microsoft.KeyVault/vaults/*/read", "Microsoft.KeyVault/operations/read",
	}
	return []role{
		{
			guid: "00482a5a-887f-4fb3-b363-3b7fe8e74483", name: "Key Vault Administrator", allow: managing, data: []string{vaults + "*"},
			description: "Perform all data plane operations on a key vault and all objects in it, including certificates, keys, and secrets. Cannot manage key vault resources or manage role assignments. Only works for key vaults that use the 'Azure role-based access control' permission model.",
		},
		{
			guid: "21090545-7ca7-4776-b22c-e363652d74d2", name: "Key Vault Reader", allow: managing, data: []string{vaults + "*/read", vaults + "secrets/readMetadata/action"},
			description: "Read metadata of key vaults and its certificates, keys, and secrets. Cannot read sensitive values such as secret contents or key material. Only works for key vaults that use the 'Azure role-based access control' permission model.",
		},
		{
			guid: "b86a8fe4-44ce-4948-aee5-eccb2c155cd7", name: "Key Vault Secrets Officer", allow: managing, data: []string{vaults + "secrets/*"},
			description: "Perform any action on the secrets of a key vault, except manage permissions. Only works for key vaults that use the 'Azure role-based access control' permission model.",
		},
		{
			guid: "4633458b-17de-408a-b874-0445c86b69e6", name: "Key Vault Secrets User", data: []string{vaults + "secrets/getSecret/action", vaults + "secrets/readMetadata/action"},
			description: "Read secret contents. Only works for key vaults that use the 'Azure role-based access control' permission model.",
		},
		{
			guid: "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1", name: "Storage Blob Data Reader",
			allow: []string{containers + "/read", delegation}, data: []string{containers + "/blobs/read"},
			description: "Allows for read access to Azure Storage blob containers and data",
		},
		{
			guid: "ba92f5b4-2d11-453d-a403-e96b0029c9fe", name: "Storage Blob Data Contributor",
			allow:       []string{containers + "/delete", containers + "/read", containers + "/write", delegation},
			data:        []string{containers + "/blobs/delete", containers + "/blobs/read", containers + "/blobs/write", containers + "/blobs/move/action", containers + "/blobs/add/action"},
			description: "Allows for read, write and delete access to Azure Storage blob containers and data",
		},
		{
			guid: "b7e6dc6d-f1e8-4753-8033-0f276bb0955b", name: "Storage Blob Data Owner",
			allow: []string{containers + "/*", delegation}, data: []string{containers + "/blobs/*"},
			description: "Allows for full access to Azure Storage blob containers and data, including assigning POSIX access control.",
		},
	}
}

// dataPermissions returns what the role gives of data, in the form of
// permissions of actions.
func (r role) dataPermissions() []permission {
	if r.document == nil {
		return []permission{{actions: lowered(r.data)}}
	}
	var out []permission
	for _, p := range objects(object(r.document, "properties"), "permissions") {
		out = append(out, permission{lowered(texts(p, "dataActions")), lowered(texts(p, "notDataActions"))})
	}
	return out
}

// mayData reports whether role assignments give a principal a data action at a
// scope. The installation's own client has no more than others: Owner of
// everything gives no data. An assignment with a condition gives nothing, since
// conditions are not evaluated.
func (s *Server) mayData(v *state.View, who principal, action string, scope model.ID) bool {
	action = strings.ToLower(action)
	at := scope.Key() + "/"
	for _, e := range findExact(v, termPrincipal+strings.ToLower(who.ObjectID)) {
		p := e.Resource.Properties()
		role, ok := findRole(v, lastSegment(text(p, "roleDefinitionId")))
		if !ok || text(p, "condition") != "" {
			continue
		}
		if !slices.ContainsFunc(role.dataPermissions(), func(p permission) bool { return p.gives(action) }) {
			continue
		}
		given := e.Resource.ID.Parent()
		scopes := []string{given.Key() + "/"}
		if given.Is(model.TypeManagementGroup) {
			scopes = append(scopes, s.managementTree(v).scopesBelow(given)...)
		}
		if slices.ContainsFunc(scopes, func(scope string) bool { return strings.HasPrefix(at, scope) }) {
			return true
		}
	}
	return false
}
