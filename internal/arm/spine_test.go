package arm_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/intent"
	"github.com/ceruleannet/cerulean/internal/fabric/compile"
	"github.com/ceruleannet/cerulean/internal/plan"
	"github.com/ceruleannet/cerulean/internal/plan/azure"
	"github.com/ceruleannet/cerulean/model"
	"github.com/google/go-cmp/cmp"
)

// TestSpine: the example networks are applied through the API, a second plan is
// empty, what the cloud holds compiles to ports as the declaration does, and
// destroying leaves nothing.
func TestSpine(t *testing.T) {
	files, err := filepath.Glob("../../examples/*/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	examples := map[string]bool{}
	for _, file := range files {
		examples[filepath.Dir(file)] = true
	}
	for path := range examples {
		t.Run(filepath.Base(path), func(t *testing.T) {
			declared, err := intent.Load(path, intent.Options{})
			if err != nil {
				t.Fatal(err)
			}
			n := declared.Network
			c := newCloud(t)
			client, err := azure.New(azure.Config{
				Endpoint: c.base, Authority: c.base, Audience: c.base, RootCAs: c.identity.CertPool(), Transport: c.client,
				Tenant: c.identity.TenantID, ClientID: c.identity.ClientID, ClientSecret: c.identity.ClientSecret, Subscription: n.Subscription,
			})
			if err != nil {
				t.Fatal(err)
			}
			apply := func(desired []*model.Resource) int {
				t.Helper()
				ctx := context.Background()
				start := time.Now()
				observed, err := client.Observe(ctx, desired, n.Name)
				if err != nil {
					t.Fatal(err)
				}
				p, err := plan.Compute(desired, observed, plan.Options{Network: n.Name})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := plan.Execute(ctx, p, client, plan.ExecuteOptions{}); err != nil {
					t.Fatal(err)
				}
				t.Logf("%d steps in %v", p.Len(), time.Since(start))
				return p.Len()
			}
			if apply(n.Resources) == 0 {
				t.Error("nothing was planned")
			}
			if steps := apply(n.Resources); steps != 0 {
				t.Errorf("the second plan has %d steps", steps)
			}
			if diff := cmp.Diff(ports(t, n.Resources), ports(t, c.server.Snapshot())); diff != "" {
				t.Errorf("declared and stored differ: %s", diff)
			}
			apply(nil)
			if left := c.written(); len(left) != 0 {
				t.Errorf("%d resources are left, the first is %s", len(left), left[0].ID)
			}
		})
	}
}

// ports compiles resources and describes the ports of the image.
func ports(t *testing.T, rs []*model.Resource) []string {
	t.Helper()
	img, err := compile.Compile(rs, compile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, p := range img.Ports {
		out = append(out, fmt.Sprintf("%s %s %s egress %d ingress %d routes %d", p.Kind, p.Name, p.Origin.Resource, len(p.Egress), len(p.Ingress), len(img.Tables[max(p.Routes, 0)].Routes)))
	}
	for _, p := range img.Publics {
		out = append(out, fmt.Sprint(p.Addr, " ", p.Origin.Resource))
	}
	return out
}
