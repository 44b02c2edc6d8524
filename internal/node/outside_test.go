package node_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/ceruleannet/cerulean/internal/fabric/compile"
	"github.com/ceruleannet/cerulean/internal/node"
	"github.com/ceruleannet/cerulean/model"
)

// outside is a program of somebody else's: Azure's SDK, told nothing but what
// `cerulean cloud` prints.
type outside struct {
	t            *testing.T
	client       *arm.Client
	subscription string // "/subscriptions/..."
}

func newOutside(t *testing.T, environment []string) *outside {
	t.Helper()
	env := map[string]string{}
	for _, line := range environment {
		name, value, _ := strings.Cut(line, "=")
		env[name] = value
	}
	pem, err := os.ReadFile(env["SSL_CERT_FILE"])
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		t.Fatal("no certificate in SSL_CERT_FILE")
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	web := &http.Client{Transport: transport}
	// The SDK for Go has no discovery of its own; other clients ask this.
	resp, err := web.Get("https://" + env["ARM_METADATA_HOSTNAME"] + "/metadata/endpoints?api-version=2022-09-01")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var metadata struct {
		ResourceManager string
		Authentication  struct {
			LoginEndpoint string
			Audiences     []string
		}
	}
	body, err := io.ReadAll(resp.Body)
	if err == nil {
		err = json.Unmarshal(body, &metadata)
	}
	if err != nil || len(metadata.Authentication.Audiences) == 0 {
		t.Fatalf("metadata %s: %v", body, err)
	}
	options := policy.ClientOptions{
		Transport: web,
		Cloud: cloud.Configuration{
			ActiveDirectoryAuthorityHost: strings.TrimSuffix(metadata.Authentication.LoginEndpoint, "/adfs"),
			Services: map[cloud.ServiceName]cloud.ServiceConfiguration{cloud.ResourceManager: {
				Endpoint: metadata.ResourceManager, Audience: metadata.Authentication.Audiences[0],
			}},
		},
	}
	credential, err := azidentity.NewClientSecretCredential(env["ARM_TENANT_ID"], env["ARM_CLIENT_ID"], env["ARM_CLIENT_SECRET"],
		&azidentity.ClientSecretCredentialOptions{ClientOptions: options, DisableInstanceDiscovery: true})
	if err != nil {
		t.Fatal(err)
	}
	client, err := arm.NewClient("outside", "v1.0.0", credential, &arm.ClientOptions{ClientOptions: options})
	if err != nil {
		t.Fatal(err)
	}
	return &outside{t, client, "/subscriptions/" + env["ARM_SUBSCRIPTION_ID"]}
}

type object = map[string]any

// call sends a request, polls the operation it starts to its end and returns
// the resource.
func (o *outside) call(method, path string, body object) (object, error) {
	o.t.Helper()
	ctx := context.Background()
	req, err := runtime.NewRequest(ctx, method, runtime.JoinPaths(o.client.Endpoint(), path)+"?api-version=2025-01-01")
	if err != nil {
		o.t.Fatal(err)
	}
	if body != nil {
		if err := runtime.MarshalAsJSON(req, body); err != nil {
			o.t.Fatal(err)
		}
	}
	resp, err := o.client.Pipeline().Do(req)
	if err != nil {
		return nil, err
	}
	if !runtime.HasStatusCode(resp, http.StatusOK, http.StatusCreated, http.StatusAccepted, http.StatusNoContent) {
		return nil, runtime.NewResponseError(resp)
	}
	if method == http.MethodGet {
		var doc object
		return doc, runtime.UnmarshalAsJSON(resp, &doc)
	}
	poller, err := runtime.NewPoller[object](resp, o.client.Pipeline(), nil)
	if err != nil {
		return nil, err
	}
	return poller.PollUntilDone(ctx, &runtime.PollUntilDoneOptions{Frequency: time.Second})
}

func (o *outside) must(method, path string, body object) object {
	o.t.Helper()
	doc, err := o.call(method, path, body)
	if err != nil {
		o.t.Fatalf("%s %s: %v", method, path, err)
	}
	return doc
}

// get follows names and indexes through JSON.
func get(v any, path ...any) any {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(object)
			v = m[p]
		case int:
			s, _ := v.([]any)
			if p >= len(s) {
				return nil
			}
			v = s[p]
		}
	}
	return v
}

// besideWatchers leaves out the network watchers that a region gets with its
// first virtual network, and keeps (Microsoft Learn, "Create an Azure Network
// Watcher instance").
func besideWatchers(resources []*model.Resource) []*model.Resource {
	return slices.DeleteFunc(resources, func(r *model.Resource) bool {
		return strings.EqualFold(r.ID.ResourceGroup(), "NetworkWatcherRG") || strings.EqualFold(r.ID.Name(), "NetworkWatcherRG")
	})
}

// TestOutsideClient: Azure's SDK for Go creates, reads, lists, updates and
// deletes a network in the embedded cloud, and what it made compiles.
func TestOutsideClient(t *testing.T) {
	served := openCloud(t, node.CloudOptions{Dir: filepath.Join(t.TempDir(), "state"), Serve: true})
	environment, err := served.Environment()
	if err != nil {
		t.Fatal(err)
	}
	o := newOutside(t, environment.Pairs())
	group := o.subscription + "/resourceGroups/shop"
	network := group + "/providers/Microsoft.Network"
	o.must("PUT", group, object{"location": "westeurope", "tags": object{"team": "shop"}})
	nsg := o.must("PUT", network+"/networkSecurityGroups/web", object{"location": "westeurope", "properties": object{
		"securityRules": []object{{"name": "https", "properties": object{
			"priority": 100, "direction": "Inbound", "access": "Allow", "protocol": "Tcp",
			"sourceAddressPrefix": "Internet", "sourcePortRange": "*", "destinationAddressPrefix": "*", "destinationPortRange": "443",
		}}},
	}})
	if n, _ := get(nsg, "properties", "defaultSecurityRules").([]any); len(n) != 6 {
		t.Errorf("%d default rules, Azure has 6", len(n))
	}
	vnet := network + "/virtualNetworks/shop"
	body := object{"location": "westeurope", "properties": object{
		"addressSpace": object{"addressPrefixes": []string{"10.20.0.0/16"}},
		"subnets": []object{{"name": "web", "properties": object{
			"addressPrefix": "10.20.1.0/24", "networkSecurityGroup": object{"id": nsg["id"]},
		}}},
	}}
	made := o.must("PUT", vnet, body)
	if get(made, "properties", "provisioningState") != "Succeeded" || get(made, "properties", "subnets", 0, "id") != vnet+"/subnets/web" {
		t.Errorf("made %v", made)
	}
	o.must("PUT", vnet+"/subnets/data", object{"properties": object{"addressPrefix": "10.20.2.0/24"}})
	read := o.must("GET", vnet, nil)
	if n, _ := get(read, "properties", "subnets").([]any); len(n) != 2 {
		t.Errorf("%d subnets", len(n))
	}
	if get(o.must("GET", network+"/networkSecurityGroups/web", nil), "properties", "subnets", 0, "id") != vnet+"/subnets/web" {
		t.Error("the group does not know its subnet")
	}
	for path, want := range map[string]int{
		network + "/virtualNetworks": 1, vnet + "/subnets": 2, group + "/resources": 2,
		o.subscription + "/providers/Microsoft.Network/virtualNetworks": 1, o.subscription + "/resourcegroups": 2, // with that of the network watchers
	} {
		if list, _ := o.must("GET", path, nil)["value"].([]any); len(list) != want {
			t.Errorf("%s: %d, want %d", path, len(list), want)
		}
	}
	tagged := o.must("PATCH", vnet, object{"tags": object{"env": "prod"}})
	if get(tagged, "tags", "env") != "prod" || tagged["etag"] == read["etag"] {
		t.Errorf("tagged %v", tagged)
	}
	// The cloud's content is a network like any other.
	img, err := compile.Compile(served.Snapshot(), compile.Options{})
	if err != nil || len(img.Segments) != 2 {
		t.Errorf("%v, %v", img, err)
	}
	for code, refused := range map[string]func() (object, error){
		"NetcfgInvalidSubnet": func() (object, error) {
			return o.call("PUT", vnet+"/subnets/far", object{"properties": object{"addressPrefix": "192.168.0.0/24"}})
		},
		"InUseNetworkSecurityGroupCannotBeDeleted": func() (object, error) {
			return o.call("DELETE", network+"/networkSecurityGroups/web", nil)
		},
		"ResourceNotFound": func() (object, error) { return o.call("GET", network+"/virtualNetworks/none", nil) },
	} {
		var answer *azcore.ResponseError
		if _, err := refused(); !errors.As(err, &answer) || answer.ErrorCode != code {
			t.Errorf("want %s: %v", code, err)
		}
	}
	for _, path := range []string{vnet + "/subnets/web", vnet, network + "/networkSecurityGroups/web", group} {
		o.must("DELETE", path, nil)
	}
	if left := besideWatchers(served.Snapshot()); len(left) != 0 {
		t.Errorf("%d resources left, the first %s", len(left), left[0].ID)
	}
}
