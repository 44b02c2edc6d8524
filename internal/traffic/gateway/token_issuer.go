package gateway

import (
	"errors"
	"net/http"
	"sync"
	"time"
)

// askAgain is how long after a question an issuer is not asked the same again.
const askAgain = 5 * time.Second

// maxDocument is how much of an issuer's document is read.
const maxDocument = 1 << 20

// errAsked is a question that was asked a moment ago.
var errAsked = errors.New("the issuer was asked a moment ago")

// issuerWay is the way to an issuer of tokens. It asks for each document once in
// [askAgain]: tokens with made-up key IDs do not become a flood of questions.
type issuerWay struct {
	http.RoundTripper

	mu    sync.Mutex
	asked map[string]time.Time // by URL; an issuer has two
	down  bool                 // nothing came of the last question
}

// RoundTrip implements [http.RoundTripper].
func (w *issuerWay) RoundTrip(r *http.Request) (*http.Response, error) {
	url, now := r.URL.String(), time.Now()
	w.mu.Lock()
	if last, ok := w.asked[url]; ok && now.Sub(last) < askAgain {
		w.mu.Unlock()
		return nil, errAsked
	}
	w.asked[url] = now
	w.mu.Unlock()
	resp, err := w.RoundTripper.RoundTrip(r)
	w.mu.Lock()
	w.down = err != nil || resp.StatusCode != http.StatusOK
	w.mu.Unlock()
	if err == nil {
		resp.Body = http.MaxBytesReader(nil, resp.Body, maxDocument)
	}
	return resp, err
}

// CloseIdleConnections ends the connections that nobody uses now, if there are any.
func (w *issuerWay) CloseIdleConnections() {
	(&http.Client{Transport: w.RoundTripper}).CloseIdleConnections()
}

// isDown reports whether nothing came of the last question.
func (w *issuerWay) isDown() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.down
}
