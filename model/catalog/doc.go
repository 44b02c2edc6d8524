// Package catalog holds facts that Azure publishes, as data with a source and
// a date: regions, round-trip times between them, service tags, limits,
// reserved names and ranges, the default security rules and the platform's own
// addresses.
//
// Nothing here is decided by Cerulean. A fact that could not be confirmed in a
// published document is marked "unconfirmed" beside its constant.
//
// The tables in the data folder are embedded and decoded on first use. They
// are written by internal/generate from the published files, which are not in
// the repository: set CATALOG_SOURCES to their folder and run "go generate".
package catalog

//go:generate go run ./internal/generate -regions $CATALOG_SOURCES/regions.csv -latency $CATALOG_SOURCES/latency.csv -tags $CATALOG_SOURCES/service-tags.json -out data
