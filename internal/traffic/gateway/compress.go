package gateway

import (
	"bytes"
	"compress/gzip"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
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
	switch {
	case !strings.HasPrefix(kind, "text/") && !compressible[kind]:
		return
	case resp.StatusCode < 200, resp.StatusCode == http.StatusNoContent, resp.StatusCode == http.StatusNotModified, resp.StatusCode == http.StatusPartialContent:
		return
	}
	// From here on the answer depends on what the client accepts.
	if !slices.ContainsFunc(h.Values("Vary"), func(v string) bool { return strings.Contains(strings.ToLower(v), "accept-encoding") }) {
		h.Add("Vary", "Accept-Encoding")
	}
	if h.Get("Content-Encoding") != "" || strings.Contains(h.Get("Cache-Control"), "no-transform") ||
		resp.ContentLength >= 0 && resp.ContentLength < minCompress || r.Method == http.MethodHead {
		return
	}
	c := &compressing{source: resp.Body}
	encoding := preferred(r.Header.Values("Accept-Encoding"))
	switch encoding {
	case "br":
		c.encoder = brotli.NewWriterLevel(&c.ready, 5)
	case "zstd":
		z, err := zstd.NewWriter(&c.ready, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
		if err != nil {
			return
		}
		c.encoder = z
	case "gzip":
		c.encoder = gzip.NewWriter(&c.ready)
	default:
		return
	}
	resp.Body, resp.ContentLength = c, -1
	h.Set("Content-Encoding", encoding)
	h.Del("Content-Length")
	h.Del("Accept-Ranges")
	if tag := h.Get("ETag"); tag != "" && !strings.HasPrefix(tag, "W/") {
		h.Set("ETag", "W/"+tag) // another representation (RFC 9110 section 8.8.1)
	}
}

// preferred returns the encoding that a client likes best of ours; of equals br,
// zstd, gzip in this order. Empty is none (RFC 9110 section 12.5.3).
func preferred(accept []string) string {
	best, quality := "", 0.0
	have := map[string]float64{}
	for _, part := range strings.Split(strings.Join(accept, ","), ",") {
		name, parameters, _ := strings.Cut(strings.TrimSpace(part), ";")
		q := 1.0
		if v, ok := strings.CutPrefix(strings.ReplaceAll(strings.ToLower(parameters), " ", ""), "q="); ok {
			var err error
			if q, err = strconv.ParseFloat(v, 64); err != nil || !(q >= 0 && q <= 1) {
				q = 0
			}
		}
		have[strings.ToLower(strings.TrimSpace(name))] = q
	}
	for _, name := range []string{"br", "zstd", "gzip"} {
		q, said := have[name]
		if !said {
			q = have["*"]
		}
		if q > quality {
			best, quality = name, q
		}
	}
	return best
}

// compressing is a body that is compressed as it is read: what the member sends
// goes on at once.
type compressing struct {
	source  io.ReadCloser
	encoder interface {
		io.WriteCloser
		Flush() error
	}
	ready bytes.Buffer
	chunk [8 << 10]byte
	end   error
}

// Read implements [io.Reader].
func (c *compressing) Read(p []byte) (int, error) {
	for c.ready.Len() == 0 {
		if c.end != nil {
			return 0, c.end
		}
		n, err := c.source.Read(c.chunk[:])
		if n > 0 {
			if _, werr := c.encoder.Write(c.chunk[:n]); werr != nil {
				return 0, werr
			}
		}
		switch {
		case err == io.EOF:
			c.end = err
			if cerr := c.encoder.Close(); cerr != nil {
				return 0, cerr
			}
		case err != nil:
			// A body that was cut short must not look whole.
			return 0, err
		case n < len(c.chunk):
			if ferr := c.encoder.Flush(); ferr != nil {
				return 0, ferr
			}
		}
	}
	return c.ready.Read(p)
}

// Close implements [io.Closer].
func (c *compressing) Close() error { return c.source.Close() }
