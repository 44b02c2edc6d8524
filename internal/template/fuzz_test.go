package template_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/ceruleannet/cerulean/internal/template"
)

// FuzzParse: no text makes the reader fail otherwise than with an error that has
// a code and a place.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"resources": []}`, `{"resources": {}}`, `{"resources": [{"type": "A.B/c", "name": "n", "apiVersion": "1"}]}`, `[`, `{"a" 1}`, "{// x\n\"resources\": []}",
		`{"resources": [], "variables": {"a": "[variables('a')]"}}`, `{"resources": [], "variables": {"copy": [{"name": "x", "count": 3, "input": "[copyIndex('x')]"}]}}`,
		`{"resources": [{"type": "A.B/c", "name": "[concat('n', copyIndex())]", "apiVersion": "1", "copy": {"name": "l", "count": 3}, "dependsOn": ["l"]}]}`,
		`{"parameters": {"p": {"type": "int", "defaultValue": 3, "minValue": 4}}, "resources": []}`,
		`{"functions": [{"namespace": "n", "members": {"f": {"output": {"type": "int", "value": "[n.f()]"}}}}], "variables": {"a": "[n.f()]"}, "resources": []}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		parsed, err := template.Parse(text, "f.json")
		if err == nil {
			var d *template.Deployment
			if d, err = parsed.Expand(nil, options()); err == nil {
				for _, r := range d.Resources {
					if r.ID.IsZero() {
						t.Error("a resource has no ID")
					}
				}
			}
		}
		var e *template.Error
		if err != nil && (!errors.As(err, &e) || e.Code == "" || e.Message == "") {
			t.Errorf("error %v has no code", err)
		}
	})
}

// FuzzExpression: the value of an expression is JSON, or an error.
func FuzzExpression(f *testing.F) {
	for _, seed := range []string{
		"[add(1,2)]", "[concat('a', variables('list'))]", "[[x]", "['a''b']", "[map(range(0,3), lambda('i', lambdaVariables('i')))]", "[cidrSubnet('10.0.0.0/8', 16, 3)]",
		"[format('{0:D3}', 5)]", "[json('{}')]", "[dateTimeAdd('2020-01-01', 'P1D')]", "[a.b.c]", "[-]", "[substring('é', 0, 1)]", "[padLeft('x', 20000)]", "[uri('a', '%')]",
		"[sort(createArray(1, 'a'), lambda('a', 'b', true()))]", "[variables('object')[]]", "[cidrHost('::/0', 9223372036854775807)]", "[parseCidr('0.0.0.0/0')]", "[format('{0:X99}', -1)]",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := evaluate(text)
		if err != nil {
			return
		}
		if _, err := json.Marshal(v); err != nil {
			t.Errorf("%q is %v: %v", text, v, err)
		}
	})
}
