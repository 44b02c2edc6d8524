package gateway

import (
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpguts"
)

// countedBody counts what a client sends, and bounds how long it may send nothing. It
// may still be read when the answer has ended.
type countedBody struct {
	io.ReadCloser
	request   *http.Request // whose trailers come at the end
	control   *http.ResponseController
	announced map[string]bool
	deadline  time.Time
	mu        sync.Mutex
	answered  bool // the control is nobody's any more
	bytes     atomic.Int64
	broke     atomic.Bool // it could not be read to its end
	late      atomic.Bool // it did not come in time
}

func countBody(r *http.Request, control *http.ResponseController) *countedBody {
	b := &countedBody{ReadCloser: r.Body, control: control, request: r}
	if len(r.Trailer) > 0 {
		b.announced = map[string]bool{}
		for name := range r.Trailer {
			b.announced[name] = true
		}
	}
	return b
}

// Read implements [io.Reader].
func (b *countedBody) Read(p []byte) (int, error) {
	if now := time.Now(); b.deadline.Sub(now) < bodyTimeout {
		b.deadline = now.Add(bodyTimeout + bodyTimeout/2) // so that few readings set one
		b.until(b.deadline)
	}
	n, err := b.ReadCloser.Read(p)
	b.bytes.Add(int64(n))
	switch {
	case err == io.EOF:
		b.trailers()
		b.until(time.Time{}) // the client may wait as long as it likes
	case err != nil:
		b.broke.Store(true)
		b.late.Store(isTimeout(err))
	}
	return n, err
}

// until bounds the reading, as long as the request is its handler's.
func (b *countedBody) until(t time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.answered {
		_ = b.control.SetReadDeadline(t)
	}
}

// end is told before the handler returns: who still sends the body to a member must
// not touch what is net/http's again.
func (b *countedBody) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answered = true
}

// trailers leaves of the request's trailers those that were announced and may be one
// (RFC 9110, 6.5.1): a member might take them for fields of the head.
func (b *countedBody) trailers() {
	for name := range b.request.Trailer {
		if !b.announced[name] || !httpguts.ValidTrailerHeader(name) {
			delete(b.request.Trailer, name)
		}
	}
}

// countedWriter counts what a client gets.
type countedWriter struct {
	http.ResponseWriter
	control  *http.ResponseController
	deadline time.Time // once more was sent than the system keeps for a client
	status   int
	bytes    int64
}

// Unwrap lets net/http reach what the writer can do beside writing.
func (w *countedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements [http.ResponseWriter].
func (w *countedWriter) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements [io.Writer].
func (w *countedWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	if w.bytes > passPiece {
		if now := time.Now(); w.deadline.Sub(now) < sendTimeout {
			w.deadline = now.Add(2 * sendTimeout)
			_ = w.control.SetWriteDeadline(w.deadline)
		}
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// end lets the connection's next request take its time.
func (w *countedWriter) end() {
	if !w.deadline.IsZero() {
		_ = w.control.SetWriteDeadline(time.Time{})
	}
}
