package discovery

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// FuzzHandler: whatever is sent, the registry answers with a status that says what
// is wrong and a body that can be read, and nothing wrong is ever in it.
func FuzzHandler(f *testing.F) {
	for _, path := range []string{"/v1/services/web/instances/a", "/v1/services", "/v1/services/web", "/v1/services/%00/instances/%2f", "/v1/watch?after=-1"} {
		for _, body := range []string{
			"", "{", `{"addr":"10.0.0.4","port":80,"ttlSeconds":5}`, `{"addr":"10.0.0.4","port":80,"ttlSeconds":1e300}`,
			`{"addr":"fe80::1%eth0","port":80,"ttlSeconds":5}`, `{"addr":"0.0.0.0","port":-1}`, `{"health":"fine"}`, `{"lease":"x","health":"critical"}`,
			`{"addr":"10.0.0.4","port":80,"ttlSeconds":5,"typo":1}`, `{"metadata":{"":"x"}}`, `[]`, `{"weight":1001,"protocol":"sctp"}`,
		} {
			f.Add("PUT", path, body)
			f.Add("POST", path, body)
		}
		f.Add("GET", path, "")
		f.Add("DELETE", path+"?lease=x", "")
	}
	f.Fuzz(func(t *testing.T, method, path, body string) {
		req, err := http.NewRequest(method, "http://registry/"+strings.TrimPrefix(path, "/"), strings.NewReader(body))
		if err != nil || strings.HasPrefix(req.URL.Path, "/v1/watch") && req.URL.Query().Get("epoch") != "" {
			return // no request at all; a watch that begins does not end
		}
		r := New(0)
		h := Handler(r, Options{})
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		if w.Code >= 400 && strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") {
			var why refusal
			if json.Unmarshal(w.Body.Bytes(), &why) != nil || why.Error == "" {
				t.Errorf("%s %s: %d without a reason: %s", method, path, w.Code, w.Body)
			}
		}
		for _, i := range r.List(time.Now(), "").Instances {
			if err := i.check(); err != nil {
				t.Errorf("%s %s %s: registered %+v: %v", method, path, body, i, err)
			}
		}
	})
}

// The registry is bounded: one service, all services, a body and those who watch.
func TestLimits(t *testing.T) {
	r, now := New(1), time.Unix(1000, 0)
	for i := range MaxInstances {
		if _, _, err := r.Register(now, web(fmt.Sprint("i", i)), time.Minute, ""); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := r.Register(now, web("more"), time.Minute, ""); !errors.Is(err, ErrFull) {
		t.Errorf("one service: %v", err)
	}
	if _, _, err := r.Register(now.Add(time.Hour), web("more"), time.Minute, ""); err != nil {
		t.Errorf("after their leases: %v", err)
	}
	if r.total != 1 {
		t.Errorf("counted %d", r.total)
	}
	all := New(1)
	all.total = MaxTotal
	if _, _, err := all.Register(now, web("more"), time.Minute, ""); !errors.Is(err, ErrFull) {
		t.Errorf("all services: %v", err)
	}
	h := Handler(New(1), Options{})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("PUT", "/v1/services/web/instances/a", strings.NewReader(`{"region":"`+strings.Repeat("x", maxBody)+`"}`)))
	if w.Code != http.StatusBadRequest {
		t.Errorf("a long body: %d %s", w.Code, w.Body)
	}
}

// Who may write is up to whoever serves the registry, for each instance.
func TestAdmit(t *testing.T) {
	h := Handler(New(0), Options{
		Authorize: func(r *http.Request, write bool) error {
			if write && r.Header.Get("Authorization") == "" {
				return errors.New("bring a token")
			}
			return nil
		},
		Admit: func(_ *http.Request, i *Instance) error {
			if i.Addr != web("").Addr {
				return errors.New("not your address")
			}
			return nil
		},
	})
	for _, c := range []struct {
		rule, token, addr string
		status            int
	}{
		{"no token", "", "10.0.0.4", http.StatusUnauthorized},
		{"another's address", "Bearer t", "10.0.0.5", http.StatusForbidden},
		{"one's own", "Bearer t", "10.0.0.4", http.StatusOK},
	} {
		req := httptest.NewRequest("PUT", "/v1/services/web/instances/a", strings.NewReader(`{"addr":"`+c.addr+`","port":80,"ttlSeconds":5}`))
		if c.token != "" {
			req.Header.Set("Authorization", c.token)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		if w.Code != c.status {
			b, _ := io.ReadAll(w.Body)
			t.Errorf("%s: %d %s", c.rule, w.Code, b)
		}
	}
}
