package plan_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/plan"
	"github.com/ceruleannet/cerulean/internal/plan/plantest"
)

func TestWriteJSON(t *testing.T) {
	var cloud plantest.Cloud
	p := compute(t, sample(t, 1), &cloud)
	var b bytes.Buffer
	if err := plan.WriteJSON(&b, p); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Network string
		Empty   bool
		Counts  map[string]int
		Steps   []struct {
			Action, ID string
			Needs      []int
			Document   map[string]any
			Commit     *struct {
				CommitType                        string
				TargetLocations, ConfigurationIDs []string
			}
		}
	}
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Network != network || got.Empty || len(got.Steps) != p.Len() {
		t.Errorf("%+v", got)
	}
	if got.Counts["create"] != 23 || got.Counts["commit"] != 2 {
		t.Errorf("counts %v", got.Counts)
	}
	commits := 0
	for i, s := range got.Steps {
		if s.Commit != nil {
			commits++
			if len(s.Commit.TargetLocations) == 0 || len(s.Commit.ConfigurationIDs) != 1 || len(s.Needs) == 0 {
				t.Errorf("step %d: %+v", i, s)
			}
		}
	}
	if commits != 2 {
		t.Errorf("%d commits, want 2: one for each type, for all its regions", commits)
	}
}

func TestWriteColor(t *testing.T) {
	var cloud plantest.Cloud
	p := compute(t, sample(t, 1), &cloud)
	var colored, plain, brief strings.Builder
	for w, style := range map[*strings.Builder]plan.Style{&colored: {Color: true}, &plain: {}, &brief: {Brief: true}} {
		if err := plan.Write(w, p, style); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(colored.String(), "\x1b[32m") || strings.Contains(plain.String(), "\x1b") {
		t.Error("colours where there should be none, or none where they should be")
	}
	if strings.Contains(brief.String(), "addressSpace") || !strings.Contains(plain.String(), "addressSpace.addressPrefixes: [10.1.0.0/16]") {
		t.Errorf("properties: %s", plain.String())
	}
	for _, line := range strings.Split(plain.String(), "\n") {
		if len([]rune(line)) > 100 {
			t.Errorf("more than 100 columns: %s", line)
		}
	}
	if want := "globo: 23 to create, 0 to update, 0 to delete, 2 to commit\n"; !strings.HasPrefix(plain.String(), want) {
		t.Errorf("header %q, want %q", strings.SplitN(plain.String(), "\n", 2)[0], want)
	}
}
