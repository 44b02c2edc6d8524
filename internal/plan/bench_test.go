package plan_test

import (
	"testing"

	"github.com/ceruleannet/cerulean/internal/plan"
	"github.com/ceruleannet/cerulean/internal/plan/plantest"
)

// BenchmarkCompute plans a network of 100 spokes against itself.
func BenchmarkCompute(b *testing.B) {
	desired := sample(b, 100)
	var cloud plantest.Cloud
	apply(b, desired, &cloud)
	observed := cloud.Observe()
	b.ReportMetric(float64(len(desired)), "resources")
	b.ReportAllocs()
	for b.Loop() {
		p, err := plan.Compute(desired, observed, plan.Options{Network: network})
		if err != nil || !p.Empty() {
			b.Fatal(err, p.Len())
		}
	}
}
