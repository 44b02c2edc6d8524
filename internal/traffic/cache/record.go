package cache

import (
	"io"
	"net/http"
	"sync"
)

// recorder keeps a copy of a body while it passes.
type recorder struct {
	io.ReadCloser
	most int64
	buf  []byte
	done func(body []byte, whole bool) // called once
	once sync.Once
	over bool
}

// Read implements [io.Reader].
func (r *recorder) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if !r.over {
		if int64(len(r.buf)+n) > r.most {
			r.over, r.buf = true, nil
			r.end(false) // nobody needs to wait for it any more
		} else {
			r.buf = append(r.buf, p[:n]...)
		}
	}
	switch {
	case err == io.EOF:
		r.end(!r.over)
	case err != nil:
		r.end(false)
	}
	return n, err
}

// Close implements [io.Closer]: a body that was not read to its end is not kept.
func (r *recorder) Close() error {
	r.end(false)
	return r.ReadCloser.Close()
}

func (r *recorder) end(whole bool) {
	r.once.Do(func() { r.done(r.buf, whole) })
}

// hopByHop are the fields of one connection only, which are not stored (RFC 9111,
// 3.1).
var hopByHop = []string{
	"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authentication-Info", "Proxy-Authorization",
	"Proxy-Connection", "Te", "Transfer-Encoding", "Upgrade",
}

// kept returns the header of an answer as it is stored.
func kept(h http.Header) http.Header {
	out := h.Clone()
	for _, name := range hopByHop {
		out.Del(name)
	}
	out.Del("Age") // it is counted
	out.Del("Cache-Status")
	return out
}
