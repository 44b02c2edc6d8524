package balance_test

import (
	"context"
	"testing"

	"github.com/sony/gobreaker/v2"

	"github.com/ceruleannet/cerulean/balance"
)

// The same request through this package's breaker and gobreaker's, which is the
// one that Go programs mostly use.
func BenchmarkBreaker(b *testing.B) {
	ctx := b.Context()
	run := func(name string, one func()) {
		b.Run(name+"/alone", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				one()
			}
		})
		b.Run(name+"/parallel", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					one()
				}
			})
		})
	}
	ours := balance.NewBreaker(balance.BreakerOptions{})
	run("cerulean", func() {
		_, _ = balance.Guard(ctx, ours, func(context.Context) (int, error) { return 1, nil })
	})
	theirs := gobreaker.NewCircuitBreaker[int](gobreaker.Settings{})
	run("gobreaker", func() {
		_, _ = theirs.Execute(func() (int, error) { return 1, nil })
	})
}
