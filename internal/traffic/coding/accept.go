package coding

import (
	"strconv"
	"strings"
)

// The codings there are, as Content-Encoding names them.
const (
	Brotli = "br"
	Zstd   = "zstd"
	Gzip   = "gzip"
)

// Accepted says which codings a client takes.
type Accepted map[string]float64

// ParseAccept reads the values of Accept-Encoding (RFC 9110, 12.5.3). What is not as
// it should be is not taken.
func ParseAccept(values []string) Accepted {
	a := Accepted{}
	for part := range strings.SplitSeq(strings.Join(values, ","), ",") {
		name, parameters, _ := strings.Cut(strings.TrimSpace(part), ";")
		q := 1.0
		if v, ok := strings.CutPrefix(strings.ReplaceAll(strings.ToLower(parameters), " ", ""), "q="); ok {
			var err error
			if q, err = strconv.ParseFloat(v, 64); err != nil || !(q >= 0 && q <= 1) {
				q = 0
			}
		}
		a[strings.ToLower(strings.TrimSpace(name))] = q
	}
	return a
}

// Quality returns how much the client likes a coding, 0 to 1: with 0 it takes none.
func (a Accepted) Quality(coding string) float64 {
	if q, said := a[coding]; said {
		return q
	}
	return a["*"]
}

// Best returns the coding that the client likes most; of equals the first, empty if
// it takes none.
func (a Accepted) Best(codings ...string) string {
	best, quality := "", 0.0
	for _, c := range codings {
		if q := a.Quality(c); q > quality {
			best, quality = c, q
		}
	}
	return best
}

// First returns the first coding that the client takes at all, empty if it takes
// none.
func (a Accepted) First(codings ...string) string {
	for _, c := range codings {
		if a.Quality(c) > 0 {
			return c
		}
	}
	return ""
}
