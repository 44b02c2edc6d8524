package node_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"github.com/ceruleannet/cerulean/internal/node"
)

// throughProxy is a client that does what the environment of a cloud says, and
// trusts further authorities.
func throughProxy(t *testing.T, env map[string]string, more ...*x509.Certificate) *http.Client {
	t.Helper()
	pem, err := os.ReadFile(env["SSL_CERT_FILE"])
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	for _, c := range more {
		roots.AddCert(c)
	}
	proxy, err := url.Parse(env["HTTPS_PROXY"])
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots},
		Proxy: func(r *http.Request) (*url.URL, error) {
			if r.URL.Host == env["ARM_METADATA_HOSTNAME"] {
				return nil, nil // as NO_PROXY says
			}
			return proxy, nil
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func withPlanes(t *testing.T) (*node.Cloud, map[string]string, *outside) {
	t.Helper()
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"} {
		t.Setenv(name, "")
	}
	c := openCloud(t, node.CloudOptions{Dir: t.TempDir(), Serve: true, DataPlanes: true})
	e, err := c.Environment()
	if err != nil {
		t.Fatal(err)
	}
	env := variables(t, c)
	if env["NO_PROXY"] != "127.0.0.1" || env["https_proxy"] != env["HTTPS_PROXY"] {
		t.Errorf("%q, %q", env["NO_PROXY"], env["https_proxy"])
	}
	return c, env, newOutside(t, e.Pairs())
}

// TestDataPlanes: Microsoft's client of secrets, told the vault's own URI, reads
// and writes in a vault of a cloud that runs alone; the vault's firewall
// ("Configure Azure Key Vault networking settings") keeps it out where it would.
func TestDataPlanes(t *testing.T) {
	_, env, arm := withPlanes(t)
	web := throughProxy(t, env)
	group := arm.subscription + "/resourceGroups/planes"
	arm.must("PUT", group, object{"location": "westeurope"})
	options := policy.ClientOptions{Transport: web, Cloud: cloud.Configuration{
		ActiveDirectoryAuthorityHost: env["AZURE_AUTHORITY_HOST"], Services: map[cloud.ServiceName]cloud.ServiceConfiguration{},
	}}
	credential, err := azidentity.NewClientSecretCredential(env["AZURE_TENANT_ID"], env["AZURE_CLIENT_ID"], env["AZURE_CLIENT_SECRET"],
		&azidentity.ClientSecretCredentialOptions{ClientOptions: options, DisableInstanceDiscovery: true})
	if err != nil {
		t.Fatal(err)
	}
	token, err := credential.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{"https://vault.azure.net/.default"}})
	if err != nil {
		t.Fatal(err)
	}
	claims, err := base64.RawURLEncoding.DecodeString(strings.Split(token.Token, ".")[1])
	var me struct{ OID string }
	if err == nil {
		err = json.Unmarshal(claims, &me)
	}
	if err != nil {
		t.Fatal(err)
	}
	properties := object{
		"tenantId": env["AZURE_TENANT_ID"], "sku": object{"family": "A", "name": "standard"},
		"accessPolicies": []any{object{"tenantId": env["AZURE_TENANT_ID"], "objectId": me.OID, "permissions": object{"secrets": []any{"all"}}}},
	}
	path := group + "/providers/Microsoft.KeyVault/vaults/planes-vault"
	doc := arm.must("PUT", path, object{"location": "westeurope", "properties": properties})
	uri := doc["properties"].(object)["vaultUri"].(string)

	secrets, err := azsecrets.NewClient(uri, credential, &azsecrets.ClientOptions{ClientOptions: options})
	if err != nil {
		t.Fatal(err)
	}
	word := "correct horse"
	if _, err := secrets.SetSecret(t.Context(), "word", azsecrets.SetSecretParameters{Value: &word}, nil); err != nil {
		t.Fatal(err)
	}
	if got, err := secrets.GetSecret(t.Context(), "word", "", nil); err != nil || *got.Value != word {
		t.Fatalf("%+v, %v", got, err)
	}

	for says, change := range map[string]object{
		"public access is disabled":      {"publicNetworkAccess": "Disabled"},
		"denied by default":              {"publicNetworkAccess": "Enabled", "networkAcls": object{"defaultAction": "Deny", "bypass": "None"}},
		"denied but for another address": {"networkAcls": object{"defaultAction": "Deny", "bypass": "None", "ipRules": []any{object{"value": "203.0.113.0/24"}}}},
	} {
		closed := object{}
		for k, v := range properties {
			closed[k] = v
		}
		for k, v := range change {
			closed[k] = v
		}
		arm.must("PUT", path, object{"location": "westeurope", "properties": closed})
		if _, err := secrets.GetSecret(t.Context(), "word", "", nil); err == nil || !strings.Contains(err.Error(), "403 Forbidden") {
			t.Errorf("%s: %v", says, err)
		}
	}
}

// TestDataPlanesOnly: what the proxy answers to whom it does not help; what is
// not of this cloud's services is passed on untouched, what is of their domains
// never.
func TestDataPlanesOnly(t *testing.T) {
	_, env, _ := withPlanes(t)
	proxy := strings.TrimPrefix(env["HTTPS_PROXY"], "http://")
	elsewhere := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "elsewhere ", r.URL.Path) }))
	t.Cleanup(elsewhere.Close)
	for _, c := range []struct {
		says, request string
		status        int
		text          string
	}{
		{"another method", "GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n", 405, "CONNECT only"},
		{"no request", "\x16\x03\x01\x02\x00\x01\r\n\r\n", 400, "a CONNECT request is expected"},
		{"no end", "CONNECT x:443 HTTP/1.1\r\nX: " + strings.Repeat("x", 1<<15) + "\r\n\r\n", 400, "a CONNECT request is expected"},
		{"no port", "CONNECT example.com HTTP/1.1\r\nHost: example.com\r\n\r\n", 400, "is not HOST:PORT"},
		{"no such vault", "CONNECT nobody.vault.azure.net:443 HTTP/1.1\r\nHost: x\r\n\r\n", 502, "no service at nobody.vault.azure.net:443"},
		{"no such plane", "CONNECT files.queue.core.windows.net:443 HTTP/1.1\r\nHost: x\r\n\r\n", 502, "no service at files.queue"},
		{"nobody listens", "CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: x\r\n\r\n", 502, "127.0.0.1:1"},
	} {
		conn, err := net.Dial("tcp", proxy)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, c.request) // the refusal may come before the end
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%s: %v", c.says, err)
			conn.Close()
			continue
		}
		text, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != c.status || !strings.Contains(string(text), c.text) {
			t.Errorf("%s: %s, %s", c.says, resp.Status, text)
		}
		conn.Close()
	}
	resp, err := throughProxy(t, env, elsewhere.Certificate()).Get(elsewhere.URL + "/there")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	if resp.Body.Close(); err != nil || string(text) != "elsewhere /there" {
		t.Errorf("%q, %v", text, err)
	}
}

// TestDataPlanesClose: a cloud that closes ends what its proxy passes on.
func TestDataPlanesClose(t *testing.T) {
	c, env, _ := withPlanes(t)
	there, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close()
	conn, err := net.Dial("tcp", strings.TrimPrefix(env["HTTPS_PROXY"], "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: x\r\n\r\n", there.Addr()); err != nil {
		t.Fatal(err)
	}
	far, err := there.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	r := bufio.NewReader(conn)
	if resp, err := http.ReadResponse(r, &http.Request{Method: http.MethodConnect}); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v", resp, err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.ReadByte(); err == nil {
		t.Error("the client's connection is open")
	}
	if _, err := far.Read(make([]byte, 1)); err == nil {
		t.Error("the connection outwards is open")
	}
}
