package plan_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/ceruleannet/cerulean/internal/plan"
)

var update = flag.Bool("update", false, "rewrite the expected plans in testdata")

func jsonOf(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Each archive in testdata has the documents desired.json and observed.json,
// and the plan, or the error, they must give in plan.txt.
func TestComputeTable(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no tables: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			texts := map[string]*txtar.File{}
			for i := range archive.Files {
				texts[archive.Files[i].Name] = &archive.Files[i]
			}
			desired := parseResources(t, string(texts["desired.json"].Data))
			observed := parseResources(t, string(texts["observed.json"].Data))
			p, err := plan.Compute(desired, observed, plan.Options{Network: network})
			got := ""
			if err != nil {
				got = err.Error() + "\n"
			} else {
				checkOrder(t, p)
				got = show(t, p)
			}
			for n, line := range strings.Split(got, "\n") {
				if err == nil && len([]rune(line)) > 100 {
					t.Errorf("line %d has more than 100 columns: %s", n+1, line)
				}
			}
			if want := string(texts["plan.txt"].Data); got != want {
				if *update {
					texts["plan.txt"].Data = []byte(got)
					if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
						t.Fatal(err)
					}
					return
				}
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// Tags are as declared, except for those somebody else manages.
func TestForeignTags(t *testing.T) {
	desired := parseResources(t, `[{"id":"$/net","location":"eastus","tags":{"a":"1"}}]`)
	observed := parseResources(t, `[{"id":"$/net","location":"eastus","tags":{"A":"1","cerulean-network":"globo","costCenter":"7","hidden-title":"x"}}]`)
	for _, tt := range []struct {
		foreign []string
		empty   bool
	}{{nil, false}, {[]string{"CostCenter"}, true}} {
		p, err := plan.Compute(desired, observed, plan.Options{Network: network, ForeignTags: tt.foreign})
		if err != nil {
			t.Fatal(err)
		}
		if p.Empty() != tt.empty {
			t.Errorf("foreign %v:\n%s", tt.foreign, show(t, p))
		}
	}
}

// A resource marked for another network is a mistake, not ours to plan.
func TestOwnerMismatch(t *testing.T) {
	desired := parseResources(t, `[{"id":"$/net","location":"eastus","tags":{"cerulean-network":"other"}}]`)
	_, err := plan.Compute(desired, nil, plan.Options{Network: network})
	if err == nil || !strings.Contains(err.Error(), `net.yaml:1:3: net is declared as owned by network "other"`) {
		t.Errorf("got %v", err)
	}
	if _, err := plan.Compute(nil, nil, plan.Options{}); err == nil {
		t.Error("a plan without a network's name owns everything that has none")
	}
}
