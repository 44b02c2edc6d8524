package discovery

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Client asks a registry over HTTP. Its fields must not change while it is used.
type Client struct {
	URL   string       // of the registry, for example "http://registry:8500"
	Token string       // sent as a bearer token if not empty
	HTTP  *http.Client // nil means [http.DefaultClient]
}

// retryPause is how long the client waits after a failure.
const retryPause = 500 * time.Millisecond

// do makes one request; the error of a refusal is what the registry says.
func (c *Client) do(ctx context.Context, method, path string, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.URL, "/")+path, body)
	if err != nil {
		return nil, err
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	client := c.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode < 300 {
		return res, nil
	}
	defer res.Body.Close()
	var why refusal
	if json.NewDecoder(io.LimitReader(res.Body, maxBody)).Decode(&why) != nil || why.Error == "" {
		why.Error = res.Status
	}
	switch res.StatusCode {
	case http.StatusGone:
		if why.CompactedError != nil {
			return nil, why.CompactedError
		}
	case http.StatusNotFound:
		return nil, fmt.Errorf("%w: %s", ErrNoLease, why.Error)
	case http.StatusConflict:
		return nil, fmt.Errorf("%w: %s", ErrTaken, why.Error)
	}
	return nil, fmt.Errorf("registry: %s", why.Error)
}

func instancePath(i *Instance) string {
	return "/v1/services/" + url.PathEscape(i.Service) + "/instances/" + url.PathEscape(i.ID)
}

// Register registers an instance and keeps its lease until ctx ends; then it
// deregisters. health, which may be nil, says how the instance is before each
// renewal. It returns an error only if the registry refuses the instance; while
// the registry cannot be reached it tries again.
func (c *Client) Register(ctx context.Context, i Instance, ttl time.Duration, health func() Health) error {
	if err := i.check(); err != nil {
		return err
	}
	lease := ""
	defer func() {
		if lease == "" {
			return
		}
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		if res, err := c.do(end, http.MethodDelete, instancePath(&i)+"?lease="+url.QueryEscape(lease), nil); err == nil {
			res.Body.Close()
		}
	}()
	for {
		if health != nil {
			i.Health = health()
		}
		wait := ttl / 3
		var err error
		if lease == "" {
			lease, err = c.register(ctx, i, ttl)
		} else {
			err = c.renew(ctx, &i, lease)
			if errors.Is(err, ErrNoLease) {
				lease = "" // the registry has forgotten it: again, at once
				continue
			}
		}
		if err != nil {
			if refused(err) {
				return err
			}
			wait = min(wait, retryPause)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil
		}
	}
}

// refused reports whether the registry answered no, rather than not at all.
func refused(err error) bool {
	return errors.Is(err, ErrTaken) || strings.HasPrefix(err.Error(), "registry: ")
}

func (c *Client) register(ctx context.Context, i Instance, ttl time.Duration) (string, error) {
	res, err := c.do(ctx, http.MethodPut, instancePath(&i), registration{Instance: i, TTL: ttl.Seconds()})
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	var out registered
	err = json.NewDecoder(res.Body).Decode(&out)
	return out.Lease, err
}

func (c *Client) renew(ctx context.Context, i *Instance, lease string) error {
	res, err := c.do(ctx, http.MethodPost, instancePath(i), registered{Lease: lease, Health: i.Health})
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// List returns the instances of a service, or of all if it is empty.
func (c *Client) List(ctx context.Context, service string) (List, error) {
	var out List
	path := "/v1/services"
	if service != "" {
		path += "/" + url.PathEscape(service)
	}
	res, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return out, err
	}
	defer res.Body.Close()
	return out, json.NewDecoder(res.Body).Decode(&out)
}

// Follow calls on with the instances of a service, or of all, whenever they
// change, until ctx ends. It goes on after a broken connection where it was, and
// lists again where the registry has forgotten that far back or began anew: on
// then hears of the newest state, never of an older one.
func (c *Client) Follow(ctx context.Context, service string, on func([]Instance)) error {
	for {
		list, err := c.List(ctx, service)
		if err == nil {
			on(list.Instances)
			err = c.from(ctx, service, list, on)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		var compacted *CompactedError
		if errors.As(err, &compacted) {
			continue
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context) error {
	select {
	case <-time.After(retryPause):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// from watches on from a list until the registry has forgotten so far.
func (c *Client) from(ctx context.Context, service string, list List, on func([]Instance)) error {
	for {
		err := c.watch(ctx, service, &list, on)
		var compacted *CompactedError
		if ctx.Err() != nil || errors.As(err, &compacted) {
			return err
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// watch reads changes into the list until the connection breaks.
func (c *Client) watch(ctx context.Context, service string, list *List, on func([]Instance)) error {
	q := url.Values{"service": {service}, "epoch": {list.Epoch}, "after": {strconv.FormatUint(list.Version, 10)}}
	res, err := c.do(ctx, http.MethodGet, "/v1/watch?"+q.Encode(), nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	lines := json.NewDecoder(res.Body)
	for {
		var change Change
		if err := lines.Decode(&change); err != nil {
			return err
		}
		if change.Version <= list.Version && change.Instance.Service != "" {
			continue // heard of already
		}
		list.Version = change.Version
		if change.Instance.Service != "" {
			list.Instances = change.apply(list.Instances)
			on(slices.Clone(list.Instances))
		}
	}
}

// apply returns instances with a change made.
func (c *Change) apply(list []Instance) []Instance {
	out := slices.DeleteFunc(slices.Clone(list), func(i Instance) bool {
		return i.Service == c.Instance.Service && i.ID == c.Instance.ID
	})
	if c.Gone {
		return out
	}
	at, _ := slices.BinarySearchFunc(out, c.Instance, func(a, b Instance) int {
		if x := strings.Compare(a.Service, b.Service); x != 0 {
			return x
		}
		return strings.Compare(a.ID, b.ID)
	})
	return slices.Insert(out, at, c.Instance)
}
