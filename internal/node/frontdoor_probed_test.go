package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/proof"
)

// Where origins are probed, one that the edges reach suffices for a claim about a
// URL: the others get no requests. Without any it is broken.
func TestFrontDoorOriginsProbed(t *testing.T) {
	const claim = `
expectations:
  - {allow: "internet -> https://www.shop.example/"}
`
	for name, c := range map[string]struct {
		change []string
		status proof.Status
		why    string
	}{
		"one of two":                {[]string{`{"web-{region}": {}}`, `{web-westeurope: {}, web-eastus: {port: 81}}`}, proof.Holds, "1 of 2 origins, one not"},
		"none":                      {[]string{`{"web-{region}": {}}`, `{"web-{region}": {port: 81}}`}, proof.Broken, "the edges reach no origin"},
		"one of two and not probed": {[]string{`{"web-{region}": {}}`, `{web-westeurope: {}, web-eastus: {port: 81}}`, "samples: 1, successful: 1, probe: {interval: 30}", "samples: 1, successful: 1"}, proof.Broken, "is not probed"},
		"a name that nobody has":    {[]string{`{"web-{region}": {}}`, `{far.example: {}}`}, proof.Unknown, "is called far.example"},
		"somebody outside":          {[]string{`{"web-{region}": {}}`, `{tokyo.example: {}}`}, proof.Holds, "every origin"},
	} {
		text := doorNetwork + strings.TrimPrefix(claim, "\n")
		for i := 0; i < len(c.change); i += 2 {
			if !strings.Contains(text, c.change[i]) {
				t.Fatalf("there is no %q", c.change[i])
			}
			text = strings.Replace(text, c.change[i], c.change[i+1], 1)
		}
		file := filepath.Join(t.TempDir(), "network.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := Open(file, LockWrite)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		f := d.Check().Findings[0]
		if f.Status != c.status || !strings.Contains(f.Why, c.why) {
			t.Errorf("%s: %s: %s", name, f.Status, f.Why)
		}
	}
}
