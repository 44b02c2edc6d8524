package cache

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Defaults of sizes, in bytes.
const (
	defaultSize   = 64 << 20
	defaultObject = 8 << 20
)

// patience is how long a request waits for the answer to another like it. That
// comes no faster than the other's client reads: longer would let one slow client
// stop all.
const patience = 5 * time.Second

// Options configure a [Cache].
type Options struct {
	Size int64  // of all answers, in bytes; 0 means 64 MiB
	Name string // in Cache-Status; empty means cerulean
	Now  func() time.Time
}

// Cache is a shared cache. It is safe for concurrent use. Close it to end what it
// validates by itself.
type Cache struct {
	store *store
	name  string
	now   func() time.Time
	ctx   context.Context
	end   context.CancelFunc
	work  sync.WaitGroup

	mu      sync.Mutex
	flights map[string]chan struct{} // by key; closed once nobody has to wait
	hits    uint64
	misses  uint64
}

// New returns an empty cache.
func New(o Options) *Cache {
	if o.Size == 0 {
		o.Size = defaultSize
	}
	if o.Name == "" {
		o.Name = "cerulean"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	c := &Cache{store: newStore(o.Size), name: o.Name, now: o.Now, flights: map[string]chan struct{}{}}
	c.ctx, c.end = context.WithCancel(context.Background())
	return c
}

// Close ends validations under way, and waits for them.
func (c *Cache) Close() {
	c.end()
	c.work.Wait()
}

// Stats say what a cache holds and did.
type Stats struct {
	Answers      int
	Bytes        int64
	Hits, Misses uint64
}

// Stats returns the numbers as they are.
func (c *Cache) Stats() Stats {
	c.store.mu.Lock()
	s := Stats{Answers: c.store.used.Len(), Bytes: c.store.bytes}
	c.store.mu.Unlock()
	c.mu.Lock()
	s.Hits, s.Misses = c.hits, c.misses
	c.mu.Unlock()
	return s
}

// Resize changes how much may be stored, in bytes; 0 means 64 MiB.
func (c *Cache) Resize(size int64) {
	if size == 0 {
		size = defaultSize
	}
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	c.store.most = size
	c.store.shrink()
}

// Purge forgets the answers of a host and path, whatever their query, and returns
// how many. An empty host is every host; a path that ends with * is a prefix; case
// does not count ("Cache purging in Azure Front Door").
func (c *Cache) Purge(host, path string) int {
	prefix, wild := strings.CutSuffix(strings.ToLower(path), "*")
	return c.store.purge(func(key string) bool {
		h, p := pathOf(key)
		p = strings.ToLower(p)
		return (host == "" || strings.EqualFold(host, h)) && (p == prefix || wild && strings.HasPrefix(p, prefix))
	})
}

// Ask is what a cache asks of: a server, or what chooses among several.
type Ask func(*http.Request) (*http.Response, error)

// Do answers a request from the store, or by asking. Detached makes a request that
// outlives the one it is made of; a stale answer that may be used meanwhile is
// validated by it. The answer says in Cache-Status (RFC 9211) where it is from.
func (c *Cache) Do(req *http.Request, key string, p *Policy, ask Ask, detached func(context.Context, *http.Request) *http.Request) (*http.Response, error) {
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		resp, err := ask(req)
		if err == nil && unsafe(req.Method) && resp.StatusCode >= 200 && resp.StatusCode < 400 {
			c.invalidate(key, req, resp)
		}
		return resp, err
	}
	if req.Header.Get("Upgrade") != "" {
		return c.forward(req, ask, "fwd=bypass")
	}
	said := parseDirectives(req.Header)
	if len(said) == 0 && strings.EqualFold(req.Header.Get("Pragma"), "no-cache") {
		said["no-cache"] = "" // RFC 9111, 5.4
	}
	if said.has("no-store") {
		return c.forward(req, ask, "fwd=request")
	}
	for {
		v := c.store.find(key, req)
		if v != nil {
			switch judge(said, v, c.now()) {
			case useFresh:
				c.count(true)
				return c.serve(req, v, "hit"), nil
			case useStale:
				c.count(true)
				c.refresh(req, key, p, v, ask, detached)
				return c.serve(req, v, "hit"), nil
			}
		}
		if said.has("only-if-cached") {
			return c.timeout(req), nil
		}
		if req.Header.Get("Range") != "" && req.Method == http.MethodGet {
			return c.forward(req, ask, "fwd=bypass") // parts come from what is stored whole
		}
		land, wait := c.fly(key)
		if wait == nil {
			return c.fetch(req, key, p, v, said, ask, land)
		}
		patient := time.NewTimer(patience)
		select {
		case <-wait:
			patient.Stop()
		case <-req.Context().Done():
			patient.Stop()
			return nil, req.Context().Err()
		case <-patient.C:
		}
		if next := c.store.find(key, req); next == nil || next == v || judge(said, next, c.now()) == useValidation {
			// It was not for everybody, or comes slowly: no reason to stand in line.
			return c.fetch(req, key, p, next, said, ask, func() {})
		}
	}
}

// unsafe reports whether a method changes what is there (RFC 9110, 9.2.1).
func unsafe(method string) bool {
	return method != http.MethodOptions && method != http.MethodTrace && method != http.MethodConnect
}

// invalidate forgets what an unsafe request changed, and what its answer says it
// changed at the same host (RFC 9111, 4.4).
func (c *Cache) invalidate(key string, req *http.Request, resp *http.Response) {
	host, path := pathOf(key)
	paths := []string{path}
	for _, name := range []string{"Location", "Content-Location"} {
		if s := resp.Header.Get(name); s != "" {
			if u, err := url.Parse(s); err == nil {
				if u = req.URL.ResolveReference(u); u.Host == "" || strings.EqualFold(u.Host, req.Host) || u.Host == req.URL.Host {
					paths = append(paths, u.EscapedPath())
				}
			}
		}
	}
	for _, p := range paths {
		c.store.purge(func(k string) bool {
			h, kp := pathOf(k)
			return h == host && kp == p
		})
	}
}

// fly makes the caller the one who asks for a key, and returns what it calls once
// the others need not wait any more; or what to wait for.
func (c *Cache) fly(key string) (land func(), wait chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.flights[key]; f != nil {
		return nil, f
	}
	f := make(chan struct{})
	c.flights[key] = f
	return sync.OnceFunc(func() {
		c.mu.Lock()
		delete(c.flights, key)
		c.mu.Unlock()
		close(f)
	}), nil
}

// fetch asks, to have an answer or to validate the one that is there.
func (c *Cache) fetch(req *http.Request, key string, p *Policy, v *variant, said directives, ask Ask, land func()) (*http.Response, error) {
	c.count(false)
	out := req
	if req.Method == http.MethodGet {
		// The answer is for everybody: a client's own conditions are held against it
		// here.
		out = req.Clone(req.Context())
		for _, name := range []string{"If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since", "If-Range"} {
			if name == "If-Match" || name == "If-Unmodified-Since" {
				if req.Header.Get(name) != "" {
					land()
					return c.forward(req, ask, "fwd=bypass")
				}
			}
			out.Header.Del(name)
		}
		if v != nil {
			if tag := v.header.Get("Etag"); tag != "" {
				out.Header.Set("If-None-Match", tag)
			}
			if changed := v.header.Get("Last-Modified"); changed != "" {
				out.Header.Set("If-Modified-Since", changed)
			}
		}
	}
	asked := c.now()
	resp, err := ask(out)
	came := c.now()
	switch {
	case err != nil:
		land()
		if v != nil && req.Context().Err() == nil && evenIfError(said, v, came) {
			return c.serve(req, v, "hit; fwd=stale"), nil
		}
		return nil, err
	case v != nil && resp.StatusCode == http.StatusNotModified && req.Method == http.MethodGet:
		resp.Body.Close()
		fresh := v.freshened(resp, p, asked, came)
		c.store.put(fresh)
		land()
		return c.serve(req, fresh, "hit; fwd=stale; fwd-status=304"), nil
	case v != nil && resp.StatusCode >= 500 && evenIfError(said, v, came):
		resp.Body.Close()
		land()
		return c.serve(req, v, "hit; fwd=stale; fwd-status="+strconv.Itoa(resp.StatusCode)), nil
	}
	most := p.MaxObject
	if most == 0 {
		most = defaultObject
	}
	why := "fwd=miss"
	switch {
	case v != nil && judge(directives{}, v, asked) == useFresh:
		why = "fwd=request" // it would do, but for what the client said
	case v != nil:
		why = "fwd=stale"
	}
	if !storable(out, resp, p) || resp.ContentLength > most {
		land()
		c.status(resp.Header, why)
		return conditional(req, resp, false), nil
	}
	header := kept(resp.Header)
	life, _ := freshFor(resp, p)
	next := &variant{
		key: key, selecting: selecting(req, header), status: resp.StatusCode, header: header, directives: parseDirectives(header),
		life: life, ageThen: initialAge(resp.Header, asked, came), came: came,
	}
	resp.Body = &recorder{ReadCloser: resp.Body, most: most, done: func(body []byte, whole bool) {
		if whole && (resp.ContentLength < 0 || resp.ContentLength == int64(len(body))) {
			next.body, next.trailer = body, resp.Trailer
			c.store.put(next)
		}
		land()
	}}
	c.status(resp.Header, why+"; stored")
	return conditional(req, resp, true), nil
}

// conditional answers 304 to a client that has what came. What is being stored is
// read to its end first.
func conditional(req *http.Request, resp *http.Response, stored bool) *http.Response {
	if resp.StatusCode != http.StatusOK || !matches(req, resp.Header) {
		return resp
	}
	if stored {
		_, _ = io.Copy(io.Discard, resp.Body)
	}
	resp.Body.Close()
	resp.StatusCode, resp.Status = http.StatusNotModified, ""
	resp.Body, resp.ContentLength = http.NoBody, 0
	resp.Header.Del("Content-Length")
	return resp
}

// freshened is a stored answer with the fields that a validation brought (RFC
// 9111, 3.2).
func (v *variant) freshened(resp *http.Response, p *Policy, asked, came time.Time) *variant {
	next := *v
	next.header = v.header.Clone()
	for name, values := range kept(resp.Header) {
		switch name {
		case "Content-Length", "Content-Encoding", "Content-Type", "Content-Range":
		default:
			next.header[name] = values
		}
	}
	next.directives = parseDirectives(next.header)
	next.life, _ = freshFor(&http.Response{StatusCode: v.status, Header: next.header}, p)
	next.ageThen, next.came = initialAge(resp.Header, asked, came), came
	return &next
}

// refresh validates a stale answer while it is used, once at a time.
func (c *Cache) refresh(req *http.Request, key string, p *Policy, v *variant, ask Ask, detached func(context.Context, *http.Request) *http.Request) {
	land, wait := c.fly(key)
	if wait != nil {
		return
	}
	again := detached(c.ctx, req)
	again.Method = http.MethodGet
	again.Header.Del("Range") // all of it is wanted
	c.work.Go(func() {
		defer land()
		resp, err := c.fetch(again, key, p, v, directives{}, ask, land)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	})
}

// forward asks, and neither uses nor keeps.
func (c *Cache) forward(req *http.Request, ask Ask, why string) (*http.Response, error) {
	c.count(false)
	resp, err := ask(req)
	if err == nil && resp.StatusCode != http.StatusSwitchingProtocols {
		c.status(resp.Header, why)
	}
	return resp, err
}

// serve answers with what is stored.
func (c *Cache) serve(req *http.Request, v *variant, why string) *http.Response {
	h := v.header.Clone()
	h.Set("Age", strconv.FormatInt(int64(v.age(c.now())/time.Second), 10))
	c.status(h, why)
	resp := &http.Response{
		StatusCode: v.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: h, Request: req,
		Body: io.NopCloser(bytes.NewReader(v.body)), ContentLength: int64(len(v.body)), Trailer: v.trailer.Clone(),
	}
	switch {
	case v.status == http.StatusOK && matches(req, v.header):
		resp.StatusCode, resp.Body, resp.ContentLength, resp.Trailer = http.StatusNotModified, http.NoBody, 0, nil
		h.Del("Content-Length")
	case v.status == http.StatusNoContent:
		resp.Body, resp.ContentLength = http.NoBody, 0
	default:
		h.Set("Content-Length", strconv.Itoa(len(v.body)))
		if req.Method == http.MethodHead {
			resp.Body = http.NoBody
		}
	}
	if len(resp.Trailer) > 0 {
		h.Del("Content-Length")
		resp.ContentLength = -1
	}
	part(req, resp, v)
	return resp
}

// timeout answers a request that must not be forwarded (RFC 9111, 5.2.1.7).
func (c *Cache) timeout(req *http.Request) *http.Response {
	h := http.Header{"Content-Length": {"0"}}
	c.status(h, "fwd=miss")
	return &http.Response{StatusCode: http.StatusGatewayTimeout, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: h, Request: req, Body: http.NoBody}
}

func (c *Cache) status(h http.Header, why string) {
	h.Add("Cache-Status", c.name+"; "+why)
}

func (c *Cache) count(hit bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if hit {
		c.hits++
	} else {
		c.misses++
	}
}
