package frontdoor

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ceruleannet/cerulean/balance"
	"github.com/ceruleannet/cerulean/internal/traffic/cache"
	"github.com/ceruleannet/cerulean/internal/traffic/waf"
)

// affinity are the cookies that pin a client to an origin ("Session affinity").
const affinity, affinityCORS = "ASLBSA", "ASLBSACORS"

// exchange is a request at an edge.
type exchange struct {
	edge    *edge
	state   *state
	outcome outcome
	match   match
	group   *Group
	id      string
	client  *http.Request
	record  *Record // nil of what goes on without its client
	begin   time.Time
	pinned  bool
	origin  atomic.Pointer[Origin]
}

type exchangeKey struct{}

var (
	errNoOrigin = errors.New("no origin is enabled")
	errSlow     = errors.New("the origin's answer did not begin in time")
)

// reference names a request.
func reference() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}

// ServeHTTP answers a request at the edge.
func (e *edge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !e.server.handled.Begin() {
		panic(http.ErrAbortHandler) // closed
	}
	defer e.server.handled.Done()
	e.handled.Begin()
	defer e.handled.Done()
	// Nothing else ends a conversation, or what waits for an origin, when the time is over.
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(e.server.hurry, cancel)()
	r = r.WithContext(ctx)
	x := &exchange{edge: e, state: e.server.state.Load(), id: reference(), client: r, begin: time.Now()}
	x.record = x.newRecord(r)
	body := &counted{ReadCloser: r.Body}
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = body
	}
	out := &answer{ResponseWriter: w, begin: x.begin}
	out.Header().Set("X-Azure-Ref", x.id)
	defer x.finish(out, body)
	x.serve(out, r)
}

// serve takes a request through firewall, route and rules to an origin.
func (x *exchange) serve(w http.ResponseWriter, r *http.Request) {
	c := x.state.router.config
	if r.Method == http.MethodConnect {
		x.refuse(w, http.StatusMethodNotAllowed, "a front door is no tunnel")
		return
	}
	if len(r.TransferEncoding) > 0 && r.ProtoMajor == 1 {
		// It may have had a length as well, which net/http does not tell: then the
		// connection must end (RFC 9112, 6.3).
		w.Header().Set("Connection", "close")
	}
	if !wellFormed(r) {
		x.refuse(w, http.StatusBadRequest, "the request is not well formed")
		return
	}
	m, known := c.match(r.Host, r.URL.Path, r.TLS != nil, nil)
	if !known {
		x.refuse(w, http.StatusBadRequest, "no route has this domain")
		return
	}
	if d := c.domain(r.Host); d != nil {
		x.record.Endpoint = or(d.Endpoint, d.Name)
	}
	if !x.inspected(w, r) {
		return
	}
	if m.route == nil {
		x.refuse(w, http.StatusNotFound, "no route has this path")
		return
	}
	x.match, x.record.RouteName = m, m.route.Name
	if m.route.Redirect && r.TLS == nil {
		u := url.URL{Scheme: "https", Host: r.Host, Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}
		if at := x.edge.now(); at.Secure.Port() != 0 && at.Secure.Port() != 443 {
			u.Host = net.JoinHostPort(bareHost(r.Host), strconv.Itoa(int(at.Secure.Port())))
		} else {
			u.Host = bareHost(r.Host)
		}
		w.Header().Set("Location", u.String())
		w.WriteHeader(redirectStatus)
		return
	}
	x.outcome = x.state.router.run(&m, r)
	x.record.RulesEngineMatches = x.outcome.matched
	if d := x.outcome.redirect; d != nil {
		for _, h := range x.outcome.response {
			h.apply(w.Header())
		}
		w.Header().Set("Location", d.location(r))
		w.WriteHeader(d.Status)
		return
	}
	x.group = x.state.router.group(x.outcome.group)
	x.record.Group = x.group.Name
	if r.Header.Get("Upgrade") != "" {
		x.outcome.cache = nil // a conversation is not kept
	}
	x.edge.proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x)))
}

// wellFormed reports whether a request is one that net/http takes and a front door may
// pass on: a target without a fragment (RFC 9112, 3.2) or user (RFC 9110, 4.2.4), with
// a host (4.2.1) and of http or https.
func wellFormed(r *http.Request) bool {
	u := r.URL
	known := u.Scheme == "" || (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
	return known && u.User == nil && r.Host != "" && !strings.Contains(r.RequestURI, "#") && (strings.HasPrefix(u.Path, "/") || u.Path == "" || u.Path == "*")
}

func (x *exchange) refuse(w http.ResponseWriter, status int, why string) {
	x.record.ErrorInfo = strings.ReplaceAll(http.StatusText(status), " ", "")
	http.Error(w, why, status)
}

// inspected lets a request pass the firewall of its domain, or answers it. It
// reports false if it did.
func (x *exchange) inspected(w http.ResponseWriter, r *http.Request) bool {
	i := x.state.router.config.firewall(r.Host)
	if i < 0 {
		return true
	}
	f, wall := &x.state.router.config.Firewalls[i], x.state.walls[i]
	found, err := wall.Begin(r, x.id, x.begin)
	if err != nil {
		status := http.StatusBadRequest // the body was not as announced
		if errors.Is(err, waf.ErrTooLarge) {
			status = http.StatusRequestEntityTooLarge
		}
		x.refuse(w, status, http.StatusText(status))
		return false
	}
	found.Close()
	if tell := x.edge.server.options.OnFirewall; tell != nil && len(found.Entries()) > 0 {
		tell(x.edge.name, found.Entries())
	}
	if !found.Blocked {
		return true
	}
	x.record.WebFirewallDecision = found.Rule
	switch {
	case slices.Contains(f.Redirects, found.Rule):
		w.Header().Set("Location", f.RedirectTo)
		w.WriteHeader(http.StatusFound)
	case found.Page == "":
		x.refuse(w, found.Status, http.StatusText(found.Status))
	default:
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Length", strconv.Itoa(len(found.Page)))
		h.Set("Cache-Control", "no-store")
		w.WriteHeader(found.Status)
		_, _ = io.WriteString(w, found.Page)
	}
	return false
}

// outbound readies the request for an origin ("Protocol support for HTTP headers
// in Azure Front Door").
func (e *edge) outbound(p *httputil.ProxyRequest) {
	x := p.In.Context().Value(exchangeKey{}).(*exchange)
	p.SetXForwarded()
	host, _, _ := net.SplitHostPort(p.In.RemoteAddr)
	client := host
	if before := p.In.Header.Values("X-Forwarded-For"); len(before) > 0 {
		p.Out.Header.Set("X-Forwarded-For", strings.Join(before, ", ")+", "+host)
		first, _, _ := strings.Cut(before[0], ",")
		client = strings.TrimSpace(first)
	}
	h := p.Out.Header
	h.Set("Via", strings.TrimPrefix(p.In.Proto, "HTTP/")+" Azure")
	h.Set("X-Azure-Clientip", client)
	h.Set("X-Azure-Socketip", host)
	h.Set("X-Azure-Ref", x.id)
	h.Set("X-Azure-Requestchain", "hops=1")
	if id := x.state.router.config.ID; id != "" {
		h.Set("X-Azure-Fdid", id)
	}
	p.Out.URL.Scheme, p.Out.URL.Host = "http", p.In.Host
	p.Out.URL.RawQuery = p.In.URL.RawQuery // as it came: what a query means is the origin's to say
	if x.outcome.path != p.In.URL.Path {
		p.Out.URL.Path, p.Out.URL.RawPath = x.outcome.path, ""
	}
	if x.outcome.cache != nil {
		h.Del("Authorization") // "Caching with Azure Front Door": it is not forwarded
		if len(x.match.route.Compress) > 0 {
			h.Del("Accept-Encoding") // the edge compresses what it keeps
		}
	}
}

// RoundTrip implements [http.RoundTripper]: from what is kept, or an origin.
func (e *edge) RoundTrip(req *http.Request) (*http.Response, error) {
	x := req.Context().Value(exchangeKey{}).(*exchange)
	if x.outcome.cache == nil {
		return x.ask(req)
	}
	// What is kept goes by what the client asked for, so that it is purged by that;
	// where rules made something else of it, apart.
	asked := *req
	asked.Host, asked.URL = bareHost(x.client.Host), x.client.URL
	space := x.match.route.Name + "/" + x.outcome.group + "/" + url.PathEscape(x.outcome.path)
	return e.cache.Do(req, cache.Key(space, scheme(x.client), &asked, x.outcome.cache), x.outcome.cache, askAgain, func(ctx context.Context, r *http.Request) *http.Request {
		y := &exchange{edge: x.edge, state: x.state, match: x.match, outcome: x.outcome, group: x.group, id: x.id, client: x.client, begin: x.begin}
		out := r.Clone(context.WithValue(ctx, exchangeKey{}, y))
		out.Body = nil
		return out
	})
}

// askAgain asks an origin for a request's exchange.
func askAgain(req *http.Request) (*http.Response, error) {
	return req.Context().Value(exchangeKey{}).(*exchange).ask(req)
}

// ask asks an origin.
func (x *exchange) ask(req *http.Request) (*http.Response, error) {
	e := x.edge
	o := e.choose(x.group, req, x)
	if o == nil {
		return nil, errNoOrigin
	}
	x.origin.Store(o)
	secure := x.outcome.forwarding.secure(x.client.TLS != nil)
	u := url.URL{
		Scheme: "http", Host: net.JoinHostPort(o.Host, strconv.Itoa(int(o.port(secure)))),
		Path: req.URL.Path, RawPath: req.URL.RawPath, RawQuery: req.URL.RawQuery,
	}
	if secure {
		u.Scheme = "https"
	}
	ctx, cancel := context.WithCancelCause(req.Context())
	if rec := x.record; rec != nil {
		rec.OriginName, rec.OriginURL = o.Name, u.String()
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
			rec.OriginIP = info.Conn.RemoteAddr().String()
		}})
	}
	out := req.Clone(ctx)
	out.Body, out.URL, out.Host = req.Body, &u, or(o.HostHeader, x.client.Host)
	out.Header.Set("X-Forwarded-Host", x.client.Host)
	late := time.AfterFunc(or(x.state.router.config.Timeout, defaultTimeout), func() { cancel(errSlow) })
	resp, err := e.client(o).RoundTrip(out)
	late.Stop()
	if err != nil {
		if cause := context.Cause(ctx); errors.Is(cause, errSlow) {
			err = errSlow
		}
		cancel(nil)
		return nil, err
	}
	if x.record != nil {
		x.record.OriginStatusCode = resp.StatusCode
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		resp.Body = &ended{resp.Body, func() { cancel(nil) }}
	}
	return resp, nil
}

// ended tells when a body is closed.
type ended struct {
	io.ReadCloser
	done func()
}

// Close implements [io.Closer].
func (b *ended) Close() error {
	err := b.ReadCloser.Close()
	b.done()
	return err
}

// choose takes the origin of a request: the one its cookie names while it may take
// part, else the one whose turn it is.
func (e *edge) choose(g *Group, req *http.Request, x *exchange) *Origin {
	c := g.Choose(func(i int) State { return e.state(g, &g.Origins[i]) })
	if g.Affinity {
		if cookie, err := req.Cookie(affinity); err == nil {
			for i := range g.Origins {
				o := &g.Origins[i]
				if o.cookie() == cookie.Value && !o.Disabled && (c.Unhealthy || g.Probe == nil || e.state(g, o).Healthy) {
					x.pinned = true
					return o
				}
			}
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	t := e.turns[g.Name]
	if t == nil {
		t = &turns{}
		e.turns[g.Name] = t
	}
	if i := t.next(&c); i >= 0 {
		return &g.Origins[i]
	}
	return nil
}

func (o *Origin) cookie() string {
	return strconv.FormatUint(balance.Hash(o.Name+net.JoinHostPort(o.Host, strconv.Itoa(int(o.port(false))))), 36)
}

// inbound changes the answer.
func (e *edge) inbound(resp *http.Response) error {
	x := resp.Request.Context().Value(exchangeKey{}).(*exchange)
	x.record.CacheStatus = "CONFIG_NOCACHE"
	if x.outcome.cache != nil {
		x.record.CacheStatus = "TCP_MISS"
		if s := resp.Header.Get("Cache-Status"); s == "frontdoor; hit" || strings.HasPrefix(s, "frontdoor; hit;") {
			x.record.CacheStatus = "TCP_HIT"
		}
		if strings.Contains(resp.Header.Get("Cache-Control"), "no-store") || strings.Contains(resp.Header.Get("Cache-Control"), "private") {
			x.record.CacheStatus = "PRIVATE_NOSTORE"
		}
		compress(x.client, resp, x.match.route.Compress)
	}
	resp.Header.Set("X-Cache", x.record.CacheStatus)
	// A pin is not set on what others may get as well.
	if o := x.origin.Load(); o != nil && x.group.Affinity && !x.pinned && x.outcome.cache == nil {
		c := http.Cookie{Name: affinity, Value: o.cookie(), Path: "/", HttpOnly: true}
		resp.Header.Add("Set-Cookie", c.String())
		c.Name, c.SameSite, c.Secure = affinityCORS, http.SameSiteNoneMode, true
		resp.Header.Add("Set-Cookie", c.String())
	}
	for _, h := range x.outcome.response {
		h.apply(resp.Header)
	}
	return nil
}

// failed answers a request that no origin answered: 504 for one that took too long,
// 503 otherwise ("Troubleshooting common issues").
func (e *edge) failed(w http.ResponseWriter, r *http.Request, err error) {
	x := r.Context().Value(exchangeKey{}).(*exchange)
	if errors.Is(r.Context().Err(), context.Canceled) {
		x.record.ErrorInfo, x.record.HTTPStatusCode = "ClientDisconnected", 499
		return
	}
	status, info := http.StatusServiceUnavailable, "OriginConnectionError"
	var timeout net.Error
	var cert *tls.CertificateVerificationError
	switch {
	case errors.Is(err, errSlow), errors.As(err, &timeout) && timeout.Timeout():
		status, info = http.StatusGatewayTimeout, "OriginTimeout"
	case errors.As(err, &cert), strings.Contains(err.Error(), "x509:"):
		info = "OriginInvalidCertificate"
	}
	x.record.ErrorInfo, x.record.Error = info, err.Error()
	http.Error(w, http.StatusText(status), status)
}

// newRecord begins the line of the access log.
func (x *exchange) newRecord(r *http.Request) *Record {
	host, port, _ := net.SplitHostPort(r.RemoteAddr)
	rec := &Record{
		Time: x.begin.UTC(), TrackingReference: x.id, HTTPMethod: r.Method, HTTPVersion: strings.TrimPrefix(r.Proto, "HTTP/"),
		RequestURI: scheme(r) + "://" + r.Host + r.RequestURI, HostName: r.Host, UserAgent: r.UserAgent(), ClientIP: host, ClientPort: port,
		SocketIP: host, RequestProtocol: strings.ToUpper(scheme(r)), Referer: r.Referer(), Pop: x.edge.name, ErrorInfo: "NoError", CacheStatus: "N/A",
	}
	if before := r.Header.Get("X-Forwarded-For"); before != "" {
		first, _, _ := strings.Cut(before, ",")
		rec.ClientIP = strings.TrimSpace(first)
	}
	if r.TLS != nil {
		rec.SecurityProtocol, rec.SecurityCipher, rec.Sni = tls.VersionName(r.TLS.Version), tls.CipherSuiteName(r.TLS.CipherSuite), r.TLS.ServerName
	}
	return rec
}

// finish ends the line of the access log and hands it on.
func (x *exchange) finish(out *answer, body *counted) {
	rec := x.record
	rec.TimeTaken, rec.TimeToFirstByte = time.Since(x.begin).Seconds(), out.first.Seconds()
	rec.RequestBytes, rec.ResponseBytes = body.n.Load(), out.n
	if rec.HTTPStatusCode == 0 {
		rec.HTTPStatusCode = or(out.status, http.StatusOK)
	}
	rec.HTTPStatusDetails = rec.HTTPStatusCode
	rec.Result = "Success"
	if rec.ErrorInfo != "NoError" {
		rec.Result = "Failure"
	}
	if f := x.edge.server.options.OnRequest; f != nil {
		f(rec)
	}
}

// counted counts what is read of a body.
type counted struct {
	io.ReadCloser
	n atomic.Int64
}

// Read implements [io.Reader].
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// answer notes what is answered.
type answer struct {
	http.ResponseWriter
	begin  time.Time
	status int
	first  time.Duration
	n      int64
}

// WriteHeader implements [http.ResponseWriter].
func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 || status == http.StatusSwitchingProtocols {
		a.status, a.first = status, time.Since(a.begin)
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status, a.first = http.StatusOK, time.Since(a.begin)
	}
	n, err := a.ResponseWriter.Write(p)
	a.n += int64(n)
	return n, err
}

// Unwrap lets [http.ResponseController] reach what flushes and hijacks.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
