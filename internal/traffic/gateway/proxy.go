package gateway

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ceruleannet/cerulean/balance"
	"github.com/ceruleannet/cerulean/internal/traffic/cache"
	"github.com/ceruleannet/cerulean/internal/traffic/waf"
)

// maxTries is how many members a request is offered to, as long as nothing of it
// was sent to any.
const maxTries = 3

// exchange is one request on its way.
type exchange struct {
	server   *Server
	state    *state
	scope    scope
	decision Decision
	backend  *backend
	record   Record
	chosen   endpoint
	sticky   bool // the client's cookie named the member
	compress bool
	caching  *cache.Policy
	failed   error
	body     *countedBody

	inspection *waf.Inspection // nil without a firewall
}

type exchangeKey struct{}

// serve handles a request at one of the gateway's addresses.
func (s *Server) serve(at netip.AddrPort, w http.ResponseWriter, r *http.Request) {
	if !s.handled.Begin() {
		panic(http.ErrAbortHandler) // closed
	}
	defer s.handled.Done()
	begin := time.Now()
	if r.Header["Upgrade"] != nil {
		// Nothing else ends a conversation when the gateway does.
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(s.ctx, cancel)()
		r = r.WithContext(ctx)
	}
	x := &exchange{server: s, state: s.state.Load()}
	if t, ok := r.Context().Value(securedKey{}).(*tls.ConnectionState); ok {
		r.TLS = t
	}
	original := *r.URL
	x.scope = scope{req: r, original: &original, host: r.Host, port: at.Port()}
	x.record.begin(begin, at, r)
	control := http.NewResponseController(w)
	counted := countBody(r, control)
	x.body = counted
	if r.Body != nil {
		r.Body = counted
	}
	out := &countedWriter{ResponseWriter: w, control: control}
	defer func() {
		out.end()
		counted.end()
		x.endInspection()
		x.record.end(x, out, counted, time.Since(begin))
		s.options.request(&x.record)
		// A handler that gives up, as net/http asks for, is no news here.
	}()
	x.handle(at, out, r)
}

func (x *exchange) handle(at netip.AddrPort, w http.ResponseWriter, r *http.Request) {
	if len(r.TransferEncoding) > 0 {
		// It may have had a length as well, which net/http does not tell: then the
		// connection must end (RFC 9112, 6.3).
		ends(w, r)
	}
	if r.URL.Path == "" && r.URL.Host != "" {
		r.URL.Path = "/" // RFC 9110, 4.2.3
	}
	if !wellFormed(r) {
		respond(w, http.StatusBadRequest)
		return
	}
	x.decision = x.state.router.decide(at, r.Host, r.URL.Path, false)
	if x.decision.target == nil {
		respond(w, x.decision.Status)
		return
	}
	if !x.decision.route.greeted(r.TLS, x.state.router, at) {
		if r.TLS == nil {
			ends(w, r)
		}
		respond(w, http.StatusMisdirectedRequest)
		return
	}
	x.offered(at, w, r)
	if g := x.state.guards[x.decision.target.name]; g != nil {
		if !g.admit(w, r) {
			return
		}
		if d := g.policy.Deadline; d > 0 {
			ctx, cancel := context.WithTimeout(r.Context(), d)
			defer cancel()
			r = r.WithContext(ctx)
			x.scope.req = r
		}
		x.compress, x.caching = g.policy.Compress, g.policy.Cache
	}
	if !x.inspected(w, r) {
		return
	}
	if x.redirected(w, r) {
		return
	}
	if x.scope.rewriteRequest(x.decision.target.rewrites) {
		rewrites := x.decision.target.rewrites
		x.decision.route.path(&x.decision, r.URL.Path, false)
		if x.decision.target == nil {
			respond(w, x.decision.Status)
			return
		}
		if x.redirected(w, r) {
			return
		}
		// What changes the response is still the first rule's.
		if len(x.decision.target.rewrites) == 0 && len(rewrites) > 0 {
			t := *x.decision.target
			t.rewrites = rewrites
			x.decision.target = &t
		}
	}
	t := x.decision.target
	x.backend = x.state.backends[[2]string{t.pool.Name, t.settings.Name}]
	if t.settings.Path != "" && climbs(r.URL.Path) {
		respond(w, http.StatusBadRequest) // it would leave what is put before it
		return
	}
	ctx := context.WithValue(r.Context(), exchangeKey{}, x)
	if err := settled(r); err != nil {
		fail(w, r.WithContext(ctx), err)
		return
	}
	if shortable(t, r) && !x.server.options.LongWay {
		x.short(w, r.WithContext(ctx))
		return
	}
	ask := func() { x.server.proxy.ServeHTTP(w, r.WithContext(ctx)) }
	if g := x.state.guards[t.name]; g != nil && g.breaks != nil {
		x.guarded(w, r, g.breaks, ask)
		return
	}
	ask()
}

// ends lets the client's connection end after the answer. One of HTTP/2 goes on: its
// other streams are not concerned.
func ends(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor == 1 {
		w.Header().Set("Connection", "close")
	}
}

// wellFormed reports whether a request is one that net/http takes and a gateway may
// pass on.
func wellFormed(r *http.Request) bool {
	u := r.URL
	switch {
	case r.Method == http.MethodConnect: // a gateway is no tunnel
	case strings.Contains(r.RequestURI, "#"): // RFC 9112, 3.2
	case !strings.HasPrefix(u.Path, "/") && u.Path != "*":
	case u.User != nil: // RFC 9110, 4.2.4
	case u.Scheme != "" && (u.Scheme != "http" && u.Scheme != "https" || u.Host == ""): // RFC 9110, 4.2.1
	case r.Host == "" && r.ProtoAtLeast(1, 1): // RFC 9110, 4.2.1
	default:
		return true
	}
	return false
}

func (x *exchange) redirected(w http.ResponseWriter, r *http.Request) bool {
	to := x.decision.target.redirect
	if to == nil {
		return false
	}
	w.Header().Set("Location", to.location(r))
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(to.status)
	return true
}

// newProxy returns the part that copies: everything but who is asked is
// net/http's.
func (s *Server) newProxy() *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite:        rewriteOut,
		Transport:      forwarder{},
		FlushInterval:  -1, // what streams is not held back
		BufferPool:     s.buffers,
		ModifyResponse: modify,
		ErrorHandler:   fail,
		ErrorLog:       quiet,
	}
}

// rewriteOut readies the request for any member.
func rewriteOut(p *httputil.ProxyRequest) {
	x := p.In.Context().Value(exchangeKey{}).(*exchange)
	out := p.Out
	out.Host = p.In.Host
	out.URL.RawQuery = p.In.URL.RawQuery // as it came: what a query means is the member's to say
	// What earlier proxies said is kept: the policy is the resource's.
	if before := p.In.Header.Values("X-Forwarded-For"); len(before) > 0 {
		out.Header["X-Forwarded-For"] = []string{strings.Join(before, ", ") + ", " + p.In.RemoteAddr}
	} else {
		out.Header.Set("X-Forwarded-For", p.In.RemoteAddr)
	}
	proto := "http"
	if p.In.TLS != nil {
		proto = "https"
	}
	out.Header.Set("X-Forwarded-Proto", proto)
	out.Header.Set("X-Forwarded-Port", strconv.Itoa(int(x.scope.port)))
	out.Header.Set("X-Original-Host", x.scope.host)
	if prefix := x.backend.settings.Path; prefix != "" {
		path := out.URL.EscapedPath()
		if t := x.decision; t.Pattern != "" {
			// The part that the path rule matched is replaced.
			bare := strings.TrimSuffix(t.Pattern, "*")
			if len(path) >= len(bare) && strings.EqualFold(path[:len(bare)], bare) {
				path = path[len(bare):]
			}
		}
		joined := strings.TrimSuffix(prefix, "/") + "/" + strings.TrimPrefix(path, "/")
		if u, err := url.ParseRequestURI(joined); err == nil {
			out.URL.Path, out.URL.RawPath = u.Path, u.RawPath
		}
	}
}

// forwarder answers from the cache if the policy has one, and asks a member.
type forwarder struct{}

// RoundTrip implements [http.RoundTripper].
func (forwarder) RoundTrip(req *http.Request) (*http.Response, error) {
	x := req.Context().Value(exchangeKey{}).(*exchange)
	if p := x.caching; p != nil {
		return x.cached(req, p)
	}
	return ask(req)
}

// ask asks a member, and another one if the first cannot be reached.
func ask(req *http.Request) (*http.Response, error) {
	x := req.Context().Value(exchangeKey{}).(*exchange)
	b := x.backend
	cookie := ""
	if b.settings.Affinity {
		if c, err := req.Cookie(b.cookieName()); err == nil {
			cookie = c.Value
		}
	}
	var last, late error
	var tried []endpoint
	again, err := repeatable(req)
	if err != nil {
		return nil, err
	}
	repeated := !again
	for try := range maxTries {
		pick, err := b.pick(req.Context(), cookie, tried)
		if err != nil {
			return nil, cmp.Or(late, last, err)
		}
		x.sticky = try == 0 && cookie != "" && pick.Member.cookie() == cookie
		x.chosen = pick.Member
		resp, err := b.send(req, pick, x)
		if err == nil {
			return resp, nil
		}
		last, cookie, tried = err, "", append(tried, pick.Member)
		if isTimeout(err) && !unsent(err) {
			late = err
		}
		if req.Context().Err() != nil || !unsent(err) && (repeated || !lost(err) && !isTimeout(err)) {
			break
		}
		repeated = repeated || !unsent(err) // one more, not all: as on the short way
	}
	return nil, cmp.Or(late, last)
}

// repeatable reports whether a request may be sent twice. A short body is read for that.
func repeatable(req *http.Request) (bool, error) {
	switch {
	case !idempotent(req.Method):
		return false, nil
	case req.Body == nil || req.Body == http.NoBody:
		return true, nil
	case req.ContentLength <= 0 || req.ContentLength > fastBody || req.Header.Get("Expect") != "" || len(req.Trailer) > 0:
		return false, nil
	}
	b := make([]byte, req.ContentLength)
	if _, err := io.ReadFull(req.Body, b); err != nil {
		return false, err
	}
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
	return true, nil
}

// send asks one member.
func (b *backend) send(req *http.Request, pick balance.Pick[endpoint], x *exchange) (*http.Response, error) {
	e := pick.Member
	ctx, cancel := context.WithCancel(req.Context())
	b.mu.Lock()
	p := b.members[e]
	b.mu.Unlock()
	over, closed := func() bool { return true }, context.AfterFunc(b.server.ctx, cancel)
	if p != nil {
		over = context.AfterFunc(p.ctx, cancel)
	}
	b.asking.Begin()
	done := sync.OnceFunc(func() { over(); closed(); cancel(); pick.Done(nil); b.asking.Done() })
	out := req.Clone(ctx)
	out.Body = req.Body
	switch {
	case req.GetBody != nil:
		out.Body, _ = req.GetBody()
	case req.Body != nil && req.Body != http.NoBody:
		out.Body = &oneTry{ReadCloser: req.Body}
	}
	if idempotent(req.Method) && out.Header["Idempotency-Key"] == nil {
		// So net/http takes it: another connection if one that waited has ended.
		out.Header["Idempotency-Key"] = []string{}
	}
	if t := x.scope.req; t != nil && len(t.Trailer) > 0 {
		out.Trailer = t.Trailer // the client's own: its values come after the body
	}
	out.URL.Scheme = strings.ToLower(string(b.settings.Protocol))
	out.URL.Host = e.String()
	if h := b.hostFor(e); h != "" {
		out.Host = h
	}
	name := out.Host
	if h, _, err := net.SplitHostPort(name); err == nil {
		name = h
	}
	out = out.WithContext(context.WithValue(out.Context(), serverName{}, name))
	via := b.plain
	if req.ProtoMajor == 2 && strings.HasPrefix(req.Header.Get("Content-Type"), "application/grpc") {
		via = b.grpc
	}
	begin := time.Now()
	resp, err := via.RoundTrip(out)
	x.record.asked(e, resp, time.Since(begin))
	if err != nil {
		done()
		return nil, err
	}
	if via == b.grpc {
		trailersOnly(resp)
	}
	resp.Body = endOf(resp.Body, done, b.let)
	return resp, nil
}

// oneTry is a request's body while one member is asked. Who asks closes it also if
// nothing was sent; then the next member still has all of it.
type oneTry struct {
	io.ReadCloser
	over atomic.Bool
}

// Read implements [io.Reader].
func (b *oneTry) Read(p []byte) (int, error) {
	if b.over.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	return b.ReadCloser.Read(p)
}

// Close implements [io.Closer]. The body itself ends with the exchange.
func (b *oneTry) Close() error {
	b.over.Store(true)
	return nil
}

// trailersOnly gives an answer of gRPC that is one block of headers and nothing else
// trailers: such a block must end the stream ("gRPC over HTTP2", Trailers-Only), but
// what copies it may flush the headers first, and then a client misses them.
func trailersOnly(resp *http.Response) {
	if resp.Header.Get("Grpc-Status") == "" {
		return
	}
	trailer := http.Header{}
	for name, values := range resp.Header {
		if name != "Content-Type" && name != "Date" && name != "Content-Length" {
			trailer[name] = values
			delete(resp.Header, name)
		}
	}
	resp.Header.Del("Content-Length")
	resp.Trailer, resp.ContentLength = trailer, -1
}

func (b *backend) cookieName() string {
	if b.settings.Cookie != "" {
		return b.settings.Cookie
	}
	return affinityCookie
}

// modify changes the response.
func modify(resp *http.Response) error {
	x := resp.Request.Context().Value(exchangeKey{}).(*exchange)
	b := x.backend
	if err := x.inspectedResponse(resp); err != nil {
		return err
	}
	x.record.CacheStatus = resp.Header.Get("Cache-Status")
	asked := x.chosen != endpoint{} // otherwise it is from the cache
	if b.settings.Affinity && asked && !x.sticky && resp.StatusCode != http.StatusSwitchingProtocols {
		c := http.Cookie{Name: b.cookieName(), Value: x.chosen.cookie(), Path: "/", HttpOnly: true}
		resp.Header.Add("Set-Cookie", c.String())
		// For pages of other sites, where browsers want it said.
		c.Name += "CORS"
		c.SameSite, c.Secure = http.SameSiteNoneMode, true
		resp.Header.Add("Set-Cookie", c.String())
	}
	x.scope.resp = resp
	x.scope.rewriteResponse(x.decision.target.rewrites)
	if x.compress {
		compress(x.scope.req, resp)
	}
	return nil
}

// fail answers a request that no member answered.
func fail(w http.ResponseWriter, r *http.Request, err error) {
	x := r.Context().Value(exchangeKey{}).(*exchange)
	x.failed = err
	if x.body.late.Load() {
		ends(w, r)
		respond(w, http.StatusRequestTimeout)
		return
	}
	if errors.Is(r.Context().Err(), context.Canceled) {
		// The client is gone; the record says 499 as proxies do.
		x.record.gone = true
		return
	}
	if errors.Is(err, errRefused) {
		refuse(w, x.inspection)
		return
	}
	status := http.StatusBadGateway
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() && !unsent(err) || errors.Is(err, context.DeadlineExceeded) {
		status = http.StatusGatewayTimeout
	}
	var tooLarge *http.MaxBytesError
	if x.body.broke.Load() {
		status = http.StatusBadRequest // the client's body is not as it should be
		ends(w, r)
	}
	if errors.As(err, &tooLarge) || errors.Is(err, waf.ErrTooLarge) {
		status = http.StatusRequestEntityTooLarge
	}
	respond(w, status)
}

// respond answers by the gateway itself.
func respond(w http.ResponseWriter, status int) {
	page := pageOf(status)
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(page)))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, page)
}

// pageOf is the page of a status.
func pageOf(status int) string {
	line := strconv.Itoa(status) + " " + http.StatusText(status)
	return "<!doctype html>\n<title>" + line + "</title>\n<h1>" + line + "</h1>\n"
}

// buffers are what bodies are copied through.
type buffers struct{ pool sync.Pool }

const bufferSize = 32 << 10

// Get implements [httputil.BufferPool].
func (b *buffers) Get() []byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return *p
	}
	return make([]byte, bufferSize)
}

// Put implements [httputil.BufferPool].
func (b *buffers) Put(p []byte) { b.pool.Put(&p) }

// endOf calls done when a body was read to its end or closed, and closed when it was
// closed. A body that can be written to as well, as of a connection that changed
// protocols, stays so.
func endOf(body io.ReadCloser, done, closed func()) io.ReadCloser {
	e := &ending{ReadCloser: body, done: done, closed: closed}
	if rw, ok := body.(io.ReadWriteCloser); ok {
		return struct {
			io.Writer
			io.ReadCloser
		}{rw, e}
	}
	return e
}

type ending struct {
	io.ReadCloser
	done, closed func()
}

func (e *ending) Read(p []byte) (int, error) {
	n, err := e.ReadCloser.Read(p)
	if err != nil {
		e.done()
	}
	return n, err
}

func (e *ending) Close() error {
	err := e.ReadCloser.Close()
	e.done()
	e.closed()
	return err
}

// quiet is where net/http's own complaints go: what clients send wrong is no
// news, and what fails is in the access log.
var quiet = log.New(io.Discard, "", 0)
