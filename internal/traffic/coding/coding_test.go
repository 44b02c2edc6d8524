package coding

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

func TestAccept(t *testing.T) {
	for _, tt := range []struct{ accept, best, first string }{
		{"gzip, deflate, br", "br", "br"},
		{"gzip;q=1.0, br;q=0.5", "gzip", "br"},
		{"*", "br", "br"},
		{"br;q=0, *;q=0.1", "zstd", "zstd"},
		{"gzip;q=2", "", ""},
		{"GZIP ; Q=0.3", "gzip", "gzip"},
		{"identity", "", ""},
		{"", "", ""},
	} {
		a := ParseAccept([]string{tt.accept})
		if best, first := a.Best(Brotli, Zstd, Gzip), a.First(Brotli, Zstd, Gzip); best != tt.best || first != tt.first {
			t.Errorf("%q: %q, %q, want %q, %q", tt.accept, best, first, tt.best, tt.first)
		}
	}
}

func FuzzAccept(f *testing.F) {
	f.Add("gzip;q=0.5, *;q=0, br")
	f.Fuzz(func(t *testing.T, s string) {
		a := ParseAccept([]string{s})
		if best := a.Best(Brotli, Gzip); (best == "") != (a.First(Brotli, Gzip) == "") || best != "" && !(a.Quality(best) > 0 && a.Quality(best) <= 1) {
			t.Errorf("%q: %q", s, best)
		}
	})
}

// What is compressed is the same again, in whatever pieces it comes.
func TestEncode(t *testing.T) {
	long := strings.Repeat("the same again. ", 4000)
	open := map[string]func(io.Reader) (io.Reader, error){
		Brotli: func(r io.Reader) (io.Reader, error) { return brotli.NewReader(r), nil },
		Gzip:   func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		Zstd:   func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r) },
	}
	for coding, reader := range open {
		resp := &http.Response{Header: http.Header{"Etag": {`"1"`}, "Content-Length": {"1"}}, Body: io.NopCloser(iotest.OneByteReader(strings.NewReader(long)))}
		Encode(resp, coding)
		Vary(resp.Header)
		Vary(resp.Header)
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		r, err := reader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != long {
			t.Errorf("%s: %d bytes, %v", coding, len(got), err)
		}
		if h := resp.Header; h.Get("Content-Encoding") != coding || h.Get("Etag") != `W/"1"` || h.Get("Content-Length") != "" || len(h.Values("Vary")) != 1 || Possible(h) {
			t.Errorf("%s: %v", coding, resp.Header)
		}
	}
}

// A body that was cut short does not end as if it were whole.
func TestCutShort(t *testing.T) {
	cut := errors.New("cut")
	for _, coding := range []string{Brotli, Gzip, Zstd} {
		resp := &http.Response{Header: http.Header{}, Body: io.NopCloser(io.MultiReader(strings.NewReader("half"), iotest.ErrReader(cut)))}
		Encode(resp, coding)
		if _, err := io.ReadAll(resp.Body); !errors.Is(err, cut) {
			t.Error(coding, err)
		}
	}
}
