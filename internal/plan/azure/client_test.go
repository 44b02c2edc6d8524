package azure

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ceruleannet/cerulean/internal/plan"
	"github.com/ceruleannet/cerulean/model"
)

var group = model.GroupID("s", "net")

func resource(name string) *model.Resource {
	return &model.Resource{
		ID:  group.Resource(model.TypeNSG, name),
		Doc: map[string]any{"id": "x", "name": "x", "type": "x", "location": "westeurope"},
		Pos: model.Pos{File: "net.yaml", Line: 7, Column: 3},
	}
}

// Azure answers writes in four ways (ARM resource provider contract, "async
// operations"): at once, with an operation to poll, with a state in the body.
func TestPut(t *testing.T) {
	for _, tt := range []struct {
		name  string
		calls int // requests: the PUT, polls, repetitions
		err   string
	}{
		{"sync-a", 1, ""},
		{"async-a", 3, ""},
		{"body-a", 2, ""},
		{"throttle-a", 4, ""},
		{"busy-a", 4, ""},
		{"fail-a", 3, "SubnetIsFull: no address left"},
		{"refuse-a", 1, "NetcfgInvalidSubnet: Subnet 'x' is not valid in virtual network 'y'. (Detail: more of it)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDouble(t)
			r := resource(tt.name)
			err := d.client().Put(t.Context(), r)
			if got := len(d.log()); got != tt.calls {
				t.Errorf("%d requests, want %d: %v", got, tt.calls, d.log())
			}
			if tt.err == "" {
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(map[string]any{"location": "westeurope"}, d.bodies[r.ID.Key()]); diff != "" {
					t.Errorf("body: %s", diff)
				}
				return
			}
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want an Error", err)
			}
			if want := "PUT " + r.ID.String() + ": " + tt.err; err.Error() != want {
				t.Errorf("got  %s\nwant %s", err, want)
			}
			if e.Pos != r.Pos {
				t.Errorf("declared place %v, want %v", e.Pos, r.Pos)
			}
		})
	}
}

func TestDelete(t *testing.T) {
	for _, tt := range []struct {
		name  string
		there bool
		calls int
		err   string
	}{
		{"async-a", true, 3, ""},
		{"empty-a", true, 1, ""},
		{"gone-a", false, 1, ""},
		{"refuse-a", true, 1, "InUse: still used"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDouble(t)
			id := resource(tt.name).ID
			if tt.there {
				d.put(`{"id":"` + id.String() + `"}`)
			}
			err := d.client().Delete(t.Context(), id)
			if got := len(d.log()); got != tt.calls {
				t.Errorf("%d requests, want %d: %v", got, tt.calls, d.log())
			}
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("got %v, want %q", err, tt.err)
			}
		})
	}
}

// A commit has ended when listDeploymentStatus says Deployed, not when the
// POST's own operation has.
func TestCommit(t *testing.T) {
	manager := group.Resource(model.TypeNetworkManager, "m")
	commit := plan.Commit{
		Type: "SecurityAdmin", Locations: []string{"eastus", "westeurope"},
		Configurations: []model.ID{manager.Child("securityAdminConfigurations", "guard")},
	}
	d := newDouble(t)
	if err := d.client().Commit(t.Context(), manager, commit); err != nil {
		t.Fatal(err)
	}
	for _, e := range d.deployed {
		if e["deploymentStatus"] != "Deployed" {
			t.Errorf("returned while %v", e)
		}
	}
	commit.Locations = []string{"nowhere"}
	err := d.client().Commit(t.Context(), manager, commit)
	if err == nil || !strings.Contains(err.Error(), "no such region") || !strings.Contains(err.Error(), manager.String()) {
		t.Errorf("a failed deployment gives %v", err)
	}
}

func TestCancelledWhilePolling(t *testing.T) {
	d := newDouble(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.client().Put(ctx, resource("async-a")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// The service principal's token comes from the authority given, without asking
// anybody else about it.
func TestServicePrincipal(t *testing.T) {
	d := newDouble(t)
	c, err := New(Config{
		Endpoint: d.server.URL + "/", Authority: d.server.URL, Transport: d.server.Client(), Subscription: "s",
		Tenant: "tenant", ClientID: "id", ClientSecret: "pw",
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Put(t.Context(), resource("sync-a")); err != nil {
		t.Fatal(err)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, tt := range []struct {
		name string
		cfg  Config
		want string
	}{
		{"no subscription", Config{}, "no subscription"},
		{"http", Config{Subscription: "s", Endpoint: "http://localhost"}, `"http://localhost" is not an https URL`},
		{"no host", Config{Subscription: "s", Endpoint: "https://"}, "is not an https URL"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := New(tt.cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestVersionOf(t *testing.T) {
	for _, tt := range []struct{ resourceType, want string }{
		{model.TypeVirtualNetwork, "2025-01-01"},
		{model.TypeResourceGroup, "2021-04-01"},
		{model.TypeVM, "2024-07-01"},
		{model.TypePrivateZone, "2024-06-01"},
		{model.TypePrivateZoneLink, "2024-06-01"},
		{model.TypePolicyAssignment, "2023-04-01"},
	} {
		if got := versionOf(tt.resourceType); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.resourceType, got, tt.want)
		}
	}
}
