package arm

import (
	"strings"
	"testing"
	"time"
)

// TestTimings: every type of the table is one that the server has, and the table
// is read whole or not at all.
func TestTimings(t *testing.T) {
	table, err := readTimings(timingTable)
	if err != nil {
		t.Fatal(err)
	}
	kinds := newKindSet()
	for name, all := range table {
		if _, f := kinds.ofType(name); f != nil && name != "*" {
			t.Errorf("%s: %v", name, f)
		}
		for _, d := range all {
			if d <= 0 || d > time.Hour {
				t.Errorf("%s: %v", name, d)
			}
		}
	}
	for text, want := range map[string]string{
		"a/b 1s 1s":               "3 fields",
		"* 1s 1s 1s\na/b 1s x 1s": "line 2",
		"* 1s 1s -1s":             "no duration",
		"a/b 1s 1s 1s":            "is missing",
	} {
		if _, err := readTimings(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	s := &Server{timings: table, timingScale: 0.1}
	if got := s.takes("microsoft.network/VirtualNetworkGateways", timedCreation); got != 3*time.Minute {
		t.Errorf("a gateway takes %v", got)
	}
	if got := s.takes("Microsoft.X/y", timedDeletion); got != 500*time.Millisecond {
		t.Errorf("something else takes %v", got)
	}
	if s.timingScale = 0; s.takes("*", timedChange) != 0 {
		t.Error("without a scale")
	}
}
