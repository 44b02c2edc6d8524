package arm

import "strings"

// words are the names of a type's properties, and the values of those that have
// a fixed set, as the service spells them. It takes them in any case and answers
// in its own (Azure/azure-cli recordings: the Azure CLI creates application
// gateways with "FrontendIpConfiguration" and "Protocol": "http").
type words struct {
	names  map[string]string            // by lower case
	values map[string]map[string]string // by lower-case property, then by lower-case value
}

func newWords(names string, values map[string]string) *words {
	w := &words{names: map[string]string{}, values: map[string]map[string]string{}}
	for name := range strings.FieldsSeq(names) {
		w.names[strings.ToLower(name)] = name
	}
	for property, list := range values {
		set := map[string]string{}
		for value := range strings.FieldsSeq(list) {
			set[strings.ToLower(value)] = value
		}
		w.values[strings.ToLower(property)] = set
	}
	return w
}

// respell gives names and values of a document their spelling.
func (w *words) respell(v any) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			w.respell(e)
		}
	case map[string]any:
		for key, e := range v {
			if s, ok := e.(string); ok {
				if own, ok := w.values[strings.ToLower(key)][strings.ToLower(s)]; ok {
					v[key] = own
				}
			} else {
				w.respell(e)
			}
			own, known := w.names[strings.ToLower(key)]
			if !known || own == key {
				continue
			}
			if _, both := v[own]; !both {
				v[own] = v[key]
				delete(v, key)
			}
		}
	}
}

// gatewayWords are those of application gateways ("Application Gateways - Create
// Or Update").
var gatewayWords = newWords(`
	actionSet affinityCookieName authenticationCertificates autoscaleConfiguration backendAddressPool backendAddressPools
	backendAddresses backendHttpSettings backendHttpSettingsCollection backendSettings backendSettingsCollection body
	capacity cipherSuites clientAuthConfiguration components conditions connectionDraining cookieBasedAffinity
	customErrorConfigurations customErrorPageUrl data defaultBackendAddressPool defaultBackendHttpSettings
	defaultRedirectConfiguration defaultRewriteRuleSet disabledRuleGroups disabledSslProtocols drainTimeoutInSec
	enableFips enableHttp2 enabled exclusions fileUploadLimitInMb firewallMode firewallPolicy forceFirewallPolicyAssociation
	fqdn frontendIPConfiguration frontendIPConfigurations frontendPort frontendPorts gatewayIPConfigurations
	globalConfiguration headerName headerValue host hostName hostNames httpListener httpListeners httpResponse id ignoreCase
	includePath includeQueryString interval ipAddress keyVaultSecretId listener listeners loadDistributionPolicies
	loadDistributionPolicy match matchVariable maxCapacity maxRequestBodySize maxRequestBodySizeInKb minCapacity
	minProtocolVersion minServers name negate paths password path pathRules pattern pickHostNameFromBackendAddress
	pickHostNameFromBackendHttpSettings pickHostNameFromBackendSettings policyName policyType port priority
	privateIPAddress privateIPAllocationMethod privateLinkConfiguration privateLinkConfigurations probe probeEnabled probes
	properties protocol publicIPAddress redirectConfiguration redirectConfigurations redirectType requestBodyCheck
	requestHeaderConfigurations requestRoutingRules requestTimeout requireServerNameIndication reroute
	responseHeaderConfigurations rewriteRuleSet rewriteRuleSets rewriteRules routingRules ruleGroupName ruleSequence
	ruleSetType ruleSetVersion ruleType rules selector selectorMatchOperator sku sslCertificate sslCertificates sslPolicy
	sslProfile sslProfiles statusCode statusCodes subnet targetListener targetUrl tier timeout trustedClientCertificates
	trustedRootCertificates unhealthyThreshold urlConfiguration urlPathMap urlPathMaps variable verifyClientCertIssuerDN
	verifyClientRevocation webApplicationFirewallConfiguration`,
	map[string]string{
		"protocol": "Http Https Tcp Tls", "ruleType": "Basic PathBasedRouting", "cookieBasedAffinity": "Enabled Disabled",
		"firewallMode": "Detection Prevention", "redirectType": "Permanent Found SeeOther Temporary",
		"privateIPAllocationMethod": "Dynamic Static", "policyType": "Predefined Custom CustomV2",
	})
