package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// recordedSubscription stands for the subscription in every cassette.
const recordedSubscription = "00000000-0000-0000-0000-000000000000"

// outcome is what became of one exchange.
type outcome struct {
	Number   int // of the exchange in its recording, from 1
	Method   string
	Path     string
	Type     string
	Recorded int // status
	Ours     int
	Message  string // ours, where it refuses
	Code     string // of the recorded error
	compared
	Skipped string // why nothing was compared
}

// agrees reports whether status and every field are as recorded.
func (o *outcome) agrees() bool {
	return o.Skipped == "" && o.Recorded == o.Ours && len(o.differences) == 0
}

// cloud is an embedded cloud that one recording is replayed against.
type cloud struct {
	cmd          *exec.Cmd
	dir          string
	endpoint     string
	subscription string
	token        string
	http         *http.Client
	errs         bytes.Buffer
}

// startCloud starts a cloud and signs in.
func startCloud(ctx context.Context, cerulean string) (*cloud, error) {
	dir, err := os.MkdirTemp("", "cerulean-recordings-")
	if err != nil {
		return nil, err
	}
	c := &cloud{dir: dir, cmd: exec.CommandContext(ctx, cerulean, "cloud", "--dir", dir)}
	c.cmd.Cancel = func() error { return c.cmd.Process.Signal(os.Interrupt) }
	c.cmd.WaitDelay = 10 * time.Second
	c.cmd.Stderr = &c.errs
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := c.cmd.Start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	r := bufio.NewReader(out)
	if _, err := r.ReadByte(); err != nil { // its first output says that it is up
		return nil, errors.Join(fmt.Errorf("the cloud did not start: %s", c.errs.String()), c.close())
	}
	go func() { _, _ = io.Copy(io.Discard, r) }()
	if err := c.signIn(ctx, cerulean); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

func (c *cloud) signIn(ctx context.Context, cerulean string) error {
	b, err := exec.CommandContext(ctx, cerulean, "env", "--dir", c.dir, "--shell", "json").Output()
	if err != nil {
		return fmt.Errorf("cerulean env: %w", err)
	}
	env := map[string]string{}
	if err := json.Unmarshal(b, &env); err != nil {
		return fmt.Errorf("cerulean env: %w", err)
	}
	pem, err := os.ReadFile(filepath.Join(c.dir, "ca.pem"))
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	c.http = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}, Timeout: time.Minute}
	c.endpoint, c.subscription = strings.TrimSuffix(env["AZURE_RESOURCE_MANAGER_ENDPOINT"], "/"), env["AZURE_SUBSCRIPTION_ID"]
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {env["AZURE_CLIENT_ID"]},
		"client_secret": {env["AZURE_CLIENT_SECRET"]}, "scope": {env["AZURE_RESOURCE_MANAGER_AUDIENCE"] + "/.default"},
	}
	resp, err := c.http.PostForm(strings.TrimSuffix(env["AZURE_AUTHORITY_HOST"], "/")+"/"+env["AZURE_TENANT_ID"]+"/oauth2/v2.0/token", form)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var token struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&token); err != nil || token.Token == "" {
		return fmt.Errorf("no token: %s, %w", resp.Status, err)
	}
	c.token = token.Token
	return nil
}

func (c *cloud) close() error {
	_ = c.cmd.Process.Signal(os.Interrupt)
	err := c.cmd.Wait()
	if c.http != nil {
		c.http.CloseIdleConnections()
	}
	return errors.Join(err, os.RemoveAll(c.dir))
}

// answer is what the cloud says to one request.
type answer struct {
	status int
	body   string
	header http.Header
}

func (c *cloud) send(ctx context.Context, method, uri, body string, headers map[string]string) (answer, error) {
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, uri, r)
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, string(b), resp.Header}, err
}

// settle waits until the operation that an answer began is over, and returns
// what it ended with.
func (c *cloud) settle(ctx context.Context, a answer) (answer, error) {
	to := a.header.Get("Azure-AsyncOperation")
	location := a.header.Get("Location")
	for range 200 {
		at := to
		if at == "" {
			at = location
		}
		if at == "" {
			return a, nil
		}
		next, err := c.send(ctx, http.MethodGet, at, "", nil)
		if err != nil {
			return a, err
		}
		if to != "" {
			var state struct{ Status string }
			_ = json.Unmarshal([]byte(next.body), &state)
			switch strings.ToLower(state.Status) {
			case "succeeded", "failed", "canceled":
				if location == "" || state.Status != "Succeeded" {
					return next, nil
				}
				to = ""
				continue
			}
		} else if next.status != http.StatusAccepted {
			return next, nil
		}
		select {
		case <-ctx.Done():
			return a, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return a, errors.New("the operation does not end")
}

// replay sends the requests of a recording and compares the answers.
func replay(ctx context.Context, c *cloud, rec *cassette) ([]outcome, error) {
	var out []outcome
	groups := map[string]bool{}
	names := map[string]string{} // what the service called things, with what the cloud calls them
	made := &preparer{cloud: c, rec: rec, known: map[string]bool{}}
	refused := map[string]bool{} // paths whose last write the cloud refused, in lower case
	var last answer              // what the last operation ended with
	var began *outcome           // the exchange that began it
	for i := range rec.Interactions {
		x := &rec.Interactions[i]
		if !x.management() {
			continue
		}
		if x.poll() {
			// The recorded result of an operation, if it is a document.
			if began != nil && x.Response.Status.Code == http.StatusOK && document(text(x.Response.Body.String)) {
				if got, err := compare(text(x.Response.Body.String), last.body); err == nil {
					began.values += got.values
					began.differences = append(began.differences, got.differences...)
				}
				began = nil
			}
			continue
		}
		u, err := url.Parse(x.Request.URI)
		if err != nil {
			return out, err
		}
		if name := deploymentName(x); name != "" {
			// The recorder gave every deployment one name.
			u.Path = strings.TrimSuffix(u.Path, mockDeployment) + name
		}
		ours := inOurs(names)
		path := ours.Replace(strings.ReplaceAll(u.Path, recordedSubscription, c.subscription))
		o := outcome{Number: i + 1, Method: x.Request.Method, Path: path, Type: resourceType(u.Path), Recorded: x.Response.Status.Code}
		if name, itself := group(path); name != "" && !groups[strings.ToLower(name)] && !(itself && x.Request.Method == http.MethodPut) {
			groups[strings.ToLower(name)] = true
			if o.Recorded != http.StatusNotFound || !itself {
				if err := c.makeGroup(ctx, name, locationOf(rec, name), tagsOf(rec, name)); err != nil {
					return out, err
				}
			}
		} else if itself {
			groups[strings.ToLower(name)] = true
		}
		if err := made.before(ctx, i); err != nil {
			return out, err
		}
		if about(refused, path) && x.Request.Method == http.MethodGet {
			o.Skipped = "its last write was refused"
			out = append(out, o)
			continue
		}
		if strings.HasPrefix(text(x.Request.Body), "!!!") {
			o.Skipped = "its body was too large to be recorded"
			refused[strings.ToLower(path)] = true
			out = append(out, o)
			continue
		}
		if early(rec, i) {
			continue // a deployment here has made it by then
		}
		if u.Query().Has("$skiptoken") || leaving(x) {
			continue // a page of the service's own, and what is gone here by then
		}
		body := ours.Replace(strings.ReplaceAll(text(x.Request.Body), recordedSubscription, c.subscription))
		headers := map[string]string{}
		for _, h := range []string{"If-Match", "If-None-Match", "x-ms-return-client-request-id"} {
			if v := header(x.Request.Headers, h); v != "" {
				headers[h] = ours.Replace(v)
			}
		}
		got, err := c.send(ctx, x.Request.Method, c.endpoint+path+"?"+u.RawQuery, body, headers)
		if err != nil {
			return out, err
		}
		o.Ours = got.status
		recorded := strings.ReplaceAll(text(x.Response.Body.String), recordedSubscription, c.subscription)
		if name, _ := group(path); name == "" {
			recorded = ownOnly(recorded, groups)
		}
		switch {
		case o.Recorded >= 400 || o.Ours >= 400:
			o.Code = errorCode(recorded)
			o.Message = errorCode(got.body) + ": " + errorMessage(got.body)
			o.values++
			if o.Recorded >= 400 && o.Ours >= 400 && o.Code != errorCode(got.body) {
				o.differences = append(o.differences, difference{".error.code", "differs", o.Code, errorCode(got.body)})
			}
		case o.Recorded == http.StatusNoContent || o.Recorded == http.StatusAccepted && !document(recorded):
		default:
			seen, err := compare(recorded, got.body)
			if err != nil && document(recorded) {
				o.differences = append(o.differences, difference{"", "differs", short(recorded), short(got.body)})
			}
			o.compared = seen
			maps.Copy(names, seen.names)
			delete(names, c.subscription) // which stands for nothing else
		}
		if x.Request.Method != http.MethodGet {
			key := strings.ToLower(path)
			if o.Ours >= 400 && o.Recorded < 400 {
				refused[key] = true
			} else if o.Ours < 400 {
				delete(refused, key)
			}
		}
		out = append(out, o)
		began = nil
		if got.status == http.StatusAccepted || got.status == http.StatusCreated || got.header.Get("Azure-AsyncOperation") != "" {
			if last, err = c.settle(ctx, got); err != nil {
				return out, fmt.Errorf("%s %s: %w", o.Method, path, err)
			}
			if o.Recorded == http.StatusAccepted && x.Request.Method == http.MethodPost {
				began = &out[len(out)-1]
			}
		}
	}
	return out, nil
}

// inOurs replaces what the service made up. Longer names come first: an etag has
// a GUID in it.
func inOurs(names map[string]string) *strings.Replacer {
	sorted := slices.SortedFunc(maps.Keys(names), func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	var pairs []string
	for _, name := range sorted {
		pairs = append(pairs, name, names[name])
	}
	return strings.NewReplacer(pairs...)
}

// mockDeployment is the name that the recorder gave deployments.
const mockDeployment = "mock-deployment"

// deploymentName is what the answer to an exchange calls a deployment that the
// recorder renamed.
func deploymentName(x *interaction) string {
	u, err := url.Parse(x.Request.URI)
	if err != nil || !strings.HasSuffix(u.Path, "/"+mockDeployment) {
		return ""
	}
	var doc struct{ Name string }
	_ = json.Unmarshal([]byte(text(x.Response.Body.String)), &doc)
	return doc.Name
}

// early reports whether an exchange asks for what is on its way: the recorder
// asked again, and then it was there.
func early(rec *cassette, number int) bool {
	x := &rec.Interactions[number]
	if !strings.EqualFold(x.Request.Method, http.MethodGet) || x.Response.Status.Code != http.StatusNotFound {
		return false
	}
	for _, next := range rec.Interactions[number+1:] {
		if next.Request.URI == x.Request.URI && strings.EqualFold(next.Request.Method, http.MethodGet) {
			return next.Response.Status.Code == http.StatusOK
		}
		if !strings.EqualFold(next.Request.Method, http.MethodGet) {
			return false
		}
	}
	return false
}

// leaving reports whether an answer shows what was being deleted.
func leaving(x *interaction) bool {
	var doc struct {
		Properties struct{ ProvisioningState string }
	}
	return x.Request.Method == http.MethodGet && json.Unmarshal([]byte(text(x.Response.Body.String)), &doc) == nil && doc.Properties.ProvisioningState == "Deleting"
}

// document reports whether a body is one of a resource or a result, and not
// merely the state of an operation.
func document(body string) bool {
	var o map[string]any
	if json.Unmarshal([]byte(body), &o) != nil || len(o) == 0 {
		return false
	}
	_, state := o["status"]
	_, operation := o["operation"] // Microsoft.Sql: {"operation": "UpsertLogicalServer", "startTime": ...}
	return !state && !operation
}

// about reports whether a path is one of those or below one.
func about(refused map[string]bool, path string) bool {
	path = strings.ToLower(path)
	for p := range refused {
		if path == p || strings.HasPrefix(path, p+"/") {
			return true
		}
	}
	return false
}

func (c *cloud) makeGroup(ctx context.Context, name, location string, tags map[string]string) error {
	body, err := json.Marshal(map[string]any{"location": location, "tags": tags})
	if err != nil {
		return err
	}
	a, err := c.send(ctx, http.MethodPut, c.endpoint+"/subscriptions/"+c.subscription+"/resourceGroups/"+name+"?api-version=2021-04-01", string(body), nil)
	if err == nil && a.status >= 300 {
		err = fmt.Errorf("making the resource group %s: %d %s", name, a.status, a.body)
	}
	return err
}

// tagsOf are the tags with which a resource group was made off the record.
func tagsOf(rec *cassette, name string) map[string]string {
	for i := range rec.Interactions {
		x := &rec.Interactions[i]
		u, err := url.Parse(x.Request.URI)
		if err != nil {
			continue
		}
		if n, itself := group(u.Path); !itself || !strings.EqualFold(n, name) {
			continue
		}
		if x.Request.Method != http.MethodGet {
			return nil
		}
		var doc struct{ Tags map[string]string }
		if json.Unmarshal([]byte(text(x.Response.Body.String)), &doc) == nil && doc.Tags != nil {
			return doc.Tags
		}
	}
	return nil
}

var locations = regexp.MustCompile(`"location":\s*"([A-Za-z0-9 ]+)"`)

// locationOf is where a recording's resource group is: as an answer about it
// says, else where its first resource is.
func locationOf(rec *cassette, name string) string {
	first := "westus"
	found := false
	for i := range rec.Interactions {
		x := &rec.Interactions[i]
		u, err := url.Parse(x.Request.URI)
		if err != nil {
			continue
		}
		n, itself := group(u.Path)
		if !strings.EqualFold(n, name) {
			continue
		}
		m := locations.FindStringSubmatch(text(x.Response.Body.String))
		if m == nil {
			continue
		}
		l := strings.ToLower(strings.ReplaceAll(m[1], " ", ""))
		if itself {
			return l
		}
		if !found && l != "global" {
			first, found = l, true
		}
	}
	return first
}

func errorCode(body string) string {
	code, _ := anError(body)
	return code
}

func errorMessage(body string) string {
	_, message := anError(body)
	return message
}

func anError(body string) (code, message string) {
	var e struct {
		Error         struct{ Code, Message string }
		Code, Message string
	}
	if json.Unmarshal([]byte(body), &e) != nil {
		return "", body
	}
	if e.Error.Code != "" {
		return e.Error.Code, e.Error.Message
	}
	return e.Code, e.Message
}
