package lab_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"

	"github.com/ceruleannet/cerulean/lab"
)

// program is what runs at a host: the SDK's clients, with the host's transport
// and managed identity.
type program struct {
	secrets *azsecrets.Client
	blobs   *azblob.Client
}

func programAt(h *lab.Host) (program, error) {
	options := azcore.ClientOptions{Transport: h.HTTPClient(), Retry: policy.RetryOptions{MaxRetries: -1}}
	identity, err := azidentity.NewManagedIdentityCredential(&azidentity.ManagedIdentityCredentialOptions{ClientOptions: options})
	if err != nil {
		return program{}, err
	}
	secrets, err := azsecrets.NewClient("https://shop-vault.vault.azure.net", identity, &azsecrets.ClientOptions{ClientOptions: options})
	if err != nil {
		return program{}, err
	}
	blobs, err := azblob.NewClient("https://shopfiles.blob.core.windows.net/", identity, &azblob.ClientOptions{ClientOptions: options})
	return program{secrets, blobs}, err
}

func (p program) secret(ctx context.Context, name string) (string, error) {
	got, err := p.secrets.GetSecret(ctx, name, "", nil)
	if err != nil {
		return "", err
	}
	return *got.Value, nil
}

func (p program) blob(ctx context.Context, path string) (string, error) {
	container, name, _ := strings.Cut(path, "/")
	got, err := p.blobs.DownloadStream(ctx, container, name, nil)
	if err != nil {
		return "", err
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	return string(text), err
}

// TestManagedIdentity is the whole story: a token from the metadata service, a
// secret and a blob through private endpoints, and everybody else refused by
// what refuses them in Azure.
func TestManagedIdentity(t *testing.T) {
	l := lab.Open(t, "testdata/services.yaml")
	l.Check()
	ctx := t.Context()
	at := func(name string) program {
		p, err := programAt(l.Host(name))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	web := at("web-1")
	if got, err := web.secret(ctx, "db-password"); err != nil || got != "correct-horse" {
		t.Fatalf("%q, %v", got, err)
	}
	if got, err := web.blob(ctx, "orders/first.json"); err != nil || got != `{"id": 1}` {
		t.Fatalf("%q, %v", got, err)
	}
	if _, err := web.blobs.UploadBuffer(ctx, "orders", "second.json", []byte(`{"id": 2}`), nil); err != nil {
		t.Fatal(err)
	}
	if got, err := web.blob(ctx, "orders/second.json"); err != nil || got != `{"id": 2}` {
		t.Fatalf("%q, %v", got, err)
	}
	_, err := web.secrets.SetSecret(ctx, "db-password", azsecrets.SetSecretParameters{Value: to.Ptr("x")}, nil)
	refused(t, "a role that reads writes a secret", err, 403, "ForbiddenByRbac")

	other := at("web-2")
	_, err = other.secret(ctx, "db-password")
	refused(t, "an identity without a role", err, 403, "ForbiddenByRbac")
	_, err = other.blob(ctx, "orders/first.json")
	if !bloberror.HasCode(err, bloberror.AuthorizationPermissionMismatch) {
		t.Errorf("an identity without a role: %v", err)
	}

	// The right role, and the wrong way: the services' own firewalls.
	job := at("job-1")
	_, err = job.secret(ctx, "db-password")
	refused(t, "past the endpoint", err, 403, "ForbiddenByFirewall")
	_, err = job.blob(ctx, "orders/first.json")
	if !bloberror.HasCode(err, bloberror.AuthorizationFailure) {
		t.Errorf("past the endpoint: %v", err)
	}
}

func refused(t *testing.T, what string, err error, status int, inner string) {
	t.Helper()
	var r *azcore.ResponseError
	if !errors.As(err, &r) || r.StatusCode != status || !strings.Contains(err.Error(), inner) {
		t.Errorf("%s: %v", what, err)
	}
}

// TestMetadata: a machine reads about itself at 169.254.169.254; what is no
// machine hears nothing there.
func TestMetadata(t *testing.T) {
	l := lab.Open(t, "testdata/services.yaml")
	ask := func(host, path string, header ...string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://169.254.169.254/metadata/"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range header {
			req.Header.Set(name, "true")
		}
		res, err := l.Host(host).HTTPClient().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(b)
	}
	if status, text := ask("web-1", "instance/compute/name?api-version=2021-02-01&format=text", "Metadata"); status != 200 || text != "web-1" {
		t.Errorf("%d %q", status, text)
	}
	own := l.Host("web-1").Addrs()[0].String()
	if status, text := ask("web-1", "instance/network/interface/0/ipv4/ipAddress/0/privateIpAddress?api-version=2021-02-01&format=text", "Metadata"); status != 200 || text != own {
		t.Errorf("%d %q, want %s", status, text, own)
	}
	if status, text := ask("web-1", "instance/network/interface/0/ipv4/subnet/0?api-version=2021-02-01", "Metadata"); status != 200 || !strings.Contains(text, `"prefix":"24"`) {
		t.Errorf("%d %q", status, text)
	}
	if status, _ := ask("web-1", "instance?api-version=2021-02-01"); status != 400 {
		t.Errorf("without the header: %d", status)
	}
}

// TestInternet: a declared host outside is reached by its name, sees the address
// that the network translates to, and dials in.
func TestInternet(t *testing.T) {
	l := lab.Open(t, "testdata/services.yaml")
	res, err := l.Host("job-1").HTTPClient().Get("http://api.example.com/")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	seen, err := io.ReadAll(res.Body)
	if err != nil || strings.HasPrefix(string(seen), "10.") {
		t.Errorf("%q, %v", seen, err)
	}
	out := l.Host("api.example.com")
	if a := out.Addrs(); len(a) != 1 || a[0].String() != "192.0.2.80" {
		t.Error(a)
	}
	if _, err := l.Host("web-1").HTTPClient().Get("http://api.example.com/"); err == nil {
		t.Error("a subnet without a way out reaches the internet")
	} else if _, ok := lab.Denied(err); !ok {
		t.Error(err)
	}
}

// TestServicesDocument runs the examples of the services' page.
func TestServicesDocument(t *testing.T) {
	b, err := os.ReadFile("../docs/services.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := 0
	for rest := string(b); ; examples++ {
		_, after, ok := strings.Cut(rest, "```yaml\n")
		if !ok {
			break
		}
		example, tail, _ := strings.Cut(after, "```")
		rest = tail
		l := lab.Declare(t, example)
		l.Check()
		p, err := programAt(l.Host("web-1"))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := p.secret(t.Context(), "db-password"); err != nil || got != "correct-horse" {
			t.Errorf("%q, %v", got, err)
		}
		if got, err := p.blob(t.Context(), "orders/first.json"); err != nil || got != `{"id": 1}` {
			t.Errorf("%q, %v", got, err)
		}
	}
	if examples == 0 {
		t.Error("there is no example")
	}
}
