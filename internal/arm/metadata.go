package arm

import (
	"net/http"
	"net/url"
)

// cloudName is the name clients know this cloud by.
const cloudName = "Cerulean"

// metadata answers /metadata/endpoints, by which clients learn a cloud's
// endpoints. Its shape depends on the api-version:
//
//	2015-01-01          the form of Azure Stack
//	2018-05-01 to 2020  an array of clouds
//	2022-09-01 and up   one cloud
func (s *Server) metadata(w http.ResponseWriter, r *http.Request, base string) {
	if !s.allow(w, r, http.MethodGet) {
		return
	}
	version, f := apiVersion(r.URL.Query(), s.now())
	switch {
	case f != nil:
		writeFault(w, f)
	case version < "2018":
		writeJSON(w, http.StatusOK, map[string]any{
			"galleryEndpoint": base + "/gallery", "graphEndpoint": base + "/graph", "portalEndpoint": base,
			"authentication": map[string]any{"loginEndpoint": base + "/adfs", "audiences": []string{base}},
		})
	case version < "2022":
		writeJSON(w, http.StatusOK, []any{s.cloud(base)})
	default:
		writeJSON(w, http.StatusOK, s.cloud(base))
	}
}

// cloud describes this cloud. Services it does not have are named at hosts
// below its own, which do not resolve, so that a client that reaches for one
// never ends up at the public cloud.
func (s *Server) cloud(base string) map[string]any {
	host := "localhost"
	if u, err := url.Parse(base); err == nil {
		host = u.Hostname()
	}
	absent := func(service string) string { return "https://" + service + "." + host + ".invalid" }
	suffix := func(service string) string { return service + ".invalid" }
	storage, vault := suffix("storage"), suffix("vault")
	if s.dataPlanes {
		storage, vault = "core.windows.net", "vault.azure.net"
	}
	return map[string]any{
		"name":            cloudName,
		"portal":          base,
		"resourceManager": base,
		"authentication": map[string]any{
			"loginEndpoint": base, "audiences": []string{base}, "tenant": "common", "identityProvider": "AAD",
		},
		"graph":                                 base + "/graph",
		"graphAudience":                         base + "/graph",
		"microsoftGraphResourceId":              base + "/graph",
		"media":                                 absent("media"),
		"batch":                                 absent("batch"),
		"gallery":                               absent("gallery"),
		"sqlManagement":                         absent("sqlmanagement"),
		"vmImageAliasDoc":                       absent("vmimages"),
		"activeDirectoryDataLake":               absent("datalake"),
		"ossrDbmsResourceId":                    absent("ossrdbms"),
		"logAnalyticsResourceId":                absent("loganalytics"),
		"synapseAnalyticsResourceId":            absent("synapse"),
		"attestationResourceId":                 absent("attestation"),
		"appInsightsResourceId":                 absent("appinsights"),
		"appInsightsTelemetryChannelResourceId": absent("telemetry"),
		"suffixes": map[string]any{
			"storage": storage, "keyVaultDns": vault, "acrLoginServer": suffix("registry"),
			"sqlServerHostname": suffix("database"), "azureFrontDoorEndpointSuffix": suffix("frontdoor"),
			"mhsmDns": suffix("managedhsm"), "storageSyncEndpointSuffix": suffix("storagesync"),
			"mysqlServerEndpoint": suffix("mysql"), "postgresqlServerEndpoint": suffix("postgres"),
			"mariadbServerEndpoint": suffix("mariadb"), "synapseAnalytics": suffix("synapse"),
			"attestationEndpoint": suffix("attest"), "azureDataLakeStoreFileSystem": suffix("datalakestore"),
			"azureDataLakeAnalyticsCatalogAndJob": suffix("datalakeanalytics"),
		},
	}
}
