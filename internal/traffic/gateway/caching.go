package gateway

import (
	"context"
	"net/http"

	"github.com/ceruleannet/cerulean/internal/traffic/cache"
)

// unkeyed are headers of clients that servers may answer by and that no key of the
// cache has: one client could make what others get. They do not go to members where
// answers are kept.
var unkeyed = []string{"X-Forwarded-Host", "X-Forwarded-Server", "X-Host", "X-Original-Url", "X-Rewrite-Url", "X-Http-Method-Override", "Forwarded"}

// cached answers from the cache, or asks.
func (x *exchange) cached(req *http.Request, p *cache.Policy) (*http.Response, error) {
	for _, name := range unkeyed {
		req.Header.Del(name)
	}
	return x.server.cache.Do(req, cache.Key(x.decision.target.name, req.Header.Get("X-Forwarded-Proto"), req, p), p, ask, x.detached)
}

// detached makes a request that goes on when the exchange has ended.
func (x *exchange) detached(ctx context.Context, req *http.Request) *http.Request {
	y := &exchange{server: x.server, state: x.state, decision: x.decision, backend: x.backend}
	out := req.Clone(context.WithValue(ctx, exchangeKey{}, y))
	out.Body = nil
	return out
}

// Purge forgets kept answers of a host (empty: of all) and a path, which may end
// with * and match whatever the case; it returns how many.
func (s *Server) Purge(host, path string) int { return s.cache.Purge(host, path) }

// CacheStats say what is kept.
func (s *Server) CacheStats() cache.Stats { return s.cache.Stats() }
