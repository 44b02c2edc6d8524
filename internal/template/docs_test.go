package template

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestDocumented: docs/templates.md names every function there is, and none that
// is not.
func TestDocumented(t *testing.T) {
	b, err := os.ReadFile("../../docs/templates.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(b), "All of \"ARM template functions\":\n")
	section, _, _ = strings.Cut(section, "\nwith parameters")
	named := map[string]bool{}
	for _, item := range strings.Split(section, "\n- ") {
		_, list, _ := strings.Cut(item, ":")
		for _, w := range regexp.MustCompile(`[A-Za-z0-9]+`).FindAllString(list, -1) {
			named[strings.ToLower(w)] = true
		}
	}
	delete(named, "list")
	does := functionTable()
	for _, name := range slices.Sorted(maps.Keys(does)) {
		if !named[name] {
			t.Errorf("the page does not name %s", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(named)) {
		if _, ok := lazy(name); !ok && does[name].do == nil {
			t.Errorf("the page names %s, which does not exist", name)
		}
	}
}
