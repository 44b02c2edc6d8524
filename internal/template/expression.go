package template

import (
	"fmt"
	"strings"
)

// maxNesting is how deep expressions, functions of the template and definitions
// may stand within each other; the bound is ours.
const maxNesting = 128

// node is a part of an expression that was read.
type node struct {
	kind nodeKind
	text string // the literal; the name of a function or a member
	num  int64
	of   *node   // what a member or an index is of
	args []*node // of a call; the index
	at   int     // offset in the expression, in bytes
}

type nodeKind uint8

const (
	literalText nodeKind = iota
	literalNumber
	call   // text(args...); a function of the template has a dot in its name
	member // of.text
	index  // of[args[0]]
)

// each visits a node and all it is made of.
func (n *node) each(visit func(*node)) {
	visit(n)
	if n.of != nil {
		n.of.each(visit)
	}
	for _, a := range n.args {
		a.each(visit)
	}
}

// isExpression tells an expression, and gives what stands in its brackets; of
// another string it gives what it stands for: "[[" at the beginning is one "[".
func isExpression(s string) (inner string, is bool) {
	switch {
	case !strings.HasPrefix(s, "[") || !strings.HasSuffix(s, "]") || len(s) < 2:
		return s, false
	case strings.HasPrefix(s, "[["):
		return s[1:], false
	default:
		return s[1 : len(s)-1], true
	}
}

// syntaxError is an error at an offset of an expression.
type syntaxError struct {
	at   int
	what string
}

func (e *syntaxError) Error() string { return e.what }

// parseExpression reads an expression, without its brackets.
func parseExpression(s string) (*node, error) {
	if len(s) > maxExpression {
		return nil, faultf(InvalidTemplate, "the expression has %d characters; the limit is %d", len(s), maxExpression)
	}
	tokens, err := lex(s)
	if err == nil {
		p := &parser{tokens: tokens}
		var n *node
		if n, err = p.expression(0); err == nil && p.peek().kind != tokenEnd {
			err = p.unexpected("the end of the expression")
		}
		if err == nil {
			return n, nil
		}
	}
	at := 0
	if e, ok := err.(*syntaxError); ok {
		at = e.at
	}
	return nil, faultf(InvalidTemplate, "the expression '%s' is not valid at character %d: %v", shorten(s), at+1, err)
}

type parser struct {
	tokens []token
	next   int
}

func (p *parser) peek() token { return p.tokens[p.next] }

func (p *parser) take() token {
	t := p.tokens[p.next]
	if t.kind != tokenEnd {
		p.next++
	}
	return t
}

func (p *parser) unexpected(want string) error {
	t := p.peek()
	found := "the end of the expression"
	switch t.kind {
	case tokenEnd:
	case tokenName:
		found = t.text
	case tokenText:
		found = "'" + shorten(t.text) + "'"
	case tokenNumber:
		found = fmt.Sprint(t.num)
	default:
		found = fmt.Sprintf("'%c'", "()[].,"[t.kind-tokenOpen])
	}
	return &syntaxError{t.at, fmt.Sprintf("%s was expected, %s was found", want, found)}
}

func (p *parser) expect(kind tokenKind, want string) error {
	if p.peek().kind != kind {
		return p.unexpected(want)
	}
	p.next++
	return nil
}

func tooDeep(t token) error {
	return &syntaxError{t.at, fmt.Sprintf("it is nested more than %d deep", maxNesting)}
}

func (p *parser) expression(depth int) (*node, error) {
	t := p.peek()
	if depth > maxNesting {
		return nil, tooDeep(t)
	}
	n := &node{at: t.at, text: t.text, num: t.num}
	switch t.kind {
	case tokenText:
		p.next++
	case tokenNumber:
		p.next++
		n.kind = literalNumber
	case tokenName:
		p.next++
		n.kind = call
		if p.peek().kind == tokenDot {
			p.next++
			if p.peek().kind != tokenName {
				return nil, p.unexpected("the name of a function")
			}
			n.text += "." + p.take().text
		}
		if err := p.arguments(n, depth); err != nil {
			return nil, err
		}
	default:
		return nil, p.unexpected("a function, a string or a number")
	}
	return p.accesses(n, depth)
}

func (p *parser) arguments(n *node, depth int) error {
	if err := p.expect(tokenOpen, "'(' after "+n.text); err != nil {
		return err
	}
	for p.peek().kind != tokenClose {
		if len(n.args) > 0 {
			if err := p.expect(tokenComma, "',' or ')'"); err != nil {
				return err
			}
		}
		a, err := p.expression(depth + 1)
		if err != nil {
			return err
		}
		n.args = append(n.args, a)
	}
	p.next++
	return nil
}

// accesses reads the .name and [index] that follow a value.
func (p *parser) accesses(n *node, depth int) (*node, error) {
	for steps := depth; ; steps++ {
		t := p.peek()
		if steps > maxNesting {
			return nil, tooDeep(t)
		}
		switch t.kind {
		case tokenDot:
			p.next++
			if p.peek().kind != tokenName {
				return nil, p.unexpected("the name of a property")
			}
			n = &node{kind: member, at: t.at, text: p.take().text, of: n}
		case tokenBracket:
			p.next++
			i, err := p.expression(depth + 1)
			if err != nil {
				return nil, err
			}
			if err := p.expect(tokenEndBracket, "']'"); err != nil {
				return nil, err
			}
			n = &node{kind: index, at: t.at, of: n, args: []*node{i}}
		default:
			return n, nil
		}
	}
}

// shorten keeps a text of the template from filling a message.
func shorten(s string) string {
	if r := []rune(s); len(r) > 120 {
		return string(r[:120]) + "..."
	}
	return s
}
