package arm

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/model"
)

// call is one authenticated request.
type call struct {
	s            *Server
	w            http.ResponseWriter
	r            *http.Request
	base         string
	who          principal
	request      string
	version      string
	subscription string
	may          *rights // once asked for
}

func (c *call) actor() state.Actor {
	return state.Actor{At: c.s.now(), Who: c.who.AppID, Request: c.request}
}

var versionForm = regexp.MustCompile(`^(\d{4}-\d{2}-\d{2})(-[a-z]+)?$`)

// Versions that clients may ask for: none is older than Resource Manager, and
// clients may be somewhat newer than this server.
var oldestVersion = time.Date(2014, 4, 1, 0, 0, 0, 0, time.UTC)

const newerVersions = 2 * 365 * 24 * time.Hour

// apiVersion returns the api-version of a request: any date between the oldest
// version and some time after now.
func apiVersion(q url.Values, now time.Time) (string, *Fault) {
	v := ""
	for name, values := range q {
		if strings.EqualFold(name, "api-version") && len(values) > 0 {
			v = values[0]
		}
	}
	if v == "" {
		return "", badRequest("MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required for all requests.")
	}
	if m := versionForm.FindStringSubmatch(v); m != nil {
		if at, err := time.Parse(time.DateOnly, m[1]); err == nil && !at.Before(oldestVersion) && at.Before(now.Add(newerVersions)) {
			return v, nil
		}
	}
	return "", badRequest("InvalidApiVersionParameter", "The api-version '%.100s' is invalid. The supported versions are '%s' and other dates, optionally followed by '-preview'.", v, strings.Join(shownVersions, ","))
}

// maxPath is the longest path read, in bytes, as escaped.
const maxPath = 4096

// splitPath splits a path into its segments. Escaped separators, "." and ".."
// segments and control characters are refused rather than cleaned: what is
// checked must be what is used. Empty segments are left out: clients that fill a
// template in with an empty part send them, as `az resource show` does for a
// resource without a parent, and Resource Manager takes them.
func splitPath(u *url.URL) ([]string, *Fault) {
	escaped := strings.ToLower(u.EscapedPath())
	bad := func(why string) ([]string, *Fault) {
		return nil, badRequest("InvalidRequestUri", "The request path is invalid: %s.", why)
	}
	switch {
	case len(escaped) > maxPath:
		return nil, fault(http.StatusRequestURITooLong, "InvalidRequestUri", "The request path is longer than %d bytes.", maxPath)
	case strings.Contains(escaped, "%2f") || strings.Contains(escaped, "%5c") || strings.Contains(u.Path, `\`):
		return bad("it has an escaped slash or a backslash")
	}
	segments := strings.FieldsFunc(u.Path, func(r rune) bool { return r == '/' })
	for _, s := range segments {
		switch {
		case s == "." || s == "..":
			return bad("it has a relative segment")
		case strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f || r == 0xfffd }):
			return bad("it has a control character or is not UTF-8")
		}
	}
	return segments, nil
}

// route answers the request; a write that is refused is put on the trail. A
// panic is a defect of this server that ends the request and nothing else: what
// the request would have written is not stored, and the steps of a deployment,
// which are requests as well, have goroutines of their own.
func (c *call) route(path []string) (f *Fault) {
	defer func() {
		p := recover()
		if p == http.ErrAbortHandler {
			panic(p)
		}
		if p != nil {
			f = fault(http.StatusInternalServerError, "InternalServerError", "The request met a defect of this server: %.200v.", p)
		}
	}()
	f = c.dispatch(path)
	if f != nil {
		c.recordRefusal(path, f)
	}
	return f
}

// dispatch answers the request by the shape of its path.
func (c *call) dispatch(path []string) *Fault {
	is := func(i int, word string) bool { return i < len(path) && strings.EqualFold(path[i], word) }
	if len(path) > 5 && is(0, "subscriptions") && is(2, "resourceGroups") && is(4, "deployments") {
		// Deployments have a shorter path, too ("Deployment Operations - List").
		path = slices.Insert(slices.Clone(path), 4, "providers", "Microsoft.Resources")
	}
	switch {
	case len(path) == 1 && is(0, "tenants"):
		return c.tenants()
	case len(path) == 1 && is(0, "subscriptions"):
		return c.listSubscriptions()
	case len(path) > 2 && is(0, "providers"):
		return c.tenantLevel(path[1:])
	case len(path) < 2 || !is(0, "subscriptions"):
		return c.noRoute(path)
	}
	if f := c.enter(path[1]); f != nil {
		return f
	}
	switch n := len(path); {
	case n == 2:
		return c.getSubscription()
	case n == 3 && is(2, "locations"):
		return c.locations()
	case n == 3 && is(2, "resources"):
		return c.listResources(model.SubscriptionID(c.subscription))
	case n == 3 && is(2, "providers"), n == 4 && is(2, "providers"), n == 5 && is(2, "providers") && is(4, "register"):
		return c.providers(path[3:])
	case n == 5 && is(2, "providers") && is(4, "checkNameAvailability"):
		return c.checkServiceName(path[3])
	case n == 4 && is(2, "operationresults"):
		return c.groupOperation(path[3])
	case n == 8 && is(2, "providers") && is(4, "locations") && is(6, "operations"):
		return c.operation(path[7], false)
	case n == 8 && is(2, "providers") && is(4, "locations") && is(6, "operationResults"):
		return c.operation(path[7], true)
	case n > 6 && is(2, "providers") && is(3, "Microsoft.Compute") && is(4, "locations") && is(6, "publishers"):
		return c.images(path[5], path[6:])
	case n == 7 && is(2, "providers") && is(3, "Microsoft.Insights") && is(4, "eventtypes") && is(5, "management") && is(6, "values"):
		return c.activityLog()
	case n == 5 && is(2, "resourceGroups") && is(4, "resources"):
		return c.listResources(model.GroupID(c.subscription, path[3]))
	case n == 5 && is(2, "resourceGroups") && is(4, "moveResources"), n == 5 && is(2, "resourceGroups") && is(4, "validateMoveResources"):
		return c.moveResources(path[3], is(4, "validateMoveResources"))
	case n == 5 && is(2, "resourceGroups") && is(4, "exportTemplate"):
		return c.exportGroup(path[3])
	case n == 3 && is(2, "resourceGroups"):
		return c.collection(model.SubscriptionID(c.subscription), model.TypeResourceGroup)
	}
	if n := len(path); n > 5 && is(n-4, "providers") && is(n-3, "Microsoft.Resources") && is(n-2, "tags") && is(n-1, "default") {
		scope, err := model.ParseID("/" + strings.Join(path[:n-4], "/"))
		if err != nil {
			return c.noRoute(path)
		}
		if f := c.permitTags(scope); f != nil {
			return f
		}
		if f := c.checkLocks(scope); f != nil {
			return f
		}
		return c.tagsOf(scope)
	}
	return c.below(path)
}

// below answers paths of resources, their collections and actions.
func (c *call) below(path []string) *Fault {
	full := "/" + strings.Join(path, "/")
	if id, err := model.ParseID(full); err == nil {
		return c.resource(id)
	}
	// One segment more or less than an ID: a collection or an action.
	last := path[len(path)-1]
	up := "/" + strings.Join(path[:len(path)-1], "/")
	if len(path) >= 5 && strings.EqualFold(path[len(path)-3], "providers") {
		// .../providers/Namespace/type
		scope, err := model.ParseID("/" + strings.Join(path[:len(path)-3], "/"))
		if err != nil {
			return c.noRoute(path)
		}
		return c.listed(scope, path[len(path)-2]+"/"+last)
	}
	id, err := model.ParseID(up)
	if err != nil || id.Is(typeSubscription) {
		return c.noRoute(path)
	}
	if c.r.Method == http.MethodPost || c.s.kinds.verbOf(id.Type(), last, c.r.Method) != nil {
		if f := c.permitVerb(id, last); f != nil {
			return f
		}
		if f := c.checkLocks(id); f != nil {
			return f
		}
		return c.action(id, last)
	}
	return c.collection(id, id.Type()+"/"+last)
}

func (c *call) noRoute(path []string) *Fault {
	return fault(http.StatusNotFound, "InvalidResourcePath", "No route for '/%s'. Paths start with /subscriptions/SUBSCRIPTION.", strings.Join(path, "/"))
}

// resource answers a request for one resource.
func (c *call) resource(id model.ID) *Fault {
	// An action's name may have two parts: sharedkey/reset.
	if up := id.Parent(); !up.IsZero() {
		t := id.Type()
		name := t[strings.LastIndexByte(t, '/')+1:] + "/" + id.Name()
		if c.s.kinds.verbOf(up.Type(), name, c.r.Method) != nil {
			if f := c.permitVerb(up, name); f != nil {
				return f
			}
			if f := c.checkLocks(up); f != nil {
				return f
			}
			return c.action(up, name)
		}
	}
	if list := published[strings.ToLower(id.Type())]; list != nil && c.r.Method == http.MethodGet {
		for _, o := range list(id.Parent())["value"].([]any) {
			if o, _ := o.(map[string]any); strings.EqualFold(text(o, "name"), id.Name()) {
				writeJSON(c.w, http.StatusOK, o)
				return nil
			}
		}
		return notFound(id, false)
	}
	k, f := c.s.kinds.of(id)
	if f != nil {
		return f
	}
	if k.Type == typeRoleDefinition && c.r.Method == http.MethodGet {
		return c.roleDefinition(id.Name())
	}
	if f := c.permit(id); f != nil {
		return f
	}
	if f := c.checkLocks(id); f != nil {
		return f
	}
	if k.Derived != nil {
		return c.derived(k, id)
	}
	switch c.r.Method {
	case http.MethodGet:
		if k.Read != nil {
			return k.Read(c, k, id)
		}
		return c.get(k, id)
	case http.MethodHead:
		return c.head(id)
	case http.MethodPut:
		return c.put(k, id)
	case http.MethodPatch:
		return c.patch(k, id)
	case http.MethodDelete:
		return c.remove(k, id)
	default:
		return methodNotAllowed(c.r.Method, k.methods()...)
	}
}

// enter fixes the subscription of the request.
func (c *call) enter(name string) *Fault {
	if !subscriptionName.MatchString(name) {
		return badRequest("InvalidSubscriptionId", "The provided subscription identifier '%s' is malformed or invalid.", name)
	}
	c.subscription = name
	if c.s.subscriptions != nil {
		known, ok := c.s.subscriptions[strings.ToLower(name)]
		if !ok {
			return fault(http.StatusNotFound, "SubscriptionNotFound", "The subscription '%s' could not be found.", name)
		}
		c.subscription = known
	}
	return nil
}

var subscriptionName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
