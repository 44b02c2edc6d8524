package gateway

import (
	"mime"
	"net/http"
	"strings"

	"github.com/ceruleannet/cerulean/internal/traffic/coding"
)

// minCompress is the shortest body that is compressed, in bytes, if its length is
// known.
const minCompress = 1 << 10

// compressible are the types beside text that are worth it.
var compressible = map[string]bool{
	"application/json": true, "application/javascript": true, "application/xml": true, "application/xhtml+xml": true,
	"application/rss+xml": true, "application/atom+xml": true, "application/manifest+json": true, "application/wasm": true,
	"application/problem+json": true, "application/ld+json": true, "application/yaml": true, "image/svg+xml": true, "font/ttf": true,
}

// compress compresses a response if the client accepts it and it is worth it.
func compress(r *http.Request, resp *http.Response) {
	h := resp.Header
	kind, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	worth := strings.HasPrefix(kind, "text/") || compressible[kind]
	if resp.StatusCode == http.StatusNotModified && (worth || kind == "") {
		// As the answer would have had that it stands for (RFC 9110, 15.4.5).
		coding.Vary(h)
		coding.Weaken(h)
		return
	}
	switch {
	case !worth:
		return
	case resp.StatusCode < 200, resp.StatusCode == http.StatusNoContent, resp.StatusCode == http.StatusNotModified, resp.StatusCode == http.StatusPartialContent:
		return
	}
	// From here on the answer depends on what the client accepts.
	coding.Vary(h)
	if !coding.Possible(h) || resp.ContentLength >= 0 && resp.ContentLength < minCompress || r.Method == http.MethodHead {
		return
	}
	coding.Encode(resp, coding.ParseAccept(r.Header.Values("Accept-Encoding")).Best(coding.Brotli, coding.Zstd, coding.Gzip))
}
