package waf

import (
	"net"
	"net/http"
	"net/url"
	"strings"
)

// variables are what custom rules compare, and whether they take a selector.
var variables = map[string]bool{
	"RemoteAddr": false, "RequestMethod": false, "QueryString": true, "PostArgs": true,
	"RequestUri": false, "RequestHeaders": true, "RequestBody": false, "RequestCookies": true,
}

// subject is a request as custom rules see it.
type subject struct {
	request *http.Request
	body    *body
	args    map[string][]string // of the body, once they were asked for
}

// values returns the values of a variable; none if the request lacks it.
func (s *subject) values(v Variable) []string {
	r := s.request
	switch v.Name {
	case "RemoteAddr":
		return []string{clientAddress(r)}
	case "RequestMethod":
		return []string{r.Method}
	case "RequestUri":
		return []string{r.RequestURI}
	case "QueryString":
		if v.Selector == "" {
			return some(r.URL.RawQuery)
		}
		return pairs(r.URL.RawQuery)[v.Selector]
	case "RequestHeaders":
		if strings.EqualFold(v.Selector, "Host") {
			return some(r.Host)
		}
		if v.Selector != "" {
			return r.Header.Values(v.Selector)
		}
		out := some(r.Host)
		for _, list := range r.Header {
			out = append(out, list...)
		}
		return out
	case "RequestCookies":
		var out []string
		for _, c := range r.Cookies() {
			if v.Selector == "" || c.Name == v.Selector {
				out = append(out, c.Value)
			}
		}
		return out
	case "RequestBody":
		return some(string(s.body.head))
	case "PostArgs":
		if s.args == nil {
			s.args = map[string][]string{}
			if strings.HasPrefix(strings.ToLower(r.Header.Get("Content-Type")), "application/x-www-form-urlencoded") {
				s.args = pairs(string(s.body.head))
			}
		}
		if v.Selector != "" {
			return s.args[v.Selector]
		}
		var out []string
		for _, list := range s.args {
			out = append(out, list...)
		}
		return out
	}
	return nil
}

func some(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// pairs reads name=value pairs. Unlike url.ParseQuery it takes what a server might
// take: an escape that is none stands for itself, and a semicolon is a letter.
func pairs(s string) map[string][]string {
	out := map[string][]string{}
	for part := range strings.SplitSeq(s, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		out[lenient(name)] = append(out[lenient(name)], lenient(value))
	}
	return out
}

// lenient decodes escapes, and leaves as it is what is no escape.
func lenient(s string) string {
	if d, err := url.QueryUnescape(s); err == nil {
		return d
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			b.WriteByte(' ')
		case s[i] == '%' && i+2 < len(s) && hex(s[i+1]) >= 0 && hex(s[i+2]) >= 0:
			b.WriteByte(byte(hex(s[i+1])<<4 | hex(s[i+2])))
			i += 2
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

func hex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// clientAddress returns who asks, without the port.
func clientAddress(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
