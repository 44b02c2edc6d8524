package model

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"slices"
	"strings"
)

// doorDomain ends the DNS names of endpoints of Front Door. The form of the names,
// NAME-HASH.z01.azurefd.net, is unconfirmed: Azure's hash is of the resource and
// its tenant.
const doorDomain = ".z01.azurefd.net"

// EdgesTag is the tag of a profile that lists the regions of its edges, which no
// property of Azure's has: "westeurope,northeurope".
const EdgesTag = "cerulean-edges"

// EndpointHost returns the DNS name of an endpoint of Front Door, in lower case.
func EndpointHost(endpoint ID) string {
	sum := sha256.Sum256([]byte(endpoint.Key()))
	hash := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:10])
	return strings.ToLower(endpoint.Name() + "-" + hash + doorDomain)
}

// FrontDoorID returns what a profile's edges call themselves towards origins (the
// header X-Azure-FDID): a GUID.
func FrontDoorID(profile ID) string {
	sum := sha256.Sum256([]byte("frontDoorId " + profile.Key()))
	b := sum[:16]
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80 // version 8 (RFC 9562 section 5.8)
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// IsFrontDoor reports whether a resource is a profile of Front Door, standard or
// premium; other profiles of its type are content delivery networks.
func IsFrontDoor(r *Resource) bool {
	sku, _ := r.Doc["sku"].(map[string]any)
	name, _ := sku["name"].(string)
	return r.ID.Is(TypeFrontDoor) && slices.ContainsFunc([]string{"Standard_AzureFrontDoor", "Premium_AzureFrontDoor"}, func(s string) bool { return strings.EqualFold(s, name) })
}

// EdgeRegions returns the regions of a profile's edges: those of its tag, else
// those that are given.
func EdgeRegions(profile *Resource, otherwise []string) []string {
	for k, v := range profile.Tags() {
		if strings.EqualFold(k, EdgesTag) && v != "" {
			return strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ' ' })
		}
	}
	return otherwise
}
