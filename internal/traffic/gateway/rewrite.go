package gateway

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// redirection is a redirect ready to answer.
type redirection struct {
	status      int
	base        string // "https://host:port" or an absolute URL
	own         bool   // base is a listener of this gateway
	host        string // of that listener; empty takes the request's
	port        string // ":8443", empty for the protocol's own
	scheme      string
	path, query bool
}

func newRedirection(c *Config, r *Redirect) *redirection {
	out := &redirection{status: r.Status, path: r.IncludePath, query: r.IncludeQuery}
	if r.URL != "" {
		out.base = r.URL
		return out
	}
	l := find(c.Listeners, r.Listener, func(l *Listener) string { return l.Name })
	out.own, out.scheme = true, "http"
	usual := uint16(80)
	if l.Protocol == HTTPS {
		out.scheme, usual = "https", 443
	}
	if l.Address.Port() != usual {
		out.port = ":" + strconv.Itoa(int(l.Address.Port()))
	}
	if len(l.Hosts) == 1 {
		out.host = l.Hosts[0]
	}
	out.base = out.scheme + "://" + out.host + out.port
	return out
}

// location returns where a request is sent to.
func (r *redirection) location(req *http.Request) string {
	u := &url.URL{}
	if r.own {
		host := r.host
		if host == "" {
			host = bareHost(req.Host)
			if strings.Contains(host, ":") {
				host = "[" + host + "]"
			}
		}
		u.Scheme, u.Host = r.scheme, host+r.port
	} else {
		u, _ = url.Parse(r.base) // it was checked
	}
	if r.path {
		joined := u.JoinPath(req.URL.EscapedPath())
		u.Path, u.RawPath = joined.Path, joined.RawPath
	} else if u.Path == "" {
		u.Path = "/"
	}
	if r.query && req.URL.RawQuery != "" {
		if u.RawQuery != "" {
			u.RawQuery += "&"
		}
		u.RawQuery += req.URL.RawQuery
	}
	return u.String()
}

// rewriter is a rewrite ready to run.
type rewriter struct {
	rewrite           *Rewrite
	conditions        []Condition
	request, response []setter
	path, query       template
	hasPath, hasQuery bool
	needsResponse     bool // a condition speaks of the response
}

type setter struct {
	name  string
	value template
}

func newRewriter(r *Rewrite) rewriter {
	out := rewriter{rewrite: r}
	for _, c := range r.Conditions {
		pattern := c.Pattern
		if c.IgnoreCase {
			pattern = "(?i:" + pattern + ")"
		}
		c.compiled = regexp.MustCompile(pattern) // it was checked
		out.conditions = append(out.conditions, c)
		out.needsResponse = out.needsResponse || strings.HasPrefix(strings.ToLower(c.Variable), "http_resp_")
	}
	set := func(list []Header) (s []setter) {
		for _, h := range list {
			t, _ := parseTemplate(h.Value)
			s = append(s, setter{http.CanonicalHeaderKey(h.Name), t})
		}
		return s
	}
	out.request, out.response = set(r.Request), set(r.Response)
	if r.Path != nil {
		out.hasPath = true
		out.path, _ = parseTemplate(*r.Path)
	}
	if r.Query != nil {
		out.hasQuery = true
		out.query, _ = parseTemplate(*r.Query)
	}
	return out
}

// template is text with variables: text, variable, text, and so on.
type template []string

// parseTemplate reads "a{var_b}c".
func parseTemplate(s string) (template, error) {
	var t template
	for {
		before, rest, found := strings.Cut(s, "{")
		t = append(t, before)
		if !found {
			return t, nil
		}
		name, after, closed := strings.Cut(rest, "}")
		switch {
		case !closed:
			return nil, fmt.Errorf("%q: a { without its }", s)
		case !variable(name):
			return nil, fmt.Errorf("no variable {%s}; use var_NAME, http_req_NAME or http_resp_NAME", name)
		}
		t = append(t, name)
		s = after
	}
}

// variable reports whether a variable may exist.
func variable(name string) bool {
	lower := strings.ToLower(name)
	if n, ok := strings.CutPrefix(lower, "var_"); ok {
		if serverVariables[n] {
			return true
		}
		i := strings.LastIndexByte(n, '_')
		if i < 0 {
			return false
		}
		_, err := strconv.Atoi(n[i+1:])
		return err == nil && serverVariables[n[:i]]
	}
	for _, p := range []string{"http_req_", "http_resp_"} {
		if n, ok := strings.CutPrefix(lower, p); ok {
			return n != ""
		}
	}
	return false
}

// serverVariables are those of "Rewrite HTTP headers and URL with Azure
// Application Gateway".
var serverVariables = map[string]bool{
	"add_x_forwarded_for_proxy": true, "ciphers_used": true, "client_ip": true, "client_port": true,
	"client_tcp_rtt": true, "client_user": true, "host": true, "http_method": true, "http_status": true,
	"http_version": true, "query_string": true, "received_bytes": true, "request_query": true,
	"request_scheme": true, "request_uri": true, "sent_bytes": true, "server_port": true,
	"ssl_connection_protocol": true, "ssl_enabled": true, "uri_path": true,
	"client_certificate_subject": true, "client_certificate_issuer": true,
	"client_certificate_serial": true, "client_certificate_verification": true,
}

// scope is where variables get their values.
type scope struct {
	req      *http.Request
	original *url.URL // as the client sent it
	host     string   // as the client sent it
	port     uint16   // of the listener
	resp     *http.Response
	captures map[string][]string // by variable, lower case
}

func (s *scope) expand(t template) string {
	var b strings.Builder
	for i, part := range t {
		if i%2 == 0 {
			b.WriteString(part)
		} else {
			b.WriteString(s.value(part))
		}
	}
	return b.String()
}

// value returns a variable's value; empty if it has none.
func (s *scope) value(name string) string {
	lower := strings.ToLower(name)
	if i := strings.LastIndexByte(lower, '_'); i > 0 {
		if n, err := strconv.Atoi(lower[i+1:]); err == nil {
			if c, ok := s.captures[lower[:i]]; ok {
				if n >= 0 && n < len(c) {
					return c[n]
				}
				return ""
			}
		}
	}
	if n, ok := strings.CutPrefix(lower, "http_req_"); ok {
		if n == "host" {
			return s.req.Host
		}
		return s.req.Header.Get(n)
	}
	if n, ok := strings.CutPrefix(lower, "http_resp_"); ok {
		if s.resp == nil {
			return ""
		}
		return s.resp.Header.Get(n)
	}
	v, ok := strings.CutPrefix(lower, "var_")
	if !ok {
		return ""
	}
	return s.server(v)
}

func (s *scope) server(name string) string {
	r := s.req
	clientIP, clientPort, _ := net.SplitHostPort(r.RemoteAddr)
	switch name {
	case "add_x_forwarded_for_proxy":
		if before := strings.Join(r.Header.Values("X-Forwarded-For"), ", "); before != "" {
			return before + ", " + clientIP
		}
		return clientIP
	case "client_ip":
		return clientIP
	case "client_port":
		return clientPort
	case "client_user":
		user, _, _ := r.BasicAuth()
		return user
	case "host":
		return bareHost(s.host)
	case "http_method":
		return r.Method
	case "http_status":
		if s.resp != nil {
			return strconv.Itoa(s.resp.StatusCode)
		}
	case "http_version":
		return r.Proto
	case "query_string", "request_query":
		return s.original.RawQuery
	case "received_bytes":
		return strconv.FormatInt(max(r.ContentLength, 0), 10)
	case "request_scheme":
		if r.TLS != nil {
			return "https"
		}
		return "http"
	case "request_uri":
		return s.original.RequestURI()
	case "server_port":
		return strconv.Itoa(int(s.port))
	case "ssl_connection_protocol":
		if r.TLS != nil {
			return tls.VersionName(r.TLS.Version)
		}
	case "ciphers_used":
		if r.TLS != nil {
			return tls.CipherSuiteName(r.TLS.CipherSuite)
		}
	case "ssl_enabled":
		if r.TLS != nil {
			return "on"
		}
		return "off"
	case "uri_path":
		return s.original.EscapedPath()
	case "client_certificate_subject", "client_certificate_issuer", "client_certificate_serial", "client_certificate_verification":
		return s.certificate(name)
	}
	return ""
}

func (s *scope) certificate(name string) string {
	if s.req.TLS == nil || len(s.req.TLS.PeerCertificates) == 0 {
		if name == "client_certificate_verification" {
			return "NONE"
		}
		return ""
	}
	c := s.req.TLS.PeerCertificates[0]
	switch name {
	case "client_certificate_subject":
		return c.Subject.String()
	case "client_certificate_issuer":
		return c.Issuer.String()
	case "client_certificate_serial":
		return c.SerialNumber.String()
	default:
		return "SUCCESS"
	}
}

// holds reports whether all conditions hold, and keeps their captures.
func (s *scope) holds(conditions []Condition) bool {
	for i := range conditions {
		c := &conditions[i]
		m := c.compiled.FindStringSubmatch(s.value(c.Variable))
		if (m != nil) == c.Negate {
			return false
		}
		if m != nil {
			if s.captures == nil {
				s.captures = map[string][]string{}
			}
			s.captures[strings.ToLower(c.Variable)] = m
		}
	}
	return true
}

// rewriteRequest runs the rewrites on a request, and reports whether its path is
// to be routed again.
func (s *scope) rewriteRequest(list []rewriter) (reroute bool) {
	for i := range list {
		w := &list[i]
		if w.needsResponse || !s.holds(w.conditions) {
			continue
		}
		for _, h := range w.request {
			v := s.expand(h.value)
			switch {
			case h.name == "Host" && v != "":
				s.req.Host = v
			case v == "":
				s.req.Header.Del(h.name)
			default:
				s.req.Header.Set(h.name, clean(v))
			}
		}
		path, query := "", ""
		if w.hasPath {
			path = s.expand(w.path)
		}
		if w.hasQuery {
			query = s.expand(w.query)
		}
		if w.hasPath && strings.HasPrefix(path, "/") {
			if u, err := url.ParseRequestURI(path); err == nil {
				s.req.URL.Path, s.req.URL.RawPath = u.Path, u.RawPath
				if u.RawQuery != "" && !w.hasQuery {
					s.req.URL.RawQuery = u.RawQuery
				}
				reroute = reroute || w.rewrite.Reroute
			}
		}
		if w.hasQuery {
			s.req.URL.RawQuery = clean(strings.TrimPrefix(query, "?"))
		}
	}
	return reroute
}

// rewriteResponse runs the rewrites on a response.
func (s *scope) rewriteResponse(list []rewriter) {
	for i := range list {
		w := &list[i]
		if len(w.response) == 0 || !s.holds(w.conditions) {
			continue
		}
		for _, h := range w.response {
			if v := s.expand(h.value); v == "" {
				s.resp.Header.Del(h.name)
			} else {
				s.resp.Header.Set(h.name, clean(v))
			}
		}
	}
}

// clean drops what cannot stand in a header or a query: what a client sent ends
// up there.
func clean(v string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, v)
}
