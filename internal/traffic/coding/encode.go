package coding

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// Vary says in an answer that it depends on the codings the client takes.
func Vary(h http.Header) {
	if !slices.ContainsFunc(h.Values("Vary"), func(v string) bool { return strings.Contains(strings.ToLower(v), "accept-encoding") }) {
		h.Add("Vary", "Accept-Encoding")
	}
}

// Possible reports whether an answer may have another coding: it has none, and
// nobody forbids it (RFC 9111, 5.2.2.6).
func Possible(h http.Header) bool {
	return h.Get("Content-Encoding") == "" && !strings.Contains(h.Get("Cache-Control"), "no-transform")
}

// Encode makes the body of an answer one with a coding, and its fields those of
// another representation (RFC 9110, 8.8.1). A coding that is none of ours changes
// nothing.
func Encode(resp *http.Response, coding string) {
	b := &body{source: resp.Body}
	switch coding {
	case Brotli:
		b.encoder = brotli.NewWriterLevel(&b.ready, 5)
	case Zstd:
		z, err := zstd.NewWriter(&b.ready, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
		if err != nil {
			return
		}
		b.encoder = z
	case Gzip:
		b.encoder = gzip.NewWriter(&b.ready)
	default:
		return
	}
	resp.Body, resp.ContentLength = b, -1
	h := resp.Header
	h.Set("Content-Encoding", coding)
	h.Del("Content-Length")
	h.Del("Accept-Ranges")
	Weaken(h)
}

// Weaken makes an answer's entity tag one that does not tell codings apart: another
// coding is another representation (RFC 9110, 8.8.1).
func Weaken(h http.Header) {
	if tag := h.Get("ETag"); tag != "" && !strings.HasPrefix(tag, "W/") {
		h.Set("ETag", "W/"+tag)
	}
}

// body is compressed as it is read: what is sent bit by bit goes on bit by bit.
type body struct {
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
func (b *body) Read(p []byte) (int, error) {
	for b.ready.Len() == 0 {
		if b.end != nil {
			return 0, b.end
		}
		n, err := b.source.Read(b.chunk[:])
		if n > 0 {
			if _, werr := b.encoder.Write(b.chunk[:n]); werr != nil {
				return 0, werr
			}
		}
		switch {
		case err == io.EOF:
			b.end = err
			if cerr := b.encoder.Close(); cerr != nil {
				return 0, cerr
			}
		case err != nil:
			return 0, err // a body that was cut short must not look whole
		case n < len(b.chunk):
			if ferr := b.encoder.Flush(); ferr != nil {
				return 0, ferr
			}
		}
	}
	return b.ready.Read(p)
}

// Close implements [io.Closer].
func (b *body) Close() error { return b.source.Close() }
