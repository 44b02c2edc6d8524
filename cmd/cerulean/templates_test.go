package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTemplatesDocument runs the template of docs/templates.md and compares what
// the command prints, durations aside. UPDATE=1 rewrites it.
func TestTemplatesDocument(t *testing.T) {
	t.Setenv("NO_COLOR", "1")
	page := filepath.Join("..", "..", "docs", "templates.md")
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	page, err = filepath.Abs(page)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	first := regexp.MustCompile("(?s)```json\n(.*?)```\n").FindStringSubmatch(text)
	if first == nil {
		t.Fatal("the page shows no template")
	}
	t.Chdir(t.TempDir())
	if err := os.WriteFile("first.json", []byte(first[1]), 0o600); err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```text\n\\$ cerulean ([^\n]*)\n(.*?)```\n")
	if !block.MatchString(text) {
		t.Fatal("the page runs nothing")
	}
	updated := block.ReplaceAllStringFunc(text, func(found string) string {
		m := block.FindStringSubmatch(found)
		var out bytes.Buffer
		run(t.Context(), strings.Fields(m[1]), strings.NewReader(""), &out, &out)
		if strip(out.String()) == strip(m[2]) {
			return found
		}
		if os.Getenv("UPDATE") == "" {
			t.Errorf("cerulean %s prints\n%s\nthe page shows\n%s", m[1], out.String(), m[2])
		}
		return "```text\n$ cerulean " + m[1] + "\n" + out.String() + "```\n"
	})
	if updated != text && os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(page, []byte(updated), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
