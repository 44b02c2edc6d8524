package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// unrecorded are the types that preparers of the tests make off the record, in
// lower case, with the least a creation must say besides where.
var unrecorded = map[string]string{
	"microsoft.storage/storageaccounts":                `{"sku":{"name":"Standard_LRS"},"kind":"StorageV2","properties":{}}`,
	"microsoft.keyvault/vaults":                        `{"properties":{"tenantId":"00000000-0000-0000-0000-000000000000","sku":{"family":"A","name":"standard"},"accessPolicies":[]}}`,
	"microsoft.sql/servers":                            `{"properties":{"administratorLogin":"admin123","administratorLoginPassword":"SecretPassword123"}}`,
	"microsoft.network/virtualnetworks":                `{"properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]}}}`,
	"microsoft.managedidentity/userassignedidentities": `{}`,
}

// preparer makes what a recording takes for granted.
type preparer struct {
	cloud *cloud
	rec   *cassette
	known map[string]bool // resources that were made, on the record or off it, in lower case
}

// before makes the resource that an exchange is about or below, if it is there
// on the record before anything made it.
func (p *preparer) before(ctx context.Context, number int) error {
	x := &p.rec.Interactions[number]
	u, err := url.Parse(x.Request.URI)
	if err != nil {
		return err
	}
	top, t := topResource(u.Path)
	least, ok := unrecorded[strings.ToLower(t)]
	key := strings.ToLower(top)
	if !ok || p.known[key] {
		return nil
	}
	itself := strings.EqualFold(top, strings.TrimSuffix(u.Path, "/"))
	if x.Response.Status.Code >= 400 || x.Response.Status.Code == http.StatusNoContent {
		return nil // nothing is there, as far as one can tell
	}
	p.known[key] = true
	if itself && x.Request.Method == http.MethodPut {
		return nil
	}
	doc := map[string]any{}
	if err := json.Unmarshal([]byte(least), &doc); err != nil {
		return err
	}
	name, _ := group(u.Path)
	doc["location"] = locationOf(p.rec, name)
	for k, v := range p.shown(number, top) {
		doc[k] = v
	}
	body, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	at := strings.ReplaceAll(top, recordedSubscription, p.cloud.subscription)
	sent := strings.ReplaceAll(string(body), recordedSubscription, p.cloud.subscription)
	a, err := p.cloud.send(ctx, http.MethodPut, p.cloud.endpoint+at+"?api-version=2022-01-01", sent, nil)
	if err != nil {
		return err
	}
	if a.status >= 300 {
		return fmt.Errorf("making %s: %d %s", at, a.status, a.body)
	}
	_, err = p.cloud.settle(ctx, a)
	return err
}

// shown is what the first recorded answer about a resource says that a
// creation must have said.
func (p *preparer) shown(from int, top string) map[string]any {
	for i := from; i < len(p.rec.Interactions); i++ {
		x := &p.rec.Interactions[i]
		u, err := url.Parse(x.Request.URI)
		if err != nil || !strings.EqualFold(u.Path, top) {
			continue
		}
		if x.Request.Method != http.MethodGet || x.Response.Status.Code != http.StatusOK {
			return nil
		}
		var doc map[string]any
		if json.Unmarshal([]byte(text(x.Response.Body.String)), &doc) != nil {
			return nil
		}
		out := map[string]any{}
		for _, k := range []string{"location", "sku", "kind", "tags", "properties"} {
			if doc[k] != nil {
				out[k] = doc[k]
			}
		}
		props, _ := out["properties"].(map[string]any)
		delete(props, "privateEndpointConnections")
		delete(props, "subnets")
		if t := strings.ToLower(top); strings.Contains(t, "/microsoft.sql/") && props != nil {
			props["administratorLoginPassword"] = "SecretPassword123"
		}
		return out
	}
	return nil
}

// topResource is the ID of the top-level resource in a resource group that a
// path is of or below, and its type; "" if there is none.
func topResource(path string) (id, resourceType string) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	if len(parts) < 8 || !strings.EqualFold(parts[2], "resourceGroups") || !strings.EqualFold(parts[4], "providers") {
		return "", ""
	}
	return "/" + strings.Join(parts[:8], "/"), parts[5] + "/" + parts[6]
}
