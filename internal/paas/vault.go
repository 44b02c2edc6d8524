package paas

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// vaultAudience is what tokens for key vaults are for ("Authentication,
// requests and responses", Azure Key Vault).
const vaultAudience = "https://vault.azure.net"

// maxVaultBody is the largest request body, in bytes.
const maxVaultBody = 256 << 10

// vaultServer answers for one key vault.
type vaultServer struct {
	planes *Planes
	id     model.ID
}

// vaultCall is one request.
type vaultCall struct {
	vaultServer
	w    http.ResponseWriter
	r    *http.Request
	doc  *model.Resource
	v    *vault
	who  Principal
	path []string
}

// ServeHTTP implements http.Handler: who asks is found first, then whether the
// network lets them in, then whether they may, as the service itself does.
func (s vaultServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-cache")
	h.Set("Pragma", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Ms-Request-Id", newID())
	h.Set("X-Ms-Keyvault-Service-Version", "1.9.0.0")
	if id := r.Header.Get("X-Ms-Client-Request-Id"); id != "" && len(id) <= 128 {
		h.Set("X-Ms-Client-Request-Id", id)
	}
	c := &vaultCall{vaultServer: s, w: w, r: r}
	var ok bool
	if c.doc, ok = s.planes.cloud.Resource(s.id); !ok {
		vaultFault(w, http.StatusNotFound, "ResourceNotFound", "", "The vault does not exist.")
		return
	}
	c.v = s.planes.vault(s.id)
	c.path = strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	var err error
	c.who, err = s.planes.cloud.Authenticate(r.Header.Get("Authorization"), vaultAudience)
	if err != nil {
		h.Set("WWW-Authenticate", fmt.Sprintf("Bearer authorization=%q, resource=%q", "https://login.windows.net/"+s.planes.cloud.Tenant(), vaultAudience))
		text := "AKV10000: Request is missing a Bearer or PoP token."
		if r.Header.Get("Authorization") != "" {
			text = "AKV10022: Invalid token: " + err.Error() + "."
		}
		vaultFault(w, http.StatusUnauthorized, "Unauthorized", "", "%s", text)
		return
	}
	if client := clientOf(r.Context()); client.Refused {
		c.refuse(client)
		return
	}
	if r.URL.Query().Get("api-version") == "" {
		vaultFault(w, http.StatusBadRequest, "BadParameter", "", "api-version must be specified")
		return
	}
	c.route()
}

// refuse is the answer of the vault's firewall ("Azure Key Vault throttling and
// error codes": HTTP 403, network access).
func (c *vaultCall) refuse(client Client) {
	name := c.id.Name()
	location := c.doc.Location()
	if access, _ := c.doc.Properties()["publicNetworkAccess"].(string); strings.EqualFold(access, "Disabled") {
		vaultFault(c.w, http.StatusForbidden, "Forbidden", "ForbiddenByConnection",
			"Public network access is disabled and request is not from a trusted service nor via an approved private link.\r\nCaller: %s\r\nVault: %s;location=%s", c.caller(), name, location)
		return
	}
	vaultFault(c.w, http.StatusForbidden, "Forbidden", "ForbiddenByFirewall",
		"Client address is not authorized and caller is not a trusted service.\r\nClient address: %s\r\nCaller: %s\r\nVault: %s;location=%s", client.Addr, c.caller(), name, location)
}

func (c *vaultCall) caller() string {
	return fmt.Sprintf("appid=%s;oid=%s;iss=%s", c.who.AppID, c.who.ObjectID, c.who.Issuer)
}

// operation is one operation on secrets: the data action that it needs, and the
// permission in the words of access policies ("Assign a Key Vault access
// policy").
type operation struct{ action, policy string }

var (
	opGet     = operation{"getSecret/action", "get"}
	opSet     = operation{"setSecret/action", "set"}
	opUpdate  = operation{"update/action", "set"}
	opList    = operation{"readMetadata/action", "list"}
	opDelete  = operation{"delete", "delete"}
	opRecover = operation{"recover/action", "recover"}
	opPurge   = operation{"purge/action", "purge"}
	opBackup  = operation{"backup/action", "backup"}
	opRestore = operation{"restore/action", "restore"}
)

// route finds the operation of a request.
func (c *vaultCall) route() {
	type handler struct {
		op  operation
		run func(*vaultCall)
	}
	n, m := len(c.path), c.r.Method
	last := c.path[n-1]
	var h handler
	known := true
	switch first := c.path[0]; {
	case first == "secrets" && n == 1:
		h = on(m, http.MethodGet, handler{opList, (*vaultCall).list})
	case first == "secrets" && n == 2 && last == "restore" && m == http.MethodPost:
		h = handler{opRestore, (*vaultCall).restore}
	case first == "secrets" && n == 2 && m == http.MethodPut:
		h = handler{opSet, (*vaultCall).set}
	case first == "secrets" && n == 2 && m == http.MethodDelete:
		h = handler{opDelete, (*vaultCall).remove}
	case first == "secrets" && n == 3 && last == "versions":
		h = on(m, http.MethodGet, handler{opList, (*vaultCall).versions})
	case first == "secrets" && n == 3 && last == "backup":
		h = on(m, http.MethodPost, handler{opBackup, (*vaultCall).backup})
	case first == "secrets" && (n == 2 || n == 3) && m == http.MethodPatch:
		h = handler{opUpdate, (*vaultCall).update}
	case first == "secrets" && (n == 2 || n == 3):
		h = on(m, http.MethodGet, handler{opGet, (*vaultCall).get})
	case first == "deletedsecrets" && n == 1:
		h = on(m, http.MethodGet, handler{opList, (*vaultCall).listDeleted})
	case first == "deletedsecrets" && n == 2 && m == http.MethodDelete:
		h = handler{opPurge, (*vaultCall).purge}
	case first == "deletedsecrets" && n == 2:
		h = on(m, http.MethodGet, handler{opGet, (*vaultCall).getDeleted})
	case first == "deletedsecrets" && n == 3 && last == "recover":
		h = on(m, http.MethodPost, handler{opRecover, (*vaultCall).takeBack})
	default:
		known = false
	}
	switch {
	case !known:
		vaultFault(c.w, http.StatusNotFound, "NotFound", "", "This vault has secrets here, and no resource of the path %s.", c.r.URL.Path)
	case h.run == nil:
		vaultFault(c.w, http.StatusMethodNotAllowed, "MethodNotAllowed", "", "Method %s is not allowed here.", m)
	case n > 1 && h.op != opRestore && !secretName.MatchString(c.path[1]):
		vaultFault(c.w, http.StatusBadRequest, "BadParameter", "", "The request URI contains an invalid name: %s", c.path[1])
	case c.may(h.op):
		h.run(c)
	}
}

// on is a handler of one method only.
func on[H any](method, want string, h H) H {
	if method != want {
		var none H
		return none
	}
	return h
}

// may reports whether the caller may do an operation, and answers if not: by
// role assignments, or by the vault's access policies where it has those
// ("Azure role-based access control vs. access policies").
func (c *vaultCall) may(op operation) bool {
	where := fmt.Sprintf("Vault: %s;location=%s", c.id.Name(), c.doc.Location())
	scope := c.id
	if len(c.path) > 1 && op != opRestore {
		scope = c.id.Child("secrets", c.path[1])
	}
	ok, role := c.planes.gives(c.doc, c.who, op, scope)
	if ok {
		return true
	}
	if role {
		vaultFault(c.w, http.StatusForbidden, "Forbidden", "ForbiddenByRbac",
			"Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role definitions were changed recently, please observe propagation time.\r\nCaller: %s\r\nAction: '%s'\r\nResource: '%s'\r\nAssignment: (not found)\r\nDenyAssignmentId: null\r\nDecisionReason: null\r\n%s",
			c.caller(), op.dataAction(), strings.ToLower(scope.String()), where)
		return false
	}
	vaultFault(c.w, http.StatusForbidden, "Forbidden", "ForbiddenByPolicy",
		"The user, group or application '%s' does not have secrets %s permission on key vault '%s;location=%s'. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125287",
		c.caller(), op.policy, c.id.Name(), c.doc.Location())
	return false
}

// dataAction is the operation as roles name it.
func (op operation) dataAction() string { return "Microsoft.KeyVault/vaults/secrets/" + op.action }

// gives reports whether somebody may do an operation in a vault, and whether role
// assignments decide that.
func (p *Planes) gives(vault *model.Resource, who Principal, op operation, scope model.ID) (ok, role bool) {
	properties := vault.Properties()
	if rbac, _ := properties["enableRbacAuthorization"].(bool); rbac {
		return p.cloud.May(who, Right{Action: op.dataAction(), Data: true}, scope), true
	}
	policies, _ := properties["accessPolicies"].([]any)
	return slices.ContainsFunc(policies, func(e any) bool {
		policy, _ := e.(map[string]any)
		object, _ := policy["objectId"].(string)
		permissions, _ := policy["permissions"].(map[string]any)
		secrets, _ := permissions["secrets"].([]any)
		return strings.EqualFold(object, who.ObjectID) && slices.ContainsFunc(secrets, func(s any) bool {
			word, _ := s.(string)
			return strings.EqualFold(word, "all") || strings.EqualFold(word, op.policy)
		})
	}), false
}

// vaultFault answers with an error ("Authentication, requests and responses").
func vaultFault(w http.ResponseWriter, status int, code, inner, format string, args ...any) {
	e := map[string]any{"code": code, "message": fmt.Sprintf(format, args...)}
	if inner != "" {
		e["innererror"] = map[string]any{"code": inner}
	}
	vaultJSON(w, status, map[string]any{"error": e})
}

func vaultJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		status, b = http.StatusInternalServerError, []byte(`{"error":{"code":"InternalServerError"}}`)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b) // a client that is gone does not read it
}

// fail answers with an error of the vault's contents.
func (c *vaultCall) fail(err error) {
	name := ""
	if len(c.path) > 1 {
		name = c.path[1]
	}
	switch {
	case errors.Is(err, errSecretNotFound) && c.path[0] == "deletedsecrets":
		vaultFault(c.w, http.StatusNotFound, "SecretNotFound", "", "Deleted Secret not found: %s", name)
	case errors.Is(err, errSecretNotFound):
		vaultFault(c.w, http.StatusNotFound, "SecretNotFound", "", "A secret with (name/id) %s was not found in this key vault. If you recently deleted this secret you may be able to recover it using the correct recovery command. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182", strings.Join(c.path[1:], "/"))
	case errors.Is(err, errSecretDeleted):
		vaultFault(c.w, http.StatusConflict, "Conflict", "ObjectIsDeletedButRecoverable", "Secret %s is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the secret can only be recovered or purged.", name)
	case errors.Is(err, errSecretExists):
		vaultFault(c.w, http.StatusConflict, "Conflict", "", "Secret %s already exists or is deleted and recoverable.", name)
	case errors.Is(err, errVaultFull):
		vaultFault(c.w, http.StatusInsufficientStorage, "InsufficientStorage", "", "%v", err)
	default:
		vaultFault(c.w, http.StatusBadRequest, "BadParameter", "", "%v", err)
	}
}

// pageSize reads maxresults (1..25; "Get Secrets").
func (c *vaultCall) pageSize() (int, bool) {
	text := c.r.URL.Query().Get("maxresults")
	if text == "" {
		return maxPage, true
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxPage {
		vaultFault(c.w, http.StatusBadRequest, "BadParameter", "", "maxresults must be between 1 and %d", maxPage)
		return 0, false
	}
	return n, true
}

const maxPage = 25

// page answers with a part of a list; next is the URL of what follows.
func (c *vaultCall) page(items []any) {
	size, ok := c.pageSize()
	if !ok {
		return
	}
	q := c.r.URL.Query()
	from := 0
	if token := q.Get("$skiptoken"); token != "" {
		n, err := strconv.Atoi(token)
		if err != nil || n < 0 {
			vaultFault(c.w, http.StatusBadRequest, "BadParameter", "", "the $skiptoken is not one of this vault")
			return
		}
		from = min(n, len(items))
	}
	to := min(from+size, len(items))
	var next any
	if to < len(items) {
		q.Set("$skiptoken", strconv.Itoa(to))
		u := url.URL{Scheme: "https", Host: c.host(), Path: c.r.URL.Path, RawQuery: q.Encode()}
		next = u.String()
	}
	vaultJSON(c.w, http.StatusOK, map[string]any{"value": append([]any{}, items[from:to]...), "nextLink": next})
}

// host is the vault's own name.
func (c *vaultCall) host() string { return Serves(c.id)[0] }

// body reads a JSON body.
func (c *vaultCall) body(into any) bool {
	b, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, maxVaultBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		vaultFault(c.w, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "", "The request body is larger than %d bytes.", large.Limit)
		return false
	case err != nil:
		vaultFault(c.w, http.StatusBadRequest, "BadParameter", "", "The request body could not be read.")
		return false
	}
	if err := json.Unmarshal(b, into); err != nil {
		vaultFault(c.w, http.StatusBadRequest, "BadParameter", "", "The request body is not the JSON that is expected: %v", err)
		return false
	}
	return true
}
