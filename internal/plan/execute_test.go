package plan_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/ceruleannet/cerulean/internal/plan"
	"github.com/ceruleannet/cerulean/internal/plan/plantest"
	"github.com/ceruleannet/cerulean/model"
)

// fan is a group with n independent resources and one that refers to the first.
func fan(t testing.TB, n int) []*model.Resource {
	docs := []string{`{"id":"$/g","location":"eastus"}`}
	for i := range n {
		docs = append(docs, fmt.Sprintf(`{"id":"$/g@/things/t%02d"}`, i))
	}
	docs = append(docs, `{"id":"$/g@/things/user","properties":{"uses":"$/g@/things/t00"}}`,
		`{"id":"$/g@/things/user2","properties":{"uses":"$/g@/things/user"}}`)
	return parseResources(t, "["+strings.Join(docs, ",")+"]")
}

func TestConcurrencyBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running, most atomic.Int32
		release := make(chan struct{})
		cloud := plantest.Cloud{Hook: func(context.Context, string) error {
			if n := running.Add(1); n > most.Load() {
				most.Store(n)
			}
			<-release
			running.Add(-1)
			return nil
		}}
		p := compute(t, fan(t, 20), &cloud)
		done := make(chan error)
		go func() {
			_, err := plan.Execute(t.Context(), p, &cloud, plan.ExecuteOptions{Concurrency: 3})
			done <- err
		}()
		synctest.Wait()
		if n := running.Load(); n != 1 {
			t.Errorf("%d calls at once before the resource group exists", n)
		}
		release <- struct{}{}
		synctest.Wait()
		if n := running.Load(); n != 3 {
			t.Errorf("%d calls at once, want 3", n)
		}
		close(release)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if most.Load() != 3 {
			t.Errorf("at most %d calls at once, want 3", most.Load())
		}
	})
}

// After a failure nothing new starts, what runs ends, and everything is told:
// each failure with its place, each skipped step with the failure it waits for.
func TestFailureStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("SubnetIsFull: no address left")
		release := make(chan struct{})
		cloud := plantest.Cloud{Hook: func(_ context.Context, call string) error {
			switch {
			case strings.HasSuffix(call, "/t00"):
				return broken
			case strings.HasSuffix(call, "/t01"):
				<-release // still running when t00 fails
			}
			return nil
		}}
		p := compute(t, fan(t, 5), &cloud)
		var events []string
		var result plan.Result
		done := make(chan error)
		go func() {
			var err error
			result, err = plan.Execute(t.Context(), p, &cloud, plan.ExecuteOptions{Concurrency: 2, OnEvent: func(e plan.Event) {
				events = append(events, fmt.Sprintf("%s %s %d/%d", e.Kind, e.Step.ID.Name(), e.Ended, e.Total))
			}})
			done <- err
		}()
		synctest.Wait()
		close(release)
		err := <-done
		if !errors.Is(err, broken) {
			t.Fatalf("got %v", err)
		}
		want := "net.yaml:2:3: create failed: /subscriptions/s/resourceGroups/g/providers/Microsoft.Network/things/t00: SubnetIsFull: no address left"
		if err.Error() != want {
			t.Errorf("got  %s\nwant %s", err, want)
		}
		if len(result.Succeeded) != 2 || len(result.Failures) != 1 || len(result.Skipped) != 5 {
			t.Errorf("%d succeeded, %d failed, %d skipped", len(result.Succeeded), len(result.Failures), len(result.Skipped))
		}
		for _, s := range result.Skipped {
			if dependent := strings.HasPrefix(s.Step.ID.Name(), "user"); dependent != errors.Is(s.Cause, broken) {
				t.Errorf("%s was skipped because of %v", s.Step.ID.Name(), s.Cause)
			}
		}
		got := strings.Join(events, "\n")
		wantEvents := strings.TrimSpace(`
started g 0/8
succeeded g 1/8
started t00 1/8
started t01 1/8
failed t00 2/8
succeeded t01 3/8
skipped t02 4/8
skipped t03 5/8
skipped t04 6/8
skipped user 7/8
skipped user2 8/8`)
		if got != wantEvents {
			t.Errorf("events:\n%s\nwant:\n%s", got, wantEvents)
		}
	})
}

// A cancelled execution lets its running calls finish, undisturbed.
func TestCancelFinishesRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		cloud := plantest.Cloud{Hook: func(ctx context.Context, call string) error {
			if strings.HasSuffix(call, "/t00") {
				<-release
			}
			return ctx.Err()
		}}
		p := compute(t, fan(t, 3), &cloud)
		ctx, cancel := context.WithCancelCause(t.Context())
		stop := errors.New("interrupted by the user")
		done := make(chan error)
		var result plan.Result
		go func() {
			var err error
			result, err = plan.Execute(ctx, p, &cloud, plan.ExecuteOptions{Concurrency: 1})
			done <- err
		}()
		synctest.Wait()
		cancel(stop)
		synctest.Wait()
		select {
		case err := <-done:
			t.Fatalf("returned while a call runs: %v", err)
		default:
		}
		close(release)
		err := <-done
		if !errors.Is(err, stop) || len(result.Failures) != 0 || len(result.Succeeded) != 2 || len(result.Skipped) != 4 {
			t.Errorf("%v: %d succeeded, %d failed, %d skipped", err, len(result.Succeeded), len(result.Failures), len(result.Skipped))
		}
		if len(cloud.Observe()) != 2 {
			t.Errorf("the running call was cut: %v", cloud.Calls())
		}
	})
}

// Azure refuses concurrent writes below one parent (AnotherOperationInProgress),
// and a peering is a write on both networks.
func TestOneWritePerNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running, most atomic.Int32
		hold := make(chan struct{})
		cloud := plantest.Cloud{Hook: func(_ context.Context, call string) error {
			if strings.Contains(call, "virtualNetworks/hub/virtualNetworkPeerings") {
				if n := running.Add(1); n > most.Load() {
					most.Store(n)
				}
				<-hold
				running.Add(-1)
			}
			return nil
		}}
		p := compute(t, sample(t, 6), &cloud)
		done := make(chan error)
		go func() {
			_, err := plan.Execute(t.Context(), p, &cloud, plan.ExecuteOptions{})
			done <- err
		}()
		for range 6 {
			synctest.Wait()
			hold <- struct{}{}
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if most.Load() != 1 {
			t.Errorf("%d peerings of the hub were written at once", most.Load())
		}
	})
}
