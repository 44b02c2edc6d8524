package frontdoor

import (
	"bytes"
	"crypto/tls"
	"io"
	"maps"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Variables are what conditions may compare, in order of their names.
func Variables() []string { return slices.Sorted(maps.Keys(variables)) }

// selected are the variables that need a selector.
var selected = map[string]bool{"RequestHeader": true, "Cookies": true, "PostArgs": true}

// variables are what conditions compare ("Rules engine match conditions").
var variables = map[string]func(*http.Request, string) []string{
	"RequestMethod": func(r *http.Request, _ string) []string { return []string{r.Method} },
	"RequestUri":    func(r *http.Request, _ string) []string { return []string{scheme(r) + "://" + r.Host + r.RequestURI} },
	"UrlPath":       func(r *http.Request, _ string) []string { return []string{strings.TrimPrefix(r.URL.Path, "/")} },
	"UrlFileName":   func(r *http.Request, _ string) []string { return []string{path.Base(r.URL.Path)} },
	"UrlFileExtension": func(r *http.Request, _ string) []string {
		return []string{strings.TrimPrefix(path.Ext(r.URL.Path), ".")}
	},
	"QueryString": func(r *http.Request, name string) []string {
		if name == "" {
			return []string{r.URL.RawQuery}
		}
		return r.URL.Query()[name]
	},
	"RequestHeader": func(r *http.Request, name string) []string { return r.Header.Values(name) },
	"Cookies": func(r *http.Request, name string) (out []string) {
		for _, c := range r.CookiesNamed(name) {
			out = append(out, c.Value)
		}
		return out
	},
	"PostArgs":      postArgs,
	"RequestBody":   func(r *http.Request, _ string) []string { return []string{string(bodyHead(r))} },
	"RemoteAddress": remoteAddress,
	"SocketAddress": remoteAddress,
	"ClientPort": func(r *http.Request, _ string) []string {
		_, port, _ := net.SplitHostPort(r.RemoteAddr)
		return []string{port}
	},
	"RequestScheme": func(r *http.Request, _ string) []string { return []string{strings.ToUpper(scheme(r))} },
	"HostName":      func(r *http.Request, _ string) []string { return []string{r.Host} },
	"HttpVersion":   func(r *http.Request, _ string) []string { return []string{strings.TrimPrefix(r.Proto, "HTTP/")} },
	"ServerPort": func(r *http.Request, _ string) []string {
		if a, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
			_, port, _ := net.SplitHostPort(a.String())
			return []string{port}
		}
		return nil
	},
	"SslProtocol": func(r *http.Request, _ string) []string {
		if r.TLS == nil {
			return nil
		}
		return []string{map[uint16]string{tls.VersionTLS10: "TLSv1", tls.VersionTLS11: "TLSv1.1", tls.VersionTLS12: "TLSv1.2", tls.VersionTLS13: "TLSv1.3"}[r.TLS.Version]}
	},
	"IsDevice": func(r *http.Request, _ string) []string {
		if mobile.MatchString(r.UserAgent()) {
			return []string{"Mobile"}
		}
		return []string{"Desktop"}
	},
}

// mobile are browsers of telephones and tablets, by what they call themselves.
// What Azure goes by is not published.
var mobile = regexp.MustCompile(`(?i)mobi|android|iphone|ipad|ipod`)

func remoteAddress(r *http.Request, _ string) []string {
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	return []string{host}
}

// bodyHead returns the beginning of a request's body, and leaves one in its place
// that has all of it.
func bodyHead(r *http.Request) []byte {
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	if held, ok := r.Body.(*heldBody); ok {
		return held.head
	}
	head, err := io.ReadAll(io.LimitReader(r.Body, maxPostArgs))
	rest := io.Reader(r.Body)
	if err != nil {
		rest = failing{err} // whoever reads on hears of it
	}
	r.Body = &heldBody{io.MultiReader(bytes.NewReader(head), rest), r.Body, head}
	return head
}

// heldBody is a body whose beginning was read.
type heldBody struct {
	io.Reader
	io.Closer
	head []byte
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// postArgs are the values of a form's field, as far as its beginning has them.
func postArgs(r *http.Request, name string) []string {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return nil
	}
	form, _ := url.ParseQuery(string(bodyHead(r))) // what can be read counts
	return form[name]
}

// transforms change a value before it is compared.
var transforms = map[string]func(string) string{
	"Lowercase": strings.ToLower, "Uppercase": strings.ToUpper, "Trim": strings.TrimSpace,
	"UrlDecode": func(s string) string {
		if d, err := url.QueryUnescape(s); err == nil {
			return d
		}
		return s
	},
	"UrlEncode":   url.QueryEscape,
	"RemoveNulls": func(s string) string { return strings.ReplaceAll(s, "\x00", "") },
}

// ready returns what tells whether a request meets the condition, which was
// checked.
func (x *Condition) ready() func(*http.Request) bool {
	get, compare := variables[x.Variable], x.comparison()
	return func(r *http.Request) bool {
		found := slices.ContainsFunc(get(r, x.Selector), func(v string) bool {
			for _, t := range x.Transforms {
				v = transforms[t](v)
			}
			return compare(v)
		})
		return found != x.Negate
	}
}

// comparison returns what compares a value with those of the condition.
func (x *Condition) comparison() func(string) bool {
	some := func(f func(v, s string) bool) func(string) bool {
		return func(v string) bool { return slices.ContainsFunc(x.Values, func(s string) bool { return f(v, s) }) }
	}
	switch x.Operator {
	case "Any":
		return func(string) bool { return true }
	case "Equal":
		return some(func(v, s string) bool { return v == s })
	case "Contains":
		return some(strings.Contains)
	case "BeginsWith":
		return some(strings.HasPrefix)
	case "EndsWith":
		return some(strings.HasSuffix)
	case "RegEx":
		var list []*regexp.Regexp
		for _, s := range x.Values {
			if re, err := regexp.Compile(s); err == nil {
				list = append(list, re)
			}
		}
		return func(v string) bool {
			return slices.ContainsFunc(list, func(re *regexp.Regexp) bool { return re.MatchString(v) })
		}
	case "IPMatch":
		var list []netip.Prefix
		for _, s := range x.Values {
			if p, err := prefix(s); err == nil {
				list = append(list, p)
			}
		}
		return func(v string) bool {
			a, err := netip.ParseAddr(v)
			return err == nil && slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(a.Unmap()) })
		}
	}
	return some(func(v, s string) bool { return x.compareNumbers(v, s) })
}

func (x *Condition) compareNumbers(v, s string) bool {
	n, err := strconv.ParseInt(v, 10, 64)
	m, err2 := strconv.ParseInt(s, 10, 64)
	if err != nil || err2 != nil {
		return false
	}
	switch x.Operator {
	case "LessThan":
		return n < m
	case "LessThanOrEqual":
		return n <= m
	case "GreaterThan":
		return n > m
	default:
		return n >= m
	}
}

func prefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	return netip.ParsePrefix(s)
}
