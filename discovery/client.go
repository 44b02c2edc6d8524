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

// Times of the client.
const (
	retryPause = 500 * time.Millisecond // after a failure
	patience   = 10 * time.Second       // for an answer; for less if a lease would be over
	silence    = 3 * heartbeat          // of a watch: then nobody is there any more
)

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
	case http.StatusInsufficientStorage:
		return nil, fmt.Errorf("%w: %s", ErrFull, why.Error)
	case http.StatusRequestTimeout, http.StatusTooManyRequests:
		return nil, fmt.Errorf("registry: %s", why.Error)
	}
	if res.StatusCode >= 500 { // as of a proxy before a registry that is not there
		return nil, fmt.Errorf("registry: %s", why.Error)
	}
	return nil, &refusedError{why.Error}
}

// refusedError is what a registry says to a request that it does not take.
type refusedError struct{ why string }

func (e *refusedError) Error() string { return "registry: " + e.why }

func instancePath(i *Instance) string {
	return "/v1/services/" + url.PathEscape(i.Service) + "/instances/" + url.PathEscape(i.ID)
}

// Register registers an instance and keeps its lease until ctx ends; then it
// deregisters. health, which may be nil, says how the instance is before each
// renewal. It returns an error only if the registry refuses the instance; while
// the registry cannot be reached, or an answer does not come, it tries again. Where an
// answer was lost, the registry may hold a lease that nobody knows: [ErrTaken] counts
// only once that one must be over.
func (c *Client) Register(ctx context.Context, i Instance, ttl time.Duration, health func() Health) error {
	if err := i.check(); err != nil {
		return err
	}
	lease := ""
	var unsure time.Time // until when the registry may have the instance by a lease that never came
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
		most := min(patience, max(wait, retryPause))
		var err error
		if lease == "" {
			lease, err = c.register(ctx, i, ttl, most)
			if errors.Is(err, ErrNoLease) { // there are no services at that address
				return err
			}
			if err != nil && !refused(err) {
				unsure = time.Now().Add(ttl)
			}
		} else {
			err = c.renew(ctx, &i, lease, most)
			if errors.Is(err, ErrNoLease) {
				lease = "" // the registry has forgotten it: again, at once
				continue
			}
		}
		if err != nil {
			if refused(err) && !(errors.Is(err, ErrTaken) && time.Now().Before(unsure)) {
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
	var no *refusedError
	return errors.Is(err, ErrTaken) || errors.Is(err, ErrFull) || errors.As(err, &no)
}

func (c *Client) register(ctx context.Context, i Instance, ttl, most time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	res, err := c.do(ctx, http.MethodPut, instancePath(&i), registration{Instance: i, TTL: ttl.Seconds()})
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	var out registered
	err = json.NewDecoder(res.Body).Decode(&out)
	return out.Lease, err
}

func (c *Client) renew(ctx context.Context, i *Instance, lease string, most time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
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
		soon, cancel := context.WithTimeout(ctx, patience)
		list, err := c.List(soon, service)
		cancel()
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
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	quiet := time.AfterFunc(silence, cancel) // a connection may break without a word
	defer quiet.Stop()
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
		quiet.Reset(silence)
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
