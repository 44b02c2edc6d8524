package template

import (
	"fmt"
	"strconv"
	"strings"
)

// token is a word of an expression.
type token struct {
	kind tokenKind
	text string // of names and strings
	num  int64
	at   int // byte offset in the expression
}

type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenName
	tokenText
	tokenNumber
	tokenOpen    // (
	tokenClose   // )
	tokenBracket // [
	tokenEndBracket
	tokenDot
	tokenComma
)

// lex splits an expression into tokens.
func lex(s string) ([]token, error) {
	var out []token
	for i := 0; i < len(s); {
		c := s[i]
		t := token{at: i}
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
			continue
		case c == '\'':
			text, end, ok := quoted(s, i)
			if !ok {
				return nil, &syntaxError{i, "a string does not end: a closing ' is missing"}
			}
			t.kind, t.text, i = tokenText, text, end
		case c >= '0' && c <= '9' || c == '-' || c == '+':
			end := i + 1
			for end < len(s) && s[end] >= '0' && s[end] <= '9' {
				end++
			}
			n, err := strconv.ParseInt(s[i:end], 10, 64)
			if err != nil {
				return nil, &syntaxError{i, fmt.Sprintf("%q is not a whole number of 64 bits", s[i:end])}
			}
			t.kind, t.num, i = tokenNumber, n, end
		case letter(c):
			end := i + 1
			for end < len(s) && (letter(s[end]) || s[end] >= '0' && s[end] <= '9') {
				end++
			}
			t.kind, t.text, i = tokenName, s[i:end], end
		default:
			kind := strings.IndexByte("()[].,", c)
			if kind < 0 {
				return nil, &syntaxError{i, fmt.Sprintf("unexpected character %q", c)}
			}
			t.kind = tokenOpen + tokenKind(kind)
			i++
		}
		out = append(out, t)
	}
	return append(out, token{kind: tokenEnd, at: len(s)}), nil
}

func letter(c byte) bool {
	return c == '_' || c == '$' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// quoted reads a string in single quotes; a quote in it is doubled.
func quoted(s string, i int) (text string, end int, ok bool) {
	var b strings.Builder
	for i++; i < len(s); i++ {
		if s[i] != '\'' {
			b.WriteByte(s[i])
			continue
		}
		if i+1 < len(s) && s[i+1] == '\'' {
			b.WriteByte('\'')
			i++
			continue
		}
		return b.String(), i + 1, true
	}
	return "", 0, false
}
