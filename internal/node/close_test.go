package node

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/drill"
)

// A running network that closes while it is asked, captured, drilled, reloaded,
// forwarded into and scraped ends all of it: nothing races, hangs or stays. It
// closes after a number of things were done, a random one.
func TestCloseUnderLoad(t *testing.T) {
	dir, err := os.MkdirTemp("", "c") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	t.Setenv("XDG_RUNTIME_DIR", dir)
	for _, path := range []string{"../../examples/api-gateway", "../../examples/landing-zone", "../../examples/traffic-manager"} {
		closeUnderLoad(t, path, int64(rand.IntN(200)))
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*", "*")); len(left) > 0 {
		t.Error("left behind:", left)
	}
}

func closeUnderLoad(t *testing.T, path string, after int64) {
	s, err := Up(t.Context(), path, UpOptions{
		Listen: "127.0.0.1:0", Control: true, NoProbe: true, Pace: 100, FlowLogs: t.TempDir(), Metrics: "127.0.0.1:0",
	}, func(Event) {})
	if err != nil {
		t.Fatal(err)
	}
	if err := rewriteGroup(t.Context(), s); err != nil {
		t.Error(err)
	}
	hosts := s.Net.Hosts()
	from, to := hosts[0].Name, hosts[len(hosts)-1].Name
	targets := drill.All(s.Net.Declared())

	var done atomic.Int64
	closing, ended := make(chan struct{}), make(chan struct{})
	var once sync.Once
	var workers sync.WaitGroup
	work := func(f func(ctx context.Context, r *Remote)) {
		workers.Go(func() {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			stop := make(chan struct{})
			defer close(stop)
			go func() { // what the end of the network has not ended, ends now
				select {
				case <-ended:
				case <-stop:
				}
				cancel()
			}()
			r := s.Remote()
			defer r.Close()
			for ctx.Err() == nil {
				f(ctx, r)
				if done.Add(1) >= after {
					once.Do(func() { close(closing) })
				}
			}
		})
	}
	for _, path := range []string{"/v1/status", "/v1/flows", "/v1/health", "/v1/gateways"} {
		work(func(ctx context.Context, r *Remote) {
			var out any
			_ = r.Get(ctx, path, &out)
		})
	}
	work(func(ctx context.Context, r *Remote) { _, _ = r.Capture(ctx, CaptureAsk{Count: 20}, io.Discard) })
	work(func(ctx context.Context, r *Remote) {
		n := 0
		_ = r.Follow(ctx, "", false, func() {}, func(FlowNews) error {
			if n++; n > 20 {
				return io.EOF
			}
			return nil
		})
	})
	work(func(ctx context.Context, r *Remote) {
		target := targets[rand.IntN(len(targets))]
		_, _ = r.Drill(ctx, DrillOptions{Target: strings.Fields(target.String()), For: 50 * time.Millisecond, Grace: 10 * time.Millisecond}, func(string, string) {})
	})
	work(func(ctx context.Context, r *Remote) { _, _ = r.Doctor(ctx, from, to+":80") })
	work(func(ctx context.Context, r *Remote) { _ = r.Metrics(ctx, io.Discard) })
	work(func(ctx context.Context, r *Remote) {
		if c, err := r.Dial(ctx, from, to+":80"); err == nil {
			c.Close()
		}
	})
	work(func(ctx context.Context, _ *Remote) { _ = rewriteGroup(ctx, s) })
	<-closing
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	close(ended)
	workers.Wait()
	if left := s.Net.Leaked(); left != "" {
		t.Errorf("%s: closed after %d things, and goroutines still run:\n%s", path, after, left)
	}
}

// rewriteGroup changes a security group in the cloud: the network follows.
func rewriteGroup(ctx context.Context, s *System) error {
	client := &http.Client{Transport: s.Cloud.transport}
	l := &load{cloud: s.Cloud, client: client}
	if err := l.signIn(ctx); err != nil {
		return err
	}
	for _, r := range s.Design.Network().Resources {
		if !r.ID.Is("Microsoft.Network/networkSecurityGroups") {
			continue
		}
		url := s.Cloud.Endpoint + r.ID.String() + "/securityRules/under-load?api-version=2024-05-01"
		for _, method := range []string{http.MethodPut, http.MethodDelete} {
			body := `{"properties":{"priority":4000,"direction":"Inbound","access":"Allow","protocol":"Tcp","sourceAddressPrefix":"*","sourcePortRange":"*","destinationAddressPrefix":"*","destinationPortRange":"7"}}`
			req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
			if err != nil {
				return err
			}
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Authorization", "Bearer "+l.token)
			res, err := client.Do(req)
			if err != nil {
				return err
			}
			_, _ = io.Copy(io.Discard, res.Body)
			res.Body.Close()
			if res.StatusCode >= 300 {
				return errors.New(res.Status)
			}
		}
		return nil
	}
	return nil
}
