package arm

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// RunningEdges is what runs the cloud's front doors.
type RunningEdges interface {
	// Purge makes the edges of a profile forget kept answers of some hosts (empty:
	// of all) and paths; false if it does not run.
	Purge(profile model.ID, hosts, paths []string) bool
}

// RunEdges says what runs the cloud's front doors, nil for nothing: purging is then
// accepted and has nothing to do.
func (s *Server) RunEdges(r RunningEdges) {
	if r == nil {
		s.edges.Store(nil)
		return
	}
	s.edges.Store(&r)
}

// Names of the parts of a profile ("Naming rules and restrictions for Azure
// resources", Microsoft.Cdn).
var (
	doorName     = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,258}[A-Za-z0-9])?$`)
	doorSetName  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]{0,259}$`)
	doorWAFName  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]{0,127}$`)
	doorHostName = regexp.MustCompile(`^(\*\.)?[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)+$`)
)

// frontDoorKinds are Azure Front Door, standard and premium.
func frontDoorKinds() []*kind {
	used := inUse(codeResourceInUse, "Resource %s is in use by %s and cannot be deleted.")
	part := func(kind *kind) *kind {
		kind.NoEtag, kind.MergePatch, kind.State, kind.InUse = true, true, true, used
		kind.Updated, kind.Patched = http.StatusAccepted, http.StatusAccepted
		if kind.Name == nil {
			kind.Name = doorName
		}
		kind.Computed = append(kind.Computed, "deploymentStatus", "profileName")
		show := kind.Show
		kind.Show = func(r *reading, p map[string]any) {
			p["deploymentStatus"] = "NotStarted"
			if show != nil {
				show(r, p)
			}
		}
		return kind
	}
	group := "properties.originGroup.id"
	return []*kind{
		{
			Type: model.TypeFrontDoor, Place: inGroup, Location: locationGlobal, Name: doorName, NoEtag: true, MergePatch: true, State: true,
			Patched:  http.StatusAccepted,
			Computed: []string{"frontDoorId", "resourceState", "extendedProperties"},
			InUse:    used, Check: checkFrontDoor, Fill: fillFrontDoor,
			Show: func(r *reading, p map[string]any) {
				p["frontDoorId"], p["resourceState"] = model.FrontDoorID(r.id), "Active"
			},
			Verbs: []verb{
				{name: "checkHostNameAvailability", body: withBody, answer: checkDoorHost},
				{name: "usages", answer: func(*question) (any, *Fault) { return map[string]any{"value": []any{}}, nil }},
			},
		},
		part(&kind{
			Type: model.TypeDoorEndpoint, Answered: "Microsoft.Cdn/profiles/afdendpoints", Location: locationGlobal, Fill: fillGlobal,
			Computed: []string{"hostName"},
			Defaults: []setting{{"enabledState", "Enabled"}},
			Show:     func(r *reading, p map[string]any) { p["hostName"] = model.EndpointHost(r.id) },
			Verbs:    []verb{{name: "purge", act: purgeEndpoint}},
		}),
		part(&kind{
			Type: model.TypeDoorRoute, Answered: "Microsoft.Cdn/profiles/afdendpoints/routes",
			Computed: []string{"endpointName"},
			Defaults: []setting{
				{"enabledState", "Enabled"},
				{"forwardingProtocol", "MatchRequest"},
				{"linkToDefaultDomain", "Disabled"},
				{"httpsRedirect", "Disabled"},
				{"patternsToMatch", []any{"/*"}},
				{"supportedProtocols", []any{"Http", "Https"}},
				{"customDomains", []any{}},
				{"customDomains.*.isActive", true}, // nobody asks the owner of a name here
				{"ruleSets", []any{}},
			},
			Refs: []reference{
				ref(model.TypeOriginGroup, group), ref(model.TypeCustomDomain, "properties.customDomains.*.id"), ref(model.TypeDoorRuleSet, "properties.ruleSets.*.id"),
			},
			Check: checkDoorRoute,
		}),
		part(&kind{
			Type: model.TypeOriginGroup,
			Defaults: []setting{
				{"loadBalancingSettings.sampleSize", json.Number("4")},
				{"loadBalancingSettings.successfulSamplesRequired", json.Number("3")},
				{"loadBalancingSettings.additionalLatencyInMilliseconds", json.Number("0")},
				{"sessionAffinityState", "Disabled"},
			},
			Check: checkOriginGroup,
		}),
		part(&kind{
			Type:     model.TypeOrigin,
			Computed: []string{"originGroupName"},
			Defaults: []setting{
				{"httpPort", json.Number("80")},
				{"httpsPort", json.Number("443")},
				{"priority", json.Number("1")},
				{"weight", json.Number("1000")}, // of the API; the portal writes 50
				{"enabledState", "Enabled"},
				{"enforceCertificateNameCheck", true},
			},
			Check: checkOrigin,
			Show:  func(r *reading, p map[string]any) { p["originGroupName"] = r.id.Parent().Name() },
		}),
		part(&kind{Type: model.TypeDoorRuleSet, Answered: "Microsoft.Cdn/profiles/rulesets", Name: doorSetName, MaybeBody: true, SyncDelete: true}),
		part(&kind{
			Type: model.TypeDoorRule, Answered: "Microsoft.Cdn/profiles/rulesets/rules", Name: doorSetName, SyncDelete: true,
			Computed: []string{"ruleSetName"},
			Defaults: []setting{
				{"matchProcessingBehavior", "Continue"},
				{"conditions", []any{}},
				{"conditions.*.parameters.negateCondition", false},
				{"conditions.*.parameters.transforms", []any{}},
				{"actions", []any{}},
			},
			Refs: []reference{ref(model.TypeOriginGroup, "properties.actions.*.parameters.originGroupOverride.originGroup.id")},
		}),
		part(&kind{
			Type: model.TypeCustomDomain, Answered: "Microsoft.Cdn/profiles/customdomains",
			Computed: []string{"domainValidationState", "validationProperties"},
			Defaults: []setting{{"tlsSettings.certificateType", "ManagedCertificate"}, {"tlsSettings.minimumTlsVersion", "TLS12"}},
			Refs:     []reference{ref(model.TypeDoorSecret, "properties.tlsSettings.secret.id")},
			Check:    checkCustomDomain,
			// Nobody asks the owner of a name here.
			Show: func(_ *reading, p map[string]any) { p["domainValidationState"] = "Approved" },
		}),
		part(&kind{Type: model.TypeDoorSecret, SyncDelete: true, Refs: []reference{looseRef("", "properties.parameters.secretSource.id")}}),
		part(&kind{
			Type: model.TypeSecurityPolicy,
			Refs: []reference{
				ref(model.TypeDoorWAFPolicy, "properties.parameters.wafPolicy.id"), looseRef("", "properties.parameters.associations.*.domains.*.id"),
			},
		}),
		{
			Type: model.TypeDoorWAFPolicy, Place: inGroup, Location: locationGlobal, Name: doorWAFName, SystemData: true, State: true, Fixed: true,
			Computed: []string{"frontendEndpointLinks", "routingRuleLinks", "securityPolicyLinks", "resourceState"},
			Defaults: []setting{
				{"policySettings.enabledState", "Enabled"},
				{"policySettings.mode", "Prevention"},
				{"policySettings.requestBodyCheck", "Enabled"},
				{"customRules.rules", []any{}},
				{"managedRules.managedRuleSets", []any{}},
				{"customRules.rules.*.enabledState", "Enabled"},
			},
			InUse: used,
			Show: func(r *reading, p map[string]any) {
				p["resourceState"], p["frontendEndpointLinks"], p["routingRuleLinks"], p["securityPolicyLinks"] = "Enabled", []any{}, []any{}, []any{}
				r.setUsers(p, "securityPolicyLinks", model.TypeSecurityPolicy)
			},
		},
	}
}

// fillGlobal spells the location as answers of Front Door do
// (Azure/azure-cli recordings, test_afd_*).
func fillGlobal(c *change) *Fault {
	c.doc["location"] = "Global"
	setDefault(c.doc, "tags", map[string]any{})
	return nil
}

func fillFrontDoor(c *change) *Fault {
	c.doc["kind"] = "frontdoor"
	return fillGlobal(c)
}

func checkFrontDoor(c *change) *Fault {
	name := text(object(c.doc, "sku"), "name")
	if !model.IsFrontDoor(&model.Resource{ID: c.id, Doc: c.doc}) {
		return invalidProperty(c.id, "sku.name", name, "it must be Standard_AzureFrontDoor or Premium_AzureFrontDoor; other profiles of Microsoft.Cdn are not here")
	}
	if c.old != nil {
		before := text(object(c.old, "sku"), "name")
		if strings.EqualFold(before, "Premium_AzureFrontDoor") && !strings.EqualFold(before, name) {
			return invalidProperty(c.id, "sku.name", name, "a profile cannot go from premium to standard")
		}
	}
	return nil
}

func checkDoorRoute(c *change) *Fault {
	p := c.props()
	if text(object(p, "originGroup"), "id") == "" {
		return invalidProperty(c.id, "properties.originGroup", nil, "a route needs an origin group")
	}
	if f := oneOf(c.id, "properties.forwardingProtocol", p["forwardingProtocol"], "HttpOnly", "HttpsOnly", "MatchRequest"); f != nil {
		return f
	}
	protocols, _ := p["supportedProtocols"].([]any)
	if strings.EqualFold(text(p, "httpsRedirect"), "Enabled") && len(protocols) < 2 {
		return invalidProperty(c.id, "properties.httpsRedirect", "Enabled", "supportedProtocols must then be Http and Https")
	}
	patterns, _ := p["patternsToMatch"].([]any)
	for _, v := range patterns {
		s, _ := v.(string)
		if i := strings.IndexByte(s, '*'); !strings.HasPrefix(s, "/") || i >= 0 && i != len(s)-1 {
			return invalidProperty(c.id, "properties.patternsToMatch", s, "a pattern begins with / and may end with *")
		}
	}
	return nil
}

func checkOriginGroup(c *change) *Fault {
	b := object(c.props(), "loadBalancingSettings")
	samples, _ := whole(b["sampleSize"])
	need, _ := whole(b["successfulSamplesRequired"])
	if need < 0 || need > samples {
		return invalidProperty(c.id, "properties.loadBalancingSettings.successfulSamplesRequired", b["successfulSamplesRequired"], "it must not be more than sampleSize")
	}
	if q := object(c.props(), "healthProbeSettings"); q != nil {
		if n, ok := whole(q["probeIntervalInSeconds"]); ok && (n < 1 || n > 255) {
			return invalidProperty(c.id, "properties.healthProbeSettings.probeIntervalInSeconds", q["probeIntervalInSeconds"], "it must be 1 to 255")
		}
	}
	return nil
}

func checkOrigin(c *change) *Fault {
	p := c.props()
	if text(p, "hostName") == "" {
		return invalidProperty(c.id, "properties.hostName", nil, "an origin needs a host name or an address")
	}
	for name, most := range map[string]int{"priority": 5, "weight": 1000, "httpPort": 65535, "httpsPort": 65535} {
		if n, ok := whole(p[name]); ok && (n < 1 || n > most) {
			return invalidProperty(c.id, "properties."+name, p[name], "it must be 1 to "+json.Number(itoa(most)).String())
		}
	}
	return nil
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }

func checkCustomDomain(c *change) *Fault {
	p := c.props()
	if !doorHostName.MatchString(text(p, "hostName")) {
		return invalidProperty(c.id, "properties.hostName", p["hostName"], "it must be a host name such as www.contoso.com")
	}
	if c.old != nil {
		if before := text(object(c.old, "properties"), "hostName"); !strings.EqualFold(before, text(p, "hostName")) {
			return invalidProperty(c.id, "properties.hostName", p["hostName"], "the host name of a domain cannot be changed")
		}
	}
	return nil
}

// checkDoorHost answers whether a host name is free in a profile
// (AFDProfiles_CheckHostNameAvailability).
func checkDoorHost(q *question) (any, *Fault) {
	host := text(q.body, "hostName")
	if !doorHostName.MatchString(host) {
		return map[string]any{"nameAvailable": false, "reason": "Invalid", "message": "It is no host name."}, nil
	}
	for _, r := range q.view.Snapshot() {
		if r.ID.Is(model.TypeCustomDomain) && strings.EqualFold(text(r.Properties(), "hostName"), host) {
			return map[string]any{"nameAvailable": false, "reason": "AlreadyExists", "message": "The host name is already that of " + r.ID.String() + "."}, nil
		}
	}
	return map[string]any{"nameAvailable": true}, nil
}

// purgeEndpoint makes the edges forget kept answers (AFDEndpoints_PurgeContent).
func purgeEndpoint(c *call, on *model.Resource) *Fault {
	body, f := readBody(c.w, c.r)
	if f != nil {
		return f
	}
	var paths, hosts []string
	for _, list := range []struct {
		key  string
		into *[]string
	}{{"contentPaths", &paths}, {"domains", &hosts}} {
		values, _ := body[list.key].([]any)
		for _, v := range values {
			if s, ok := v.(string); ok {
				*list.into = append(*list.into, s)
			}
		}
	}
	if len(paths) == 0 {
		return fault(http.StatusBadRequest, "BadRequest", "contentPaths must name at least one path, such as /* or /pictures/city.png.")
	}
	if i := slices.IndexFunc(paths, func(p string) bool { return !strings.HasPrefix(p, "/") }); i >= 0 {
		return fault(http.StatusBadRequest, "BadRequest", "The path '%.100s' must begin with /.", paths[i])
	}
	if len(hosts) == 0 {
		hosts = []string{model.EndpointHost(on.ID)}
		for _, r := range c.s.store.View().Snapshot() {
			if !r.ID.Is(model.TypeDoorRoute) || !r.ID.Parent().Equal(on.ID) {
				continue
			}
			for _, ref := range objects(r.Properties(), "customDomains") {
				if id, err := model.ParseID(text(ref, "id")); err == nil {
					if d, ok := c.s.store.View().Get(id); ok {
						hosts = append(hosts, text(d.Resource.Properties(), "hostName"))
					}
				}
			}
		}
	}
	if r := c.s.edges.Load(); r != nil {
		(*r).Purge(on.ID.Parent(), hosts, paths)
	}
	return c.acceptEmpty(on)
}
