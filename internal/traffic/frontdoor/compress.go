package frontdoor

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
	if resp.StatusCode != http.StatusOK || r.Method == http.MethodHead || h.Get("Content-Encoding") != "" ||
		resp.ContentLength >= 0 && resp.ContentLength < minCompress || resp.ContentLength > maxCompress || strings.Contains(h.Get("Cache-Control"), "no-transform") {
		return
	}
	if !slices.ContainsFunc(h.Values("Vary"), func(v string) bool { return strings.Contains(strings.ToLower(v), "accept-encoding") }) {
		h.Add("Vary", "Accept-Encoding")
	}
	c := &compressing{source: resp.Body}
	encoding := encodingFor(r.Header.Values("Accept-Encoding"))
	switch encoding {
	case "br":
		c.encoder = brotli.NewWriterLevel(&c.ready, 5)
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

// encodingFor returns br or gzip, the first of them that a client takes; empty is
// none (RFC 9110 section 12.5.3).
func encodingFor(accept []string) string {
	takes := map[string]bool{}
	for part := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		name, parameters, _ := strings.Cut(part, ";")
		q, given := strings.CutPrefix(strings.ToLower(strings.ReplaceAll(parameters, " ", "")), "q=")
		share, err := strconv.ParseFloat(q, 64)
		takes[strings.ToLower(strings.TrimSpace(name))] = !given || err == nil && share > 0
	}
	for _, name := range []string{"br", "gzip"} {
		if ok, said := takes[name]; ok || !said && takes["*"] {
			return name
		}
	}
	return ""
}

// compressing is a body that is compressed as it is read.
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
			return 0, err // a body that was cut short must not look whole
		case n < len(c.chunk):
			if ferr := c.encoder.Flush(); ferr != nil {
				return 0, ferr // what the origin sends bit by bit goes on bit by bit
			}
		}
	}
	return c.ready.Read(p)
}

// Close implements [io.Closer].
func (c *compressing) Close() error { return c.source.Close() }
