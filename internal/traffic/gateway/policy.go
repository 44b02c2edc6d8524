package gateway

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/ceruleannet/cerulean/balance"
	"github.com/ceruleannet/cerulean/internal/traffic/cache"
)

// Policy is what a request must pass before it goes on, and how its answer is
// treated, in this order. The zero value lets everything pass as it is.
type Policy struct {
	Allow     []netip.Prefix // of clients; none means all. Others get 403
	CORS      *CORS
	RateLimit *RateLimit
	Token     *Token
	MaxBody   int64         // of requests, in bytes; more gets 413. 0 means no limit
	Deadline  time.Duration // of the whole exchange; beyond it 504. 0 means none
	Compress  bool          // answers, as the client accepts and their type allows
	Breaker   *Breaker
	Cache     *cache.Policy // keeps answers; nil keeps none
}

// RateLimit bounds requests; more get 429.
type RateLimit struct {
	Requests int           // in Per
	Per      time.Duration // 0 means a second
	Burst    int           // at once; 0 means Requests
	// By says whose requests are counted together: "client" (the default), "all",
	// or "header:NAME". Requests without the header count as one.
	By string
}

// Token demands a JSON Web Token (RFC 7519) as a bearer token (RFC 6750); without
// a good one a request gets 401, with one that lacks a claim 403.
type Token struct {
	Issuer   string
	Audience string
	// Keys is the address of the issuer's key set (RFC 7517); empty asks the issuer
	// (OpenID Connect Discovery 1.0).
	Keys string
	// Require are claims that must have one of some values; of a list, or of a text
	// of words as in "scp", one element suffices.
	Require map[string][]string
	// Forward are claims that go to the member as headers; the client's own headers
	// of these names do not.
	Forward map[string]string
}

// CORS says which other sites' pages may ask (Fetch Standard, "CORS protocol").
type CORS struct {
	Origins     []string // "https://shop.example", or "*"
	Methods     []string // none means GET, HEAD and POST
	Headers     []string
	Expose      []string
	Credentials bool
	MaxAge      time.Duration
}

// Limits of policies.
const (
	maxPolicyBody = 1 << 40
	maxRate       = 1_000_000
	maxObject     = 1 << 30
)

func (k *checker) policy(at Place, what string, p *Policy) {
	for _, a := range p.Allow {
		if a != a.Masked() {
			k.add(at, "%s: %s has bits beyond its prefix; use %s", what, a, a.Masked())
		}
	}
	if p.MaxBody < 0 || p.MaxBody > maxPolicyBody {
		k.add(at, "%s: a body of %d bytes at most; use 1 to %d", what, p.MaxBody, int64(maxPolicyBody))
	}
	k.within(at, what+": deadline", p.Deadline, time.Millisecond, day)
	k.breaker(at, what, p.Breaker)
	if l := p.RateLimit; l != nil {
		if l.Requests < 1 || l.Requests > maxRate {
			k.add(at, "%s: rate limit of %d requests; use 1 to %d", what, l.Requests, maxRate)
		}
		if l.Burst < 0 || l.Burst > maxRate {
			k.add(at, "%s: burst of %d requests; use 1 to %d", what, l.Burst, maxRate)
		}
		k.within(at, what+": rate limit", l.Per, time.Millisecond, day)
		if name, header := strings.CutPrefix(l.By, "header:"); l.By != "" && l.By != "client" && l.By != "all" && (!header || !httpguts.ValidHeaderFieldName(name)) {
			k.add(at, "%s: rate limit by %q; use client, all or header:NAME", what, l.By)
		}
	}
	if t := p.Token; t != nil {
		for name, s := range map[string]string{"issuer": t.Issuer, "keys": t.Keys} {
			if s == "" && name == "keys" {
				continue
			}
			if u, err := url.Parse(s); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
				k.add(at, "%s: token: %s %q is no absolute URL", what, name, s)
			}
		}
		if t.Audience == "" {
			k.add(at, "%s: token: it needs an audience; tokens for others would be taken", what)
		}
		for _, h := range t.Forward {
			if !httpguts.ValidHeaderFieldName(h) {
				k.add(at, "%s: token: %q is no name of a header", what, h)
			}
		}
	}
	if c := p.Cache; c != nil {
		k.within(at, what+": cache: ttl", c.TTL, time.Second, 366*day)
		switch c.Query {
		case "", cache.UseQuery, cache.IgnoreQuery:
			if len(c.Names) > 0 {
				k.add(at, "%s: cache: names of arguments need query %s or %s", what, cache.IgnoreSome, cache.IncludeSome)
			}
		case cache.IgnoreSome, cache.IncludeSome:
			if len(c.Names) == 0 {
				k.add(at, "%s: cache: query %s needs names of arguments", what, c.Query)
			}
		default:
			k.add(at, "%s: cache: query %q; use %s, %s, %s or %s", what, c.Query, cache.UseQuery, cache.IgnoreQuery, cache.IgnoreSome, cache.IncludeSome)
		}
		if c.Override && c.TTL == 0 {
			k.add(at, "%s: cache: override needs a ttl", what)
		}
		if c.MaxObject < 0 || c.MaxObject > maxObject {
			k.add(at, "%s: cache: an object of %d bytes at most; use 1 to %d", what, c.MaxObject, int64(maxObject))
		}
	}
	if c := p.CORS; c != nil {
		if len(c.Origins) == 0 {
			k.add(at, "%s: cors: no origin", what)
		}
		if c.Credentials && slices.Contains(c.Origins, "*") {
			k.add(at, "%s: cors: credentials need origins by name, not *", what)
		}
		for _, o := range c.Origins {
			if u, err := url.Parse(o); o != "*" && (err != nil || u.Scheme == "" || u.Host == "" || strings.TrimPrefix(o, u.Scheme+"://"+u.Host) != "") {
				k.add(at, "%s: cors: %q is no origin; write https://shop.example", what, o)
			}
		}
	}
}

// guard is a policy at work.
type guard struct {
	policy *Policy
	rate   *limiter
	token  *verifier
	breaks *balance.Breaker
}

// rest ends the connections that nobody uses now.
func (g *guard) rest() {
	if g.token != nil {
		g.token.way.CloseIdleConnections()
	}
}

// admit lets a request pass, or answers it. It reports false if it did.
func (g *guard) admit(w http.ResponseWriter, r *http.Request) bool {
	p := g.policy
	if len(p.Allow) > 0 {
		client, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil || !slices.ContainsFunc(p.Allow, func(a netip.Prefix) bool { return a.Contains(client.Addr().Unmap()) }) {
			respond(w, http.StatusForbidden)
			return false
		}
	}
	if p.CORS != nil && p.CORS.answer(w, r) {
		return false
	}
	if g.rate != nil {
		if wait := g.rate.take(rateKey(p.RateLimit.By, r), time.Now()); wait > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
			respond(w, http.StatusTooManyRequests)
			return false
		}
	}
	if g.token != nil && !g.token.admit(w, r) {
		return false
	}
	if p.MaxBody > 0 && r.Body != nil {
		if r.ContentLength > p.MaxBody {
			respond(w, http.StatusRequestEntityTooLarge)
			return false
		}
		r.Body = http.MaxBytesReader(w, r.Body, p.MaxBody)
	}
	return true
}

// rateKey returns whose request it is.
func rateKey(by string, r *http.Request) string {
	switch {
	case by == "" || by == "client":
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		return host
	case by == "all":
		return ""
	default:
		return r.Header.Get(strings.TrimPrefix(by, "header:"))
	}
}

// answer adds what browsers want to know, and answers preflight requests; it
// reports whether it did.
func (c *CORS) answer(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	h := w.Header()
	h.Add("Vary", "Origin")
	any := slices.Contains(c.Origins, "*")
	preflight := r.Method == http.MethodOptions && origin != "" && r.Header.Get("Access-Control-Request-Method") != ""
	if origin == "" || !any && !slices.ContainsFunc(c.Origins, func(o string) bool { return strings.EqualFold(o, origin) }) {
		if preflight {
			respond(w, http.StatusForbidden)
		}
		return preflight
	}
	if any {
		origin = "*"
	}
	h.Set("Access-Control-Allow-Origin", origin)
	if c.Credentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	if !preflight {
		if len(c.Expose) > 0 {
			h.Set("Access-Control-Expose-Headers", strings.Join(c.Expose, ", "))
		}
		return false
	}
	methods := c.Methods
	if len(methods) == 0 {
		methods = []string{"GET", "HEAD", "POST"}
	}
	h.Set("Access-Control-Allow-Methods", strings.Join(methods, ", "))
	if len(c.Headers) > 0 {
		h.Set("Access-Control-Allow-Headers", strings.Join(c.Headers, ", "))
	}
	if c.MaxAge > 0 {
		h.Set("Access-Control-Max-Age", fmt.Sprint(int(c.MaxAge.Seconds())))
	}
	w.WriteHeader(http.StatusNoContent)
	return true
}
