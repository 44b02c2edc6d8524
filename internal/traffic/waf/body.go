package waf

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
)

// body is the beginning of a request's body.
type body struct {
	head    []byte // at most the inspection limit, and one byte more if there is more
	partial bool   // there is more than was read
}

// readBody reads what is inspected of a request's body, and puts one in its place
// that has all of it. A body that comes bit by bit, as of gRPC, is not waited for:
// it has no end before the answer has begun.
func readBody(r *http.Request, limit int64) (*body, error) {
	if r.Body == nil || r.Body == http.NoBody || streams(r) {
		return &body{}, nil
	}
	size := r.ContentLength
	if size < 0 {
		size = 4 << 10
	}
	buf := bytes.NewBuffer(make([]byte, 0, min(size, limit)+bytes.MinRead))
	n, err := buf.ReadFrom(io.LimitReader(r.Body, limit+1))
	if err != nil {
		return nil, err
	}
	b := &body{head: buf.Bytes(), partial: n > limit}
	r.Body = replayed{io.MultiReader(bytes.NewReader(b.head), r.Body), r.Body}
	return b, nil
}

// streams reports whether both sides of an exchange talk at once: gRPC, which there is
// over HTTP/2 only. A header alone that asks for another protocol says nothing of the
// body that comes before that (RFC 9110, 7.8).
func streams(r *http.Request) bool {
	return r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc")
}

// replayed reads from one and closes the other.
type replayed struct {
	io.Reader
	io.Closer
}

// upload reports whether a body is one of files, for which other limits hold.
func upload(r *http.Request) bool {
	t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && t == "multipart/form-data"
}

// ErrTooLarge is what reading a body gives that is larger than its policy allows
// and did not say so before.
var ErrTooLarge = errors.New("the body is larger than the firewall's policy allows")

// bounded is a body that must not be longer than it may.
type bounded struct {
	io.ReadCloser
	left int64
}

// Read implements [io.Reader].
func (b *bounded) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, ErrTooLarge
	}
	return n, err
}
