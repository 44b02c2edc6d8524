package arm

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
)

// Types at the edge of a network.
const (
	typePublicPrefix   = "Microsoft.Network/publicIPPrefixes"
	typeDDoSPlan       = "Microsoft.Network/ddosProtectionPlans"
	typeAppGateway     = "Microsoft.Network/applicationGateways"
	typeGatewayPool    = "Microsoft.Network/applicationGateways/backendAddressPools"
	typeBastion        = "Microsoft.Network/bastionHosts"
	typeWatcher        = "Microsoft.Network/networkWatchers"
	typeTrafficManager = "Microsoft.Network/trafficManagerProfiles"
	typeWAFPolicy      = "Microsoft.Network/applicationGatewayWebApplicationFirewallPolicies"
)

// edgeKinds are what stands between a network and the internet.
func edgeKinds() []*kind {
	kinds := []*kind{
		{
			Type: typePublicPrefix, Place: inGroup, Location: locationRequired, Name: networkName, State: true, GUID: true,
			Computed: []string{"publicIPAddresses", "loadBalancerFrontendIpConfiguration"},
			Defaults: []setting{{"publicIPAddressVersion", "IPv4"}, {"ipTags", []any{}}},
			InUse:    inUse("PublicIPPrefixInUse", "Public IP prefix %s is in use by %s and cannot be deleted."), // code unconfirmed
			Check:    checkPublicPrefix, Fill: fillPublicPrefix,
			Show: showBack(back{"publicIPAddresses", model.TypePublicIP}),
		},
		{
			Type: typeDDoSPlan, Fixed: true, Place: inGroup, Location: locationRequired, Name: networkName, State: true, Ready: true, GUID: true,
			Since:    []since{{"resourceGuid", "2024-01-01"}},
			Computed: []string{"virtualNetworks", "publicIPAddresses"},
			InUse:    inUse("InUseDdosProtectionPlanCannotBeDeleted", "DDoS Protection Plan %s cannot be deleted because it is in use with virtual networks %s."),
			Show:     showBack(back{"virtualNetworks", model.TypeVirtualNetwork}),
		},
		{
			Type: typeBastion, Fixed: true, Place: inGroup, Location: locationRequired, Name: networkName, State: true,
			Defaults: []setting{{"scaleUnits", json.Number("2")}, {"disableCopyPaste", false}, {"enableTunneling", false}, {"enableIpConnect", false}, {"enableShareableLink", false}, {"enableKerberos", false}, {"enableFileCopy", false}},
			Refs:     ipConfigurationRefs(),
			Check:    checkBastion, Fill: fillBastion,
		},
		{
			Type: typeWatcher, Place: inGroup, Location: locationRequired, Name: networkName, State: true, Sync: true,
			Computed: []string{"runningOperationIds"}, Defaults: []setting{{"runningOperationIds", []any{}}},
			Check: checkWatcher, Verbs: watcherVerbs(),
		},
		{
			Type: typeFlowLog, Location: locationRequired, Name: networkName, State: true,
			Computed: []string{"targetResourceGuid"},
			Defaults: []setting{
				{"enabled", true},
				{"format.type", "JSON"},
				{"format.version", json.Number("1")},
				{"retentionPolicy.days", json.Number("0")},
				{"retentionPolicy.enabled", false},
				{"flowAnalyticsConfiguration.networkWatcherFlowAnalyticsConfiguration.enabled", false},
			},
			Show: showFlowLog,
		},
		{
			Type: typeWatcher + "/connectionMonitors", Name: networkName, State: true, GUID: true,
			Computed: []string{"monitoringStatus", "connectionMonitorType", "startTime"},
			Defaults: []setting{{"outputs", []any{}}, {"testGroups.*.disable", false}},
			Fill:     fillMonitor,
		},
		{
			Type: typeWAFPolicy, Fixed: true, Place: inGroup, Location: locationRequired, Name: networkName, State: true,
			Computed: []string{"applicationGateways", "httpListeners", "pathBasedRules", "resourceState"},
			Answered: "Microsoft.Network/ApplicationGatewayWebApplicationFirewallPolicies",
			Defaults: []setting{
				{"customRules", []any{}},
				{"policySettings.requestBodyCheck", true},
				{"policySettings.requestBodyEnforcement", true},
				{"policySettings.requestBodyInspectLimitInKB", json.Number("128")},
				{"policySettings.fileUploadEnforcement", true},
				{"customRules.*.state", "Enabled"},
				{"customRules.*.matchConditions.*.negationConditon", false}, // Azure's spelling
				{"customRules.*.matchConditions.*.transforms", []any{}},
				{"customRules.*.skippedManagedRuleSets", []any{}},
				{"managedRules.managedRuleSets.*.ruleGroupOverrides.*.rules.*.state", "Disabled"},
				{"managedRules.exclusions.*.exclusionManagedRuleSets", []any{}},
				{"policySettings.maxRequestBodySizeInKb", json.Number("128")},
				{"policySettings.fileUploadLimitInMb", json.Number("100")},
				{"policySettings.state", "Disabled"},
				{"policySettings.mode", "Detection"},
				{"managedRules.exclusions", []any{}},
				{"managedRules.managedRuleSets.*.ruleGroupOverrides", []any{}},
			},
			InUse: inUse(codeResourceInUse, "Firewall policy %s is in use by %s and cannot be deleted."),
			Show:  showBack(back{"applicationGateways", typeAppGateway}),
		},
		{
			Type: typeAppGateway, Fixed: true, Place: inGroup, Location: locationRequired, Name: networkName, State: true, GUID: true,
			Words:    gatewayWords,
			Computed: []string{"operationalState", "privateEndpointConnections"},
			Defaults: gatewayDefaults(),
			Verbs: []verb{
				changing("start", gatewayState("Running")), changing("stop", gatewayState("Stopped")),
				{name: "backendhealth", long: true, answer: backendHealth},
				{name: "getBackendHealthOnDemand", body: withBody, long: true, answer: backendHealthOnDemand},
				{name: "privateLinkResources", get: true, answer: gatewayLinkResources},
			},
			Refs: []reference{
				regionalSubnetRef("properties.gatewayIPConfigurations.*.properties.subnet.id"),
				regionalSubnetRef("properties.frontendIPConfigurations.*.properties.subnet.id"),
				regionalRef(model.TypePublicIP, "properties.frontendIPConfigurations.*.properties.publicIPAddress.id"),
				ref(typeWAFPolicy, "properties.firewallPolicy.id"),
			},
			InUse: inUse(codeResourceInUse, "Application gateway %s is in use by %s and cannot be deleted."),
			Check: checkApplicationGateway, Fill: fillApplicationGateway, Terms: frontendTerms, Show: showApplicationGateway,
		},
		{
			Type: typeGatewayPool, Name: networkName, Inline: "backendAddressPools", State: true, ReadOnly: true,
			Computed: []string{"backendIPConfigurations"},
			InUse:    inUse(codeResourceInUse, "Backend address pool %s is in use by %s and cannot be deleted."),
			Show:     showBack(back{"backendIPConfigurations", typeNICConfig}),
		},
		{
			Type: typeTrafficManager, Place: inGroup, Location: locationGlobal, Name: serviceName, NoEtag: true, Sync: true, SyncDelete: true, MergePatch: true,
			Defaults: []setting{{"profileStatus", "Enabled"}, {"trafficRoutingMethod", "Performance"}, {"endpoints", []any{}}, {"trafficViewEnrollmentStatus", "Disabled"}},
			Words:    newWords("", map[string]string{"trafficRoutingMethod": "Performance Priority Weighted Geographic MultiValue Subnet"}),
			Check:    checkTrafficManager, Fill: fillTrafficManager, Shape: (*call).managerBody,
		},
	}
	for _, t := range []string{"azureEndpoints", "externalEndpoints", "nestedEndpoints"} {
		kinds = append(kinds, &kind{
			Type: typeTrafficManager + "/" + t, Inline: "endpoints", Shared: true, KeepAbsent: true, NoEtag: true, Sync: true, SyncDelete: true, MergePatch: true, Name: policyName,
			Updated:  http.StatusCreated, // as of a new one (Azure/azure-cli recordings, test_network_traffic_manager)
			Computed: []string{"endpointMonitorStatus"}, Shape: (*call).managerEndpointBody,
			Defaults: []setting{{"endpointStatus", "Enabled"}, {"alwaysServe", "Disabled"}},
		})
	}
	return append(kinds, publicZoneKinds()...)
}

// publicZoneKinds are public DNS zones and their record sets.
func publicZoneKinds() []*kind {
	const zone = "Microsoft.Network/dnsZones"
	kinds := []*kind{{
		Type: zone, Answered: publicZoneType, BareEtag: true, Place: inGroup, Location: locationGlobal, Name: zoneName, Sync: true, MergePatch: true,
		Computed: []string{"nameServers", "numberOfRecordSets", "maxNumberOfRecordSets", "maxNumberOfRecordsPerRecordSet"},
		Defaults: []setting{{"zoneType", "Public"}},
		Settle:   settleZone, Show: showPublicZone,
		Fill: func(c *change) *Fault {
			setDefault(c.doc, "tags", map[string]any{})
			return nil
		},
	}}
	for _, t := range recordTypes(zone) {
		kinds = append(kinds, &kind{
			Type: zone + "/" + t, Answered: publicZoneType + "/" + t, BareEtag: true, Name: recordName, Sync: true, SyncDelete: true, MergePatch: true, Whole: []string{"metadata"}, State: true,
			Words:    publicRecordWords,
			Computed: []string{"fqdn"}, Check: checkRecordSet, Show: showRecordSet, Fill: fillRecordSet,
			Refs: []reference{looseRef(model.TypePublicIP, "properties.targetResource.id")},
		})
	}
	return kinds
}

// Sizes of public IP prefixes ("Public IP address prefix", prefix sizes).
const (
	minPrefix4, maxPrefix4 = 21, 31
	minPrefix6, maxPrefix6 = 116, 127
)

func checkPublicPrefix(c *change) *Fault {
	p := c.props()
	if f := oneOf(c.id, "properties.publicIPAddressVersion", p["publicIPAddressVersion"], "IPv4", "IPv6"); f != nil {
		return f
	}
	lo, hi := minPrefix4, maxPrefix4
	if strings.EqualFold(text(p, "publicIPAddressVersion"), "IPv6") {
		lo, hi = minPrefix6, maxPrefix6
	}
	n, ok := whole(p["prefixLength"])
	if !ok || n < lo || n > hi {
		return invalidProperty(c.id, "properties.prefixLength", p["prefixLength"], "it must be a length Azure offers")
	}
	if was, ok := whole(c.oldProps()["prefixLength"]); ok && was != n {
		return fault(http.StatusConflict, "PropertyChangeNotAllowed", "The length of public IP prefix %s cannot be changed.", c.id)
	}
	return nil
}

// prefixPool is where prefixes come from, apart from single addresses.
var (
	prefixPool4 = netip.MustParsePrefix("20.128.0.0/10")
	prefixPool6 = netip.MustParsePrefix("2603:1001::/96")
)

// fillPublicPrefix assigns the prefix: the one it had, or the first from a place
// that follows from the ID that overlaps no other.
func fillPublicPrefix(c *change) *Fault {
	setDefault(c.doc, "sku.name", "Standard")
	setDefault(c.doc, "sku.tier", "Regional")
	p := c.props()
	if had := text(c.oldProps(), "ipPrefix"); had != "" {
		p["ipPrefix"] = had
		return nil
	}
	var taken []netip.Prefix
	for _, e := range findExact(c.tx.View, termType+strings.ToLower(typePublicPrefix)) {
		if pfx, err := netip.ParsePrefix(text(e.Resource.Properties(), "ipPrefix")); err == nil {
			taken = append(taken, pfx)
		}
	}
	pool := prefixPool4
	if strings.EqualFold(text(p, "publicIPAddressVersion"), "IPv6") {
		pool = prefixPool6
	}
	n, _ := whole(p["prefixLength"])
	step := uint32(1) << (pool.Addr().BitLen() - n)
	hosts := uint32(1)<<min(pool.Addr().BitLen()-pool.Bits(), 31) - 1
	at := hashOf(c.id.Key()) & hosts &^ (step - 1)
	for range len(taken) + 1 {
		want := netip.PrefixFrom(offset(pool, at), n)
		free := true
		for _, t := range taken {
			free = free && !t.Overlaps(want)
		}
		if free {
			p["ipPrefix"] = want.String()
			return nil
		}
		at = (at + max(step, 1<<11)) & hosts &^ (step - 1)
	}
	return fault(http.StatusConflict, "PublicIPPrefixCountLimitReached", "No public IP prefix is left for resource %s.", c.id) // code unconfirmed
}

func checkBastion(c *change) *Fault {
	configs, f := checkIPConfigurations(c, "bastionHostIpConfigurations")
	if f != nil {
		return f
	}
	for _, cfg := range configs {
		p := object(cfg, "properties")
		setDefault(p, "privateIPAllocationMethod", "Dynamic")
		id, err := model.ParseID(refID(p, "subnet"))
		if err != nil || !strings.EqualFold(id.Name(), "AzureBastionSubnet") {
			return badRequest("BastionSubnetNameInvalid", "Bastion host %s must be in a subnet named AzureBastionSubnet, not %s.", c.id, show(refID(p, "subnet"))) // code unconfirmed
		}
	}
	return checkPublicIPUse(c)
}

func fillBastion(c *change) *Fault {
	if _, ok := c.doc["sku"]; !ok {
		c.doc["sku"] = map[string]any{"name": "Basic"}
	}
	c.props()["dnsName"] = fmt.Sprintf("bst-%08x.bastion.azure.com", hashOf(c.id.Key()))
	return nil
}

// gatewayParts are the lists of an application gateway whose elements others of
// its parts refer to by ID.
var gatewayParts = []string{
	"authenticationCertificates", "backendAddressPools", "entraJWTValidationConfigs", "backendHttpSettingsCollection", "backendSettingsCollection",
	"frontendIPConfigurations", "frontendPorts", "gatewayIPConfigurations", "httpListeners", "listeners",
	"loadDistributionPolicies", "privateLinkConfigurations", "probes", "redirectConfigurations", "requestRoutingRules",
	"rewriteRuleSets", "routingRules", "sslCertificates", "sslProfiles", "trustedClientCertificates",
	"trustedRootCertificates", "urlPathMaps",
}

func checkApplicationGateway(c *change) *Fault {
	dropBackReferences(c.props())
	known, f := c.completeGatewayParts()
	if f != nil {
		return f
	}
	if dangling := c.danglingPart(c.doc, known); dangling != "" {
		return invalidReference(c.id, dangling)
	}
	if f := c.checkListeners(); f != nil {
		return f
	}
	for _, o := range objects(c.props(), "frontendIPConfigurations") {
		setDefault(object(o, "properties"), "privateIPAllocationMethod", "Dynamic")
	}
	for _, o := range objects(c.props(), "probes") {
		// "Application Gateway health monitoring": what a healthy answer is.
		p := object(o, "properties")
		if m := object(p, "match"); m == nil {
			setDefault(p, "match", map[string]any{"statusCodes": []any{"200-399"}})
		} else if codes, _ := m["statusCodes"].([]any); len(codes) == 0 {
			m["statusCodes"] = []any{"200-399"}
		}
	}
	if f := c.checkGatewaySubnet(); f != nil {
		return f
	}
	return checkPublicIPUse(c)
}

// checkListeners refuses two listeners of the same frontend, port and host.
func (c *change) checkListeners() *Fault {
	taken := map[string]string{}
	for _, o := range objects(c.props(), "httpListeners") {
		p := object(o, "properties")
		front, port := refID(p, "frontendIPConfiguration"), refID(p, "frontendPort")
		hosts, _ := p["hostNames"].([]any)
		if len(hosts) == 0 {
			hosts = []any{text(p, "hostName")}
		}
		for _, h := range hosts {
			host, _ := h.(string)
			key := strings.ToLower(front + " " + port + " " + host)
			if first, ok := taken[key]; ok {
				return badRequest(codeListenersAlike, "Two Http Listeners of Application Gateway %s and %s are using the same Frontend Port %s and FrontendIpConfiguration %s.", first, text(o, "id"), port, front)
			}
			taken[key] = text(o, "id")
		}
	}
	return nil
}

// codeListenersAlike is unconfirmed of listeners with hosts.
const codeListenersAlike = "ApplicationGatewayHttpListenersUsingSameFrontendPortAndFrontendIpConfig"

// checkGatewaySubnet refuses a new gateway in a subnet with anything but
// application gateways.
func (c *change) checkGatewaySubnet() *Fault {
	if c.old != nil {
		return nil
	}
	for _, o := range objects(c.props(), "gatewayIPConfigurations") {
		subnet := refID(object(o, "properties"), "subnet")
		for _, e := range findExact(c.tx.View, termRef+strings.ToLower(subnet)) {
			if id := e.Resource.ID; id.Is(model.TypeNIC) || id.Is(model.TypePrivateEndpoint) || id.Is(model.TypeLoadBalancer) {
				return badRequest("ApplicationGatewaySubnetCannotBeUsedByOtherResources", "Subnet %s cannot be used for application gateway %s: %s is in it.", subnet, c.id, id)
			}
		}
	}
	return nil
}

// completeParts gives the named elements of a list their heads and notes their
// IDs.
func (c *change) completeParts(parent model.ID, props map[string]any, list string, known map[string]bool) *Fault {
	if n := len(objects(props, list)); n > maxInline {
		return badRequest(codeTooManyChildren, "Resource %s would have %d %s; at most %d are allowed.", c.id, n, list, maxInline)
	}
	for _, o := range objects(props, list) {
		name := text(o, "name")
		if !networkName.MatchString(name) {
			return invalidProperty(c.id, "properties."+list+".name", o["name"], "each element needs a name")
		}
		id := parent.Child(list, name)
		if known[id.Key()] {
			return badRequest("DuplicateResourceName", "Cannot parse the request. Resource %s has two elements of %s named %s.", c.id, list, name)
		}
		known[id.Key()] = true
		o["id"], o["type"], o["etag"] = id.String(), id.Type(), c.etag
		p := object(o, "properties")
		if p == nil {
			p = map[string]any{}
			o["properties"] = p
		}
		p["provisioningState"] = "Succeeded"
	}
	return nil
}

// danglingPart returns a reference to a part of the document that is not there.
func (c *change) danglingPart(v any, known map[string]bool) string {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if d := c.danglingPart(e, known); d != "" {
				return d
			}
		}
	case map[string]any:
		if id := text(v, "id"); strings.HasPrefix(strings.ToLower(id), c.id.Key()+"/") && !known[strings.ToLower(id)] {
			return id
		}
		for _, e := range v {
			if d := c.danglingPart(e, known); d != "" {
				return d
			}
		}
	}
	return ""
}

// gatewayDefaults are those of an application gateway's parts; lists it does
// not have are shown empty.
func gatewayDefaults() []setting {
	out := []setting{
		{"backendAddressPools.*.properties.backendAddresses", []any{}},
		{"backendHttpSettingsCollection.*.properties.cookieBasedAffinity", "Disabled"},
		{"backendHttpSettingsCollection.*.properties.pickHostNameFromBackendAddress", false},
		{"backendHttpSettingsCollection.*.properties.requestTimeout", json.Number("30")},
		{"httpListeners.*.properties.requireServerNameIndication", false},
		{"httpListeners.*.properties.hostNames", []any{}},
		{"probes.*.properties.pickHostNameFromBackendHttpSettings", false},
		{"probes.*.properties.minServers", json.Number("0")},
		{"probes.*.properties.match", map[string]any{}},
		{"backendSettingsCollection.*.properties.timeout", json.Number("30")},
		{"listeners.*.properties.hostNames", []any{}},
		{"privateLinkConfigurations.*.properties.ipConfigurations.*.properties.privateIPAllocationMethod", "Dynamic"},
		{"rewriteRuleSets.*.properties.rewriteRules", []any{}},
		{"rewriteRuleSets.*.properties.rewriteRules.*.conditions", []any{}},
		{"rewriteRuleSets.*.properties.rewriteRules.*.actionSet.requestHeaderConfigurations", []any{}},
		{"rewriteRuleSets.*.properties.rewriteRules.*.actionSet.responseHeaderConfigurations", []any{}},
	}
	// Lists of one generation only are added when it is known which it is.
	ofOne := append(append([]string{"entraJWTValidationConfigs"}, gatewayListsV1...), gatewayListsV2...) // the first is new
	for _, list := range gatewayParts {
		if !slices.Contains(ofOne, list) {
			out = append(out, setting{list, []any{}})
		}
	}
	return out
}

// gatewayFirewallDefaults are those of a gateway's own firewall, if it has one.
var gatewayFirewallDefaults = []setting{
	{"disabledRuleGroups", []any{}},
	{"requestBodyCheck", true},
	{"maxRequestBodySizeInKb", json.Number("128")},
	{"fileUploadLimitInMb", json.Number("100")},
}

// gatewayState changes whether an application gateway runs.
func gatewayState(state string) func(*change) *Fault {
	return func(c *change) *Fault {
		c.props()["operationalState"] = state
		return nil
	}
}

func fillApplicationGateway(c *change) *Fault {
	state := text(c.oldProps(), "operationalState")
	if state == "" {
		state = "Running"
	}
	p := c.props()
	p["operationalState"] = state
	lists, others := gatewayListsV2, gatewayListsV1
	if firstGeneration(p) {
		lists, others = others, lists
	}
	for _, list := range lists {
		setDefault(p, list, []any{})
	}
	for _, list := range others {
		if len(objects(p, list)) == 0 {
			delete(p, list)
		}
	}
	if waf := object(p, "webApplicationFirewallConfiguration"); waf != nil {
		for _, d := range gatewayFirewallDefaults {
			setDefault(waf, d.path, d.value)
		}
	}
	for _, profile := range objects(p, "sslProfiles") {
		if auth := object(object(profile, "properties"), "clientAuthConfiguration"); auth != nil {
			setDefault(auth, "verifyClientRevocation", "None")
		}
	}
	for _, set := range objects(p, "rewriteRuleSets") {
		for _, rule := range objects(object(set, "properties"), "rewriteRules") {
			if url := object(object(rule, "actionSet"), "urlConfiguration"); url != nil {
				setDefault(url, "reroute", false)
			}
		}
	}
	c.keepCertificates()
	describeClientCertificates(p)
	c.describeIdentities()
	return c.assignAddresses("frontendIPConfigurations")
}

func checkTrafficManager(c *change) *Fault {
	p := c.props()
	if f := oneOf(c.id, "properties.trafficRoutingMethod", p["trafficRoutingMethod"], "Performance", "Priority", "Weighted", "Geographic", "MultiValue", "Subnet"); f != nil {
		return f
	}
	if text(object(p, "dnsConfig"), "relativeName") == "" {
		return invalidProperty(c.id, "properties.dnsConfig.relativeName", nil, "a profile needs a DNS name")
	}
	if m, given := p["monitorConfig"]; given && m != nil && object(p, "monitorConfig") == nil {
		return invalidProperty(c.id, "properties.monitorConfig", m, "it must be an object")
	}
	for i, o := range objects(p, "endpoints") {
		k := c.kinds[strings.ToLower(text(o, "type"))]
		if k == nil || k.Inline != "endpoints" {
			return invalidProperty(c.id, "properties.endpoints.type", o["type"], "it must be the type of an endpoint")
		}
		ep := object(o, "properties")
		if ep == nil {
			ep = map[string]any{}
			o["properties"] = ep
		}
		// Priority is the place in the list and weight 1 if they are not given.
		setDefault(ep, "priority", json.Number(strconv.Itoa(i+1)))
		setDefault(ep, "weight", json.Number("1"))
		ep["endpointMonitorStatus"] = "CheckingEndpoint"
		if strings.EqualFold(text(ep, "alwaysServe"), "Enabled") {
			ep["endpointMonitorStatus"] = "Unmonitored"
		}
		c.resolveTarget(ep)
	}
	return nil
}

// resolveTarget tells the name and the region of the public address that an
// endpoint leads to.
func (c *change) resolveTarget(endpoint map[string]any) {
	id, err := model.ParseID(text(endpoint, "targetResourceId"))
	if err != nil || !id.Is(model.TypePublicIP) {
		return
	}
	e, ok := c.tx.Get(id)
	if !ok {
		return
	}
	if name := text(object(e.Resource.Properties(), "dnsSettings"), "fqdn"); name != "" {
		endpoint["target"] = name
	}
	if region, ok := catalog.Region(e.Resource.Location()); ok {
		endpoint["endpointLocation"] = region.DisplayName
	}
}

func fillTrafficManager(c *change) *Fault {
	p := c.props()
	dns := object(p, "dnsConfig")
	dns["fqdn"] = text(dns, "relativeName") + ".trafficmanager.net"
	setDefault(p, "dnsConfig.ttl", json.Number("60"))
	status := "CheckingEndpoints"
	switch {
	case len(objects(p, "endpoints")) == 0:
		status = "Inactive"
	case strings.EqualFold(text(p, "profileStatus"), "Disabled"):
		status = "Disabled"
	}
	setDefault(p, "monitorConfig.profileMonitorStatus", status)
	// Defaults of probing ("Traffic Manager endpoint monitoring").
	monitor := object(p, "monitorConfig")
	setDefault(monitor, "intervalInSeconds", json.Number("30"))
	timeout := json.Number("10")
	if n, _ := whole(monitor["intervalInSeconds"]); n == 10 {
		timeout = "9" // probing fast
	}
	setDefault(monitor, "timeoutInSeconds", timeout)
	setDefault(monitor, "toleratedNumberOfFailures", json.Number("3"))
	object(p, "monitorConfig")["profileMonitorStatus"] = status
	return nil
}

// showFlowLog shows the GUID of what a flow log watches.
func showFlowLog(r *reading, p map[string]any) {
	guid := "00000000-0000-0000-0000-000000000000"
	if id, err := model.ParseID(text(p, "targetResourceId")); err == nil {
		if e, ok := r.view.Get(id); ok && text(e.Resource.Properties(), "resourceGuid") != "" {
			guid = text(e.Resource.Properties(), "resourceGuid")
		}
	}
	p["targetResourceGuid"] = guid
}

// fillMonitor says how a connection monitor runs.
func fillMonitor(c *change) *Fault {
	p := c.props()
	p["connectionMonitorType"] = "MultiEndpoint"
	if object(p, "source") != nil {
		p["connectionMonitorType"] = "SingleSourceDestination"
		// Only monitors of one source can be stopped.
		setDefault(p, "autoStart", true)
		p["monitoringStatus"] = "Running"
		if p["autoStart"] == false {
			p["monitoringStatus"] = "NotStarted"
		}
	}
	for _, test := range objects(p, "testConfigurations") {
		for _, protocol := range []string{"tcpConfiguration", "icmpConfiguration"} {
			if q := object(test, protocol); q != nil {
				setDefault(q, "disableTraceRoute", false)
			}
		}
	}
	if p["startTime"] = c.oldProps()["startTime"]; p["startTime"] == nil {
		p["startTime"] = c.by.At.UTC().Format(time.RFC3339Nano)
	}
	return nil
}
