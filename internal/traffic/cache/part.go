package cache

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// span is a part of a body: from its first byte up to before its last.
type span struct{ from, to int64 }

// rangeOf reads the part that a Range field asks for of a body of some bytes (RFC 9110,
// 14.1.2 and 14.2). ok is false for what may be ignored: other units, what is not as it
// should be, several parts. A part that the body does not have is nil.
func rangeOf(field string, size int64) (s *span, ok bool) {
	unit, set, _ := strings.Cut(field, "=")
	first, last, dash := strings.Cut(strings.Trim(set, " \t"), "-")
	if !strings.EqualFold(unit, "bytes") || !dash {
		return nil, false
	}
	if first == "" {
		n, ok := position(last)
		if !ok {
			return nil, false
		}
		if n = min(n, size); n == 0 {
			return nil, true
		}
		return &span{size - n, size}, true
	}
	from, ok := position(first)
	if !ok {
		return nil, false
	}
	to := size
	if last != "" {
		end, ok := position(last)
		if !ok || end < from {
			return nil, false
		}
		if end < size {
			to = end + 1
		}
	}
	if from >= size {
		return nil, true
	}
	return &span{from, to}, true
}

// position reads a position in a body; one that is beyond all bodies is the largest.
func position(s string) (int64, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		n = 1<<63 - 1
	}
	return n, true
}

// unchanged reports whether what is stored is what If-Range names: the whole of it is
// due otherwise (RFC 9110, 13.1.5). Only what is strong counts.
func unchanged(req *http.Request, h http.Header) bool {
	switch field := strings.TrimSpace(req.Header.Get("If-Range")); {
	case field == "":
		return true
	case strings.HasPrefix(field, `"`):
		return field == h.Get("Etag")
	case strings.HasPrefix(field, "W/"):
		return false
	default:
		// A date is strong if the answer was made a second later at least (8.8.2.2).
		changed, err := http.ParseTime(h.Get("Last-Modified"))
		date, derr := http.ParseTime(h.Get("Date"))
		return err == nil && derr == nil && field == h.Get("Last-Modified") && date.Sub(changed) >= 1e9
	}
}

// part makes a whole answer from the store the part of it that a request asks for.
func part(req *http.Request, resp *http.Response, v *variant) {
	field := req.Header.Get("Range")
	if field == "" || req.Method != http.MethodGet || resp.StatusCode != http.StatusOK || len(v.trailer) > 0 || !unchanged(req, v.header) {
		return
	}
	size := int64(len(v.body))
	s, ok := rangeOf(field, size)
	switch {
	case !ok:
	case s == nil:
		resp.StatusCode, resp.Body, resp.ContentLength = http.StatusRequestedRangeNotSatisfiable, http.NoBody, 0
		resp.Header.Set("Content-Range", fmt.Sprintf("bytes */%d", size))
		resp.Header.Set("Content-Length", "0")
	default:
		resp.StatusCode, resp.ContentLength = http.StatusPartialContent, s.to-s.from
		resp.Body = io.NopCloser(bytes.NewReader(v.body[s.from:s.to]))
		resp.Header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", s.from, s.to-1, size))
		resp.Header.Set("Content-Length", strconv.FormatInt(resp.ContentLength, 10))
	}
}
