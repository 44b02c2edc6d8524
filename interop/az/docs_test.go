package az

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDocs keeps the table of stories in docs/interop.md true. UPDATE=1 rewrites
// it.
func TestDocs(t *testing.T) {
	const begin, end = "<!-- stories: begin -->\n", "<!-- stories: end -->"
	file := filepath.Join("..", "..", "docs", "interop.md")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	i, j := strings.Index(text, begin), strings.Index(text, end)
	if i < 0 || j < i {
		t.Fatalf("%s has no table between %q and %q", file, begin, end)
	}
	i += len(begin)
	want := table(t)
	if text[i:j] == want {
		return
	}
	if os.Getenv("UPDATE") == "" {
		t.Errorf("the table in %s is not true any more; run UPDATE=1 go test ./interop/az\nwant:\n%s", file, want)
		return
	}
	if err := os.WriteFile(file, []byte(text[:i]+want+text[j:]), 0o644); err != nil {
		t.Fatal(err)
	}
}

// table lists the stories with what they begin with: a comment that says what
// they are about.
func table(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("| story | about | commands | of these refused |\n|---|---|---|---|\n")
	commands, refusals := 0, 0
	for _, file := range stories(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var about []string
		for line := range strings.Lines(string(text)) {
			comment, ok := strings.CutPrefix(line, "# ")
			if !ok {
				break
			}
			about = append(about, strings.TrimSpace(comment))
		}
		if len(about) == 0 {
			t.Errorf("%s does not say what it is about", file)
		}
		n, refused := 0, 0
		for _, s := range readStory(t, file) {
			n++
			if s.refusal != "" {
				refused++
			}
		}
		commands, refusals = commands+n, refusals+refused
		name := filepath.Base(file)
		fmt.Fprintf(&b, "| [%s](../interop/az/testdata/%s) | %s | %d | %d |\n", strings.TrimSuffix(name, ".txt"), name, strings.Join(about, " "), n, refused)
	}
	fmt.Fprintf(&b, "| all | | %d | %d |\n", commands, refusals)
	return b.String()
}
