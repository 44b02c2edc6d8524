package arm

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/model"
	"github.com/google/uuid"
)

// depth returns how deeply a JSON value nests, and how many values it has.
func depth(v any) (deep, count int) {
	count = 1
	each := func(e any) {
		d, n := depth(e)
		deep, count = max(deep, d), count+n
	}
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			each(e)
		}
	case []any:
		for _, e := range v {
			each(e)
		}
	default:
		return 0, 1
	}
	return deep + 1, count
}

// FuzzBody: a body that is accepted is one JSON object within the limits.
func FuzzBody(f *testing.F) {
	for _, s := range []string{`{}`, ``, `null`, `{"a":[1,2,{"b":"\"}"}]}`, `{} {}`, `{"a":"\\"}`, strings.Repeat(`{"a":`, 64) + "1" + strings.Repeat("}", 64), strings.Repeat("[", 70)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		doc, fault := parseBody(b)
		if fault != nil {
			if fault.Status != 400 || fault.Err.Code == "" {
				t.Errorf("%v", fault)
			}
			return
		}
		if !json.Valid(b) {
			t.Errorf("accepted %q", b)
		}
		if d, n := depth(doc); d > model.MaxDepth || n > 2*maxValues {
			t.Errorf("depth %d, %d values", d, n)
		}
	})
}

// FuzzPath: segments that are accepted are what an ID can be made of.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"/subscriptions/s", "//a/b/", "/a/../b", "/a%2fb", "/a//b", "/%00", "/."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := url.ParseRequestURI(s)
		if err != nil {
			return
		}
		path, fault := splitPath(u)
		if fault != nil {
			return
		}
		for _, seg := range path {
			if seg == "" || seg == "." || seg == ".." || strings.ContainsAny(seg, "/\\\x00\n") {
				t.Errorf("%q gives segment %q", s, seg)
			}
		}
	})
}

// FuzzFilter: a filter is refused or answers.
func FuzzFilter(f *testing.F) {
	for _, s := range []string{"", "name eq 'a'", "name eq 'it''s' and location eq 'b'", "name eq 'a' or", "name eq '", "x eq 'a'", "name eq 'a' and name eq 'b' or name eq 'c'"} {
		f.Add(s)
	}
	r := &model.Resource{ID: model.MustParseID("/subscriptions/s/resourceGroups/it's"), Doc: map[string]any{}}
	f.Fuzz(func(t *testing.T, s string) {
		if match, fault := parseFilter(s); fault == nil {
			match(r)
		} else if fault.Err.Code != "InvalidFilterInQueryString" {
			t.Errorf("%v", fault)
		}
	})
}

// TestFilter: what filters let through.
func TestFilter(t *testing.T) {
	r := &model.Resource{ID: model.GroupID("s", "g").Resource(model.TypeNSG, "it's"), Doc: map[string]any{"location": "westeurope", "tags": map[string]any{"Env": "prod"}}}
	for s, want := range map[string]bool{
		"":                true,
		"name eq 'IT''S'": true,
		"name eq 'its'":   false,
		"tagName eq 'env' and tagValue eq 'prod'":                   true,
		"tagValue eq 'Prod'":                                        false,
		"name eq 'x' or location eq 'West Europe'":                  true,
		"name eq 'x' and location eq 'West Europe'":                 false,
		"resourceType eq 'microsoft.network/networkSecurityGroups'": true,
	} {
		match, fault := parseFilter(s)
		if fault != nil || match(r) != want {
			t.Errorf("%q: %v, want %v", s, fault, want)
		}
	}
}

// TestOperationNames: a name tells its end and kind, and cannot be altered.
func TestOperationNames(t *testing.T) {
	o := &operations{key: []byte("one installation's key")}
	end := time.UnixMilli(1_795_000_000_123)
	seen := map[string]bool{}
	for _, kind := range []operationKind{operationWrite, operationCommit} {
		for range 1000 {
			name := o.name(kind, end)
			if seen[name] {
				t.Fatalf("%s given twice", name)
			}
			seen[name] = true
			if k, at, ok := o.parse(name); !ok || k != kind || !at.Equal(end) {
				t.Fatalf("%s: %v %v %v", name, k, at, ok)
			}
			id := uuid.MustParse(name)
			for i := range id {
				id[i] ^= 1
				if _, _, ok := o.parse(id.String()); ok {
					t.Fatalf("altered at byte %d and accepted", i)
				}
				id[i] ^= 1
			}
		}
	}
	other := &operations{key: []byte("another's")}
	for name := range seen {
		if _, _, ok := other.parse(name); ok {
			t.Fatal("another installation accepts it")
		}
	}
}

// TestKinds: every type of the model has a kind, every kind its parent, and
// references lead to kinds.
func TestKinds(t *testing.T) {
	ks := newKindSet()
	for _, typ := range []string{
		model.TypeResourceGroup, model.TypeVirtualNetwork, model.TypeSubnet, model.TypePeering, model.TypeNSG, model.TypeSecurityRule,
		model.TypeASG, model.TypeRouteTable, model.TypeRoute, model.TypeNIC, model.TypePublicIP, model.TypeNATGateway, model.TypeFirewall,
		model.TypeFirewallPolicy, model.TypeRuleCollectionGroup, model.TypeIPGroup, model.TypePrivateZone, model.TypePrivateZoneLink,
		model.TypePrivateZoneA, model.TypePrivateZoneAAAA, model.TypePrivateZoneCNAME, model.TypeVM, model.TypePolicyDefinition,
		model.TypePolicyAssignment, model.TypeNetworkManager, model.TypeNetworkGroup, model.TypeStaticMember, model.TypeConnectivityConfig,
		model.TypeSecurityAdminConfig, model.TypeAdminRuleCollection, model.TypeAdminRule, model.TypeRoutingConfig,
		model.TypeRoutingRuleCollection, model.TypeRoutingRule, model.TypeCommit,
	} {
		k, f := ks.ofType(strings.ToUpper(typ))
		if f != nil || k.Type != typ {
			t.Errorf("%s: %v", typ, f)
		}
	}
	for _, k := range ks {
		if k.child() != (k.parent != nil) {
			t.Errorf("%s: parent %v", k.Type, k.parent)
		}
		if !k.child() && k.Place == 0 || k.Name == nil || k.Location == 0 && k.Inline == "" && !k.child() && !strings.HasPrefix(k.Type, "Microsoft.Authorization/") && !k.Untracked {
			t.Errorf("%s lacks a place, a form of names or a location rule", k.Type)
		}
		for _, r := range k.refs {
			if _, f := ks.ofType(r.to); f != nil && (r.to != "" || !r.loose) {
				t.Errorf("%s refers to %s", k.Type, r.to)
			}
		}
	}
}
