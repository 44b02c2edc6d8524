package arm

import (
	"regexp"
	"strings"
	"testing"
)

// FuzzMatchAction: patterns match as the regular expression they stand for.
func FuzzMatchAction(f *testing.F) {
	for _, s := range [][2]string{
		{"*", "a/b/read"},
		{"*/read", "a/b/read"},
		{"*/read", "a/b/write"},
		{"a/*/read", "a/read"},
		{"a/*", "a/b/c"},
		{"a*a", "a"},
		{"a/b/read", "a/b/read"},
		{"", ""},
		{"**", ""},
		{"*ab*ab", "abab"},
		{"*ab*ab", "ab"},
		{"a.c", "abc"},
	} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, pattern, action string) {
		parts := strings.Split(pattern, "*")
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		re, err := regexp.Compile(`(?s)\A` + strings.Join(parts, ".*") + `\z`)
		if err != nil || !re.MatchString("") && len(pattern) > 500 {
			return // not UTF-8, or larger than a regular expression may be
		}
		if strings.ContainsRune(pattern+action, 0xfffd) {
			return
		}
		if got, want := matchAction(pattern, action), re.MatchString(action); got != want {
			t.Errorf("%q %q: %v", pattern, action, got)
		}
	})
}

// FuzzAccessFilters: whatever is asked, a filter is read or refused.
func FuzzAccessFilters(f *testing.F) {
	for _, s := range []string{"", "atScope()", "atScope() and assignedTo('x')", "principalId eq 'a''b'", "eventTimestamp ge '2026-01-01T00:00:00Z' and status eq 'a,b'", "a (", "(", "eq eq eq"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if terms, fault := accessFilter(s, "atScope()", "principalId", "assignedTo()"); fault == nil && strings.TrimSpace(s) != "" && len(terms) == 0 {
			t.Errorf("%q says nothing", s)
		}
		if match, fault := activityFilter(s); (match == nil) == (fault == nil) {
			t.Errorf("%q", s)
		}
	})
}
