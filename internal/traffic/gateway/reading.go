package gateway

import (
	"path"
	"reflect"
	"strings"
)

// Servers do not agree what a path means: one resolves dot segments (RFC 3986, 5.2.4),
// another takes a backslash for a slash, drops parameters of segments (3.3) or makes
// one slash of two. A rule is chosen by the path as it is, as Azure does, and the
// member gets it as it came. Where that would lead around what keeps requests out, the
// request is refused.

// loosest returns a path, unescaped, as the most forgiving server reads it; p itself
// if all read it alike.
func loosest(p string) string {
	if !readTwoWays(p) {
		return p
	}
	segments := strings.Split(strings.ReplaceAll(p, `\`, "/"), "/")
	for i, s := range segments {
		segments[i], _, _ = strings.Cut(s, ";")
	}
	plain := path.Clean("/" + strings.Join(segments, "/"))
	if last := segments[len(segments)-1]; plain != "/" && (last == "" || last == "." || last == "..") {
		plain += "/"
	}
	return plain
}

// readTwoWays reports whether a path has what servers differ about.
func readTwoWays(p string) bool {
	for i := range len(p) {
		switch p[i] {
		case '\\', ';':
			return true
		case '/', '.':
			if i > 0 && p[i-1] == '/' {
				return true
			}
		}
	}
	return false
}

// climbs reports whether a path has a segment of two dots, as some server reads it:
// what is put before the path might not hold it.
func climbs(p string) bool {
	for s := range strings.SplitSeq(strings.ReplaceAll(p, `\`, "/"), "/") {
		if s, _, _ = strings.Cut(s, ";"); s == ".." {
			return true
		}
	}
	return false
}

// asStrict reports whether another target lets the same requests pass.
func (t *target) asStrict(o *target) bool {
	if t == o {
		return true
	}
	a, b := &t.action.Policy, &o.action.Policy
	return t.firewall == o.firewall && a.MaxBody == b.MaxBody && reflect.DeepEqual(a.Allow, b.Allow) &&
		reflect.DeepEqual(a.RateLimit, b.RateLimit) && reflect.DeepEqual(a.Token, b.Token)
}
