package filter

import (
	"fmt"
	"strings"
)

const (
	// maxText is the longest expression, in bytes.
	maxText = 8192
	// maxDepth bounds how deep parentheses and "not" nest.
	maxDepth = 100
)

// Error says what is wrong with an expression, and where.
type Error struct {
	Column int // of the word that is wrong, from 1
	What   string
}

// Error returns the text for people.
func (e *Error) Error() string { return fmt.Sprintf("filter, column %d: %s", e.Column, e.What) }

// word is a piece of an expression.
type word struct {
	text   string
	column int
	quoted bool // never a keyword
}

func (w word) is(keyword string) bool { return !w.quoted && strings.EqualFold(w.text, keyword) }

// lex cuts an expression into words. "&&", "||" and "!" become the words they
// stand for.
func lex(text string) ([]word, error) {
	if len(text) > maxText {
		return nil, &Error{maxText, fmt.Sprintf("the expression is longer than %d bytes", maxText)}
	}
	var out []word
	for i := 0; i < len(text); {
		column := i + 1
		switch c := text[i]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
		case c == '(' || c == ')':
			out = append(out, word{text: text[i : i+1], column: column})
			i++
		case c == '!':
			out = append(out, word{text: "not", column: column})
			i++
		case strings.HasPrefix(text[i:], "&&"):
			out = append(out, word{text: "and", column: column})
			i += 2
		case strings.HasPrefix(text[i:], "||"):
			out = append(out, word{text: "or", column: column})
			i += 2
		case c == '"':
			n := strings.IndexByte(text[i+1:], '"')
			if n < 0 {
				return nil, &Error{column, "a quoted name does not end"}
			}
			out = append(out, word{text: text[i+1 : i+1+n], column: column, quoted: true})
			i += n + 2
		default:
			n := strings.IndexAny(text[i:], " \t\r\n()!&|\"")
			if n < 0 {
				n = len(text) - i
			}
			if n == 0 {
				return nil, &Error{column, fmt.Sprintf("%q is not understood; use \"and\", \"or\", \"not\"", text[i:i+1])}
			}
			out = append(out, word{text: text[i : i+n], column: column})
			i += n
		}
	}
	return out, nil
}

// quote writes a name so that lex reads it back as one.
func quote(s string) string {
	if s == "" || strings.ContainsAny(s, " \t\r\n()!&|") || keywords[s] {
		return `"` + s + `"`
	}
	return s
}
