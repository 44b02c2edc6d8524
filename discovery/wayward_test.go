package discovery

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// wayward is a way to a registry on which an answer may become another.
type wayward struct {
	http.RoundTripper
	turn func(*http.Request, *http.Response) (*http.Response, error)
}

func (w *wayward) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := w.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	return w.turn(r, resp)
}

// CloseIdleConnections lets the bubble end.
func (w *wayward) CloseIdleConnections() {
	w.RoundTripper.(interface{ CloseIdleConnections() }).CloseIdleConnections()
}

// silent is a body of which nothing comes.
type silent struct {
	io.Closer
	ctx context.Context
}

func (s silent) Read([]byte) (int, error) {
	<-s.ctx.Done()
	return 0, s.ctx.Err()
}

var errLost = errors.New("the answer is lost")

func status(r *http.Request, resp *http.Response, code int) *http.Response {
	resp.Body.Close()
	return &http.Response{StatusCode: code, Status: http.StatusText(code), Body: http.NoBody, Request: r}
}

// What an instance's registration makes of answers that are lost or not the registry's:
// it is there in the end, unless it is refused.
func TestRegisterWayward(t *testing.T) {
	for _, tt := range []struct {
		name  string
		turn  func(n int, r *http.Request, resp *http.Response) (*http.Response, error)
		there time.Duration // when it has to be registered for good; 0 if it is refused
	}{
		{"the first answer is lost", func(n int, _ *http.Request, resp *http.Response) (*http.Response, error) {
			if n == 0 {
				resp.Body.Close()
				return nil, errLost
			}
			return resp, nil
		}, 10 * time.Second},
		{"a proxy says 503 at first", func(n int, r *http.Request, resp *http.Response) (*http.Response, error) {
			if n < 5 {
				return status(r, resp, http.StatusServiceUnavailable), nil
			}
			return resp, nil
		}, 13 * time.Second},
		{"the first answer does not end", func(n int, r *http.Request, resp *http.Response) (*http.Response, error) {
			if n == 0 {
				resp.Body = silent{resp.Body, r.Context()}
			}
			return resp, nil
		}, 13 * time.Second},
		{"not allowed", func(_ int, r *http.Request, resp *http.Response) (*http.Response, error) {
			return status(r, resp, http.StatusForbidden), nil
		}, 0},
		{"no registry", func(_ int, r *http.Request, resp *http.Response) (*http.Response, error) {
			return status(r, resp, http.StatusNotFound), nil
		}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t, 0)
				n := 0
				b.HTTP.Transport = &wayward{b.HTTP.Transport, func(r *http.Request, resp *http.Response) (*http.Response, error) {
					defer func() { n++ }()
					return tt.turn(n, r, resp)
				}}
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- b.Register(ctx, web("a"), 9*time.Second, nil) }()
				if tt.there == 0 {
					if err := <-ended; err == nil || n != 1 {
						t.Errorf("%v after %d requests", err, n)
					}
					cancel()
					return
				}
				time.Sleep(tt.there)
				for range 60 {
					if list := b.registry.List(time.Now(), "web").Instances; len(list) != 1 {
						t.Fatalf("%s: %v", time.Since(b.began), list)
					}
					time.Sleep(time.Second)
				}
				cancel()
				if err := <-ended; err != nil {
					t.Error(err)
				}
				if list := b.registry.List(time.Now(), "web").Instances; len(list) != 0 {
					t.Error("it stays:", list)
				}
			})
		})
	}
}

// Somebody else who has the instance is an error once no answer can have been lost.
func TestRegisterTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, 0)
		if _, _, err := b.registry.Register(time.Now(), web("a"), time.Hour, ""); err != nil {
			t.Fatal(err)
		}
		n := 0
		b.HTTP.Transport = &wayward{b.HTTP.Transport, func(_ *http.Request, resp *http.Response) (*http.Response, error) {
			if n++; n == 1 {
				resp.Body.Close()
				return nil, errLost
			}
			return resp, nil
		}}
		if err := b.Register(t.Context(), web("a"), 9*time.Second, nil); !errors.Is(err, ErrTaken) || time.Since(b.began) < 9*time.Second {
			t.Error(err, time.Since(b.began))
		}
	})
}

// A watch whose connection has broken without a word is begun again.
func TestWatchSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, h := newBubble(t, 0), &heard{}
		n := 0
		b.HTTP.Transport = &wayward{b.HTTP.Transport, func(r *http.Request, resp *http.Response) (*http.Response, error) {
			if strings.HasPrefix(r.URL.Path, "/v1/watch") {
				if n++; n == 1 {
					resp.Body = silent{resp.Body, r.Context()}
				}
			}
			return resp, nil
		}}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go h.follow(ctx, b)
		synctest.Wait()
		if _, _, err := b.registry.Register(time.Now(), web("a"), time.Hour, ""); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		h.want(t, "0s: ", "30.5s: a")
		time.Sleep(10 * time.Minute)
		h.want(t, "0s: ", "30.5s: a") // heartbeats are heard
		if n != 2 {
			t.Error(n, "watches")
		}
	})
}
