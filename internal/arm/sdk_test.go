package arm_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	azurearm "github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	armruntime "github.com/Azure/azure-sdk-for-go/sdk/azcore/arm/runtime"
	azurecloud "github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/ceruleannet/cerulean/internal/arm"
)

// sdk is Azure's own client pipeline against the test's cloud.
type sdk struct {
	t        *testing.T
	pipeline runtime.Pipeline
	base     string
	// for typed clients
	credential azcore.TokenCredential
	options    *azurearm.ClientOptions
}

func newSDK(t *testing.T, c *cloud) *sdk {
	t.Helper()
	options := policy.ClientOptions{
		Cloud: azurecloud.Configuration{
			ActiveDirectoryAuthorityHost: c.base,
			Services:                     map[azurecloud.ServiceName]azurecloud.ServiceConfiguration{azurecloud.ResourceManager: {Endpoint: c.base, Audience: c.base}},
		},
		Transport: c.client,
	}
	cred, err := azidentity.NewClientSecretCredential(c.identity.TenantID, c.identity.ClientID, c.identity.ClientSecret,
		&azidentity.ClientSecretCredentialOptions{ClientOptions: options, DisableInstanceDiscovery: true})
	if err != nil {
		t.Fatal(err)
	}
	typed := &azurearm.ClientOptions{ClientOptions: options}
	pl, err := armruntime.NewPipeline("cerulean", "v0.0.0", cred, runtime.PipelineOptions{}, typed)
	if err != nil {
		t.Fatal(err)
	}
	return &sdk{t, pl, c.base, cred, typed}
}

// run sends a request and polls it to its end.
func (s *sdk) run(method, path string, body any) (map[string]any, error) {
	s.t.Helper()
	ctx := context.Background()
	req, err := runtime.NewRequest(ctx, method, s.base+path+version)
	if err != nil {
		s.t.Fatal(err)
	}
	if body != nil {
		if err := runtime.MarshalAsJSON(req, body); err != nil {
			s.t.Fatal(err)
		}
	}
	resp, err := s.pipeline.Do(req)
	if err != nil {
		return nil, err
	}
	if !runtime.HasStatusCode(resp, http.StatusOK, http.StatusCreated, http.StatusAccepted, http.StatusNoContent) {
		return nil, runtime.NewResponseError(resp)
	}
	poller, err := runtime.NewPoller[map[string]any](resp, s.pipeline, nil)
	if err != nil {
		return nil, err
	}
	return poller.PollUntilDone(ctx, &runtime.PollUntilDoneOptions{Frequency: time.Second})
}

// TestSDK: Azure's SDK signs in, creates, updates, reads and deletes.
func TestSDK(t *testing.T) {
	c := newCloud(t)
	s := newSDK(t, c)
	type doc = map[string]any
	if _, err := s.run("PUT", group, doc{"location": "westeurope"}); err != nil {
		t.Fatal(err)
	}
	vnet := network + "/virtualNetworks/hub"
	body := doc{"location": "westeurope", "properties": doc{
		"addressSpace": doc{"addressPrefixes": []string{"10.0.0.0/16"}},
		"subnets":      []doc{{"name": "app", "properties": doc{"addressPrefix": "10.0.1.0/24"}}},
	}}
	for range 2 { // create, then the same again
		got, err := s.run("PUT", vnet, body)
		if err != nil {
			t.Fatal(err)
		}
		if state := str(got, "properties", "provisioningState"); state != "Succeeded" {
			t.Errorf("provisioningState %q", state)
		}
		if id := str(got, "properties", "subnets", 0, "id"); id != vnet+"/subnets/app" {
			t.Errorf("subnet id %q", id)
		}
	}
	_, err := s.run("PUT", vnet, doc{"location": "westeurope", "properties": doc{"addressSpace": doc{"addressPrefixes": []string{"10.0.0.1/16"}}}})
	var refused *azcore.ResponseError
	if !errors.As(err, &refused) || refused.ErrorCode != "InvalidCIDRNotation" {
		t.Errorf("error %v", err)
	}
	for _, path := range []string{vnet + "/subnets/app", vnet, vnet, group} {
		if _, err := s.run("DELETE", path, nil); err != nil {
			t.Errorf("DELETE %s: %v", path, err)
		}
	}
	c.refused(404, "ResourceGroupNotFound", "GET", group, "")
}

// TestSDKCommit: a commit is accepted, polled and has a result.
func TestSDKCommit(t *testing.T) {
	c := newCloud(t).withGroup()
	s := newSDK(t, c)
	manager := network + "/networkManagers/nm"
	c.must("PUT", manager, managerBody)
	got, err := s.run("POST", manager+"/commit", map[string]any{"commitType": "Routing", "targetLocations": []string{"westeurope"}, "configurationIds": []string{}})
	if err != nil || str(got, "commitId") == "" {
		t.Errorf("result %v, %v", got, err)
	}
}

// TestSDKWaits: an operation that takes time is polled until it has ended.
func TestSDKWaits(t *testing.T) {
	c := newCloud(t, func(cfg *arm.Config) { cfg.OperationTime = time.Minute }).withGroup()
	a := c.must("PUT", network+"/virtualNetworks/hub", vnetBody)
	poll := a.header.Get("Azure-AsyncOperation")
	if a.status != 201 || str(a.body, "properties", "provisioningState") != "Updating" || a.header.Get("Retry-After") != "10" || !strings.HasPrefix(poll, c.base) {
		t.Fatalf("%d %v %s", a.status, a.header, a.raw)
	}
	check := func(operation, resource string) {
		t.Helper()
		if got := str(c.get(poll), "status"); got != operation {
			t.Errorf("operation %q, want %q", got, operation)
		}
		if got := str(c.get(network+"/virtualNetworks/hub"), "properties", "provisioningState"); got != resource {
			t.Errorf("resource %q, want %q", got, resource)
		}
	}
	check("InProgress", "Updating")
	c.clock.Advance(time.Minute)
	check("Succeeded", "Succeeded")

	a = c.must("DELETE", network+"/virtualNetworks/hub", "")
	if a.status != 202 || a.header.Get("Azure-AsyncOperation") == "" {
		t.Fatalf("%d %v", a.status, a.header)
	}
	location := a.header.Get("Location")
	if got := c.must("GET", location, ""); got.status != 202 {
		t.Errorf("result %d before the end", got.status)
	}
	c.clock.Advance(time.Minute)
	if got := c.must("GET", location, ""); got.status != 204 {
		t.Errorf("result %d after the end", got.status)
	}
	if got := c.must("DELETE", network+"/virtualNetworks/hub", ""); got.status != 204 {
		t.Errorf("deleting what is gone: %d", got.status)
	}
	// A made-up name is not an operation.
	forged := strings.Replace(poll, "/operations/", "/operations/0", 1)
	forged = forged[:strings.Index(forged, "/operations/0")] + "/operations/00000000-0000-0000-0000-000000000000?api-version=2025-01-01"
	c.refused(404, "OperationNotFound", "GET", forged, "")
}

const managerBody = `{"location":"westeurope","properties":{"networkManagerScopes":{"subscriptions":["` + subscription + `"]},"networkManagerScopeAccesses":["Connectivity","SecurityAdmin","Routing"]}}`
