package cache

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// directives are those of a Cache-Control field, by name in lower case (RFC 9111,
// 5.2). Of one that is there twice, the first counts.
type directives map[string]string

// maxAge bounds ages and times: what is larger than can be represented counts as
// the largest (RFC 9111, 1.2.2).
const maxAge = time.Duration(1<<31) * time.Second

// parseDirectives reads the Cache-Control fields of a message.
func parseDirectives(h http.Header) directives {
	d := directives{}
	for _, line := range h.Values("Cache-Control") {
		for line != "" {
			var item string
			item, line = cutItem(line)
			name, value, _ := strings.Cut(strings.TrimSpace(item), "=")
			name = strings.ToLower(strings.TrimSpace(name))
			if name == "" {
				continue
			}
			if _, twice := d[name]; !twice {
				d[name] = unquote(strings.TrimSpace(value))
			}
		}
	}
	return d
}

// cutItem cuts a list at its first comma outside of quotes.
func cutItem(s string) (item, rest string) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quoted:
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ',' && !quoted:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// unquote returns the text of a quoted string, or the token it is.
func unquote(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	var b strings.Builder
	for i := 1; i < len(s)-1; i++ {
		if s[i] == '\\' && i+1 < len(s)-1 {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func (d directives) has(name string) bool {
	_, ok := d[name]
	return ok
}

// seconds returns a directive's time. One that cannot be read counts as 0: an
// answer with it is stale (RFC 9111, 4.2.1).
func (d directives) seconds(name string) (t time.Duration, ok bool) {
	s, ok := d[name]
	if !ok {
		return 0, false
	}
	return delta(s), true
}

// delta reads delta-seconds.
func delta(s string) time.Duration {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n > int64(maxAge/time.Second) {
		return maxAge
	}
	return time.Duration(n) * time.Second
}
