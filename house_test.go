package cerulean

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestNoSleepsInTests: a test that waits for wall-clock time is slow when it
// passes and flaky when it does not; use testing/synctest or a channel.
func TestNoSleepsInTests(t *testing.T) {
	sleep := regexp.MustCompile(`\btime\.Sleep\(`)
	eachGoFile(t, func(path string, _ int) {
		if !strings.HasSuffix(path, "_test.go") || path == "house_test.go" {
			return
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), `"testing/synctest"`) {
			return // time is the bubble's
		}
		for i, line := range strings.Split(string(b), "\n") {
			if sleep.MatchString(line) {
				t.Errorf("%s:%d sleeps", path, i+1)
			}
		}
	})
}

// TestNoHiddenState: no init functions, and no package named after being
// useful.
func TestNoHiddenState(t *testing.T) {
	initFunc := regexp.MustCompile(`(?m)^func init\(\)`)
	eachGoFile(t, func(path string, _ int) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if initFunc.Match(b) {
			t.Errorf("%s has an init function: pass what it registers instead", path)
		}
		switch dir := filepath.Base(filepath.Dir(path)); dir {
		case "utils", "util", "common", "helpers", "misc":
			t.Errorf("%s: package %s says nothing about its duty", path, dir)
		}
	})
}

// TestDecisionRecords: records are numbered without gaps and have a status.
func TestDecisionRecords(t *testing.T) {
	files, err := filepath.Glob("docs/adr/[0-9]*.md")
	if err != nil || len(files) == 0 {
		t.Fatal("no decision records", err)
	}
	for i, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(f)
		if want := strings.Repeat("0", 4-len(itoa(i+1))) + itoa(i+1); !strings.HasPrefix(name, want+"-") {
			t.Errorf("%s is not number %s", name, want)
		}
		if !strings.Contains(string(b), "\nStatus: ") {
			t.Errorf("%s has no status", name)
		}
	}
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + itoa(n%10)
}
