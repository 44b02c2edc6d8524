package appgateway

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/traffic/gateway"
)

// Finding is something in a document that is not done as it is written.
type Finding struct {
	Place   gateway.Place
	Pointer string // JSON pointer of it
	What    string
}

// String is a line for people.
func (f Finding) String() string { return string(f.Place) + ": " + f.What }

// heard are the properties that are done, or that nothing depends on here; lists
// are passed through. What is not here is told.
var heard = pathsOf(map[string]string{
	"":                                  "id name type etag location tags zones identity",
	"properties":                        "sku autoscaleConfiguration operationalState resourceGuid provisioningState firewallPolicy sslPolicy enableHttp2",
	"properties.sku":                    "name tier capacity family",
	"properties.autoscaleConfiguration": "minCapacity maxCapacity",
	"properties.sslPolicy":              "policyType policyName minProtocolVersion cipherSuites",
	"properties.gatewayIPConfigurations.properties":                                             "subnet",
	"properties.frontendIPConfigurations.properties":                                            "subnet privateIPAddress privateIPAllocationMethod publicIPAddress httpListeners",
	"properties.frontendPorts.properties":                                                       "port httpListeners",
	"properties.sslCertificates.properties":                                                     "data password keyVaultSecretId publicCertData httpListeners",
	"properties.trustedRootCertificates.properties":                                             "data keyVaultSecretId",
	"properties.trustedClientCertificates.properties":                                           "data clientCertIssuerDN validatedCertData",
	"properties.sslProfiles.properties":                                                         "trustedClientCertificates",
	"properties.sslProfiles.properties.sslPolicy":                                               "policyType policyName minProtocolVersion cipherSuites",
	"properties.sslProfiles.properties.clientAuthConfiguration":                                 "verifyClientAuthMode",
	"properties.httpListeners.properties":                                                       "frontendIPConfiguration frontendPort protocol hostName hostNames sslCertificate sslProfile firewallPolicy requireServerNameIndication requestRoutingRules",
	"properties.backendAddressPools.properties":                                                 "backendIPConfigurations requestRoutingRules",
	"properties.backendAddressPools.properties.backendAddresses":                                "ipAddress fqdn",
	"properties.backendHttpSettingsCollection.properties":                                       "port protocol cookieBasedAffinity affinityCookieName requestTimeout path hostName pickHostNameFromBackendAddress probe probeEnabled trustedRootCertificates validateCertChainAndExpiry sniName requestRoutingRules",
	"properties.backendHttpSettingsCollection.properties.connectionDraining":                    "enabled drainTimeoutInSec",
	"properties.probes.properties":                                                              "protocol host path interval timeout unhealthyThreshold pickHostNameFromBackendHttpSettings minServers port backendHttpSettings",
	"properties.probes.properties.match":                                                        "body statusCodes",
	"properties.requestRoutingRules.properties":                                                 "ruleType priority httpListener backendAddressPool backendHttpSettings urlPathMap redirectConfiguration rewriteRuleSet loadDistributionPolicy",
	"properties.urlPathMaps.properties":                                                         "defaultBackendAddressPool defaultBackendHttpSettings defaultRedirectConfiguration defaultRewriteRuleSet defaultLoadDistributionPolicy requestRoutingRules",
	"properties.urlPathMaps.properties.pathRules.properties":                                    "paths backendAddressPool backendHttpSettings redirectConfiguration rewriteRuleSet loadDistributionPolicy firewallPolicy",
	"properties.redirectConfigurations.properties":                                              "redirectType targetListener targetUrl includePath includeQueryString requestRoutingRules pathRules urlPathMaps",
	"properties.rewriteRuleSets.properties.rewriteRules":                                        "name ruleSequence",
	"properties.rewriteRuleSets.properties.rewriteRules.conditions":                             "variable pattern ignoreCase negate",
	"properties.rewriteRuleSets.properties.rewriteRules.actionSet.requestHeaderConfigurations":  "headerName headerValue",
	"properties.rewriteRuleSets.properties.rewriteRules.actionSet.responseHeaderConfigurations": "headerName headerValue",
	"properties.rewriteRuleSets.properties.rewriteRules.actionSet.urlConfiguration":             "modifiedPath modifiedQueryString reroute",
	"properties.loadDistributionPolicies.properties":                                            "loadDistributionAlgorithm",
	"properties.loadDistributionPolicies.properties.loadDistributionTargets.properties":         "backendAddressPool weightPerServer",
})

// pathsOf returns the paths of the properties that are listed, separated by spaces,
// by the object they belong to.
func pathsOf(lists map[string]string) map[string]bool {
	m := map[string]bool{}
	for list, keys := range lists {
		for _, key := range strings.Fields(keys) {
			m[strings.TrimPrefix(list+"."+key, ".")] = true
		}
	}
	return m
}

// unheard tells what of the document is not done.
func (c *converter) unheard() {
	w := &listener{heard: heard, tell: c.finding}
	w.object("", "", c.source.Gateway.Doc)
}

// listener walks a document.
type listener struct {
	heard map[string]bool
	tell  func(pointer, format string, args ...any)
}

// pointerEscapes are those of RFC 6901, 3.
var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

func (w *listener) object(path, pointer string, m map[string]any) {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		at := k
		if path != "" {
			at = path + "." + k
		}
		w.value(at, pointer+"/"+pointerEscapes.Replace(k), k, m[k])
	}
}

func (w *listener) value(path, pointer, key string, v any) {
	// Every part has a name, an ID and what the service adds.
	if w.known(path) || strings.Contains(path, ".") && (key == "id" || key == "name" || key == "type" || key == "etag" || key == "provisioningState") {
		if _, deeper := v.(map[string]any); !deeper || !w.below(path) {
			return
		}
	}
	switch v := v.(type) {
	case map[string]any:
		w.object(path, pointer, v)
	case []any:
		for i, e := range v {
			w.value(path, fmt.Sprintf("%s/%d", pointer, i), "", e)
		}
	case nil:
	case bool:
		if v {
			w.tell(pointer, "%s is not done", key)
		}
	case string:
		if v != "" {
			w.tell(pointer, "%s (%q) is not done", key, v)
		}
	case json.Number:
		if v != "0" {
			w.tell(pointer, "%s (%s) is not done", key, v)
		}
	case float64:
		if v != 0 {
			w.tell(pointer, "%s (%v) is not done", key, v)
		}
	}
}

// known reports whether a path is heard, whatever its case.
func (w *listener) known(path string) bool {
	if w.heard[path] {
		return true
	}
	for p := range w.heard {
		if strings.EqualFold(p, path) {
			return true
		}
	}
	return false
}

// below reports whether parts of a path are looked at one by one.
func (w *listener) below(path string) bool {
	for p := range w.heard {
		if len(p) > len(path) && p[len(path)] == '.' && strings.EqualFold(p[:len(path)], path) {
			return true
		}
	}
	return false
}
