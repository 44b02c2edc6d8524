package paas_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/paas"
	"github.com/ceruleannet/cerulean/model"
)

func serve(h http.Handler, r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func machine(t testing.TB) http.Handler {
	t.Helper()
	f := &fakeCloud{}
	const vnet = rg + "Microsoft.Network/virtualNetworks/app"
	f.put(vnet+"/subnets/web", `{"properties":{"addressPrefix":"10.0.1.0/24"}}`)
	f.put(rg+"Microsoft.Network/networkInterfaces/web-1-nic", `{"properties":{"macAddress":"00-0D-3A-12-34-56","ipConfigurations":[
		{"name":"a","properties":{"privateIPAddress":"10.0.1.4","subnet":{"id":"`+vnet+`/subnets/web"}}},
		{"name":"b","properties":{"privateIPAddress":"fd00::4","subnet":{"id":"`+vnet+`/subnets/web"}}}]}}`)
	f.put(rg+"Microsoft.ManagedIdentity/userAssignedIdentities/deploy", `{"properties":{"clientId":"c-deploy","principalId":"o-deploy"}}`)
	f.put(rg+"Microsoft.ManagedIdentity/userAssignedIdentities/backup", `{"properties":{"clientId":"c-backup","principalId":"o-backup"}}`)
	f.put(vmID, `{"location":"westeurope","zones":["2"],"tags":{"env":"prod","team":"shop"},
		"identity":{"type":"SystemAssigned, UserAssigned","principalId":"o-system","userAssignedIdentities":{
			"`+rg+`Microsoft.ManagedIdentity/userAssignedIdentities/deploy":{},"`+rg+`Microsoft.ManagedIdentity/userAssignedIdentities/backup":{}}},
		"properties":{"vmId":"7f2c3a1e-0000-0000-0000-000000000001","hardwareProfile":{"vmSize":"Standard_B2s"},
		"networkProfile":{"networkInterfaces":[{"id":"`+rg+`Microsoft.Network/networkInterfaces/web-1-nic"}]}}}`)
	f.put(rg+"Microsoft.Compute/virtualMachines/user-only", `{"identity":{"type":"UserAssigned","userAssignedIdentities":{
			"`+rg+`Microsoft.ManagedIdentity/userAssignedIdentities/deploy":{},"`+rg+`Microsoft.ManagedIdentity/userAssignedIdentities/backup":{}}},"properties":{}}`)
	f.put(rg+"Microsoft.Compute/virtualMachines/bare", `{"properties":{}}`)
	p := paas.New(f, func() time.Time { return start }, paas.Limits{})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := r.Header.Get("Test-Machine")
		if name == "" {
			name = "web-1"
		}
		p.Metadata(model.MustParseID(rg+"Microsoft.Compute/virtualMachines/"+name)).ServeHTTP(w, r)
	})
}

// What a machine is told of itself ("Azure Instance Metadata Service").
func TestInstance(t *testing.T) {
	h := machine(t)
	for _, tt := range []struct {
		name, target string
		header       [2]string
		status       int
		want         string // part of the body
	}{
		{"a name", "/metadata/instance/compute/name?api-version=2021-02-01&format=text", [2]string{}, 200, "web-1"},
		{"the zone", "/metadata/instance/compute/zone?api-version=2021-02-01&format=text", [2]string{}, 200, "2"},
		{"tags", "/metadata/instance/compute/tags?api-version=2021-02-01&format=text", [2]string{}, 200, "env:prod;team:shop"},
		{"a tag of the list", "/metadata/instance/compute/tagsList?api-version=2021-02-01", [2]string{}, 200, `[{"name":"env","value":"prod"},{"name":"team","value":"shop"}]`},
		{"the resource", "/metadata/instance/compute?api-version=2021-02-01", [2]string{}, 200, `"resourceId":"` + vmID + `"`},
		{"the first address", "/metadata/instance/network/interface/0/ipv4/ipAddress/0/privateIpAddress?api-version=2017-08-01&format=text", [2]string{}, 200, "10.0.1.4"},
		{"its subnet", "/metadata/instance/network/interface/0/ipv4/subnet/0?api-version=2017-08-01", [2]string{}, 200, `{"address":"10.0.1.0","prefix":"24"}`},
		{"IPv6", "/metadata/instance/network/interface/0/ipv6/ipAddress?api-version=2017-08-01", [2]string{}, 200, `[{"privateIpAddress":"fd00::4"}]`},
		{"hardware", "/metadata/instance/network/interface/0/macAddress?api-version=2017-08-01&format=text", [2]string{}, 200, "000D3A123456"},
		{"a directory", "/metadata/instance/network?api-version=2017-08-01&format=text", [2]string{}, 200, "interface/"},
		{"versions", "/metadata/versions", [2]string{}, 200, `{"apiVersions":["2017-04-02"`},
		{"no such leaf", "/metadata/instance/compute/nothing?api-version=2021-02-01", [2]string{}, 404, "Not found"},
		{"no such index", "/metadata/instance/network/interface/7?api-version=2021-02-01", [2]string{}, 404, "Not found"},
		{"no such service", "/metadata/attested/document?api-version=2021-02-01", [2]string{}, 404, "Not found"},
		{"no header", "/metadata/instance?api-version=2021-02-01", [2]string{"Metadata", ""}, 400, "Required metadata header not specified"},
		{"by a proxy", "/metadata/instance?api-version=2021-02-01", [2]string{"X-Forwarded-For", "10.0.0.1"}, 400, "X-Forwarded-For"},
		{"no version", "/metadata/instance", [2]string{}, 400, `"newest-versions":["2025-04-07"`},
		{"a version that never was", "/metadata/instance?api-version=2020-13-01", [2]string{}, 400, "api-version is invalid"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "http://169.254.169.254"+tt.target, nil)
			r.Header.Set("Metadata", "true")
			if tt.header[0] != "" {
				r.Header.Set(tt.header[0], tt.header[1])
			}
			res := serve(h, r)
			body, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != tt.status || !strings.Contains(string(body), tt.want) {
				t.Errorf("%d %s, %v", res.StatusCode, body, err)
			}
		})
	}
	post := httptest.NewRequest(http.MethodPost, "http://169.254.169.254/metadata/instance?api-version=2021-02-01", nil)
	post.Header.Set("Metadata", "true")
	if res := serve(h, post); res.StatusCode != 405 {
		t.Error(res.Status)
	}
}

// Tokens of managed identities: which one is meant, and what is said when none
// is ("How managed identities for Azure resources work with Azure virtual
// machines").
func TestToken(t *testing.T) {
	h := machine(t)
	const path = "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01"
	for _, tt := range []struct {
		name, machine, query string
		want                 string // object of the token, or words of the error
	}{
		{"the machine's own", "", "&resource=https://vault.azure.net", "o-system@https://vault.azure.net"},
		{"by client", "", "&resource=r&client_id=c-deploy", "o-deploy@r"},
		{"by object", "", "&resource=r&object_id=O-BACKUP", "o-backup@r"},
		{"by resource", "", "&resource=r&mi_res_id=" + rg + "Microsoft.ManagedIdentity/userAssignedIdentities/backup", "o-backup@r"},
		{"somebody else", "", "&resource=r&client_id=c-other", "Identity not found"},
		{"none at all", "bare", "&resource=r", "Identity not found"},
		{"one of two", "user-only", "&resource=r", "Multiple user assigned identities exist"},
		{"for nothing", "", "", "Required audience parameter not specified"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, path+tt.query, nil)
			r.Header.Set("Metadata", "true")
			r.Header.Set("Test-Machine", tt.machine)
			res := serve(h, r)
			var got map[string]string // every value is a string
			if err := json.NewDecoder(res.Body).Decode(&got); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(tt.want, "@") {
				if res.StatusCode != 200 || got["access_token"] != tt.want || got["expires_in"] != "3600" || got["token_type"] != "Bearer" || got["expires_on"] == "" {
					t.Errorf("%d %v", res.StatusCode, got)
				}
				return
			}
			if res.StatusCode != 400 || got["error"] != "invalid_request" || !strings.Contains(got["error_description"], tt.want) {
				t.Errorf("%d %v", res.StatusCode, got)
			}
		})
	}
	// The probe of clients that look whether there is such a service at all.
	res := serve(h, httptest.NewRequest(http.MethodGet, path+"&resource=r", nil))
	if body, _ := io.ReadAll(res.Body); res.StatusCode != 400 || !strings.Contains(string(body), "Required metadata header not specified") {
		t.Errorf("%d %s", res.StatusCode, body)
	}
}
