package paas

import (
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/model"
)

// blobAudiences are what tokens for blobs are for, besides the account's own
// endpoint ("Authorize with Microsoft Entra ID", Azure Storage).
var blobAudiences = []string{"https://storage.azure.com"}

// Versions of the service that requests may ask for ("Versioning for Azure
// Storage"): the date of the first with tokens, and a pattern of dates.
const (
	minBlobVersion = "2017-11-09"
	nowBlobVersion = "2026-04-06"
)

// blobServer answers for the blobs of one storage account.
type blobServer struct {
	planes *Planes
	id     model.ID
}

// blobCall is one request.
type blobCall struct {
	blobServer
	w         http.ResponseWriter
	r         *http.Request
	q         url.Values
	doc       *model.Resource
	a         *account
	who       Principal
	key       bool // signed with the account's key: everything is allowed
	anonymous bool
	container string
	name      string // of the blob
	now       time.Time
}

// ServeHTTP implements http.Handler.
func (s blobServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	c := &blobCall{blobServer: s, w: w, r: r, q: r.URL.Query(), now: s.planes.now().UTC()}
	version := r.Header.Get("X-Ms-Version")
	h.Set("Server", "Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0")
	h.Set("X-Ms-Request-Id", newID())
	h.Set("X-Ms-Version", nowBlobVersion)
	h.Set("Date", c.now.Format(http.TimeFormat))
	if id := r.Header.Get("X-Ms-Client-Request-Id"); id != "" && len(id) <= 1024 {
		h.Set("X-Ms-Client-Request-Id", id)
	}
	if version != "" {
		if _, err := time.Parse(time.DateOnly, version); err != nil || version < minBlobVersion {
			c.fail(invalidHeader("x-ms-version", version))
			return
		}
		h.Set("X-Ms-Version", version)
	}
	var ok bool
	if c.doc, ok = s.planes.cloud.Resource(s.id); !ok {
		c.fail(&storageError{404, "ResourceNotFound", "The specified resource does not exist."})
		return
	}
	c.a = s.planes.account(s.id)
	path := strings.TrimPrefix(r.URL.Path, "/")
	c.container, c.name, _ = strings.Cut(path, "/")
	if c.container != "" && c.name == "" && c.q.Get("restype") == "" {
		c.container, c.name = "$root", c.container // a blob of the root container
	}
	c.followManaged()
	if err := c.authenticate(version); err != nil {
		c.fail(err)
		return
	}
	if client := clientOf(r.Context()); client.Refused {
		c.fail(errRefused)
		return
	}
	if err := c.route(); err != nil {
		c.fail(err)
	}
}

// errRefused is the answer of the account's firewall, and of a request that no
// role allows ("Configure Azure Storage firewalls and virtual networks").
var errRefused = &storageError{403, "AuthorizationFailure", "This request is not authorized to perform this operation."}

// errNoPermission is the answer to a token whose principal has no role for it.
var errNoPermission = &storageError{403, "AuthorizationPermissionMismatch", "This request is not authorized to perform this operation using this permission."}

var errNoAuthentication = &storageError{401, "NoAuthenticationInformation", "Server failed to authenticate the request. Please refer to the information in the www-authenticate header."}

func authenticationFailed(format string, args ...any) *storageError {
	return &storageError{403, "AuthenticationFailed", "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly including the signature. " + fmt.Sprintf(format, args...)}
}

func invalidHeader(name, value string) *storageError {
	return &storageError{400, "InvalidHeaderValue", fmt.Sprintf("The value for one of the HTTP headers is not in the correct format: %s: %.100s", name, value)}
}

func missingHeader(name string) *storageError {
	return &storageError{400, "MissingRequiredHeader", "An HTTP header that's mandatory for this request is not specified: " + name}
}

// notImplemented is the answer to what Azure Storage does and this does not: blobs of
// other types, leases, snapshots, copies from URLs. docs/services.md lists them.
func notImplemented(what string) *storageError {
	return &storageError{501, "NotImplemented", "The requested operation is not implemented here: " + what + "."}
}

// host is the account's own name.
func (c *blobCall) host() string { return Serves(c.id)[0] }

// authenticate finds out who asks: by token, by the account's key, or nobody.
func (c *blobCall) authenticate(version string) error {
	header := c.r.Header.Get("Authorization")
	scheme, _, _ := strings.Cut(header, " ")
	switch {
	case strings.EqualFold(scheme, "SharedKey"):
		if allowed, given := c.doc.Properties()["allowSharedKeyAccess"].(bool); given && !allowed {
			return &storageError{403, "KeyBasedAuthenticationNotPermitted", "Key based authentication is not permitted on this storage account."}
		}
		if err := c.checkSignature(header); err != nil {
			return err
		}
		c.key = true
	case strings.EqualFold(scheme, "Bearer"):
		if version == "" {
			return missingHeader("x-ms-version")
		}
		var err error
		own := "https://" + c.host()
		if c.who, err = c.planes.cloud.Authenticate(header, append([]string{own}, blobAudiences...)...); err != nil {
			c.challenge()
			return &storageError{401, "InvalidAuthenticationInfo", "Server failed to authenticate the request. Please refer to the information in the www-authenticate header. " + err.Error()}
		}
	case c.q.Has("sig"):
		return authenticationFailed("Shared access signatures are not accepted here; use a token or the account's key.")
	case header != "":
		return invalidHeader("Authorization", scheme)
	default:
		c.anonymous = true
	}
	return nil
}

func (c *blobCall) challenge() {
	c.w.Header().Set("WWW-Authenticate", fmt.Sprintf("Bearer authorization_uri=https://login.microsoftonline.com/%s/oauth2/authorize resource_id=%s", c.planes.cloud.Tenant(), blobAudiences[0]))
}

// Rights that operations need ("Authorize access to blobs using Microsoft Entra
// ID": permissions for calling data operations).
const containers = "Microsoft.Storage/storageAccounts/blobServices/containers"

var (
	listContainers  = Right{containers + "/read", false}
	readContainer   = Right{containers + "/read", false}
	readService     = Right{"Microsoft.Storage/storageAccounts/blobServices/read", false}
	writeService    = Right{"Microsoft.Storage/storageAccounts/blobServices/write", false}
	writeContainer  = Right{containers + "/write", false}
	deleteContainer = Right{containers + "/delete", false}
	readBlob        = Right{containers + "/blobs/read", true}
	writeBlob       = Right{containers + "/blobs/write", true}
	deleteBlob      = Right{containers + "/blobs/delete", true}
)

// need refuses a request whose caller lacks a right. Where the account and the
// container allow public access, anybody may read.
func (c *blobCall) need(right Right) error {
	if c.key {
		return nil
	}
	if c.anonymous {
		return c.needNobody(right)
	}
	scope := c.id.Child("blobServices", "default")
	if c.container != "" {
		scope = scope.Child("containers", c.container)
	}
	if c.planes.cloud.May(c.who, right, scope) {
		return nil
	}
	return errNoPermission
}

// needNobody is need for a request that says nothing of its sender
// ("Configure anonymous read access for containers and blobs").
func (c *blobCall) needNobody(right Right) error {
	if open, _ := c.doc.Properties()["allowBlobPublicAccess"].(bool); !open {
		if c.r.Header.Get("X-Ms-Version") != "" || right != readBlob {
			c.challenge()
			return errNoAuthentication
		}
		return &storageError{409, "PublicAccessNotPermitted", "Public access is not permitted on this storage account."}
	}
	s, err := c.a.container(c.container)
	list := c.name == ""
	if err == nil && right == readBlob && (s.access == "container" || s.access == "blob" && !list) {
		return nil
	}
	if err == nil && right == readContainer && s.access == "container" {
		return nil
	}
	c.challenge()
	return errNoAuthentication
}

// route finds the operation of a request.
func (c *blobCall) route() error {
	comp, restype, method := c.q.Get("comp"), c.q.Get("restype"), c.r.Method
	for _, what := range []string{"snapshot", "versionid"} {
		if c.q.Get(what) != "" {
			return notImplemented(what + "s of blobs")
		}
	}
	level := "blob"
	switch {
	case c.container == "":
		level = "account"
	case c.name == "":
		level = "container"
	}
	type op struct {
		right Right
		run   func(*blobCall) error
	}
	ops := map[string]op{
		"GET account list":        {listContainers, (*blobCall).listContainers},
		"GET account properties":  {readService, (*blobCall).serviceProperties},
		"PUT account properties":  {writeService, (*blobCall).setServiceProperties},
		"PUT container":           {writeContainer, (*blobCall).createContainer},
		"GET container":           {readContainer, (*blobCall).showContainer},
		"HEAD container":          {readContainer, (*blobCall).showContainer},
		"GET container metadata":  {readContainer, (*blobCall).showContainer},
		"HEAD container metadata": {readContainer, (*blobCall).showContainer},
		"PUT container metadata":  {writeContainer, (*blobCall).setContainerMetadata},
		"PUT container acl":       {writeContainer, (*blobCall).setContainerAccess},
		"GET container acl":       {readContainer, (*blobCall).containerAccess},
		"HEAD container acl":      {readContainer, (*blobCall).containerAccess},
		"DELETE container":        {deleteContainer, (*blobCall).dropContainer},
		"GET container list":      {readBlob, (*blobCall).listBlobs},
		"PUT blob":                {writeBlob, (*blobCall).putBlob},
		"PUT blob block":          {writeBlob, (*blobCall).putBlock},
		"PUT blob blocklist":      {writeBlob, (*blobCall).putBlockList},
		"GET blob blocklist":      {readBlob, (*blobCall).getBlockList},
		"GET blob":                {readBlob, (*blobCall).getBlob},
		"HEAD blob":               {readBlob, (*blobCall).getBlob},
		"GET blob metadata":       {readBlob, (*blobCall).showBlobMetadata},
		"HEAD blob metadata":      {readBlob, (*blobCall).showBlobMetadata},
		"PUT blob metadata":       {writeBlob, (*blobCall).setBlobMetadata},
		"PUT blob properties":     {writeBlob, (*blobCall).setBlobProperties},
		"DELETE blob":             {deleteBlob, (*blobCall).deleteBlob},
	}
	o, ok := ops[strings.TrimSpace(method+" "+level+" "+strings.ToLower(comp))]
	if !ok {
		if c.anonymous {
			c.challenge()
			return errNoAuthentication
		}
		if comp != "" {
			return notImplemented(fmt.Sprintf("%s of a %s with comp=%s", method, level, comp))
		}
		return &storageError{405, "UnsupportedHttpVerb", "The resource doesn't support the specified HTTP verb."}
	}
	if level == "container" && !strings.EqualFold(restype, "container") {
		return &storageError{400, "InvalidQueryParameterValue", "Value for one of the query parameters specified in the request URI is invalid: restype."}
	}
	if err := c.need(o.right); err != nil {
		return err
	}
	return o.run(c)
}

// fail answers with an error.
func (c *blobCall) fail(err error) {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		err = &storageError{413, "RequestBodyTooLarge", fmt.Sprintf("The request body is too large and exceeds the maximum permissible limit of %d bytes.", large.Limit)}
	}
	e := asStorageError(err)
	h := c.w.Header()
	h.Set("X-Ms-Error-Code", e.code)
	if e.status == http.StatusNotModified || c.r.Method == http.MethodHead {
		c.w.WriteHeader(e.status)
		return
	}
	type failure struct {
		XMLName xml.Name `xml:"Error"`
		Code    string
		Message string
	}
	c.xml(e.status, failure{Code: e.code, Message: fmt.Sprintf("%s\nRequestId:%s\nTime:%s", e.message, h.Get("X-Ms-Request-Id"), c.now.Format("2006-01-02T15:04:05.0000000Z"))})
}

func (c *blobCall) xml(status int, v any) {
	b, err := xml.Marshal(v)
	if err != nil {
		c.w.WriteHeader(http.StatusInternalServerError)
		return
	}
	c.w.Header().Set("Content-Type", "application/xml")
	c.w.WriteHeader(status)
	_, _ = c.w.Write(append([]byte(xml.Header), b...)) // a client that is gone does not read it
}
