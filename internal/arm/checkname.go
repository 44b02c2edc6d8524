package arm

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Words that names of resources must not be, begin with or contain ("Resolve
// errors for reserved resource names").
var (
	reservedNames = []string{
		"ACCESS", "APP_BROWSERS", "APP_CODE", "APP_DATA", "APP_GLOBALRESOURCES", "APP_LOCALRESOURCES", "APP_THEMES", "APP_WEBREFERENCES",
		"AZURE", "BING", "BIZSPARK", "BIZTALK", "CORTANA", "DIRECTX", "DOTNET", "DYNAMICS", "EXCEL", "EXCHANGE", "FOREFRONT", "GROOVE",
		"HOLOLENS", "HYPERV", "KINECT", "LYNC", "MSDN", "O365", "OFFICE", "OFFICE365", "ONEDRIVE", "ONENOTE", "OUTLOOK", "POWERPOINT",
		"SHAREPOINT", "SKYPE", "VISIO", "VISUALSTUDIO",
	}
	reservedStarts = []string{"LOGIN", "XBOX"}
	reservedParts  = []string{"MICROSOFT", "WINDOWS"}
)

func reservedName(name string) bool {
	name = strings.ToUpper(name)
	return slices.Contains(reservedNames, name) ||
		slices.ContainsFunc(reservedStarts, func(s string) bool { return strings.HasPrefix(name, s) }) ||
		slices.ContainsFunc(reservedParts, func(s string) bool { return strings.Contains(name, s) })
}

// checkResourceName answers "Check Resource Name": whether a name has a reserved
// word.
func (c *call) checkResourceName() *Fault {
	if c.r.Method != http.MethodPost {
		return methodNotAllowed(c.r.Method, http.MethodPost)
	}
	body, f := readBody(c.w, c.r)
	if f != nil {
		return f
	}
	name, t := text(body, "name"), text(body, "type")
	if name == "" || t == "" {
		return badRequest("InvalidRequestContent", "The request content was invalid: a name and a type are needed.")
	}
	if reservedName(name) {
		return badRequest("ReservedResourceName", "The resource name '%.100s' or a part of the name is a trademarked or reserved word.", name)
	}
	writeJSON(c.w, http.StatusOK, map[string]any{"name": name, "type": t, "status": "Allowed"})
	return nil
}

// checkManagerName answers "Profiles - Check Traffic Manager Relative DNS Name
// Availability": whether a profile could have a name below trafficmanager.net.
func (c *call) checkManagerName() *Fault {
	if c.r.Method != http.MethodPost {
		return methodNotAllowed(c.r.Method, http.MethodPost)
	}
	body, f := readBody(c.w, c.r)
	if f != nil {
		return f
	}
	name, t := text(body, "name"), text(body, "type")
	if name == "" || !strings.EqualFold(t, typeTrafficManager) {
		return badRequest("InvalidRequestContent", "The request content was invalid: a name and the type %s are needed.", typeTrafficManager)
	}
	answer := map[string]any{"name": name, "type": t, "nameAvailable": true, "reason": nil, "message": nil}
	switch {
	case !serviceName.MatchString(name) || len(name) > 63:
		answer["nameAvailable"], answer["reason"], answer["message"] = false, "Invalid", "The name is no label of a domain name."
	default:
		for _, e := range findExact(c.s.store.View(), termType+strings.ToLower(typeTrafficManager)) {
			if strings.EqualFold(text(object(e.Resource.Properties(), "dnsConfig"), "relativeName"), name) {
				answer["nameAvailable"], answer["reason"], answer["message"] = false, "AlreadyExists", "Domain name "+name+".trafficmanager.net already exists. Please choose a different DNS prefix."
			}
		}
	}
	writeJSON(c.w, http.StatusOK, answer)
	return nil
}

// templateHash answers "Deployments - Calculate Template Hash".
func (c *call) templateHash() *Fault {
	if c.r.Method != http.MethodPost {
		return methodNotAllowed(c.r.Method, http.MethodPost)
	}
	body, f := readBody(c.w, c.r)
	if f != nil {
		return f
	}
	b, err := json.Marshal(body)
	if err != nil { // JSON came in and goes out
		return badRequest("InvalidRequestContent", "The request content was invalid: %v.", err)
	}
	writeJSON(c.w, http.StatusOK, map[string]any{"minifiedTemplate": string(b), "templateHash": hashOfTemplate(b)})
	return nil
}

// hashOfTemplate is the hash that deployments of a template show: decimal, as
// Azure's, of an algorithm of our own, as Azure's is not published.
func hashOfTemplate(minified []byte) string {
	sum := sha256.Sum256(minified)
	return strconv.FormatUint(binary.BigEndian.Uint64(sum[:]), 10)
}
