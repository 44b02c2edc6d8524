package azure

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/ceruleannet/cerulean/model"
)

// double speaks the parts of the Resource Manager protocol the client uses. How
// a resource is written depends on its name:
//
//	sync-*     200 or 201 with provisioningState Succeeded
//	body-*     201 Updating without headers: the resource itself is polled
//	fail-*     201 and an operation that fails
//	refuse-*   400 with the error envelope
//	throttle-* 429 once, then as below
//	busy-*     409 AnotherOperationInProgress once, then as below
//	others     201 and Azure-AsyncOperation, in progress on the first poll
type double struct {
	t      testing.TB
	server *httptest.Server
	page   int    // size of a page
	next   string // base of the links to the next page; "" is the server's

	mu         sync.Mutex
	docs       map[string]map[string]any // by lower-case ID
	polls      map[string]int            // by operation
	turned     map[string]bool           // away once
	deployed   []map[string]any
	deployPoll int
	requests   []string
	bodies     map[string]map[string]any
}

func newDouble(t testing.TB) *double {
	d := &double{
		t: t, page: 1000, docs: map[string]map[string]any{}, polls: map[string]int{}, turned: map[string]bool{},
		bodies: map[string]map[string]any{},
	}
	d.server = httptest.NewUnstartedServer(d)
	d.server.EnableHTTP2 = true
	d.server.StartTLS()
	t.Cleanup(d.server.Close)
	return d
}

type fixedToken struct{}

func (fixedToken) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "secret", ExpiresOn: time.Now().Add(time.Hour)}, nil
}

func (d *double) client() *Client {
	c, err := New(Config{
		Endpoint: d.server.URL, Credential: fixedToken{}, Subscription: "s", Transport: d.server.Client(),
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return c
}

func (d *double) put(docs ...string) {
	for _, text := range docs {
		text = strings.ReplaceAll(text, "$", "/subscriptions/s/resourceGroups")
		text = strings.ReplaceAll(text, "@", "/providers/Microsoft.Network")
		doc, err := model.ParseJSON([]byte(text))
		if err != nil {
			d.t.Fatalf("%v: %s", err, text)
		}
		id := model.MustParseID(doc["id"].(string))
		doc["name"], doc["type"] = id.Name(), id.Type()
		d.docs[id.Key()] = doc
	}
}

func (d *double) log() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := append([]string(nil), d.requests...)
	sort.Strings(out)
	return out
}

func (d *double) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	path := strings.ToLower(strings.TrimSuffix(r.URL.Path, "/"))
	d.requests = append(d.requests, r.Method+" "+path)
	if strings.HasPrefix(path, "/tenant/") {
		d.login(w, path)
		return
	}
	if r.Header.Get("Authorization") != "Bearer secret" {
		d.refuse(w, 401, "AuthenticationFailed", "no token")
		return
	}
	if r.URL.Query().Get("api-version") == "" {
		d.refuse(w, 400, "MissingApiVersionParameter", "no version")
		return
	}
	switch {
	case strings.HasPrefix(path, "/operations/"):
		d.operation(w, path)
	case r.Method == http.MethodPost:
		d.action(w, r, path)
	case r.Method == http.MethodPut:
		d.write(w, r, path)
	case r.Method == http.MethodDelete:
		d.remove(w, path)
	default:
		d.read(w, r, path)
	}
}

// login answers as a tenant that gives everybody the token "secret".
func (d *double) login(w http.ResponseWriter, path string) {
	base := d.server.URL + "/tenant"
	if strings.HasSuffix(path, "/token") {
		d.answer(w, 200, map[string]any{"token_type": "Bearer", "expires_in": 3600, "access_token": "secret"})
		return
	}
	d.answer(w, 200, map[string]any{
		"issuer": base + "/v2.0", "authorization_endpoint": base + "/authorize", "token_endpoint": base + "/token",
	})
}

func (d *double) answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		d.t.Error(err)
	}
}

func (d *double) refuse(w http.ResponseWriter, status int, code, message string) {
	d.answer(w, status, map[string]any{"error": map[string]any{
		"code": code, "message": message,
		"details": []any{map[string]any{"code": "Detail", "message": "more of it"}},
	}})
}

func (d *double) once(key string) bool {
	first := !d.turned[key]
	d.turned[key] = true
	return first
}

func (d *double) write(w http.ResponseWriter, r *http.Request, path string) {
	id := model.MustParseID(r.URL.Path)
	how, _, _ := strings.Cut(id.Name(), "-")
	switch {
	case how == "refuse":
		d.refuse(w, 400, "NetcfgInvalidSubnet", "Subnet 'x' is not valid in virtual network 'y'.")
		return
	case how == "throttle" && d.once(path):
		w.Header().Set("retry-after-ms", "1")
		d.refuse(w, 429, "TooManyRequests", "slow down")
		return
	case how == "busy" && d.once(path):
		w.Header().Set("retry-after-ms", "1")
		d.refuse(w, 409, "AnotherOperationInProgress", "wait")
		return
	}
	var doc map[string]any
	if err := json.NewDecoder(r.Body).Decode(&doc); err != nil {
		d.refuse(w, 400, "InvalidRequestContent", err.Error())
		return
	}
	d.bodies[path], _ = model.CloneJSON(doc).(map[string]any)
	doc["id"], doc["name"], doc["type"] = id.String(), id.Name(), id.Type()
	properties, _ := doc["properties"].(map[string]any)
	if properties == nil {
		properties = map[string]any{}
		doc["properties"] = properties
	}
	d.docs[path] = doc
	properties["provisioningState"] = "Updating"
	switch how {
	case "sync":
		properties["provisioningState"] = "Succeeded"
	case "body":
	default:
		w.Header().Set("Azure-AsyncOperation", d.server.URL+"/operations/"+id.Name()+"?api-version=1&path="+path)
		w.Header().Set("Retry-After", "10") // of a first poll, which we do not wait for
	}
	d.answer(w, 201, doc)
	properties["provisioningState"] = "Succeeded"
}

func (d *double) operation(w http.ResponseWriter, path string) {
	d.polls[path]++
	if d.polls[path] == 1 {
		w.Header().Set("Retry-After", "0")
		if strings.HasPrefix(path, "/operations/location-") {
			w.WriteHeader(202)
			return
		}
		d.answer(w, 200, map[string]any{"status": "InProgress"})
		return
	}
	if strings.HasPrefix(path, "/operations/fail-") {
		d.answer(w, 200, map[string]any{"status": "Failed", "error": map[string]any{
			"code": "SubnetIsFull", "message": "no address left",
		}})
		return
	}
	d.answer(w, 200, map[string]any{"status": "Succeeded"})
}

func (d *double) remove(w http.ResponseWriter, path string) {
	name := path[strings.LastIndexByte(path, '/')+1:]
	switch {
	case strings.HasPrefix(name, "refuse-"):
		d.refuse(w, 400, "InUse", "still used")
	case d.docs[path] == nil:
		d.refuse(w, 404, "ResourceNotFound", "not there")
	case strings.HasPrefix(name, "empty-"):
		delete(d.docs, path)
		w.WriteHeader(204)
	default:
		delete(d.docs, path)
		w.Header().Set("Location", d.server.URL+"/operations/location-"+name+"?api-version=1")
		w.WriteHeader(202)
	}
}

func (d *double) action(w http.ResponseWriter, r *http.Request, path string) {
	var body map[string]any
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		d.refuse(w, 400, "InvalidRequestContent", err.Error())
		return
	}
	switch {
	case strings.HasSuffix(path, "/commit"):
		for _, location := range body["targetLocations"].([]any) {
			d.deployed = append(d.deployed, map[string]any{
				"region": location, "deploymentType": body["commitType"], "configurationIds": body["configurationIds"],
				"deploymentStatus": "Deploying", "commitTime": "2026-11-21T00:00:00Z",
			})
		}
		w.Header().Set("Location", d.server.URL+"/operations/location-commit?api-version=1")
		w.WriteHeader(202)
	case strings.HasSuffix(path, "/listdeploymentstatus"):
		d.deployPoll++
		if d.deployPoll > 1 {
			for _, e := range d.deployed {
				e["deploymentStatus"] = "Deployed"
				if e["region"] == "nowhere" {
					e["deploymentStatus"], e["errorMessage"] = "Failed", "no such region"
				}
			}
		}
		d.answer(w, 200, map[string]any{"value": d.deployed})
	default:
		d.refuse(w, 404, "NotFound", path)
	}
}

// read answers with a resource or a collection: of a subscription, a group or
// a resource.
func (d *double) read(w http.ResponseWriter, r *http.Request, path string) {
	if doc, ok := d.docs[path]; ok {
		d.answer(w, 200, doc)
		return
	}
	var list []map[string]any
	found := false
	up := path[:max(0, strings.LastIndexByte(path, '/'))]
	for key, doc := range d.docs {
		id := model.MustParseID(key)
		switch {
		case strings.HasSuffix(path, "/resources"):
			found = d.docs[up] != nil
			if strings.HasPrefix(key, up+"/") && id.Parent().Key() == up {
				list = append(list, map[string]any{"id": doc["id"], "type": doc["type"]})
			}
		case key[:strings.LastIndexByte(key, '/')] == path,
			strings.HasSuffix(path, "/all") && id.Parent().Key() == up && !strings.Contains(key, "/virtualnetworklinks/"):
			found = true
			list = append(list, doc)
		case strings.HasPrefix(path, "/subscriptions/s/providers/") && strings.EqualFold(id.Type(), path[len("/subscriptions/s/providers/"):]):
			found = true
			list = append(list, doc)
		}
	}
	if d.docs[up] == nil && !found && !strings.Contains(path, "/providers/") && !strings.HasSuffix(path, "/resourcegroups") {
		d.refuse(w, 404, "ResourceNotFound", path)
		return
	}
	if _, err := model.ParseID(path); err == nil {
		d.refuse(w, 404, "ResourceNotFound", path)
		return
	}
	sort.Slice(list, func(i, j int) bool { return list[i]["id"].(string) < list[j]["id"].(string) })
	from := 0
	if s := r.URL.Query().Get("$skiptoken"); s != "" {
		if _, err := fmt.Sscan(s, &from); err != nil {
			d.t.Error(err)
		}
	}
	answer := map[string]any{"value": list[from:min(len(list), from+d.page)]}
	if from+d.page < len(list) {
		q := r.URL.Query()
		q.Set("$skiptoken", fmt.Sprint(from+d.page))
		base := d.next
		if base == "" {
			base = d.server.URL
		}
		answer["nextLink"] = base + r.URL.Path + "?" + q.Encode()
	}
	d.answer(w, 200, answer)
}
