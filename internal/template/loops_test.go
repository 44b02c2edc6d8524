package template_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/template"
)

// TestLoopWithinLoop: copyIndex() without a name is the index of the resource's
// loop, within its loops of properties too ("Property iteration in ARM
// templates"). Bicep writes it so.
func TestLoopWithinLoop(t *testing.T) {
	tm, err := template.Parse([]byte(`{"resources": [{"type": "Microsoft.Network/virtualNetworks", "apiVersion": "2024-05-01",
		"copy": {"name": "nets", "count": 2}, "name": "[format('v{0}', copyIndex())]",
		"properties": {"copy": [{"name": "subnets", "count": 2, "input": "[cidrSubnet(cidrSubnet('10.0.0.0/8', 16, copyIndex()), 24, copyIndex('subnets'))]"}],
			"offset": "[copyIndex(5)]", "named": "[copyIndex('nets', 7)]"}}],
		"outputs": {"list": {"type": "array", "copy": {"count": 2, "input": "[copyIndex()]"}}}}`), "t.json")
	if err != nil {
		t.Fatal(err)
	}
	all, outputs, err := tm.Resources(nil, options())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range all {
		b, err := json.Marshal(r.Doc["properties"])
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, r.ID.Name()+" "+string(b))
	}
	b, err := json.Marshal(outputs)
	if err != nil {
		t.Fatal(err)
	}
	want := `v0 {"named":7,"offset":5,"subnets":["10.0.0.0/24","10.0.1.0/24"]}
v1 {"named":8,"offset":6,"subnets":["10.1.0.0/24","10.1.1.0/24"]}
{"list":{"type":"Array","value":[0,1]}}`
	if text := strings.Join(append(got, string(b)), "\n"); text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
}

// TestSearchIsBounded: comparing long lists is refused before it takes long.
func TestSearchIsBounded(t *testing.T) {
	for _, expression := range []string{
		"[union(range(0, 9999), range(20000, 9999))]",
		"[intersection(range(0, 9999), range(20000, 9999))]",
		"[filter(range(0, 9999), lambda('a', contains(range(20000, 9999), lambdaVariables('a'))))]",
	} {
		if _, err := evaluate(expression); err == nil || !strings.Contains(err.Error(), "steps to evaluate") {
			t.Errorf("%s: %v", expression, err)
		}
	}
}

// TestGUID: guid() is a UUID of version 5 (RFC 9562 section 5.5).
func TestGUID(t *testing.T) {
	got, err := evaluate("[guid('http://www.example.com')]")
	if want := "2d32a3f1-fac2-52a6-ac52-fe9e87e628ea"; err != nil || got != want {
		t.Errorf("%v, %v, want %s", got, err, want)
	}
}

// TestLoopsAreBounded: loops within loops of plain values are refused before they
// take much memory: 800 times 800 times 800 values of 100 bytes would be 51 GB.
func TestLoopsAreBounded(t *testing.T) {
	filler := strings.Repeat("x", 100)
	loop := func(name, input string) string {
		return `{"copy": [{"name": "` + name + `", "count": 800, "input": ` + input + `}]}`
	}
	for _, tt := range []string{
		`{"variables": {"v": ` + loop("a", loop("b", loop("c", `"`+filler+`"`))) + `}, "resources": []}`,
		`{"resources": [{"type": "Microsoft.Network/routeTables", "apiVersion": "2024-05-01", "copy": {"name": "l", "count": 800}, "name": "[format('r{0}', copyIndex())]",
			"properties": {"many": [` + strings.TrimSuffix(strings.Repeat(`"`+strings.Repeat("x", 1000)+`",`, 500), ",") + `]}}]}`,
	} {
		tm, err := template.Parse([]byte(tt), "t.json")
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := tm.Resources(nil, options()); err == nil || !strings.Contains(err.Error(), "steps to evaluate") {
			t.Errorf("%v", err)
		}
	}
}

// TestUndeclaredParameter: a value that no parameter takes is told at its place in
// the file of parameters.
func TestUndeclaredParameter(t *testing.T) {
	tm, err := template.Parse([]byte(`{"parameters": {"name": {"type": "string"}}, "resources": []}`), "t.json")
	if err != nil {
		t.Fatal(err)
	}
	params, err := template.ParseParameters([]byte("{\"parameters\": {\n  \"name\": {\"value\": \"a\"},\n  \"nmae\": {\"value\": \"b\"}}}"), "p.json")
	if err != nil {
		t.Fatal(err)
	}
	err = params.Check(tm)
	if err == nil || err.Error() != "p.json:3:11: parameters.nmae: the template has no parameter 'nmae'; it has name" {
		t.Errorf("%v", err)
	}
	delete(params.Values, "nmae")
	if err := params.Check(tm); err != nil {
		t.Error(err)
	}
}

// TestProviders: providers() tells what the cloud says of a provider.
func TestProviders(t *testing.T) {
	tm, err := template.Parse([]byte(`{"resources": [], "outputs": {
		"v": {"type": "string", "value": "[providers('a.b', 'C').apiVersions[0]]"},
		"n": {"type": "string", "value": "[providers('A.B').namespace]"}}}`), "t.json")
	if err != nil {
		t.Fatal(err)
	}
	o := options()
	o.Provider = func(namespace string) (map[string]any, bool) {
		return map[string]any{"namespace": "A.B", "resourceTypes": []any{map[string]any{"resourceType": "c", "apiVersions": []any{"2020-01-01"}}}}, strings.EqualFold(namespace, "A.B")
	}
	_, outputs, err := tm.Resources(nil, o)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(outputs)
	if err != nil || string(b) != `{"n":{"type":"String","value":"A.B"},"v":{"type":"String","value":"2020-01-01"}}` {
		t.Errorf("%s %v", b, err)
	}
}
