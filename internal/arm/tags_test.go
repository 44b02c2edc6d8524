package arm_test

import (
	"reflect"
	"testing"
)

// TestTags: tags as a resource of their own ("Tags - Update At Scope").
func TestTags(t *testing.T) {
	c := newCloud(t).withGroup()
	vnet := network + "/virtualNetworks/v"
	c.must("PUT", vnet, vnetBody)
	tags := func(of string) any { return at(c.get(of), "tags") }
	for _, tc := range []struct {
		method, path, body string
		want               map[string]any
	}{
		{"PUT", vnet, `{"properties":{"tags":{"a":"1","b":"2"}}}`, map[string]any{"a": "1", "b": "2"}},
		{"PATCH", vnet, `{"operation":"Merge","properties":{"tags":{"B":"3","c":"4"}}}`, map[string]any{"a": "1", "B": "3", "c": "4"}},
		{"PATCH", vnet, `{"operation":"Delete","properties":{"tags":{"A":"1","c":"other"}}}`, map[string]any{"B": "3", "c": "4"}},
		{"PATCH", vnet, `{"operation":"Replace","properties":{"tags":{"x":"y"}}}`, map[string]any{"x": "y"}},
		{"PUT", group, `{"properties":{"tags":{"owner":"me"}}}`, map[string]any{"owner": "me"}},
	} {
		a := c.must(tc.method, tc.path+"/providers/Microsoft.Resources/tags/default", tc.body)
		if got := at(a.body, "properties", "tags"); !reflect.DeepEqual(got, tc.want) || !reflect.DeepEqual(tags(tc.path), tc.want) {
			t.Errorf("%s %s: %v, %v", tc.method, tc.body, got, tags(tc.path))
		}
	}
	of := vnet + "/providers/Microsoft.Resources/tags/default"
	if a := c.get(of); str(a, "type") != "Microsoft.Resources/tags" || str(a, "id") != of || str(a, "properties", "tags", "x") != "y" {
		t.Errorf("%v", a)
	}
	c.refused(400, "InvalidRequestContent", "PATCH", of, `{"operation":"Nonsense","properties":{"tags":{"x":"y"}}}`)
	c.refused(400, "InvalidRequestContent", "PUT", of, `{"properties":{"tags":[]}}`)
	c.refused(404, "ResourceNotFound", "PUT", network+"/virtualNetworks/none/providers/Microsoft.Resources/tags/default", `{"properties":{"tags":{}}}`)
	c.refused(405, "MethodNotAllowed", "POST", of, `{}`)
	c.must("DELETE", of, "")
	if got, _ := tags(vnet).(map[string]any); len(got) != 0 {
		t.Errorf("%v", got)
	}
	if got := at(c.get(vnet), "properties", "addressSpace"); got == nil {
		t.Error("the network went with its tags")
	}
}
