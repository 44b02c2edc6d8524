package node_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/node"
)

// Who interrupts a drill gets what was seen until then, and what was down is back.
// A second drill meanwhile is refused, with the first one's name.
func TestInterruptedDrill(t *testing.T) {
	s, r := running(t, "../../examples/three-tier", node.UpOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var second error
	result, err := r.Drill(ctx, node.DrillOptions{Target: []string{"host", "app-1"}, For: time.Hour}, func(stage, _ string) {
		if stage == "fail" {
			_, second = r.Drill(ctx, node.DrillOptions{Target: []string{"host", "db-1"}}, func(string, string) {})
			cancel()
		}
	})
	if err == nil || !strings.Contains(err.Error(), "the drill was interrupted, and what was down is back") {
		t.Errorf("the interrupted drill: %v", err)
	}
	if result == nil || result.OK || !strings.Contains(result.Text, "host app-1: the drill was interrupted: this is what was seen until then") || !strings.Contains(string(result.Report), `"interrupted":true`) {
		t.Errorf("the report of the interrupted drill: %+v", result)
	}
	if second == nil || !strings.Contains(second.Error(), "another drill is under way: of host app-1") {
		t.Errorf("the second drill: %v", second)
	}
	if down := s.Net.Failed(); down.Name != "" {
		t.Errorf("%s is still down", down.Name)
	}
	// The next one may begin, and one that is interrupted before anything is down
	// has nothing to report.
	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	if _, err := r.Drill(ctx, node.DrillOptions{Target: []string{"host", "app-1"}, For: time.Hour}, func(string, string) {}); err == nil || errors.Is(err, node.ErrDrilling) {
		t.Errorf("a drill that is interrupted at once: %v", err)
	}
}
