package node_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/node"
)

// fresh holds a report to that of a network which was never watched.
func fresh(t *testing.T, dir string, got *node.Report) {
	t.Helper()
	d, err := node.Open(dir, node.LockRead)
	if err != nil {
		t.Fatal(err)
	}
	want := d.Check()
	for i := range want.Findings {
		a, b := &got.Findings[i], &want.Findings[i]
		if a.Status != b.Status || a.Why != b.Why || a.Expectation.Pos != b.Expectation.Pos {
			t.Errorf("%s is %s (%s), without a watch %s (%s)", a.Expectation.Name, a.Status, a.Why, b.Status, b.Why)
		}
	}
}

// TestWatch edits a network under a watch: nothing is proved twice without a
// change, a mistake is told and the next good version proved, and only what
// changed is reported.
func TestWatch(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "network.yaml")
	stamp := time.Unix(1_700_000_000, 0)
	write := func(from, to string) {
		t.Helper()
		data, err := os.ReadFile("../../examples/three-tier/network.yaml")
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Replace(string(data), from, to, 1)
		if from != "" && text == string(data) {
			t.Fatalf("the example has no %q", from)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		stamp = stamp.Add(time.Second) // as saved a second later
		if err := os.Chtimes(name, stamp, stamp); err != nil {
			t.Fatal(err)
		}
	}
	write("", "")
	w := node.NewWatch(dir)
	u := w.Poll()
	if u == nil || !u.First || u.Err != nil || u.Report.Failed() {
		t.Fatalf("first: %+v", u)
	}
	if u := w.Poll(); u != nil {
		t.Fatalf("proved again although nothing changed: %v", u.Files)
	}
	write("network:", "netwrok:")
	if u := w.Poll(); u == nil || u.Err == nil {
		t.Fatal("a mistake is not told")
	}
	write("{name: nothing-else, deny: any -> any}", "{name: nothing-else, allow: any -> any}")
	u = w.Poll()
	if u == nil || u.Err != nil || len(u.Changed) == 0 || !u.Report.Failed() {
		t.Fatalf("a hole is not told: %+v", u)
	}
	fresh(t, dir, u.Report)
	write("allow: app -> any tcp/6379", "allow: app -> any tcp/6380")
	u = w.Poll()
	if u == nil || u.Err != nil {
		t.Fatalf("an edit: %+v", u)
	}
	fresh(t, dir, u.Report)
	write("", "")
	u = w.Poll()
	if u == nil || len(u.Changed) == 0 || u.Report.Failed() {
		t.Fatalf("the repair is not told: %+v", u)
	}
	fresh(t, dir, u.Report)
	var b strings.Builder
	if err := u.WriteText(&b, false); err != nil || !strings.Contains(b.String(), "expectations hold") || strings.Contains(b.String(), "broken") {
		t.Errorf("text: %q, %v", b.String(), err)
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if u := w.Poll(); u == nil || u.Err == nil {
		t.Fatal("a missing file is not told")
	}
}
