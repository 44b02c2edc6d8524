package plan

import (
	"encoding/json"
	"testing"

	"github.com/ceruleannet/cerulean/model"
)

var fuzzTypes = []string{
	model.TypeVirtualNetwork, model.TypeNSG, model.TypeNIC, model.TypeRuleCollectionGroup,
	model.TypeAdminRule, model.TypePolicyDefinition, "Contoso.Things/things",
}

// Whatever is declared and whatever is found: once the document of an update
// is stored, nothing differs any more, and nothing differs from itself.
func FuzzOverlay(f *testing.F) {
	f.Add(uint8(0), `{"tags":{"a":"b"},"properties":{"subnets":[{"name":"a","properties":{"addressPrefix":"10.0.0.0/24"}}]}}`,
		`{"tags":{"A":"c","x":"y"},"properties":{"subnets":[{"name":"A","etag":"1","properties":{"addressPrefixes":["10.0.0.0/24","10.0.1.0/24"]}},{"name":"b"}]}}`)
	f.Add(uint8(1), `{"properties":{}}`, `{"properties":{"securityRules":[{"name":"r","properties":{"priority":100}}]}}`)
	f.Add(uint8(1), `{"properties":{"securityRules":[{"name":"r","properties":{"sourceAddressPrefixes":["*"]}}]}}`,
		`{"properties":{"securityRules":[{"name":"r","properties":{"sourceAddressPrefix":"10.0.0.0/8","description":"old"}}]}}`)
	f.Add(uint8(2), `{"properties":{"dnsSettings":{}}}`, `{"properties":{"enableIPForwarding":true,"dnsSettings":{"dnsServers":["10.0.0.4"]}}}`)
	f.Add(uint8(3), `{"properties":{"ruleCollections":[{"name":"c","rules":[{"name":"r"}]}]}}`,
		`{"properties":{"ruleCollections":[{"name":"c","rules":[{"name":"r","sourceAddresses":["*"]},{"name":"q"}]}]}}`)
	f.Add(uint8(4), `{"properties":{"priority":1}}`, `{"properties":{"priority":1.0,"destinationPortRanges":["22"],"sources":[{"addressPrefix":"*","addressPrefixType":"IPPrefix"}]}}`)
	f.Add(uint8(5), `{"properties":{"policyRule":{"if":{"field":"name","equals":"a"}}}}`, `{"properties":{"policyRule":{"if":{"allOf":[]}}}}`)
	f.Add(uint8(6), `{"list":[{"id":"/subscriptions/s"},{"id":"/subscriptions/t"}],"n":null,"o":[1,[2]]}`, `{"list":[{"id":"/subscriptions/T"}],"n":3,"o":[1,[3]]}`)
	f.Fuzz(func(t *testing.T, kind uint8, wantText, haveText string) {
		id := model.GroupID("s", "g").Resource(fuzzTypes[int(kind)%len(fuzzTypes)], "r")
		want, err := model.ParseJSON([]byte(wantText))
		if err != nil {
			return
		}
		have, err := model.ParseJSON([]byte(haveText))
		if err != nil {
			return
		}
		w, h := &model.Resource{ID: id, Doc: want}, &model.Resource{ID: id, Doc: have}
		sc := scope{owned: func(string) bool { return true }}
		before, err := json.Marshal(have)
		if err != nil {
			t.Fatal(err)
		}
		stored := overlay(w, h, sc)
		if left := compare(w, stored, sc); len(left) > 0 {
			b, _ := json.Marshal(stored.Doc)
			t.Fatalf("after the update %s still differs: %v\nwant %s\nhave %s\nsent %s", left[0].Path, left, wantText, haveText, b)
		}
		if len(compare(w, h, sc)) == 0 && len(compare(w, stored, sc)) > 0 {
			t.Fatal("an update of what does not differ makes it differ")
		}
		if after, _ := json.Marshal(have); string(after) != string(before) {
			t.Fatalf("the observed document was changed:\n%s\n%s", before, after)
		}
	})
}

// What Azure takes as equal. The columns are the property, and two values.
func TestCanonical(t *testing.T) {
	for _, tt := range []struct {
		key, a, b string
		same      bool
	}{
		{"location", `"West Europe"`, `"westeurope"`, true},
		{"name", `"West Europe"`, `"westeurope"`, false},
		{"id", `"/subscriptions/S/resourceGroups/G"`, `"/subscriptions/s/resourcegroups/g"`, true},
		{"priority", `100`, `1e2`, true},
		{"priority", `100`, `"100"`, false},
		{"protocol", `"TCP"`, `"Tcp"`, true},
		{"addressPrefix", `"fd00:0::/64"`, `"fd00::/64"`, true},
		{"addressPrefix", `"10.0.0.0/8"`, `"10.0.0.0/9"`, false},
		{"addressPrefixes", `["a","b"]`, `["b","a"]`, true},
		{"dnsServers", `["10.0.0.4","10.0.0.5"]`, `["10.0.0.5","10.0.0.4"]`, false},
		{"anything", `{"a":null,"b":[],"c":1}`, `{"c":1}`, true},
		{"anything", `{"c":1}`, `{"c":1,"d":2}`, false},
	} {
		var a, b any
		for text, v := range map[string]*any{tt.a: &a, tt.b: &b} {
			if err := json.Unmarshal([]byte(text), v); err != nil {
				t.Fatal(err)
			}
		}
		if got := canonical(tt.key, a) == canonical(tt.key, b); got != tt.same {
			t.Errorf("%s: %s and %s: same %v, want %v", tt.key, tt.a, tt.b, got, tt.same)
		}
	}
}
