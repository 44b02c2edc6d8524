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
