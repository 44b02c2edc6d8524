package intent

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/ceruleannet/cerulean/model"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Limits on input. They are far above any sensible network and keep hostile
// input from exhausting memory or the stack.
const (
	maxInput     = 8 << 20 // bytes in all files together
	maxDepth     = 64      // nested lists and maps
	maxNodes     = 1 << 19 // values, counted after aliases are followed
	maxDocuments = 100     // in one file

	// maxKeyPairs bounds the sum over all maps of the square of their keys: the
	// parser takes quadratic time. One map may have 16,000 keys.
	maxKeyPairs = 1 << 28
)

// syntax parses the text of one file into the documents it holds.
func syntax(name string, data []byte) (docs []ast.Node, problem *model.Problem) {
	// The parser is someone else's and its input may be hostile: a panic in it
	// is a file that cannot be read.
	defer func() {
		if r := recover(); r != nil {
			docs = nil
			problem = &model.Problem{
				Pos: model.Pos{File: name}, What: "the file is not readable as YAML",
				Fix: "check quotes, brackets and indentation",
			}
		}
	}()
	text, p := plain(name, data)
	if p != nil {
		return nil, p
	}
	if i := strings.IndexByte(text, '\t'); i >= 0 {
		// YAML forbids tabs in indentation and the parser's message does not
		// say so.
		line := 1 + strings.Count(text[:i], "\n")
		start := 1 + strings.LastIndexByte(text[:i], '\n')
		if strings.TrimLeft(text[start:i], " ") == "" {
			return nil, &model.Problem{
				Pos:  model.Pos{File: name, Line: line, Column: i - start + 1},
				What: "a tab in the indentation", Fix: "indent with spaces",
			}
		}
	}
	tokens := lexer.Tokenize(text)
	if p := checkShape(name, tokens); p != nil {
		return nil, p
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, syntaxProblem(name, text, err)
	}
	for _, doc := range file.Docs {
		if doc.Body != nil && doc.Body.Type() != ast.NullType {
			docs = append(docs, doc.Body)
		}
	}
	return docs, nil
}

// plain returns the text of a file without a byte order mark and with one kind
// of line end, so that lines count as editors count them. It refuses what YAML
// does not allow in a file (YAML 1.2, section 5.1).
func plain(name string, data []byte) (string, *model.Problem) {
	text := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.TrimPrefix(string(data), "\ufeff"))
	pos := model.Pos{File: name, Line: 1, Column: 1}
	for i, r := range text {
		switch {
		case r == '\n':
			pos.Line, pos.Column = pos.Line+1, 0
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], "\ufffd"):
			return "", &model.Problem{Pos: pos, What: fmt.Sprintf("the byte 0x%02x is not text in UTF-8", text[i]), Fix: "save the file as UTF-8"}
		case r < ' ' && r != '\t' || r == 0x7f:
			return "", &model.Problem{Pos: pos, What: fmt.Sprintf("the control character %U", r), Fix: "remove it"}
		}
		pos.Column++
	}
	return text, nil
}

// column is an open block list or map while its keys are counted.
type column struct{ at, keys int }

// openAt closes what is further right than a column and opens the column.
func openAt(open []column, at int) []column {
	for len(open) > 0 && open[len(open)-1].at > at {
		open = open[:len(open)-1]
	}
	if len(open) == 0 || open[len(open)-1].at < at {
		open = append(open, column{at: at})
	}
	return open
}

// checkShape bounds nesting and width before the parser, which is recursive and
// takes quadratic time for wide maps, sees the tokens.
func checkShape(name string, tokens token.Tokens) *model.Problem {
	flow, line, row, documents, pairs := 0, 0, 0, 0, 0
	var open []column
	for _, t := range tokens {
		if t.Position.Line != line {
			line, row = t.Position.Line, 0
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow--
		case token.DocumentHeaderType:
			documents++
			open = open[:0]
		case token.SequenceEntryType:
			row++
			open = openAt(open, t.Position.Column)
		case token.MappingKeyType, token.TagType, token.AnchorType:
			row++
		case token.MappingValueType:
			row++
			at := t.Position.Column
			if t.Prev != nil && t.Prev.Position.Line == line {
				at = t.Prev.Position.Column
			}
			open = openAt(open, at)
			pairs += 2*open[len(open)-1].keys + 1
			open[len(open)-1].keys++
		}
		what, fix := "", ""
		switch {
		// Block nesting shows as columns or as indicators in a row.
		case flow > maxDepth || flow == 0 && row > maxDepth || len(open) > maxDepth:
			what, fix = fmt.Sprintf("nested more than %d deep", maxDepth), "flatten the document"
		case pairs > maxKeyPairs:
			what, fix = "a map with too many keys", "split it, or split the network"
		case documents > maxDocuments:
			what, fix = fmt.Sprintf("more than %d documents in one file", maxDocuments), "write one document"
		default:
			continue
		}
		return &model.Problem{Pos: model.Pos{File: name, Line: t.Position.Line, Column: t.Position.Column}, What: what, Fix: fix}
	}
	return nil
}

func syntaxProblem(name, text string, err error) *model.Problem {
	p := &model.Problem{
		Pos: model.Pos{File: name}, What: "not valid YAML: " + strings.SplitN(err.Error(), "\n", 2)[0],
		Fix: "check quotes, brackets and indentation",
	}
	var se *yaml.SyntaxError
	if !errors.As(err, &se) {
		return p
	}
	p.What = "not valid YAML: " + se.Message
	if se.Token == nil || se.Token.Position == nil {
		return p
	}
	p.Pos.Line, p.Pos.Column = se.Token.Position.Line, se.Token.Position.Column
	lines := strings.Split(text, "\n")
	if i := p.Pos.Line - 1; i >= 0 && i < len(lines) {
		for _, placeholder := range []string{"{region}", "{name}"} {
			if strings.Contains(lines[i], placeholder) {
				p.Fix = fmt.Sprintf("inside [...] and {...} quote text with a placeholder, as in %q, or write it on lines of its own", "app-"+placeholder)
			}
		}
	}
	return p
}

// parseFiles decodes every file and merges them into one document. It returns
// nil if a file is unreadable: what is said about names would then be wrong.
func parseFiles(files []File, problems *model.Problems) *Document {
	merged := &Document{}
	if len(files) > 0 {
		merged.start = model.Pos{File: path.Clean(files[0].Name), Line: 1, Column: 1}
	}
	total := 0
	for _, f := range files {
		total += len(f.Data)
	}
	if total > maxInput {
		*problems = append(*problems, model.Problem{
			What: fmt.Sprintf("the input of %d bytes is larger than %d", total, maxInput),
			Fix:  "split the network",
		})
		return nil
	}
	budget, readable := maxNodes, true
	for _, f := range files {
		docs, p := syntax(path.Clean(f.Name), f.Data)
		if p != nil {
			*problems = append(*problems, *p)
			readable = false
			continue
		}
		for _, body := range docs {
			d := newDecoder(path.Clean(f.Name), body, problems, &budget)
			readable = d.document(body, merged) && readable
		}
	}
	if !readable || budget <= 0 {
		return nil
	}
	return merged
}
