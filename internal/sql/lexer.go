package sql

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// tokenKind is what a token of Transact-SQL is.
type tokenKind byte

const (
	tokenWord     tokenKind = iota // a keyword or a name
	tokenName                      // a name in brackets or double quotes
	tokenText                      // a text in single quotes
	tokenNumber                    // or a binary constant
	tokenVariable                  // @name or @@name
	tokenSign                      // an operator or a separator
)

// token is one of a batch.
type token struct {
	kind tokenKind
	text string // as SQLite takes it
	line int32  // of the batch, from 1
	gap  bool   // blanks or a comment stand before it
}

// is reports whether a token is one of some words, in any case.
func (t token) is(words ...string) bool {
	if t.kind != tokenWord && t.kind != tokenSign {
		return false
	}
	for _, w := range words {
		if strings.EqualFold(t.text, w) {
			return true
		}
	}
	return false
}

// name is what a token names, without its brackets; "" if it names nothing.
func (t token) name() string {
	switch {
	case t.kind == tokenWord:
		return t.text
	case t.kind != tokenName || len(t.text) < 2:
		return ""
	case t.text[0] == '[':
		return strings.ReplaceAll(t.text[1:len(t.text)-1], "]]", "]")
	default:
		return strings.ReplaceAll(t.text[1:len(t.text)-1], `""`, `"`)
	}
}

// lex takes a batch apart.
func lex(s string) ([]token, *problem) {
	var out []token
	line := int32(1)
	gap := true
	for len(s) > 0 {
		n := 0
		kind := tokenSign
		c, size := utf8.DecodeRuneInString(s)
		switch {
		case unicode.IsSpace(c) || c == '\ufeff':
			n, gap = size, true
		case strings.HasPrefix(s, "--"):
			if n = strings.IndexByte(s, '\n'); n < 0 {
				n = len(s)
			}
			gap = true
		case strings.HasPrefix(s, "/*"):
			if n = commentEnd(s); n < 0 {
				return nil, syntax(line, "Missing end comment mark '*/'.")
			}
			gap = true
		case c == '\'' || (c == 'N' || c == 'n') && strings.HasPrefix(s[1:], "'"):
			start := strings.IndexByte(s, '\'')
			end := closing(s[start:], '\'')
			if end < 0 {
				return nil, syntax(line, "Unclosed quotation mark after the character string '%s'.", clip(s[start+1:]))
			}
			out = append(out, token{tokenText, s[start : start+end], line, gap})
			line += int32(strings.Count(s[:start+end], "\n"))
			s, gap = s[start+end:], false
			continue
		case c == '[' || c == '"':
			end := map[rune]byte{'[': ']', '"': '"'}[c]
			if n = closing(s, end); n < 0 {
				return nil, syntax(line, "Unclosed quotation mark after the character string '%s'.", clip(s[1:]))
			}
			kind = tokenName
		case c == '@':
			n, kind = 1+word(strings.TrimLeft(s, "@"))+len(s)-len(strings.TrimLeft(s, "@"))-1, tokenVariable
		case c == '#' || c == '_' || unicode.IsLetter(c):
			n, kind = word(s), tokenWord
		case c >= '0' && c <= '9' || c == '.' && len(s) > 1 && s[1] >= '0' && s[1] <= '9':
			n, kind = numberEnd(s), tokenNumber
		default:
			n = size
			for _, two := range []string{"<>", "<=", ">=", "!=", "||"} {
				if strings.HasPrefix(s, two) {
					n = 2
				}
			}
		}
		if kind != tokenSign || !unicode.IsSpace(c) && c != '\ufeff' && !strings.HasPrefix(s, "--") && !strings.HasPrefix(s, "/*") {
			out = append(out, token{kind, s[:n], line, gap})
			gap = false
		}
		line += int32(strings.Count(s[:n], "\n"))
		s = s[n:]
	}
	return out, nil
}

// commentEnd is where a comment ends, nested ones with it; -1 if it does not.
func commentEnd(s string) int {
	depth := 0
	for i := 0; i+1 < len(s); i++ {
		switch s[i : i+2] {
		case "/*":
			depth++
			i++
		case "*/":
			i++
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}

// closing is the length of a quoted thing at the beginning of s; its end, when
// doubled, stands for itself.
func closing(s string, end byte) int {
	for i := 1; i < len(s); i++ {
		if s[i] != end {
			continue
		}
		if i+1 < len(s) && s[i+1] == end {
			i++
			continue
		}
		return i + 1
	}
	return -1
}

// word is the length of a name at the beginning of s.
func word(s string) int {
	for i, c := range s {
		if c != '_' && c != '#' && c != '$' && c != '@' && !unicode.IsLetter(c) && !unicode.IsDigit(c) {
			return i
		}
	}
	return len(s)
}

func numberEnd(s string) int {
	if len(s) > 2 && (s[:2] == "0x" || s[:2] == "0X") {
		n := 2
		for n < len(s) && strings.IndexByte("0123456789abcdefABCDEF", s[n]) >= 0 {
			n++
		}
		return n
	}
	n := 0
	for n < len(s) && (s[n] >= '0' && s[n] <= '9' || s[n] == '.') {
		n++
	}
	if n < len(s) && (s[n] == 'e' || s[n] == 'E') {
		m := n + 1
		if m < len(s) && (s[m] == '+' || s[m] == '-') {
			m++
		}
		if m < len(s) && s[m] >= '0' && s[m] <= '9' {
			for n = m; n < len(s) && s[n] >= '0' && s[n] <= '9'; {
				n++
			}
		}
	}
	return n
}

// clip shortens what a message repeats.
func clip(s string) string {
	if r := []rune(s); len(r) > 128 {
		return string(r[:128])
	}
	return s
}
