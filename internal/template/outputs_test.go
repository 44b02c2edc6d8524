package template_test

import (
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/template"
)

// TestOutputsWithoutCloud: outputs that only a cloud can tell are left out; what
// is wrong with an output is said all the same.
func TestOutputsWithoutCloud(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"of a cloud", "[reference(resourceId('Microsoft.Network/virtualNetworks', 'v'), '2024-05-01').x]", ""},
		{"keys", "[listKeys(resourceId('Microsoft.Storage/storageAccounts', 's'), '2024-01-01').keys[0]]", ""},
		{"no variable", "[variables('none')]", "t.json:1:"},
		{"no integer", "text", "t.json:1:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tm, err := template.Parse([]byte(`{"resources": [], "outputs": {"o": {"type": "int", "value": "`+c.value+`"}}}`), "t.json")
			if err != nil {
				t.Fatal(err)
			}
			_, outputs, err := tm.Resources(nil, options())
			switch {
			case c.want == "" && (err != nil || len(outputs) != 0):
				t.Errorf("%v, %v", outputs, err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}
