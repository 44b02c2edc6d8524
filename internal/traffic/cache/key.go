package cache

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Query says which part of a query tells answers apart.
type Query string

// The ways ("Caching with Azure Front Door", query string behavior).
const (
	UseQuery    Query = "UseQueryString" // every query is one of its own
	IgnoreQuery Query = "IgnoreQueryString"
	IgnoreSome  Query = "IgnoreSpecifiedQueryStrings"
	IncludeSome Query = "IncludeSpecifiedQueryStrings"
)

// Policy is how answers of some requests are kept.
type Policy struct {
	Query Query // empty means UseQuery
	Names []string
	// TTL is how long an answer is fresh that does not say so; 0 leaves it to
	// Last-Modified. Override makes it count against what the answer says, but for
	// no-store and private.
	TTL      time.Duration
	Override bool
	// MaxObject bounds the bodies that are kept, in bytes; 0 means 8 MiB.
	MaxObject int64
}

// Key returns the key of a request: space keeps apart what is asked of different
// servers, such as the rule that took it.
func Key(space, scheme string, req *http.Request, p *Policy) string {
	var b strings.Builder
	for _, s := range []string{space, scheme, strings.ToLower(req.Host)} {
		b.WriteString(s)
		b.WriteByte('\n')
	}
	b.WriteString(req.URL.EscapedPath())
	if q := p.query(req.URL.RawQuery); q != "" {
		b.WriteByte('?')
		b.WriteString(q)
	}
	return b.String()
}

// pathOf returns the host and path of a key.
func pathOf(key string) (host, path string) {
	parts := strings.SplitN(key, "\n", 4)
	if len(parts) < 4 {
		return "", ""
	}
	path, _, _ = strings.Cut(parts[3], "?")
	return parts[2], path
}

// query returns the part of a query that counts. The order of what is left stays:
// a server may mind it.
func (p *Policy) query(raw string) string {
	switch p.Query {
	case IgnoreQuery:
		return ""
	case IgnoreSome, IncludeSome:
		var kept []string
		for pair := range strings.SplitSeq(raw, "&") {
			name, _, _ := strings.Cut(pair, "=")
			if plain, err := url.QueryUnescape(name); err == nil {
				name = plain
			}
			named := slices.ContainsFunc(p.Names, func(n string) bool { return strings.EqualFold(n, name) })
			// Some servers take a semicolon for an ampersand: then there is more in it.
			if pair != "" && (named == (p.Query == IncludeSome) || strings.Contains(pair, ";")) {
				kept = append(kept, pair)
			}
		}
		return strings.Join(kept, "&")
	}
	return raw
}
