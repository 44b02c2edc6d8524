package arm

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// serviceNames are the services whose names are parts of DNS names, which
// checkNameAvailability of their namespaces is about.
var serviceNames = map[string]struct {
	resourceType    string
	form            *regexp.Regexp
	taken, bad      string // messages, of the name
	invalid         string // the reason that a form gives
	available, says string // the property that tells, and one that repeats the name
}{
	"microsoft.storage": {
		resourceType: model.TypeStorageAccount, form: accountName, available: "nameAvailable",
		taken:   "The storage account named %s is already taken.",
		invalid: "AccountNameInvalid",
		bad:     "%s is not a valid storage account name. Storage account name must be between 3 and 24 characters in length and use numbers and lower-case letters only.",
	},
	"microsoft.keyvault": {
		resourceType: model.TypeKeyVault, form: vaultName, available: "nameAvailable",
		taken:   "The vault name '%s' is already in use. Vault names are globally unique; a vault of the name may have been deleted and not purged yet.",
		invalid: "AccountNameInvalid",
		bad:     "The vault name '%s' is invalid. A vault's name must be between 3-24 alphanumeric characters. The name must begin with a letter, end with a letter or digit, and not contain consecutive hyphens.",
	},
	"microsoft.sql": {
		resourceType: model.TypeSQLServer, form: sqlName, available: "available", says: "name",
		taken:   "Specified server name '%s' is already used.",
		invalid: "Invalid",
		bad:     "Specified server name '%s' contains unsupported characters or is too long.",
	},
}

// checkServiceName answers "Check Name Availability" of storage accounts, vaults
// and SQL servers: whether one could have a name.
func (c *call) checkServiceName(namespace string) *Fault {
	s, ok := serviceNames[strings.ToLower(namespace)]
	if !ok {
		return c.noRoute([]string{"subscriptions", c.subscription, "providers", namespace, "checkNameAvailability"})
	}
	if c.r.Method != http.MethodPost {
		return methodNotAllowed(c.r.Method, http.MethodPost)
	}
	// Who may see anything of the subscription may ask, as the names are public.
	if f := c.permitBelow(operationOf(s.resourceType, "read"), model.SubscriptionID(c.subscription)); f != nil {
		return f
	}
	body, f := readBody(c.w, c.r)
	if f != nil {
		return f
	}
	name, t := text(body, "name"), text(body, "type")
	if name == "" || t != "" && !strings.EqualFold(t, s.resourceType) {
		return badRequest("InvalidRequestContent", "The request content was invalid: a name and the type %s are needed.", s.resourceType)
	}
	answer := map[string]any{s.available: true}
	if s.says != "" {
		answer[s.says] = name
	}
	refuse := func(reason, message string) {
		answer[s.available], answer["reason"], answer["message"] = false, reason, fmt.Sprintf(message, name)
	}
	if !s.form.MatchString(name) {
		refuse(s.invalid, s.bad)
	}
	for _, held := range []string{s.resourceType, typeDeletedVault} {
		if held == typeDeletedVault && s.resourceType != model.TypeKeyVault {
			continue
		}
		for _, e := range findExact(c.s.store.View(), termType+strings.ToLower(held)) {
			if strings.EqualFold(e.Resource.ID.Name(), name) {
				refuse("AlreadyExists", s.taken)
			}
		}
	}
	writeJSON(c.w, http.StatusOK, answer)
	return nil
}
