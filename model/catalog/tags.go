package catalog

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"sync"
)

// ServiceTagsChange is the change number of the service tags.
const ServiceTagsChange = "363"

// ServiceTagsSource says where the service tags come from.
const ServiceTagsSource = `Microsoft download "Azure IP Ranges and Service Tags - Public Cloud", change number ` + ServiceTagsChange + `, 2025-07`

//go:embed data/servicetags.gz
var serviceTagsGzip []byte

type tagTable struct {
	names []string          // as published, sorted
	lines map[string]string // lower-case name: prefixes separated by spaces
}

var tagData = sync.OnceValue(func() tagTable {
	z, err := gzip.NewReader(bytes.NewReader(serviceTagsGzip))
	if err != nil {
		panic(fmt.Sprintf("catalog: servicetags.gz: %v", err))
	}
	b, err := io.ReadAll(z)
	if err != nil {
		panic(fmt.Sprintf("catalog: servicetags.gz: %v", err))
	}
	t := tagTable{lines: map[string]string{}}
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		name, prefixes, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		t.names = append(t.names, name)
		t.lines[strings.ToLower(name)] = prefixes
	}
	return t
})

// ServiceTag returns the prefixes of a published service tag, for example
// "Storage", "Storage.WestEurope" or "AzureCloud.eastus"; case does not matter.
// The tags that Azure computes per network (VirtualNetwork, Internet,
// AzureLoadBalancer and the AzurePlatform tags) are not published and not here.
func ServiceTag(name string) ([]netip.Prefix, bool) {
	line, ok := tagData().lines[strings.ToLower(name)]
	if !ok {
		return nil, false
	}
	prefixes := make([]netip.Prefix, 0, strings.Count(line, " ")+1)
	for f := range strings.FieldsSeq(line) {
		prefixes = append(prefixes, netip.MustParsePrefix(f))
	}
	return prefixes, true
}

// ServiceTags returns the names of all published service tags, sorted.
func ServiceTags() []string { return slices.Clone(tagData().names) }
