package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var begin = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// origin is a server whose answers a test writes; it counts what it was asked.
type origin struct {
	c      *Cache
	now    time.Time
	asked  []*http.Request
	answer func(r *http.Request) (status int, header []string, body string)
	fail   error
	policy Policy
}

func newOrigin(t testing.TB) *origin {
	o := &origin{now: begin}
	o.c = New(Options{Now: func() time.Time { return o.now }})
	t.Cleanup(o.c.Close)
	return o
}

func (o *origin) ask(r *http.Request) (*http.Response, error) {
	o.asked = append(o.asked, r)
	if o.fail != nil {
		return nil, o.fail
	}
	status, header, body := o.answer(r)
	h := http.Header{"Date": {o.now.UTC().Format(http.TimeFormat)}}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		if name == "Date" {
			h.Del("Date")
		}
		if value != "" {
			h.Add(name, value)
		}
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r}, nil
}

// get asks "METHOD /path" with header lines, and returns "STATUS body" and where it
// is from.
func (o *origin) get(t testing.TB, line string, header ...string) (answer, status string, h http.Header) {
	t.Helper()
	method, uri, _ := strings.Cut(line, " ")
	r := httptest.NewRequest(method, uri, nil)
	r.Host = "shop.example"
	for _, l := range header {
		name, value, _ := strings.Cut(l, ": ")
		r.Header.Add(name, value)
	}
	resp, err := o.c.Do(r, Key("s", "http", r, &o.policy), &o.policy, o.ask, func(ctx context.Context, r *http.Request) *http.Request { return r.Clone(ctx) })
	if err != nil {
		return err.Error(), "", nil
	}
	b, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", resp.StatusCode, b)), strings.TrimPrefix(resp.Header.Get("Cache-Status"), "cerulean; "), resp.Header
}

// step is a request after a time, and what it gets.
type step struct {
	after  time.Duration
	line   string   // METHOD /path; empty means GET /
	header []string // of the request
	origin string   // "200" then header lines, by |; empty: the origin must not be asked; "fail": it cannot be
	want   string   // the answer's status and body; the origin's body is its number
	from   string   // Cache-Status; empty means any
}

// RFC 9111 and RFC 5861, case by case. The origin answers with "n1", "n2", …
func TestRFC(t *testing.T) {
	const fresh, etag = "200|Cache-Control: max-age=60", "200|Cache-Control: max-age=60|Etag: \"v\""
	s := time.Second
	for name, steps := range map[string][]step{
		"4.2 fresh is used":                  {{0, "", nil, fresh, "200 n1", "fwd=miss; stored"}, {59 * s, "", nil, "", "200 n1", "hit"}, {2 * s, "", nil, fresh, "200 n2", "fwd=stale; stored"}},
		"4.2.1 s-maxage before max-age":      {{0, "", nil, "200|Cache-Control: max-age=60, s-maxage=10", "200 n1", ""}, {11 * s, "", nil, fresh, "200 n2", ""}},
		"4.2.1 max-age before Expires":       {{0, "", nil, "200|Cache-Control: max-age=60|Expires: Sat, 21 Nov 2026 11:00:00 GMT", "200 n1", ""}, {9 * s, "", nil, "", "200 n1", "hit"}},
		"4.2.1 Expires":                      {{0, "", nil, "200|Expires: Sat, 21 Nov 2026 12:01:00 GMT", "200 n1", ""}, {59 * s, "", nil, "", "200 n1", "hit"}, {2 * s, "", nil, fresh, "200 n2", ""}},
		"5.3 an Expires that is no date":     {{0, "", nil, "200|Expires: 0", "200 n1", "fwd=miss"}, {0, "", nil, fresh, "200 n2", ""}},
		"4.2.1 a max-age that is no number":  {{0, "", nil, "200|Cache-Control: max-age=x", "200 n1", "fwd=miss"}, {0, "", nil, fresh, "200 n2", ""}},
		"4.2.2 a tenth of Last-Modified":     {{0, "", nil, "200|Last-Modified: Sat, 21 Nov 2026 11:50:00 GMT", "200 n1", ""}, {59 * s, "", nil, "", "200 n1", "hit"}, {2 * s, "", nil, "304", "200 n1", "hit; fwd=stale; fwd-status=304"}},
		"4.2.2 nothing said, nothing known":  {{0, "", nil, "200", "200 n1", "fwd=miss"}, {0, "", nil, "200", "200 n2", "fwd=miss"}},
		"4.2.3 an Age is counted":            {{0, "", nil, fresh + "|Age: 50", "200 n1", ""}, {9 * s, "", nil, "", "200 n1", "hit"}, {2 * s, "", nil, fresh, "200 n2", ""}},
		"4.2.3 a Date in the past":           {{0, "", nil, fresh + "|Date: Sat, 21 Nov 2026 11:59:10 GMT", "200 n1", ""}, {9 * s, "", nil, "", "200 n1", "hit"}, {2 * s, "", nil, fresh, "200 n2", ""}},
		"5.2.2.5 no-store":                   {{0, "", nil, "200|Cache-Control: no-store, max-age=60", "200 n1", "fwd=miss"}, {0, "", nil, fresh, "200 n2", ""}},
		"5.2.2.7 private":                    {{0, "", nil, "200|Cache-Control: private, max-age=60", "200 n1", "fwd=miss"}, {0, "", nil, fresh, "200 n2", ""}},
		"5.2.2.4 no-cache is validated":      {{0, "", nil, "200|Cache-Control: no-cache|Etag: \"v\"", "200 n1", ""}, {0, "", nil, "304", "200 n1", "hit; fwd=stale; fwd-status=304"}},
		"3.5 Authorization":                  {{0, "", []string{"Authorization: Bearer x"}, fresh, "200 n1", "fwd=miss"}, {0, "", nil, fresh, "200 n2", ""}},
		"3.5 Authorization and public":       {{0, "", []string{"Authorization: Bearer x"}, "200|Cache-Control: public, max-age=60", "200 n1", ""}, {0, "", nil, "", "200 n1", "hit"}},
		"3.5 Authorization and s-maxage":     {{0, "", []string{"Authorization: Bearer x"}, "200|Cache-Control: s-maxage=60", "200 n1", ""}, {0, "", nil, "", "200 n1", "hit"}},
		"3 a status without a default":       {{0, "", nil, "500", "500 n1", "fwd=miss"}, {0, "", nil, "500|Cache-Control: max-age=60", "500 n2", ""}, {0, "", nil, "", "500 n2", "hit"}},
		"3 404 by default":                   {{0, "", nil, "404|Expires: Sat, 21 Nov 2026 12:01:00 GMT", "404 n1", ""}, {0, "", nil, "", "404 n1", "hit"}},
		"cookies are not shared":             {{0, "", nil, fresh + "|Set-Cookie: a=b", "200 n1", "fwd=miss"}, {0, "", nil, fresh, "200 n2", ""}},
		"4.1 Vary":                           {{0, "", []string{"Accept-Language: de"}, fresh + "|Vary: Accept-Language", "200 n1", ""}, {0, "", []string{"Accept-Language: fr"}, fresh + "|Vary: Accept-Language", "200 n2", ""}, {0, "", []string{"Accept-Language: de"}, "", "200 n1", "hit"}, {0, "", []string{"Accept-Language: fr"}, "", "200 n2", "hit"}, {0, "", nil, fresh, "200 n3", ""}},
		"4.1 Vary, white space":              {{0, "", []string{"Accept: a,b"}, fresh + "|Vary: Accept", "200 n1", ""}, {0, "", []string{"Accept: a,   b"}, "", "200 n1", "hit"}, {0, "", []string{"Accept: a", "Accept: b"}, "", "200 n1", "hit"}},
		"4.1 Vary: *":                        {{0, "", nil, fresh + "|Vary: *", "200 n1", "fwd=miss"}, {0, "", nil, fresh, "200 n2", ""}},
		"4.3 validated":                      {{0, "", nil, etag, "200 n1", ""}, {61 * s, "", nil, "304|Cache-Control: max-age=60", "200 n1", "hit; fwd=stale; fwd-status=304"}, {59 * s, "", nil, "", "200 n1", "hit"}},
		"4.3.3 replaced":                     {{0, "", nil, etag, "200 n1", ""}, {61 * s, "", nil, etag, "200 n2", "fwd=stale; stored"}, {0, "", nil, "", "200 n2", "hit"}},
		"4.3.2 the client has it":            {{0, "", nil, etag, "200 n1", ""}, {0, "", []string{`If-None-Match: "a", W/"v"`}, "", "304", "hit"}, {0, "", []string{`If-None-Match: "a"`}, "", "200 n1", "hit"}},
		"4.3.2 the client's date":            {{0, "", nil, fresh + "|Last-Modified: Sat, 21 Nov 2026 11:00:00 GMT", "200 n1", ""}, {0, "", []string{"If-Modified-Since: Sat, 21 Nov 2026 11:00:00 GMT"}, "", "304", "hit"}, {0, "", []string{"If-Modified-Since: Sat, 21 Nov 2026 10:00:00 GMT"}, "", "200 n1", "hit"}},
		"the client has what comes":          {{0, "", []string{`If-None-Match: "v"`}, etag, "304", "fwd=miss; stored"}, {0, "", nil, "", "200 n1", "hit"}},
		"5.2.1.1 a younger one":              {{0, "", nil, fresh, "200 n1", ""}, {20 * s, "", []string{"Cache-Control: max-age=10"}, fresh, "200 n2", ""}},
		"5.2.1.2 a staler one":               {{0, "", nil, fresh, "200 n1", ""}, {70 * s, "", []string{"Cache-Control: max-stale=20"}, "", "200 n1", "hit"}, {20 * s, "", []string{"Cache-Control: max-stale=20"}, fresh, "200 n2", ""}},
		"5.2.1.2 must-revalidate wins":       {{0, "", nil, "200|Cache-Control: max-age=60, must-revalidate", "200 n1", ""}, {70 * s, "", []string{"Cache-Control: max-stale"}, fresh, "200 n2", ""}},
		"5.2.1.3 fresh for longer":           {{0, "", nil, fresh, "200 n1", ""}, {20 * s, "", []string{"Cache-Control: min-fresh=50"}, fresh, "200 n2", ""}},
		"5.2.1.4 no-cache of the client":     {{0, "", nil, etag, "200 n1", ""}, {0, "", []string{"Cache-Control: no-cache"}, "304", "200 n1", ""}},
		"5.4 Pragma":                         {{0, "", nil, etag, "200 n1", ""}, {0, "", []string{"Pragma: no-cache"}, "304", "200 n1", ""}},
		"5.2.1.5 no-store of the client":     {{0, "", []string{"Cache-Control: no-store"}, fresh, "200 n1", "fwd=request"}, {0, "", nil, fresh, "200 n2", ""}},
		"5.2.1.7 only-if-cached":             {{0, "", []string{"Cache-Control: only-if-cached"}, "", "504", ""}, {0, "", nil, fresh, "200 n1", ""}, {0, "", []string{"Cache-Control: only-if-cached"}, "", "200 n1", "hit"}},
		"4.4 POST invalidates":               {{0, "", nil, fresh, "200 n1", ""}, {0, "POST /", nil, "200", "200 n2", ""}, {0, "", nil, fresh, "200 n3", ""}},
		"4.4 an error does not":              {{0, "", nil, fresh, "200 n1", ""}, {0, "POST /", nil, "500", "500 n2", ""}, {0, "", nil, "", "200 n1", "hit"}},
		"4.4 Location":                       {{0, "GET /a", nil, fresh, "200 n1", ""}, {0, "POST /b", nil, "303|Location: /a", "303 n2", ""}, {0, "GET /a", nil, fresh, "200 n3", ""}},
		"4.4 Location of another host":       {{0, "GET /a", nil, fresh, "200 n1", ""}, {0, "POST /b", nil, "303|Location: http://other.example/a", "303 n2", ""}, {0, "GET /a", nil, "", "200 n1", "hit"}},
		"HEAD of a GET":                      {{0, "", nil, fresh, "200 n1", ""}, {0, "HEAD /", nil, "", "200", "hit"}},
		"HEAD is not kept":                   {{0, "HEAD /", nil, "200|Cache-Control: max-age=60", "200 n1", "fwd=miss"}, {0, "", nil, fresh, "200 n2", ""}},
		"parts are not kept":                 {{0, "", []string{"Range: bytes=0-1"}, "206|Cache-Control: max-age=60|Content-Range: bytes 0-1/2", "206 n1", "fwd=bypass"}, {0, "", nil, fresh, "200 n2", ""}},
		"queries are of their own":           {{0, "GET /?a", nil, fresh, "200 n1", ""}, {0, "GET /?b", nil, fresh, "200 n2", ""}, {0, "GET /?a", nil, "", "200 n1", "hit"}},
		"5861 stale if error, 503":           {{0, "", nil, "200|Cache-Control: max-age=60, stale-if-error=30", "200 n1", ""}, {70 * s, "", nil, "503", "200 n1", "hit; fwd=stale; fwd-status=503"}, {30 * s, "", nil, "503", "503 n3", ""}},
		"5861 stale if error, nobody there":  {{0, "", nil, "200|Cache-Control: max-age=60, stale-if-error=30", "200 n1", ""}, {70 * s, "", nil, "fail", "200 n1", "hit; fwd=stale"}},
		"5861 not with must-revalidate":      {{0, "", nil, "200|Cache-Control: max-age=60, stale-if-error=30, must-revalidate", "200 n1", ""}, {70 * s, "", nil, "503", "503 n2", ""}},
		"no error is hidden otherwise":       {{0, "", nil, fresh, "200 n1", ""}, {70 * s, "", nil, "fail", "nobody there", ""}},
		"a validator that goes with a 200":   {{0, "", nil, "200|Etag: \"v\"", "200 n1", "fwd=miss; stored"}, {0, "", nil, "304", "200 n1", ""}},
		"a conditional update is let pass":   {{0, "", nil, etag, "200 n1", ""}, {61 * s, "", []string{`If-Match: "w"`}, "412", "412 n2", "fwd=bypass"}},
		"a quoted argument may have a comma": {{0, "", nil, `200|Cache-Control: x="a, no-store", max-age="60"`, "200 n1", ""}, {0, "", nil, "", "200 n1", "hit"}},
		"the first of two counts":            {{0, "", nil, "200|Cache-Control: max-age=60, max-age=0", "200 n1", ""}, {0, "", nil, "", "200 n1", "hit"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t)
			for n, s := range steps {
				o.now = o.now.Add(s.after)
				before := len(o.asked)
				o.fail = nil
				if s.origin == "fail" {
					o.fail = errors.New("nobody there")
				}
				o.answer = func(r *http.Request) (int, []string, string) {
					parts := strings.Split(s.origin, "|")
					var status int
					fmt.Sscan(parts[0], &status)
					body := fmt.Sprint("n", len(o.asked))
					if status == 304 {
						body = ""
						if r.Header.Get("If-None-Match") != `"v"` && r.Header.Get("If-Modified-Since") == "" {
							t.Errorf("step %d: asked without a validator: %v", n+1, r.Header)
						}
					}
					return status, parts[1:], body
				}
				line := s.line
				if line == "" {
					line = "GET /"
				}
				got, from, h := o.get(t, line, s.header...)
				if got != s.want || s.from != "" && from != s.from {
					t.Errorf("step %d: %q from %q, want %q from %q", n+1, got, from, s.want, s.from)
				}
				if asked := len(o.asked) > before; asked != (s.origin != "") {
					t.Errorf("step %d: the origin was asked: %v", n+1, asked)
				}
				if strings.HasPrefix(from, "hit") && h.Get("Age") == "" {
					t.Errorf("step %d: no Age", n+1)
				}
			}
		})
	}
}

// RFC 5861, 3: a stale answer is used while one request validates it.
func TestStaleWhileRevalidate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOrigin(t)
		n := 0
		o.answer = func(*http.Request) (int, []string, string) {
			n++
			return 200, []string{"Cache-Control: max-age=60, stale-while-revalidate=30"}, fmt.Sprint("n", n)
		}
		o.get(t, "GET /")
		o.now = o.now.Add(70 * time.Second)
		if got, from, _ := o.get(t, "GET /"); got != "200 n1" || from != "hit" {
			t.Error(got, from)
		}
		synctest.Wait()
		if got, from, _ := o.get(t, "GET /"); got != "200 n2" || from != "hit" {
			t.Error(got, from)
		}
		o.now = o.now.Add(100 * time.Second)
		if got, _, _ := o.get(t, "GET /"); got != "200 n3" {
			t.Error("too stale:", got)
		}
	})
}

// Many alike ask once; if the answer is not for everybody, each for itself.
func TestCollapse(t *testing.T) {
	for control, want := range map[string]int64{"max-age=60": 1, "no-store": 20} {
		synctest.Test(t, func(t *testing.T) {
			c := New(Options{})
			defer c.Close()
			var asked atomic.Int64
			gate := make(chan struct{})
			ask := func(r *http.Request) (*http.Response, error) {
				asked.Add(1)
				<-gate
				return &http.Response{StatusCode: 200, Header: http.Header{"Cache-Control": {control}}, Body: io.NopCloser(strings.NewReader("x")), ContentLength: 1}, nil
			}
			var all sync.WaitGroup
			for range 20 {
				all.Go(func() {
					r := httptest.NewRequest("GET", "/", nil)
					resp, err := c.Do(r, Key("", "http", r, &Policy{}), &Policy{}, ask, nil)
					if err != nil {
						t.Error(err)
						return
					}
					if b, _ := io.ReadAll(resp.Body); string(b) != "x" {
						t.Errorf("%q", b)
					}
					resp.Body.Close()
				})
			}
			synctest.Wait()
			if asked.Load() != 1 {
				t.Error(control, "at first", asked.Load())
			}
			close(gate)
			all.Wait()
			if asked.Load() != want {
				t.Error(control, asked.Load(), "want", want)
			}
		})
	}
}

// One that waits goes when its client goes; when the one that asks goes, another
// asks.
func TestCollapseEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Options{})
		defer c.Close()
		ask := func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}
		first, end := context.WithCancel(t.Context())
		var all sync.WaitGroup
		do := func(ctx context.Context, ask Ask) {
			all.Go(func() {
				r := httptest.NewRequest("GET", "/", nil).WithContext(ctx)
				resp, err := c.Do(r, Key("", "http", r, &Policy{}), &Policy{}, ask, nil)
				if err == nil {
					_, _ = io.Copy(io.Discard, resp.Body)
				}
			})
		}
		do(first, ask)
		synctest.Wait()
		second, endSecond := context.WithCancel(t.Context())
		do(second, ask)
		synctest.Wait()
		endSecond()
		synctest.Wait()
		do(t.Context(), func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody}, nil
		})
		synctest.Wait()
		end()
		all.Wait()
	})
}

// A client that does not read what it asked for stops nobody for long.
func TestCollapseWithSlowClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Options{})
		defer c.Close()
		do := func() io.ReadCloser {
			r := httptest.NewRequest("GET", "/", nil)
			resp, err := c.Do(r, Key("", "http", r, &Policy{}), &Policy{}, func(*http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: 200, Header: http.Header{"Cache-Control": {"max-age=60"}}, Body: io.NopCloser(strings.NewReader("x")), ContentLength: 1}, nil
			}, nil)
			if err != nil {
				t.Fatal(err)
			}
			return resp.Body
		}
		slow := do()
		began := time.Now()
		quick := do()
		if b, _ := io.ReadAll(quick); string(b) != "x" || time.Since(began) != patience {
			t.Errorf("%q after %v", b, time.Since(began))
		}
		quick.Close()
		if do().Close(); time.Since(began) != patience {
			t.Error("what the quick one read is not kept")
		}
		slow.Close()
	})
}

func TestSizes(t *testing.T) {
	o := &origin{now: begin}
	o.c = New(Options{Size: 10 << 10, Now: func() time.Time { return o.now }})
	defer o.c.Close()
	o.policy.MaxObject = 4 << 10
	size := 3 << 10
	o.answer = func(*http.Request) (int, []string, string) {
		return 200, []string{"Cache-Control: max-age=60"}, strings.Repeat("x", size)
	}
	for i := range 4 {
		o.get(t, fmt.Sprintf("GET /%d", i))
	}
	if s := o.c.Stats(); s.Bytes > 10<<10 || s.Answers != 2 {
		t.Errorf("%+v", s)
	}
	if _, from, _ := o.get(t, "GET /3"); from != "hit" {
		t.Error("the last:", from)
	}
	if _, from, _ := o.get(t, "GET /0"); from == "hit" {
		t.Error("the first is still there")
	}
	size = 5 << 10
	if _, from, _ := o.get(t, "GET /large"); from != "fwd=miss" {
		t.Error("a large one:", from)
	}
	n := 0
	o.answer = func(*http.Request) (int, []string, string) {
		n++
		return 200, []string{"Cache-Control: max-age=60", "Vary: X"}, "x"
	}
	for i := range 100 {
		o.get(t, "GET /v", fmt.Sprintf("X: %d", i))
	}
	if len(o.c.store.keys[keyOf("/v")]) > maxVariants {
		t.Error("variants without end")
	}
}

func keyOf(path string) string { return "s\nhttp\nshop.example\n" + path }

// A body that breaks off is not kept.
func TestBroken(t *testing.T) {
	o := newOrigin(t)
	broken := true
	ask := func(r *http.Request) (*http.Response, error) {
		body := io.Reader(strings.NewReader("half"))
		if broken {
			body = io.MultiReader(body, &failing{})
		}
		return &http.Response{StatusCode: 200, Header: http.Header{"Cache-Control": {"max-age=60"}}, Body: io.NopCloser(body), ContentLength: -1}, nil
	}
	r := httptest.NewRequest("GET", "/", nil)
	for range 2 {
		resp, err := o.c.Do(r, "k", &o.policy, ask, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.ReadAll(resp.Body)
		if (err != nil) != broken {
			t.Error(err)
		}
		resp.Body.Close()
		broken = false
	}
	if s := o.c.Stats(); s.Answers != 1 || s.Misses != 2 {
		t.Errorf("%+v", s)
	}
}

type failing struct{}

func (*failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// Caching and purging in Azure Front Door: query strings as configured; a purge is
// by path or prefix, whatever the case and the query.
func TestQueryAndPurge(t *testing.T) {
	for mode, test := range map[Query]struct {
		names []string
		same  [][2]string
		other [][2]string
	}{
		UseQuery:    {nil, [][2]string{{"/?a=1", "/?a=1"}}, [][2]string{{"/?a=1", "/?a=2"}, {"/?a=1&b=2", "/?b=2&a=1"}}},
		IgnoreQuery: {nil, [][2]string{{"/?a=1", "/?b=2"}, {"/", "/?x"}}, [][2]string{{"/a", "/b"}}},
		IgnoreSome:  {[]string{"utm_source"}, [][2]string{{"/?utm_source=1&a=1", "/?a=1&UTM_Source=2"}}, [][2]string{{"/?a=1", "/?a=2"}, {"/?utm_source=1;a=1", "/?utm_source=1;a=2"}}},
		IncludeSome: {[]string{"size"}, [][2]string{{"/?size=1&a=1", "/?a=2&size=1"}}, [][2]string{{"/?size=1", "/?size=2"}, {"/?size=1&a=1;size=2", "/?size=1&a=1;size=3"}}},
	} {
		p := Policy{Query: mode, Names: test.names}
		key := func(uri string) string { return Key("", "http", httptest.NewRequest("GET", uri, nil), &p) }
		for _, x := range test.same {
			if key(x[0]) != key(x[1]) {
				t.Error(mode, x, "are the same")
			}
		}
		for _, x := range test.other {
			if key(x[0]) == key(x[1]) {
				t.Error(mode, x, "are not")
			}
		}
	}
	o := newOrigin(t)
	o.answer = func(*http.Request) (int, []string, string) {
		return 200, []string{"Cache-Control: max-age=60"}, "x"
	}
	for pattern, n := range map[string]int{"/a/B": 2, "/A/*": 3, "/*": 4, "/a/b?x": 0, "/a": 0} {
		for _, uri := range []string{"/a/b", "/a/b?x=1", "/a/c", "/d"} {
			o.get(t, "GET "+uri)
		}
		if got := o.c.Purge("", pattern); got != n {
			t.Errorf("purge of %s: %d, want %d", pattern, got, n)
		}
		if o.c.Purge("other.example", "/*") != 0 {
			t.Error("another host's")
		}
		o.c.Purge("SHOP.example", "/*")
	}
	if s := o.c.Stats(); s.Answers != 0 || s.Bytes != 0 {
		t.Errorf("%+v", s)
	}
}

func TestTTL(t *testing.T) {
	o := newOrigin(t)
	n := 0
	var control []string
	o.answer = func(*http.Request) (int, []string, string) { n++; return 200, control, fmt.Sprint(n) }
	o.policy = Policy{TTL: time.Minute}
	o.get(t, "GET /")
	if got, from, _ := o.get(t, "GET /"); got != "200 1" || from != "hit" {
		t.Error(got, from)
	}
	o.policy.Override, control = true, []string{"Cache-Control: max-age=1"}
	o.get(t, "GET /o")
	o.now = o.now.Add(50 * time.Second)
	if _, from, _ := o.get(t, "GET /o"); from != "hit" {
		t.Error("override:", from)
	}
	control = []string{"Cache-Control: private"}
	o.get(t, "GET /p")
	if _, from, _ := o.get(t, "GET /p"); from == "hit" {
		t.Error("private is kept")
	}
}

func FuzzDirectives(f *testing.F) {
	for _, s := range []string{"max-age=60, public", `x="a,\"b", no-store`, "max-age=99999999999999999999", ",,=,", "\"", `a="\`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d := parseDirectives(http.Header{"Cache-Control": {s}})
		for name := range d {
			if name != strings.ToLower(name) || name == "" {
				t.Errorf("%q", name)
			}
			if v, _ := d.seconds(name); v < 0 || v > maxAge {
				t.Error(name, v)
			}
		}
		h := http.Header{"Etag": {`"v"`}}
		matches(&http.Request{Header: http.Header{"If-None-Match": {s}}}, h)
		if !strings.Contains(s, `"`) && !strings.Contains(s, `\`) && strings.Contains(strings.ToLower(","+strings.ReplaceAll(s, " ", "")+","), ",no-store,") && !d.has("no-store") {
			t.Errorf("%q hides no-store", s)
		}
	})
}

func BenchmarkHit(b *testing.B) {
	o := newOrigin(b)
	o.answer = func(*http.Request) (int, []string, string) {
		return 200, []string{"Cache-Control: max-age=60"}, string(bytes.Repeat([]byte("x"), 1024))
	}
	o.get(b, "GET /")
	r := httptest.NewRequest("GET", "/", nil)
	r.Host = "shop.example"
	b.ReportAllocs()
	for b.Loop() {
		resp, _ := o.c.Do(r, Key("s", "http", r, &o.policy), &o.policy, o.ask, nil)
		_, _ = io.Copy(io.Discard, resp.Body)
	}
}
