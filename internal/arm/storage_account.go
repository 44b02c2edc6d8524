package arm

import (
	"slices"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
)

// fillStorageAccount says where an account is, dates it, its keys and its
// encryption, and what its kind has.
func fillStorageAccount(c *change) *Fault {
	c.fillManagedIdentity()
	p, was := c.props(), c.oldProps()
	now := c.by.At.UTC().Format(time.RFC3339Nano)
	location := text(c.doc, "location")
	setDefault(c.doc, "tags", map[string]any{})
	p["primaryLocation"] = location
	delete(p, "secondaryLocation")
	if sku := text(object(c.doc, "sku"), "name"); strings.Contains(sku, "GRS") || strings.Contains(sku, "GZRS") {
		if region, ok := catalog.Region(location); ok && region.Paired != "" {
			p["secondaryLocation"] = region.Paired
		}
	}
	keep := func(name string, v any) {
		if old, ok := was[name]; ok {
			v = model.CloneJSON(old)
		}
		p[name] = v
	}
	keep("creationTime", now)
	keep("keyCreationTime", map[string]any{"key1": now, "key2": now})
	if tier, _, ok := strings.Cut(text(object(c.doc, "sku"), "name"), "_"); ok {
		object(c.doc, "sku")["tier"] = tier
	}
	if kind := text(c.doc, "kind"); kind != "Storage" && kind != "FileStorage" {
		setDefault(p, "accessTier", "Hot")
	}
	fillEncryption(p, was, now)
	return nil
}

// fillEncryption completes how an account is encrypted: blobs and files always
// are, with the service's keys unless it says otherwise ("Azure Storage
// encryption for data at rest").
func fillEncryption(p, was map[string]any, now string) {
	encryption := object(p, "encryption")
	if encryption == nil {
		encryption = map[string]any{}
		if before := object(was, "encryption"); before != nil {
			encryption, _ = model.CloneJSON(before).(map[string]any)
		}
		p["encryption"] = encryption
	}
	setDefault(encryption, "keySource", "Microsoft.Storage")
	services := object(encryption, "services")
	if services == nil {
		services = map[string]any{}
		encryption["services"] = services
	}
	for _, name := range []string{"blob", "file", "queue", "table"} {
		service := object(services, name)
		if service == nil {
			if name == "queue" || name == "table" {
				continue // told only where keys of accounts were asked for
			}
			service = map[string]any{}
			services[name] = service
		}
		service["enabled"] = true
		setDefault(service, "keyType", "Account")
		at := text(object(object(object(was, "encryption"), "services"), name), "lastEnabledTime")
		if at == "" {
			at = now
		}
		service["lastEnabledTime"] = at
	}
}

// storageServices are the services that accounts of a kind and a SKU have.
func storageServices(kind, sku string) []string {
	switch {
	case kind == "Storage":
		return []string{"blob", "file", "queue", "table"}
	case kind == "BlobStorage":
		return []string{"blob", "dfs", "table"}
	case kind == "FileStorage":
		return []string{"file"}
	case kind == "BlockBlobStorage":
		return []string{"blob", "dfs", "web"}
	case strings.HasPrefix(sku, "Premium"):
		return []string{"blob", "web"}
	}
	return []string{"blob", "dfs", "file", "queue", "table", "web"}
}

// webZones are the zones of static websites of regions, as far as they are
// known; those of the others are unconfirmed.
var webZones = map[string]string{
	"eastus": "z13", "eastus2": "z20", "eastus2euap": "z3", "southcentralus": "z21", "westus": "z22", "westus2": "z5",
}

const anyWebZone = "z1"

// storageEndpoints are the addresses of an account's services; suffix is
// "-secondary" for those of the copy, which has no files.
func storageEndpoints(account *model.Resource, suffix string) map[string]any {
	ends := endpointsNamed(account, suffix)
	// "Network routing preference for Azure Storage": the internet's are those of
	// blobs, files, websites and data lakes.
	wanted := object(account.Properties(), "routingPreference")
	if wanted["publishMicrosoftEndpoints"] == true {
		ends["microsoftEndpoints"] = endpointsNamed(account, "-microsoftrouting"+suffix)
	}
	if wanted["publishInternetEndpoints"] == true {
		internet := endpointsNamed(account, "-internetrouting"+suffix)
		delete(internet, "queue")
		delete(internet, "table")
		ends["internetEndpoints"] = internet
	}
	return ends
}

// endpointsNamed are the addresses of an account's services under its name with a
// suffix.
func endpointsNamed(account *model.Resource, suffix string) map[string]any {
	zone := webZones[account.Location()]
	if zone == "" {
		zone = anyWebZone
	}
	ends := map[string]any{}
	for _, s := range storageServices(text(account.Doc, "kind"), text(object(account.Doc, "sku"), "name")) {
		switch {
		case s == "web":
			ends[s] = "https://" + account.ID.Name() + suffix + "." + zone + ".web.core.windows.net/"
		case s != "file" || !strings.HasSuffix(suffix, "-secondary"):
			ends[s] = "https://" + account.ID.Name() + suffix + "." + s + ".core.windows.net/"
		}
	}
	return ends
}

// readableCopies are the SKUs whose copy in the paired region can be read.
var readableCopies = []string{"Standard_RAGRS", "Standard_RAGZRS"}

func showStorageAccount(r *reading, p map[string]any) {
	r.showConnections(p)
	e, ok := r.view.Get(r.id)
	if !ok {
		return
	}
	account := e.Resource
	p["primaryEndpoints"], p["statusOfPrimary"] = storageEndpoints(account, ""), "available"
	if p["secondaryLocation"] == nil {
		return
	}
	p["statusOfSecondary"] = "available"
	if slices.Contains(readableCopies, text(object(account.Doc, "sku"), "name")) {
		p["secondaryEndpoints"] = storageEndpoints(account, "-secondary")
	}
}
