package http1

import (
	"bytes"
	"errors"
	"strconv"
)

// MaxFields is how many fields a head may have.
const MaxFields = 100

// ErrUnusual is a head that is not plain: it may be wrong, or only rare.
var ErrUnusual = errors.New("not a plain HTTP/1.1 head")

// Kind says what a field means to who passes it on.
type Kind uint8

// The kinds.
const (
	Other     Kind = iota
	Hop            // of one connection only: Connection, Keep-Alive, Proxy-Connection
	Host           //
	Length         // Content-Length
	Coding         // Transfer-Encoding
	Forwarded      // X-Forwarded-For
	Told           // X-Forwarded-Proto, X-Forwarded-Port, X-Original-Host: set anew
	Agent          // User-Agent
	Date
)

// Field is a field line; both parts lie in the buffer it was read from.
type Field struct {
	Name, Value []byte
	Kind        Kind
}

// Head is a head that was read. Its slices lie in the buffer, and are good as long
// as that is. It can be used again.
type Head struct {
	Method, Target []byte // of a request
	Status         int    // of an answer
	Reason         []byte
	Fields         []Field
	Host           []byte
	Length         int64 // of the body; -1 if no Content-Length says
	Chunked        bool
	Close          bool // the connection ends after the message
	HasDate        bool
	// Names are fields that the Connection field of an answer names.
	Names [][]byte
}

func (h *Head) reset() {
	*h = Head{Fields: h.Fields[:0], Names: h.Names[:0], Length: -1}
}

// token are the letters of names and methods (RFC 9110, 5.6.2).
var token = letters("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")

// path are those of a target that need no thought: neither escapes nor what others
// escape. Query has the percent sign besides.
var path = letters("!$&'()*+,-./:=@_~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")

func letters(s string) (t [256]bool) {
	for i := range len(s) {
		t[s[i]] = true
	}
	return t
}

// methods are those whose requests are plain.
func plainMethod(m string) bool {
	switch m {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH":
		return true
	}
	return false
}

// ParseRequest reads the head of a request at the beginning of b. It returns its
// length; 0 if there is more to come; [ErrUnusual] if it is not plain: then nothing
// is known about it.
func (h *Head) ParseRequest(b []byte) (n int, err error) {
	h.reset()
	line, n, err := cutLine(b)
	if n == 0 || err != nil {
		return 0, err
	}
	i := bytes.IndexByte(line, ' ')
	if i < 0 || !plainMethod(string(line[:i])) {
		return 0, ErrUnusual
	}
	h.Method, line = line[:i], line[i+1:]
	target, ok := bytes.CutSuffix(line, []byte(" HTTP/1.1"))
	if !ok || !plainTarget(target) {
		return 0, ErrUnusual
	}
	h.Target = target
	for {
		line, m, err := cutLine(b[n:])
		if m == 0 || err != nil {
			return 0, err
		}
		n += m
		if len(line) == 0 {
			break
		}
		f, ok := parseField(line)
		if !ok || len(h.Fields) == MaxFields {
			return 0, ErrUnusual
		}
		switch f.Kind {
		case Host:
			if h.Host != nil || !plainHost(f.Value) {
				return 0, ErrUnusual
			}
			h.Host = f.Value
		case Length:
			length, ok := digits(f.Value)
			if !ok || h.Length >= 0 {
				return 0, ErrUnusual
			}
			h.Length = length
		case Hop:
			if len(f.Name) != len("Connection") || !fold(f.Name, "connection") {
				return 0, ErrUnusual
			}
			switch {
			case fold(f.Value, "close"):
				h.Close = true
			case !fold(f.Value, "keep-alive"):
				return 0, ErrUnusual
			}
		case Coding, rare:
			return 0, ErrUnusual
		}
		h.Fields = append(h.Fields, f)
	}
	if h.Host == nil {
		return 0, ErrUnusual
	}
	return n, nil
}

// ParseResponse reads the head of an answer at the beginning of b, as
// [Head.ParseRequest] does.
func (h *Head) ParseResponse(b []byte) (n int, err error) {
	h.reset()
	line, n, err := cutLine(b)
	if n == 0 || err != nil {
		return 0, err
	}
	if len(line) < len("HTTP/1.1 200") || string(line[:7]) != "HTTP/1." || line[7] != '0' && line[7] != '1' || line[8] != ' ' || len(line) > 12 && line[12] != ' ' {
		return 0, ErrUnusual
	}
	status, ok := digits(line[9:12])
	if !ok || status < 100 {
		return 0, ErrUnusual
	}
	h.Status = int(status)
	if len(line) > 13 {
		h.Reason = line[13:]
	}
	h.Close = line[7] == '0'
	for {
		line, m, err := cutLine(b[n:])
		if m == 0 || err != nil {
			return 0, err
		}
		n += m
		if len(line) == 0 {
			break
		}
		f, ok := parseField(line)
		if !ok || len(h.Fields) == MaxFields {
			return 0, ErrUnusual
		}
		switch f.Kind {
		case Length:
			length, ok := digits(f.Value)
			if !ok || h.Length >= 0 && h.Length != length {
				return 0, ErrUnusual
			}
			h.Length = length
		case Coding:
			if h.Chunked || !fold(f.Value, "chunked") {
				return 0, ErrUnusual
			}
			h.Chunked = true
		case Date:
			h.HasDate = true
		case Hop:
			if len(f.Name) == len("Connection") && fold(f.Name, "connection") {
				for name := range bytes.SplitSeq(f.Value, []byte(",")) {
					switch name = bytes.TrimSpace(name); {
					case fold(name, "close"):
						h.Close = true
					case !fold(name, "keep-alive"):
						h.Names = append(h.Names, name)
					}
				}
			}
		}
		h.Fields = append(h.Fields, f)
	}
	if h.Chunked && (h.Length >= 0 || h.Close && b[7] == '0') {
		return 0, ErrUnusual // RFC 9112, 6.3: somebody may be smuggling
	}
	return n, nil
}

// Plain reports whether a request is plain by its method, target and host, as
// [Head.ParseRequest] takes them.
func Plain(method, target, host string) bool {
	return plainMethod(method) && plainTarget(target) && plainHost([]byte(host))
}

// rare are fields of requests that are not plain: Expect, TE, Trailer, Upgrade,
// HTTP2-Settings.
const rare Kind = 100

// cutLine returns the line at the beginning of b without its end, and its length
// with it; 0 if it has not ended. A line must end with CRLF.
func cutLine(b []byte) (line []byte, n int, err error) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return nil, 0, nil
	}
	if i == 0 || b[i-1] != '\r' {
		return nil, 0, ErrUnusual
	}
	return b[:i-1], i + 1, nil
}

// parseField splits a field line. Its name is a token right before the colon, its
// value without white space around it and without control letters.
func parseField(line []byte) (f Field, ok bool) {
	i := bytes.IndexByte(line, ':')
	if i <= 0 {
		return f, false
	}
	f.Name = line[:i]
	for _, c := range f.Name {
		if !token[c] {
			return f, false
		}
	}
	v := line[i+1:]
	for len(v) > 0 && (v[0] == ' ' || v[0] == '\t') {
		v = v[1:]
	}
	for len(v) > 0 && (v[len(v)-1] == ' ' || v[len(v)-1] == '\t') {
		v = v[:len(v)-1]
	}
	for _, c := range v {
		if c < ' ' && c != '\t' || c == 0x7f {
			return f, false
		}
	}
	f.Value = v
	f.Kind = kindOf(f.Name)
	return f, true
}

// kinds are the fields that mean something here, by the length of their names.
var kinds = func() (byLength [20][]named) {
	for _, n := range []named{
		{"te", rare},
		{"expect", rare},
		{"trailer", rare},
		{"upgrade", rare},
		{"http2-settings", rare},
		{"connection", Hop},
		{"keep-alive", Hop},
		{"proxy-connection", Hop},
		{"proxy-authenticate", Hop},
		{"proxy-authorization", Hop},
		{"host", Host},
		{"date", Date},
		{"user-agent", Agent},
		{"content-length", Length},
		{"transfer-encoding", Coding},
		{"x-forwarded-for", Forwarded},
		{"x-original-host", Told},
		{"x-forwarded-port", Told},
		{"x-forwarded-proto", Told},
	} {
		byLength[len(n.name)] = append(byLength[len(n.name)], n)
	}
	return byLength
}()

// named is a field by its name in lower case.
type named struct {
	name string
	kind Kind
}

func kindOf(name []byte) Kind {
	if len(name) >= len(kinds) {
		return Other
	}
	for _, n := range kinds[len(name)] {
		if fold(name, n.name) {
			return n.kind
		}
	}
	return Other
}

// fold reports whether a name is another one, which is in lower case, but for case.
func fold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// digits reads a number of at most 18 digits and nothing else.
func digits(b []byte) (n int64, ok bool) {
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// plainTarget reports whether a target is a path, and maybe a query, that others
// read and write as it stands.
func plainTarget[T string | []byte](t T) bool {
	if len(t) == 0 || t[0] != '/' || len(t) > 1 && t[1] == '/' {
		return false
	}
	query := false
	for i := range len(t) {
		switch c := t[i]; {
		case path[c]:
		case c == '?':
			query = true
		case c == '%' && query && i+2 < len(t) && isHex(t[i+1]) && isHex(t[i+2]):
		default:
			return false
		}
	}
	return true
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f'
}

// plainHost reports whether a host is a name or an IPv4 address, maybe with a port.
func plainHost(h []byte) bool {
	if len(h) == 0 || len(h) > 260 {
		return false
	}
	name, port, has := bytes.Cut(h, []byte(":"))
	for _, c := range name {
		if c != '.' && c != '-' && c != '_' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	_, ok := digits(port)
	return len(name) > 0 && (!has || ok)
}

// AppendStatus appends the first line of an answer.
func AppendStatus(b []byte, status int, reason []byte) []byte {
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, ' ')
	b = append(b, reason...)
	return append(b, "\r\n"...)
}
