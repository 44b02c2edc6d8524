package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// durations differ from run to run.
var durations = regexp.MustCompile(`[ (]+[0-9.]+ ?(µs|ms|s)\b`)

// examples runs every "$ cerulean" example of a page, in the root of the
// repository, compares what it prints with the page, durations aside, and returns
// the page as it should be, and how many there are.
func examples(t *testing.T, page string) (text, updated string, n int) {
	t.Helper()
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	text = string(b)
	block := regexp.MustCompile("(?s)```text\n\\$ cerulean ([^\n]*)\n(.*?)```\n")
	updated = block.ReplaceAllStringFunc(text, func(found string) string {
		n++
		m := block.FindStringSubmatch(found)
		var out bytes.Buffer
		run(t.Context(), strings.Fields(m[1]), strings.NewReader(""), &out, &out)
		got := out.String()
		if strip(got) == strip(m[2]) {
			return found // keep the durations
		}
		if os.Getenv("UPDATE") == "" {
			t.Errorf("cerulean %s prints\n%s\n%s shows\n%s", m[1], got, page, m[2])
		}
		return "```text\n$ cerulean " + m[1] + "\n" + got + "```\n"
	})
	return text, updated, n
}

// rewrite writes a page that has changed, if UPDATE=1 asks for it.
func rewrite(t *testing.T, page, text, updated string) {
	t.Helper()
	if os.Getenv("UPDATE") == "" || updated == text {
		return
	}
	if err := os.WriteFile(page, []byte(updated), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestRunning: the examples of docs/running.md print what it shows.
func TestRunning(t *testing.T) {
	t.Chdir("../..")
	t.Setenv("NO_COLOR", "1")
	page := filepath.Join("docs", "running.md")
	text, updated, n := examples(t, page)
	if n == 0 {
		t.Error("no examples")
	}
	rewrite(t, page, text, updated)
}

// TestReadme runs every "$ cerulean" example of the README and compares what it
// prints, durations aside, and compares the Go example with the file it is from.
// UPDATE=1 rewrites both.
func TestReadme(t *testing.T) {
	t.Chdir("../..")
	t.Setenv("NO_COLOR", "1")
	text, updated, n := examples(t, "README.md")
	if n < 4 {
		t.Errorf("the README has %d examples", n)
	}
	source, err := os.ReadFile(filepath.Join("lab", "readme_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(source), "// README: begin\n")
	example, _, _ = strings.Cut(example, "\n// README: end")
	code := regexp.MustCompile("(?s)```go\n.*?```\n")
	want := "```go\n" + example + "```\n"
	if got := code.FindString(updated); got != want {
		if os.Getenv("UPDATE") == "" {
			t.Errorf("the README's Go example differs from lab/readme_test.go")
		}
		updated = strings.Replace(updated, got, want, 1)
	}
	for _, link := range regexp.MustCompile(`\]\(([^)#:]+)\)`).FindAllStringSubmatch(text, -1) {
		if _, err := os.Stat(link[1]); err != nil {
			t.Errorf("the README links to %s: %v", link[1], err)
		}
	}
	rewrite(t, "README.md", text, updated)
}

func strip(s string) string { return durations.ReplaceAllString(s, " N") }
