package discovery

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// following collects what a client that follows hears.
func following(t *testing.T, c *Client) chan string {
	heard := make(chan string, 100)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = c.Follow(ctx, "web", func(list []Instance) { heard <- ids(list) })
	}()
	t.Cleanup(func() { cancel(); <-done })
	return heard
}

// until waits for a state.
func until(t *testing.T, heard chan string, want string) {
	t.Helper()
	for {
		select {
		case got := <-heard:
			if got == want {
				return
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("never heard of %q", want)
		}
	}
}

// TestClient registers, follows and deregisters over HTTP; a broken connection
// and a registry that begins anew lose nothing.
func TestClient(t *testing.T) {
	var r atomic.Pointer[Registry]
	r.Store(New(0))
	authorize := Options{Authorize: func(r *http.Request, _ bool) error {
		if r.Header.Get("Authorization") != "Bearer secret" {
			return errors.New("a token is needed")
		}
		return nil
	}}
	handlers := map[*Registry]http.Handler{r.Load(): Handler(r.Load(), authorize)}
	second := New(0)
	handlers[second] = Handler(second, authorize)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { handlers[r.Load()].ServeHTTP(w, q) }))
	t.Cleanup(server.Close) // after those who follow have ended
	c := &Client{URL: server.URL, Token: "secret"}
	if _, err := (&Client{URL: server.URL}).List(t.Context(), ""); err == nil {
		t.Error("no token, and let in")
	}
	heard := following(t, c)
	until(t, heard, "")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Register(ctx, web("a"), 2*time.Second, nil) }()
	until(t, heard, "a")
	if err := c.Register(t.Context(), web("a"), 2*time.Second, nil); !errors.Is(err, ErrTaken) {
		t.Errorf("taken: %v", err)
	}
	server.CloseClientConnections() // it goes on where it was
	if _, _, err := r.Load().Register(time.Now(), web("b"), time.Minute, ""); err != nil {
		t.Fatal(err)
	}
	until(t, heard, "a b")
	r.Store(second) // a registry that knows nothing
	server.CloseClientConnections()
	until(t, heard, "a") // registered again by itself
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	until(t, heard, "")
}

func TestHandlerRefuses(t *testing.T) {
	h := Handler(New(0), Options{})
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"PUT", "/v1/services/web/instances/a", 400},
		{"POST", "/v1/services/web/instances/a", 400},
		{"DELETE", "/v1/services/web/instances/a?lease=x", 404},
		{"GET", "/v1/watch?after=x", 400},
		{"GET", "/v1/watch?after=0&epoch=other", 410},
		{"GET", "/v1/services/web", 200},
		{"GET", "/v2", 404},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(c.method, c.path, nil))
		if w.Code != c.status {
			t.Errorf("%s %s: %d %s, want %d", c.method, c.path, w.Code, w.Body, c.status)
		}
	}
}
