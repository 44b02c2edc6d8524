package arm

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
)

// recorded is the answer to a request of a deployment.
type recorded struct {
	header http.Header
	status int
	raw    bytes.Buffer
	body   map[string]any
}

var _ http.ResponseWriter = (*recorded)(nil)

func (r *recorded) Header() http.Header { return r.header }

func (r *recorded) WriteHeader(status int) { r.status = status }

func (r *recorded) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.raw.Write(b)
}

// inner makes a request in the caller's name: what a client is refused, a
// deployment is.
func (c *call) inner(method, path, version string, body any) (*recorded, *Fault) {
	if version == "" {
		version = c.version
	}
	u := url.URL{Path: path, RawQuery: url.Values{"api-version": {version}}.Encode()}
	if _, f := apiVersion(u.Query(), c.s.now()); f != nil {
		return nil, f
	}
	segments, f := splitPath(&u)
	if f != nil {
		return nil, f
	}
	var content bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&content).Encode(body); err != nil {
			return nil, badRequest("InvalidRequestContent", "The resource could not be encoded: %v.", err)
		}
	}
	ctx := context.WithValue(c.r.Context(), depthKey{}, depthOf(c.r.Context())+1)
	req, err := http.NewRequestWithContext(ctx, method, c.base+u.RequestURI(), &content)
	if err != nil {
		return nil, badRequest("InvalidRequestUri", "The request path is invalid: %v.", err)
	}
	out := &recorded{header: http.Header{}}
	in := &call{s: c.s, w: out, r: req, base: c.base, who: c.who, request: c.request, version: version}
	if f := in.route(segments); f != nil {
		return nil, f
	}
	if out.raw.Len() > 0 && out.raw.Bytes()[0] == '{' {
		if out.body, err = model.ParseJSON(out.raw.Bytes()); err != nil {
			return nil, fault(http.StatusInternalServerError, "InternalServerError", "The answer could not be read: %v.", err)
		}
	}
	if out.status >= http.StatusBadRequest { // written as a body, not as a fault
		var e wire.ErrorBody
		if json.Unmarshal(out.raw.Bytes(), &e) != nil || e.Error.Code == "" {
			e.Error = wire.Error{Code: "InternalServerError", Message: fmt.Sprintf("%s of %s was answered with %d.", method, path, out.status)}
		}
		return nil, &Fault{Status: out.status, Err: e.Error}
	}
	return out, nil
}
