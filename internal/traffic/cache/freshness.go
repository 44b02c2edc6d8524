package cache

import (
	"net/http"
	"strings"
	"time"
)

// heuristic is the part of an answer's age when it was made, by its Last-Modified,
// that it counts as fresh without saying so, and heuristicMost the longest (RFC
// 9111, 4.2.2 suggests a tenth).
const (
	heuristic     = 10
	heuristicMost = 24 * time.Hour
)

// byDefault are the statuses that may be stored without being told to (RFC 9110,
// 15.1), but for 206: parts are not stored.
var byDefault = map[int]bool{200: true, 203: true, 204: true, 300: true, 301: true, 308: true, 404: true, 405: true, 410: true, 414: true, 501: true}

// understood are the statuses whose meaning for a cache is known here.
func understood(status int) bool {
	return status >= 200 && status <= 599 && status != http.StatusPartialContent && status != http.StatusNotModified
}

// storable reports whether the answer to a request may be kept (RFC 9111, 3).
func storable(req *http.Request, resp *http.Response, p *Policy) bool {
	ask, say := parseDirectives(req.Header), parseDirectives(resp.Header)
	switch {
	case req.Method != http.MethodGet || !understood(resp.StatusCode):
		return false
	case ask.has("no-store") || say.has("no-store") || say.has("private"):
		return false
	case req.Header.Get("Range") != "" || resp.Header.Get("Content-Range") != "":
		return false
	case resp.Header.Get("Set-Cookie") != "":
		// The standard leaves it to Cache-Control; many servers set cookies without
		// thinking of caches.
		return false
	case varies(resp.Header, "*"):
		return false
	case req.Header.Get("Authorization") != "" && !say.has("public") && !say.has("s-maxage") && !say.has("must-revalidate"):
		return false // RFC 9111, 3.5
	}
	_, explicit := lifetime(say, resp.Header)
	if !explicit && !say.has("public") && !byDefault[resp.StatusCode] {
		return false
	}
	if life, _ := freshFor(resp, p); life > 0 {
		return true
	}
	// What is stale at once is worth keeping if it can be validated.
	return resp.Header.Get("Etag") != "" || resp.Header.Get("Last-Modified") != ""
}

// varies reports whether a Vary field has a member.
func varies(h http.Header, member string) bool {
	for _, line := range h.Values("Vary") {
		for name := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(name), member) {
				return true
			}
		}
	}
	return false
}

// lifetime returns how long an answer says it is fresh: s-maxage before max-age
// before Expires (RFC 9111, 4.2.1).
func lifetime(say directives, h http.Header) (time.Duration, bool) {
	if t, ok := say.seconds("s-maxage"); ok {
		return t, true
	}
	if t, ok := say.seconds("max-age"); ok {
		return t, true
	}
	if v := h.Values("Expires"); len(v) > 0 {
		expires, err := http.ParseTime(v[0])
		date, derr := http.ParseTime(h.Get("Date"))
		if err != nil || derr != nil {
			return 0, true // "0" and what cannot be read are in the past
		}
		return max(expires.Sub(date), 0), true
	}
	return 0, false
}

// freshFor is lifetime with what counts for an answer that says nothing.
func freshFor(resp *http.Response, p *Policy) (t time.Duration, said bool) {
	say := parseDirectives(resp.Header)
	if p.TTL > 0 && p.Override && !say.has("no-store") && !say.has("private") {
		return p.TTL, true
	}
	if t, ok := lifetime(say, resp.Header); ok {
		return t, true
	}
	if !byDefault[resp.StatusCode] && !say.has("public") {
		return 0, false
	}
	if p.TTL > 0 {
		return p.TTL, false
	}
	date, err := http.ParseTime(resp.Header.Get("Date"))
	changed, cerr := http.ParseTime(resp.Header.Get("Last-Modified"))
	if err != nil || cerr != nil || !changed.Before(date) {
		return 0, false
	}
	return min(date.Sub(changed)/heuristic, heuristicMost), false
}

// initialAge is an answer's age when it came (RFC 9111, 4.2.3).
func initialAge(h http.Header, asked, came time.Time) time.Duration {
	apparent := time.Duration(0)
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		apparent = max(came.Sub(date), 0)
	}
	value := time.Duration(0)
	if v := h.Values("Age"); len(v) > 0 {
		first, _, _ := strings.Cut(v[0], ",")
		value = delta(strings.TrimSpace(first))
	}
	return min(max(apparent, value+came.Sub(asked)), maxAge)
}

// use says what may be done with a stored answer.
type use uint8

const (
	useFresh      use = iota // as it is
	useStale                 // as it is, while somebody validates it
	useValidation            // once it was validated
)

// judge says what a request may do with a stored answer (RFC 9111, 4.2 and 5.2.1;
// RFC 5861, 3).
func judge(ask directives, v *variant, now time.Time) use {
	age, say := v.age(now), v.directives
	if ask.has("no-cache") || say.has("no-cache") {
		return useValidation
	}
	if t, ok := ask.seconds("max-age"); ok && age > t {
		return useValidation
	}
	left := v.life - age
	if t, ok := ask.seconds("min-fresh"); ok && left < t {
		return useValidation
	}
	if left > 0 {
		return useFresh
	}
	if strict(say) {
		return useValidation
	}
	if value, ok := ask["max-stale"]; ok && (value == "" || -left <= delta(value)) {
		return useFresh
	}
	if t, ok := say.seconds("stale-while-revalidate"); ok && -left < t {
		return useStale
	}
	return useValidation
}

// strict reports whether an answer must not be used stale (RFC 9111, 5.2.2.2,
// 5.2.2.8 and 5.2.2.10).
func strict(say directives) bool {
	return say.has("must-revalidate") || say.has("proxy-revalidate") || say.has("s-maxage") || say.has("no-cache")
}

// evenIfError reports whether a stale answer may stand for an error (RFC 5861, 4).
func evenIfError(ask directives, v *variant, now time.Time) bool {
	if v.directives.has("must-revalidate") || v.directives.has("proxy-revalidate") || v.directives.has("no-cache") {
		return false
	}
	stale := v.age(now) - v.life
	for _, d := range []directives{v.directives, ask} {
		if t, ok := d.seconds("stale-if-error"); ok && stale < t {
			return true
		}
	}
	return false
}

// matches reports whether a client has what is stored already (RFC 9110, 13.2.2).
func matches(req *http.Request, h http.Header) bool {
	if list := req.Header.Values("If-None-Match"); len(list) > 0 {
		tag := strings.TrimPrefix(h.Get("Etag"), "W/")
		for _, line := range list {
			for line != "" {
				var item string
				item, line = cutItem(line)
				item = strings.TrimSpace(item)
				if item == "*" || tag != "" && strings.TrimPrefix(item, "W/") == tag {
					return true
				}
			}
		}
		return false
	}
	since, err := http.ParseTime(req.Header.Get("If-Modified-Since"))
	changed, cerr := http.ParseTime(h.Get("Last-Modified"))
	return err == nil && cerr == nil && !changed.After(since)
}
