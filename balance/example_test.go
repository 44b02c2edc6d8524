package balance_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/ceruleannet/cerulean/balance"
)

// Choosing among three members, of which one is down.
func ExampleBalancer() {
	ctx := context.Background()
	b := balance.New(balance.LeastConnections(), balance.Options[string]{Panic: 0.5})
	err := b.Update([]balance.Member[string]{
		{Value: "10.0.0.4:80"}, {Value: "10.0.0.5:80"}, {Value: "10.0.0.6:80", Weight: 2},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	b.SetHealth("10.0.0.6:80", false)
	for range 3 {
		p, err := b.Pick(ctx, 0)
		if err != nil {
			fmt.Println(err)
			return
		}
		// ... use p.Member ...
		fmt.Println(p.Member)
		p.Done(nil)
	}
	// Output:
	// 10.0.0.4:80
	// 10.0.0.5:80
	// 10.0.0.4:80
}

// The same key goes to the same member, whoever else leaves.
func ExampleConsistentHash() {
	b := balance.New(balance.ConsistentHash(), balance.Options[int]{})
	_ = b.Update([]balance.Member[int]{{Value: 1}, {Value: 2}, {Value: 3}, {Value: 4}})
	key := balance.Hash("tenant-17")
	before, _ := b.Pick(context.Background(), key)
	for m := 1; m <= 4; m++ {
		if m != before.Member {
			b.SetHealth(m, false)
			break
		}
	}
	after, _ := b.Pick(context.Background(), key)
	fmt.Println(before.Member == after.Member)
	// Output: true
}

// A breaker refuses requests to what fails.
func ExampleBreaker() {
	b := balance.NewBreaker(balance.BreakerOptions{Name: "database", MinRequests: 2})
	query := func(context.Context) (int, error) { return 0, errors.New("connection refused") }
	for range 3 {
		_, err := balance.Guard(context.Background(), b, query)
		fmt.Println(err)
	}
	// Output:
	// connection refused
	// connection refused
	// circuit breaker is open
}

// Retries are a fifth of the requests at most.
func ExampleRetry() {
	budget := balance.NewBudget(0.2, 1)
	calls := 0
	v, err := balance.Retry(context.Background(), balance.RetryPolicy{Budget: budget}, func(context.Context) (string, error) {
		if calls++; calls == 1 {
			return "", errors.New("503")
		}
		return "ok", nil
	})
	fmt.Println(v, err, calls)
	// Output: ok <nil> 2
}
