package node

import (
	"context"
	"slices"
	"strings"
	"testing"
)

// TestBenchCloud: every figure is there and none is zero; what cannot be
// measured is refused.
func TestBenchCloud(t *testing.T) {
	b, err := BenchCloud(context.Background(), CloudSizes{Resources: 200, Writers: 8, Requests: 30}, 1)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range b.Figures {
		names = append(names, f.Name)
		if f.Median <= 0 {
			t.Errorf("%s: %v", f.Name, f.Median)
		}
	}
	for _, want := range []string{"fill", "memory per resource", "change", "change, p99", "create", "read, p99", "cold start"} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is missing from %q", want, names)
		}
	}
	for want, sizes := range map[string]CloudSizes{
		"--resources 99": {99, 1, 1}, "--writers 0": {100, 0, 1}, "--requests 0": {100, 1, 0},
	} {
		if _, err := BenchCloud(context.Background(), sizes, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
