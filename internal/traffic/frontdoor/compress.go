package frontdoor

import (
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/traffic/coding"
)

// compress compresses an answer that the edge keeps, if the client takes it and it
// is of a type and size that are ("Improve performance by compressing files": 1 KB
// to 8 MB; brotli before gzip). One whose length is not known passes as if it fitted.
func compress(r *http.Request, resp *http.Response, types []string) {
	h := resp.Header
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || !slices.ContainsFunc(types, func(t string) bool { return strings.EqualFold(t, kind) }) {
		return
	}
	if resp.StatusCode == http.StatusNotModified {
		// As the answer would have had that it stands for (RFC 9110, 15.4.5).
		coding.Vary(h)
		coding.Weaken(h)
		return
	}
	if resp.StatusCode != http.StatusOK || r.Method == http.MethodHead || !coding.Possible(h) ||
		resp.ContentLength >= 0 && resp.ContentLength < minCompress || resp.ContentLength > maxCompress {
		return
	}
	coding.Vary(h)
	coding.Encode(resp, coding.ParseAccept(r.Header.Values("Accept-Encoding")).First(coding.Brotli, coding.Gzip))
}
