package az

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestStoriesParse: every story can be read, they have enough commands, and each
// command says what must come of it.
func TestStoriesParse(t *testing.T) {
	n := 0
	for _, file := range stories(t) {
		for _, s := range readStory(t, file) {
			n++
			if len(s.args) == 0 {
				t.Errorf("%s:%d: no command", file, s.line)
			}
		}
	}
	if n < leastCommands {
		t.Errorf("%d commands, at least %d are due", n, leastCommands)
	}
}

func TestParseStory(t *testing.T) {
	const text = `# A comment.
$ az group show -n 'a b' \
    --query "x['y']"
{"a": [1, "$GROUP"]}

$ az group delete -n x
! ResourceGroupNotFound
$ az group list
= GROUPS
$ az group wait
$ az version
ok
`
	steps, err := parseStory(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	want := []step{
		{line: 2, args: []string{"group", "show", "-n", "a b", "--query", "x['y']"}, want: map[string]any{"a": []any{1.0, "$GROUP"}}},
		{line: 6, args: []string{"group", "delete", "-n", "x"}, refusal: "ResourceGroupNotFound"},
		{line: 8, args: []string{"group", "list"}, save: "GROUPS"},
		{line: 10, args: []string{"group", "wait"}, silent: true},
		{line: 11, args: []string{"version"}, any: true},
	}
	if !reflect.DeepEqual(steps, want) {
		t.Errorf("got %+v\nwant %+v", steps, want)
	}
	for _, bad := range []string{"{}\n$ az x\n", "$ az x 'y\n", "$ az x\n{\n", "$ az x \\\n"} {
		if steps, err := parseStory(strings.NewReader(bad)); err == nil {
			t.Errorf("%q is read as %+v", bad, steps)
		}
	}
}

// TestCheck: a step that goes otherwise than it must is told.
func TestCheck(t *testing.T) {
	parse := func(expectation string) step {
		steps, err := parseStory(strings.NewReader("$ az x\n" + expectation))
		if err != nil {
			t.Fatal(err)
		}
		return steps[0]
	}
	for _, c := range []struct {
		expectation, stdout, stderr string
		failed, good                bool
	}{
		{`{"a": "$GROUP", "b": 1}`, `{"b":1,"a":"rg"}`, "", false, true},
		{`{"a": "$GROUP"}`, `{"a":"other"}`, "", false, false},
		{`{"a": 1}`, `{"a":1,"b":2}`, "", false, false},
		{`{"a": 1}`, "", "", false, false},
		{`{"a": "$NONE"}`, `{"a":"x"}`, "", false, false},
		{`[]`, `[]`, "", true, false},
		{"! NotFound", "", "ERROR: (NotFound) $GROUP", true, true},
		{"! NotFound", "{}", "", false, false},
		{"! NotFound", "", "ERROR: (Conflict)", true, false},
		{"! NotFound", "", "Traceback: NotFound", true, false},
		{"", "", "", false, true},
		{"", "{}", "", false, false},
		{"ok", "{}", "", false, true},
		{"ok", "", "ERROR", true, false},
		{"= ID", "x", "", false, true},
		{"= ID", "", "", false, false},
	} {
		err := parse(c.expectation).check(c.stdout, c.stderr, c.failed, map[string]string{"GROUP": "rg"})
		if (err == nil) != c.good {
			t.Errorf("%q of %q %q: %v", c.expectation, c.stdout, c.stderr, err)
		}
	}
}

// FuzzSplitWords: what is split and joined again is what it was.
func FuzzSplitWords(f *testing.F) {
	for _, s := range []string{"a 'b c' \"d e\"", "", " ", "a''b", "'", `"x'y"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		words, err := splitWords(s)
		if err != nil {
			return
		}
		var quoted []string
		for _, w := range words {
			if strings.Contains(w, "'") {
				if strings.Contains(w, `"`) {
					return
				}
				quoted = append(quoted, `"`+w+`"`)
				continue
			}
			quoted = append(quoted, "'"+w+"'")
		}
		again, err := splitWords(strings.Join(quoted, " "))
		if err != nil || !slices.Equal(words, again) {
			t.Errorf("%q: %q, then %q, %v", s, words, again, err)
		}
	})
}
