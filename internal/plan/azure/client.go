package azure

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"

	"github.com/ceruleannet/cerulean/internal/plan"
	"github.com/ceruleannet/cerulean/model"
)

var _ plan.Client = (*Client)(nil)

// Put creates or replaces a resource and waits until Azure has provisioned it.
// The error is an [Error] if Azure refused or failed.
func (c *Client) Put(ctx context.Context, r *model.Resource) error {
	body := make(map[string]any, len(r.Doc))
	for k, v := range r.Doc {
		if k != "id" && k != "name" && k != "type" { // the URL says these
			body[k] = v
		}
	}
	resp, err := c.send(ctx, http.MethodPut, r.ID.String(), versionOf(r.Type()), body)
	if err == nil {
		err = c.await(ctx, resp)
	}
	if err != nil {
		return explain(err, "PUT", r.ID, r.Pos)
	}
	return nil
}

// Delete deletes a resource and waits until it is gone. One that does not
// exist is no error.
func (c *Client) Delete(ctx context.Context, id model.ID) error {
	resp, err := c.send(ctx, http.MethodDelete, id.String(), versionOf(id.Type()), nil, http.StatusNotFound)
	if err == nil {
		if resp.StatusCode == http.StatusNotFound {
			runtime.Drain(resp)
			return nil
		}
		err = c.await(ctx, resp)
	}
	if err != nil {
		return explain(err, "DELETE", id, model.Pos{})
	}
	return nil
}

// get returns a resource, nil if it does not exist.
func (c *Client) get(ctx context.Context, id model.ID) (*model.Resource, error) {
	resp, err := c.read(ctx, id.String(), versionOf(id.Type()), http.StatusNotFound)
	if err != nil {
		return nil, explain(err, "GET", id, model.Pos{})
	}
	if resp.StatusCode == http.StatusNotFound {
		runtime.Drain(resp)
		return nil, nil
	}
	doc, err := decode(resp)
	if err != nil {
		return nil, explain(err, "GET", id, model.Pos{})
	}
	return resourceOf(doc, id)
}

// list returns the documents of a collection, following every page.
func (c *Client) list(ctx context.Context, path, version string, query ...string) ([]map[string]any, error) {
	var out []map[string]any
	fail := func(err error) ([]map[string]any, error) {
		id, _ := model.ParseID(path) // zero for a collection, then the path is named below
		return nil, explain(err, "LIST "+path, id, model.Pos{})
	}
	next := c.url(path, version, query...)
	for next != "" {
		resp, err := c.readURL(ctx, next)
		if err != nil {
			return fail(err)
		}
		doc, err := decode(resp)
		if err != nil {
			return fail(err)
		}
		values, _ := doc["value"].([]any)
		for _, v := range values {
			if m, ok := v.(map[string]any); ok {
				out = append(out, m)
			}
		}
		if next, _ = doc["nextLink"].(string); next == "" {
			break
		}
		// The token goes where the link goes, so the link must stay here.
		if u, err := url.Parse(next); err != nil || u.Scheme != c.endpoint.Scheme || u.Host != c.endpoint.Host {
			return fail(fmt.Errorf("the next page is at %q, outside of %s", next, c.endpoint))
		}
	}
	return out, nil
}

func decode(resp *http.Response) (map[string]any, error) {
	body, err := runtime.Payload(resp)
	if err != nil {
		return nil, err
	}
	doc, err := model.ParseJSON(body)
	if err != nil {
		return nil, fmt.Errorf("the answer is not a JSON object: %w", err)
	}
	return doc, nil
}

// resourceOf makes a resource of a document; without an "id" in it the ID it
// was asked for counts.
func resourceOf(doc map[string]any, asked model.ID) (*model.Resource, error) {
	text, _ := doc["id"].(string)
	if text == "" && !asked.IsZero() {
		return &model.Resource{ID: asked, Doc: doc}, nil
	}
	id, err := model.ParseID(text)
	if err != nil {
		return nil, fmt.Errorf("the cloud answered with a document without a valid id: %w", err)
	}
	return &model.Resource{ID: id, Doc: doc}, nil
}

// url returns the address of a path; query is pairs of name and value.
func (c *Client) url(path, version string, query ...string) string {
	segments := strings.Split(strings.Trim(path, "/"), "/")
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	q := url.Values{"api-version": {version}}
	for i := 0; i+1 < len(query); i += 2 {
		q.Set(query[i], query[i+1])
	}
	return c.endpoint.String() + "/" + strings.Join(segments, "/") + "?" + q.Encode()
}

// read sends a GET when there is room among the requests of Observe.
func (c *Client) read(ctx context.Context, path, version string, also ...int) (*http.Response, error) {
	return c.readURL(ctx, c.url(path, version), also...)
}

func (c *Client) readURL(ctx context.Context, address string, also ...int) (*http.Response, error) {
	if err := c.enter(ctx); err != nil {
		return nil, err
	}
	defer c.leave()
	return c.do(ctx, http.MethodGet, address, nil, also...)
}

func (c *Client) enter(ctx context.Context) error {
	select {
	case c.room <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (c *Client) leave() { <-c.room }

// send sends a request with a JSON body, none if body is nil.
func (c *Client) send(ctx context.Context, method, path, version string, body any, also ...int) (*http.Response, error) {
	return c.do(ctx, method, c.url(path, version), body, also...)
}

// do sends a request and returns the answer if it is a success or one of also.
func (c *Client) do(ctx context.Context, method, address string, body any, also ...int) (*http.Response, error) {
	req, err := runtime.NewRequest(ctx, method, address)
	if err != nil {
		return nil, err
	}
	req.Raw().Header.Set("Accept", "application/json")
	if body != nil {
		if err := setJSON(req, body); err != nil {
			return nil, err
		}
	}
	resp, err := c.pipeline.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= 200 && resp.StatusCode < 300 || runtime.HasStatusCode(resp, also...) {
		return resp, nil
	}
	return nil, runtime.NewResponseError(resp)
}

func setJSON(req *policy.Request, body any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return req.SetBody(streaming.NopCloser(bytes.NewReader(b)), "application/json")
}
