package gateway

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// deadlined counts how often reading is bounded.
type deadlined struct {
	http.ResponseWriter
	set int
}

func (d *deadlined) SetReadDeadline(time.Time) error {
	d.set++
	return nil
}

// The body of a request may still be on its way to a member when the answer has
// ended; the connection is then net/http's, for the next request.
func TestBodyBehindTheAnswer(t *testing.T) {
	w := &deadlined{ResponseWriter: httptest.NewRecorder()}
	b := countBody(httptest.NewRequest("POST", "/", strings.NewReader("hello")), http.NewResponseController(w))
	if _, err := b.Read(make([]byte, 2)); err != nil || w.set != 1 {
		t.Fatalf("%v; bounded %d times", err, w.set)
	}
	b.end()
	if rest, err := io.ReadAll(b); string(rest) != "llo" || err != nil || w.set != 1 {
		t.Errorf("%q, %v; bounded %d times", rest, err, w.set)
	}
	if b.bytes.Load() != 5 {
		t.Errorf("%d bytes", b.bytes.Load())
	}
}
