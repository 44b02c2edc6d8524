package cache

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// RFC 9110, 14.1.2: "0-499", "500-", "-500" of a body of 1000 bytes; what cannot be
// read or is several is ignored, what lies beyond the end is not satisfiable.
func TestRangeOf(t *testing.T) {
	for _, tt := range []struct {
		field    string
		from, to int64 // 0, 0: not satisfiable; -1: ignored
	}{
		{"bytes=0-499", 0, 500},
		{"bytes=500-", 500, 1000},
		{"bytes=-500", 500, 1000},
		{"bytes=-5000", 0, 1000},
		{"bytes=999-5000", 999, 1000},
		{"BYTES=0-0", 0, 1},
		{"bytes= 0-0 ", 0, 1},
		{"bytes=1000-", 0, 0},
		{"bytes=99999999999999999999-", 0, 0},
		{"bytes=-0", 0, 0},
		{"bytes=5-4", -1, 0},
		{"bytes=0-1,5-6", -1, 0},
		{"bytes=", -1, 0},
		{"bytes=-", -1, 0},
		{"bytes=+1-2", -1, 0},
		{"bytes=a-b", -1, 0},
		{"bytes", -1, 0},
		{"lines=1-2", -1, 0},
	} {
		s, ok := rangeOf(tt.field, 1000)
		switch {
		case tt.from < 0 && ok, tt.from >= 0 && !ok, ok && (s == nil) != (tt.to == 0), s != nil && *s != (span{tt.from, tt.to}):
			t.Errorf("%s: %v, %v", tt.field, s, ok)
		}
	}
	if s, ok := rangeOf("bytes=0-", 0); s != nil || !ok {
		t.Error("a part of nothing:", s, ok)
	}
}

func FuzzRange(f *testing.F) {
	f.Add("bytes=0-499", int64(1000))
	f.Add("bytes=-5", int64(3))
	f.Fuzz(func(t *testing.T, field string, size int64) {
		if size < 0 {
			return
		}
		if s, ok := rangeOf(field, size); s != nil && (!ok || s.from < 0 || s.from >= s.to || s.to > size) {
			t.Errorf("%q of %d: %+v", field, size, s)
		}
	})
}

// What is stored whole answers for its parts; the origin is not asked.
func TestParts(t *testing.T) {
	o := newOrigin(t)
	changed := begin.Add(-time.Hour).Format(http.TimeFormat)
	o.answer = func(r *http.Request) (int, []string, string) {
		if r.Header.Get("Range") != "" {
			return 206, []string{"Cache-Control: max-age=60", "Content-Range: bytes 0-1/10", `Etag: "a"`}, "01"
		}
		return 200, []string{"Cache-Control: max-age=60, stale-while-revalidate=60", `Etag: "a"`, "Last-Modified: " + changed}, "0123456789"
	}
	if got, from, _ := o.get(t, "GET /", "Range: bytes=0-1"); got != "206 01" || from != "fwd=bypass" {
		t.Fatal(got, from)
	}
	if got, from, _ := o.get(t, "GET /"); got != "200 0123456789" || from != "fwd=miss; stored" {
		t.Fatal(got, from)
	}
	asked := len(o.asked)
	for _, tt := range []struct {
		line    string
		headers []string
		want    string
		place   string // Content-Range
	}{
		{"GET /", []string{"Range: bytes=2-4"}, "206 234", "bytes 2-4/10"},
		{"GET /", []string{"Range: bytes=-3"}, "206 789", "bytes 7-9/10"},
		{"GET /", []string{"Range: bytes=10-"}, "416", "bytes */10"},
		{"GET /", []string{"Range: bytes=0-1,3-4"}, "200 0123456789", ""},
		{"GET /", []string{"Range: bytes=0-1", `If-Range: "a"`}, "206 01", "bytes 0-1/10"},
		{"GET /", []string{"Range: bytes=0-1", `If-Range: W/"a"`}, "200 0123456789", ""}, // 13.1.5: strong
		{"GET /", []string{"Range: bytes=0-1", `If-Range: "b"`}, "200 0123456789", ""},
		{"GET /", []string{"Range: bytes=0-1", "If-Range: " + changed}, "206 01", "bytes 0-1/10"},
		{"GET /", []string{"Range: bytes=0-1", `If-None-Match: "a"`}, "304", ""}, // 13.2.2: first
		{"HEAD /", []string{"Range: bytes=0-1"}, "200", ""},                      // 14.2: of GET only
	} {
		got, from, h := o.get(t, tt.line, tt.headers...)
		if got != tt.want || from != "hit" || h.Get("Content-Range") != tt.place {
			t.Errorf("%s %s: %s, %s, Content-Range %q", tt.line, tt.headers, got, from, h.Get("Content-Range"))
		}
		if body := strings.TrimPrefix(got, "206 "); body != got && h.Get("Content-Length") != string(rune('0'+len(body))) {
			t.Error(got, h)
		}
	}
	if len(o.asked) != asked {
		t.Error("the origin was asked")
	}
	o.now = o.now.Add(90 * time.Second)
	if got, from, _ := o.get(t, "GET /", "Range: bytes=0-1"); got != "206 01" || from != "hit" {
		t.Error(got, from)
	}
	o.c.work.Wait()
	if last := o.asked[len(o.asked)-1]; len(o.asked) != asked+1 || last.Header.Get("Range") != "" {
		t.Errorf("validated by a request of a part: %v", last.Header)
	}
}
