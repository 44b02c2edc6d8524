package compile

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/ceruleannet/cerulean/model"
)

// What is wrong with an endpoint is told at its place, also of the second of two
// profiles with the same name in different groups; all of it is told.
func TestTrafficManagerProblems(t *testing.T) {
	var resources []*model.Resource
	for i, endpoints := range []string{
		`{"name":"a","type":"externalEndpoints","properties":{"target":"a.example","priority":1}}`,
		`{"name":"a","type":"externalEndpoints","properties":{"target":"a.example","priority":1}},
		 {"name":"b","type":"externalEndpoints","properties":{"target":"b.example","priority":1}},
		 {"name":"c","type":"externalEndpoints","properties":{"target":"c.example","weight":0}}`,
		`{"name":"a","type":"odd"},{"name":"b","type":"azureEndpoints","properties":{"targetResourceId":"/gone"}}`,
	} {
		id, err := model.ParseID(fmt.Sprintf("/subscriptions/s/resourceGroups/g%d/providers/Microsoft.Network/trafficManagerProfiles/shop", i))
		if err != nil {
			t.Fatal(err)
		}
		r := &model.Resource{ID: id, Doc: map[string]any{}, At: map[string]model.Pos{}}
		text := fmt.Sprintf(`{"properties":{"trafficRoutingMethod":"Priority","dnsConfig":{"relativeName":"shop%d"},"endpoints":[%s]}}`, i, endpoints)
		if err := json.Unmarshal([]byte(text), &r.Doc); err != nil {
			t.Fatal(err)
		}
		for e := range 3 {
			r.At[fmt.Sprintf("/properties/endpoints/%d", e)] = model.Pos{File: fmt.Sprint("g", i), Line: e + 1, Column: 1}
		}
		resources = append(resources, r)
	}
	var got []string
	_, err := TrafficManagers(resources, Options{})
	var all model.Problems
	if !errors.As(err, &all) {
		t.Fatal(err)
	}
	for _, p := range all {
		got = append(got, p.Pos.String())
	}
	if want := "[g1:2:1 g1:3:1 g2:1:1 g2:2:1]"; fmt.Sprint(got) != want {
		t.Errorf("%s, want %s: %v", got, want, err)
	}
}
