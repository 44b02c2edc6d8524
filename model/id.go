package model

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"hash/fnv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ID is an Azure resource ID, for example
// /subscriptions/S/resourceGroups/G/providers/Microsoft.Network/virtualNetworks/V/subnets/A.
//
// IDs compare case-insensitively in Azure but keep the case of whoever created
// them; use [ID.Key] to compare or index and [ID.String] to show.
// The zero ID is invalid.
type ID struct {
	text string
}

// ParseID reads a resource ID. It accepts resource groups, resources at
// subscription or resource-group scope, resources of the tenant such as
// management groups (/providers/...), and child resources of any depth, and
// returns an error that names the first thing wrong.
func ParseID(s string) (ID, error) {
	if !strings.HasPrefix(s, "/") {
		return ID{}, fmt.Errorf("resource ID %q must start with \"/subscriptions/\"", s)
	}
	if len(s) > 4096 {
		return ID{}, fmt.Errorf("resource ID of %d characters is longer than 4096", len(s))
	}
	parts := strings.Split(s[1:], "/")
	for _, p := range parts {
		if p == "" {
			return ID{}, fmt.Errorf("resource ID %q has an empty segment", s)
		}
		if strings.ContainsFunc(p, unicode.IsControl) || !utf8.ValidString(p) {
			return ID{}, fmt.Errorf("resource ID %q has a control character", s)
		}
	}
	ofTenant := strings.EqualFold(parts[0], "providers")
	if !ofTenant && !strings.EqualFold(parts[0], "subscriptions") || len(parts) < 2 {
		return ID{}, fmt.Errorf("resource ID %q must start with \"/subscriptions/<subscription>\"", s)
	}
	rest := parts
	if !ofTenant {
		rest = parts[2:]
	}
	if !ofTenant && len(rest) > 0 && strings.EqualFold(rest[0], "resourceGroups") {
		if len(rest) < 2 {
			return ID{}, fmt.Errorf("resource ID %q lacks the resource group's name", s)
		}
		rest = rest[2:]
	}
	for len(rest) > 0 {
		if !strings.EqualFold(rest[0], "providers") {
			return ID{}, fmt.Errorf("resource ID %q: expected \"providers\", found %q", s, rest[0])
		}
		if len(rest) < 4 || strings.EqualFold(rest[2], "providers") {
			return ID{}, fmt.Errorf("resource ID %q: \"providers\" must be followed by namespace/type/name", s)
		}
		// Types and names alternate until an extension resource starts a new
		// "providers" segment.
		n := 2
		for n < len(rest) && !strings.EqualFold(rest[n], "providers") {
			if n+1 >= len(rest) {
				return ID{}, fmt.Errorf("resource ID %q: type %q has no name", s, rest[n])
			}
			n += 2
		}
		rest = rest[n:]
	}
	return ID{text: s}, nil
}

// MustParseID is ParseID for constants; it panics on a malformed ID.
func MustParseID(s string) ID {
	id, err := ParseID(s)
	if err != nil {
		panic(err)
	}
	return id
}

// String returns the ID as its creator spelled it.
func (id ID) String() string { return id.text }

// Key returns the lower-case form, equal for IDs that name the same resource.
func (id ID) Key() string { return strings.ToLower(id.text) }

// IsZero reports whether id is the zero ID.
func (id ID) IsZero() bool { return id.text == "" }

// Equal reports whether both IDs name the same resource.
func (id ID) Equal(other ID) bool { return strings.EqualFold(id.text, other.text) }

// Name returns the last segment: the resource's own name.
func (id ID) Name() string { return id.text[strings.LastIndexByte(id.text, '/')+1:] }

// Subscription returns the subscription's name, usually a GUID, or "" for
// resources of the tenant.
func (id ID) Subscription() string { return id.after("subscriptions") }

// ResourceGroup returns the resource group's name, or "" at subscription scope.
func (id ID) ResourceGroup() string { return id.after("resourceGroups") }

func (id ID) after(segment string) string {
	parts := strings.Split(id.text, "/")
	if len(parts) > 1 && strings.EqualFold(parts[1], "providers") {
		return ""
	}
	for i := 1; i+1 < len(parts) && i <= 3; i += 2 {
		if strings.EqualFold(parts[i], segment) {
			return parts[i+1]
		}
	}
	return ""
}

// Type returns the full resource type, for example
// "Microsoft.Network/virtualNetworks/subnets". A resource group's type is
// "Microsoft.Resources/resourceGroups", a subscription's
// "Microsoft.Resources/subscriptions". Compare types with [strings.EqualFold].
func (id ID) Type() string {
	parts := strings.Split(id.text, "/")
	last := -1
	for i := 1; i < len(parts); i += 2 {
		if strings.EqualFold(parts[i], "providers") {
			last = i
		}
	}
	if last < 0 {
		switch {
		case id.text == "":
			return ""
		case len(parts) >= 5:
			return TypeResourceGroup
		default:
			return "Microsoft.Resources/subscriptions"
		}
	}
	segments := []string{parts[last+1]}
	for i := last + 2; i < len(parts); i += 2 {
		segments = append(segments, parts[i])
	}
	return strings.Join(segments, "/")
}

// Is reports whether the ID is of the given resource type.
func (id ID) Is(resourceType string) bool { return strings.EqualFold(id.Type(), resourceType) }

// Parent returns the ID one level up: the virtual network of a subnet, the
// resource group of a virtual network, the subscription of a resource group.
// The parent of a subscription, and of a resource of the tenant, is the zero ID.
func (id ID) Parent() ID {
	parts := strings.Split(id.text, "/")
	n := len(parts)
	switch {
	case n <= 3:
		return ID{}
	case n >= 5 && strings.EqualFold(parts[n-4], "providers"):
		// .../providers/ns/type/name: up to the scope before "providers".
		return ID{text: strings.Join(parts[:n-4], "/")}
	default:
		return ID{text: strings.Join(parts[:n-2], "/")}
	}
}

// Child returns the ID of a child resource.
func (id ID) Child(childType, name string) ID {
	return ID{text: id.text + "/" + childType + "/" + name}
}

// SubscriptionID returns the ID of a subscription.
func SubscriptionID(subscription string) ID { return ID{text: "/subscriptions/" + subscription} }

// GroupID returns the ID of a resource group.
func GroupID(subscription, group string) ID {
	return ID{text: "/subscriptions/" + subscription + "/resourceGroups/" + group}
}

// Resource returns the ID of a resource directly below a resource group or a
// subscription; resourceType is "Namespace/type". Below the zero ID it is one of
// the tenant.
func (id ID) Resource(resourceType, name string) ID {
	return ID{text: id.text + "/providers/" + resourceType + "/" + name}
}

// MarshalText implements encoding.TextMarshaler.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.text), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (id *ID) UnmarshalText(b []byte) error {
	v, err := ParseID(string(b))
	if err != nil {
		return err
	}
	*id = v
	return nil
}

// NameServers returns the name servers of a public DNS zone, with their final
// dots. Azure assigns one of several sets ("Delegation of DNS zones with Azure
// DNS"); here it follows from the zone's ID.
func NameServers(zone ID) []string {
	h := fnv.New32a()
	h.Write([]byte(zone.Key()))
	n := h.Sum32()%9 + 1
	var out []string
	for i, tld := range []string{"com", "net", "org", "info"} {
		out = append(out, fmt.Sprintf("ns%d-%02d.azure-dns.%s.", i+1, n, tld))
	}
	return out
}

// InternalDomain returns the suffix of the names that Azure gives virtual
// machines in a virtual network ("Azure-provided name resolution"). Azure draws
// its first label; here it follows from the network's ID.
func InternalDomain(vnet ID) string {
	sum := sha256.Sum256([]byte(vnet.Key()))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:15])) + ".internal.cloudapp.net"
}
