package wire

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func views() map[string]func() any {
	return map[string]func() any{
		"vnet":     func() any { return new(VirtualNetwork) },
		"nsg":      func() any { return new(NSG) },
		"nic":      func() any { return new(NIC) },
		"firewall": func() any { return new(Firewall) },
		"group":    func() any { return new(RuleCollectionGroup) },
		"policy":   func() any { return new(PolicyDefinition) },
		"commit":   func() any { return new(Commit) },
		"zone":     func() any { return new(PrivateZone) },
		"records":  func() any { return new(RecordSet) },
	}
}

var documents = []string{
	`{}`,
	`{"id":"/x","name":"n","location":"westeurope","tags":{"env":"prod"},"properties":null}`,
	`{"properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"subnets":[{"name":"app","properties":{"addressPrefix":"10.0.0.0/24","defaultOutboundAccess":false,"networkSecurityGroup":{"id":"/n"}}}]}}`,
	`{"properties":{"securityRules":[{"name":"r","properties":{"priority":100,"direction":"Inbound","access":"Deny","protocol":"*","sourceAddressPrefixes":["a","b"]}}]}}`,
	`{"properties":{"ipConfigurations":[{"properties":{"primary":true,"subnet":{"id":"/s"}}}],"enableIPForwarding":true}}`,
	`{"Properties":{"SECURITYRULES":[{"NAME":"r"}]}}`,
	`{"properties":{"policyRule":{"if":{"allOf":[{"field":"type","equals":"x"},{"not":{"field":"tags['a']","exists":"false"}}]},"then":{"effect":"addToNetworkGroup","details":{"networkGroupId":"/g"}}}}}`,
	`{"properties":{"commitType":"Routing","configurationIds":["/c"],"configurations":[{"id":"/c","properties":{"n":1}}]}}`,
	`{"properties":{"ttl":300,"aRecords":[{"ipv4Address":"10.0.0.4"}]}}`,
	`{"properties":{"priority":"high","ruleCollections":{"a":1}}}`,
	`{"name":5,"tags":["x"]}`,
}

// sameAsJSON decodes a document both ways and compares.
func sameAsJSON(t *testing.T, text []byte, view func() any) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var doc map[string]any
	if dec.Decode(&doc) != nil {
		return
	}
	direct, byText := view(), view()
	errDirect := Decode(doc, direct)
	// Through the same map: text may hold a key twice, a map cannot.
	text, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	errText := json.Unmarshal(text, byText)
	if errDirect != nil && strings.Contains(errDirect.Error(), "in different case") {
		return // encoding/json takes the last one
	}
	if (errDirect == nil) != (errText == nil) {
		t.Fatalf("%s into %T: Decode says %v, encoding/json says %v", text, direct, errDirect, errText)
	}
	if errDirect != nil {
		return
	}
	a, b := mustJSON(t, direct), mustJSON(t, byText)
	if !bytes.Equal(a, b) {
		t.Fatalf("%s into %T:\nDecode gives        %s\nencoding/json gives %s", text, direct, a, b)
	}
}

func mustJSON(t *testing.T, v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDecodeIsJSON(t *testing.T) {
	for _, doc := range documents {
		for _, view := range views() {
			sameAsJSON(t, []byte(doc), view)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, doc := range documents {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, view := range views() {
			sameAsJSON(t, text, view)
		}
	})
}

func TestDecodeErrors(t *testing.T) {
	for _, tt := range []struct{ doc, want string }{
		{
			`{"name":5,"properties":{"securityRules":[{"properties":{"priority":"abc","access":true}}]}}`,
			`/name: want a string, found 5; ` +
				`/properties/securityRules/0/properties/access: want a string, found true; ` +
				`/properties/securityRules/0/properties/priority: want a whole number, found "abc"`,
		},
		{`{"properties":[]}`, `/properties: want an object, found []`},
		{`{"properties":{"securityRules":[{"properties":{"priority":1.5}}]}}`, `/properties/securityRules/0/properties/priority: want a whole number, found 1.5`},
		{`{"tags":{"a/b":1}}`, `/tags/a~1b: want a string, found 1`},
	} {
		var doc map[string]any
		if err := json.Unmarshal([]byte(tt.doc), &doc); err != nil {
			t.Fatal(err)
		}
		err := Decode(doc, new(NSG))
		if err == nil || err.Error() != tt.want {
			t.Errorf("%s:\n got %v\nwant %s", tt.doc, err, tt.want)
		}
	}
}

func TestDecodeSharesWholeDocuments(t *testing.T) {
	inner := map[string]any{"id": "/c"}
	var c Commit
	if err := Decode(map[string]any{"properties": map[string]any{"configurations": []any{inner}}}, &c); err != nil {
		t.Fatal(err)
	}
	if reflect.ValueOf(c.Properties.Configurations[0]).Pointer() != reflect.ValueOf(inner).Pointer() {
		t.Error("a whole document was copied")
	}
}

func BenchmarkDecode(b *testing.B) {
	var doc map[string]any
	if err := json.Unmarshal([]byte(documents[2]), &doc); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		var v VirtualNetwork
		if err := Decode(doc, &v); err != nil {
			b.Fatal(err)
		}
	}
}
