package paas_test

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/ceruleannet/cerulean/internal/paas"
	"github.com/ceruleannet/cerulean/model"
)

// fakeCloud is a control plane of a few documents. A token is "NAME@AUDIENCE";
// what NAME may do are its rights: patterns of "action scope".
type fakeCloud struct {
	mu     sync.Mutex
	docs   map[string]*model.Resource
	rights map[string][]string
}

const (
	tenant  = "99999999-0000-0000-0000-000000000001"
	rg      = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/g/providers/"
	vaultID = rg + "Microsoft.KeyVault/vaults/shop-vault"
	storeID = rg + "Microsoft.Storage/storageAccounts/shopfiles"
	vmID    = rg + "Microsoft.Compute/virtualMachines/web-1"
)

func (f *fakeCloud) put(id, doc string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	d, err := model.ParseJSON([]byte(doc))
	if err != nil {
		panic(err)
	}
	r := &model.Resource{ID: model.MustParseID(id), Doc: d}
	if f.docs == nil {
		f.docs = map[string]*model.Resource{}
	}
	f.docs[r.ID.Key()] = r
}

func (f *fakeCloud) remove(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.docs, model.MustParseID(id).Key())
}

func (f *fakeCloud) Resource(id model.ID) (*model.Resource, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r, ok := f.docs[id.Key()]
	return r, ok
}

func (f *fakeCloud) Authenticate(header string, audiences ...string) (paas.Principal, error) {
	token, ok := strings.CutPrefix(header, "Bearer ")
	name, audience, some := strings.Cut(token, "@")
	if !ok || !some {
		return paas.Principal{}, errors.New("no token")
	}
	for _, a := range audiences {
		if a == strings.TrimSuffix(audience, "/") {
			return paas.Principal{AppID: "app-" + name, ObjectID: name, TenantID: tenant, Issuer: "https://sts.test/"}, nil
		}
	}
	return paas.Principal{}, errors.New("another audience")
}

func (f *fakeCloud) May(who paas.Principal, right paas.Right, scope model.ID) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.rights[who.ObjectID] {
		pattern, at, _ := strings.Cut(r, " ")
		want := right.Action
		if right.Data {
			want = "data:" + want
		}
		if strings.HasPrefix(strings.ToLower(scope.String()), strings.ToLower(at)) &&
			(pattern == want || strings.HasSuffix(pattern, "*") && strings.HasPrefix(want, strings.TrimSuffix(pattern, "*"))) {
			return true
		}
	}
	return false
}

func (f *fakeCloud) Issue(who paas.Principal, audience string, life time.Duration) (paas.Token, error) {
	return paas.Token{Value: who.ObjectID + "@" + audience, NotBefore: start, Expiry: start.Add(life)}, nil
}

var accountKey = []byte("the key of the storage account, of some length")

func (f *fakeCloud) AccountKeys(*model.Resource) [][]byte { return [][]byte{accountKey} }

func (f *fakeCloud) Tenant() string { return tenant }

var start = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// world is the data planes of a vault, an account and a machine behind one
// TLS server.
type world struct {
	cloud  *fakeCloud
	planes *paas.Planes
	now    *clock
	refuse bool
	client *http.Client
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newWorld(t *testing.T, limits paas.Limits) *world {
	t.Helper()
	w := &world{cloud: &fakeCloud{rights: map[string][]string{}}, now: &clock{now: time.Now()}}
	w.cloud.put(vaultID, `{"location":"westeurope","properties":{"enableRbacAuthorization":true,"publicNetworkAccess":"Enabled"}}`)
	w.cloud.put(storeID, `{"location":"westeurope","properties":{}}`)
	w.planes = paas.New(w.cloud, w.now.Now, limits)
	server := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		var id model.ID
		switch host := strings.Split(r.Host, ":")[0]; host {
		case "shop-vault.vault.azure.net":
			id = model.MustParseID(vaultID)
		case "shopfiles.blob.core.windows.net":
			id = model.MustParseID(storeID)
		default:
			t.Errorf("a request for %s", r.Host)
			return
		}
		w.planes.Plane(id, netip.MustParseAddr("203.0.113.9"), w.refuse).ServeHTTP(rw, r)
	}))
	t.Cleanup(server.Close)
	address := server.Listener.Addr().String()
	w.client = &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // the test's server has another name
	}}
	t.Cleanup(w.client.CloseIdleConnections)
	return w
}

// credential gives the tokens of one principal.
type credential string

func (c credential) GetToken(_ context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: string(c) + "@" + strings.TrimSuffix(o.Scopes[0], "/.default"), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

func (w *world) options() azcore.ClientOptions {
	return azcore.ClientOptions{Transport: w.client, Retry: policy.RetryOptions{MaxRetries: -1}}
}

// status returns the HTTP status and the service's code of an error.
func status(err error) (int, string) {
	var r *azcore.ResponseError
	if errors.As(err, &r) {
		return r.StatusCode, r.ErrorCode
	}
	return 0, ""
}

func keyText() string { return base64.StdEncoding.EncodeToString(accountKey) }
