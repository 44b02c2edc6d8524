package template

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ceruleannet/cerulean/model"
)

// Limits of templates ("Azure Resource Manager limits", templates).
const (
	maxSize       = 4 << 20 // bytes
	maxParameters = 256
	maxVariables  = 256
	maxResources  = 800 // copies included
	maxOutputs    = 64
	maxExpression = 24576 // characters
)

// document is JSON with the places of its parts.
type document struct {
	file  string
	data  []byte
	value any
	at    map[string]int64 // byte offset by path
}

// read parses JSON as templates may have it: with comments.
func read(data []byte, file string) (*document, error) {
	d := &document{file: file, at: map[string]int64{}}
	if len(data) > maxSize {
		return nil, faultf(InvalidTemplate, "it has %d bytes; the limit is %d", len(data), maxSize)
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	d.data = Strict(data)
	if !utf8.Valid(d.data) {
		return nil, &Error{Code: InvalidTemplate, Message: "it is not UTF-8", Pos: model.Pos{File: file}}
	}
	dec := json.NewDecoder(bytes.NewReader(d.data))
	dec.UseNumber()
	var err error
	if d.value, err = d.next(dec, "", 0); err == nil {
		if _, more := dec.Token(); more != io.EOF {
			err = fmt.Errorf("there is more after the document's end")
		}
	}
	if err != nil {
		if e, ok := err.(*Error); ok {
			return nil, e
		}
		return nil, &Error{Code: InvalidTemplate, Message: strings.TrimPrefix(err.Error(), "json: "), Pos: d.pos(dec.InputOffset())}
	}
	return d, nil
}

// Strict rewrites what Azure's reader allows beyond JSON: comments become spaces,
// bare names of properties get quotes (the Azure CLI sends one), and line breaks
// and tabs in strings are escaped. What is JSON already stays as it is.
func Strict(data []byte) []byte {
	out := make([]byte, 0, len(data)+2)
	for i := 0; i < len(data); {
		rest := data[i:]
		switch c := data[i]; {
		case c == '"':
			end := i + 1
			for end < len(data) && data[end] != '"' {
				if data[end] == '\\' {
					end++
				}
				end++
			}
			end = min(end+1, len(data))
			for _, c := range data[i:end] {
				switch c {
				case '\n':
					out = append(out, `\n`...)
				case '\t':
					out = append(out, `\t`...)
				case '\r':
					out = append(out, `\r`...)
				default:
					out = append(out, c)
				}
			}
			i = end
		case bytes.HasPrefix(rest, []byte("//")):
			for ; i < len(data) && data[i] != '\n'; i++ {
				out = append(out, ' ')
			}
		case bytes.HasPrefix(rest, []byte("/*")) && bytes.Contains(rest[2:], []byte("*/")):
			for end := i + 4 + bytes.Index(rest[2:], []byte("*/")); i < end; i++ {
				if data[i] == '\n' {
					out = append(out, '\n')
				} else {
					out = append(out, ' ')
				}
			}
		case c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			end := i
			for end < len(data) && (data[end] == '_' || data[end] >= '0' && data[end] <= '9' || data[end]|0x20 >= 'a' && data[end]|0x20 <= 'z') {
				end++
			}
			word := data[i:end]
			if bytes.HasPrefix(bytes.TrimLeft(data[end:], " \t\r\n"), []byte(":")) {
				out = append(append(append(out, '"'), word...), '"')
			} else {
				out = append(out, word...)
			}
			i = end
		case c >= '0' && c <= '9': // an exponent is no name
			for i < len(data) && strings.IndexByte("0123456789.eE+-", data[i]) >= 0 {
				out = append(out, data[i])
				i++
			}
		default:
			out = append(out, c)
			i++
		}
	}
	return out
}

func (d *document) next(dec *json.Decoder, path string, depth int) (any, error) {
	begin := dec.InputOffset()
	for int(begin) < len(d.data) && strings.IndexByte(" \t\r\n,:", d.data[begin]) >= 0 {
		begin++
	}
	token, err := dec.Token()
	if err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	d.at[path] = begin
	if depth > model.MaxDepth {
		return nil, &Error{Code: InvalidTemplate, Path: path, Message: fmt.Sprintf("it is nested more than %d deep", model.MaxDepth), Pos: d.pos(dec.InputOffset())}
	}
	switch token := token.(type) {
	case json.Delim:
		if token == '[' {
			list := []any{}
			for i := 0; dec.More(); i++ {
				v, err := d.next(dec, path+"["+strconv.Itoa(i)+"]", depth+1)
				if err != nil {
					return nil, err
				}
				list = append(list, v)
			}
			_, err := dec.Token()
			return list, err
		}
		object := map[string]any{}
		for dec.More() {
			name, err := dec.Token()
			if err != nil {
				return nil, err
			}
			key, _ := name.(string)
			if _, twice := object[key]; twice {
				return nil, &Error{Code: InvalidTemplate, Path: join(path, key), Message: "the property is there twice", Pos: d.pos(dec.InputOffset())}
			}
			v, err := d.next(dec, join(path, key), depth+1)
			if err != nil {
				return nil, err
			}
			object[key] = v
		}
		_, err := dec.Token()
		return object, err
	case json.Number:
		return number(token)
	default:
		return token, nil
	}
}

// number keeps integers whole: the language's only numbers.
func number(n json.Number) (any, error) {
	if i, err := n.Int64(); err == nil {
		return i, nil
	}
	f, err := n.Float64()
	return f, err
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// pos is the line and column of an offset.
func (d *document) pos(offset int64) model.Pos {
	offset = max(0, min(offset, int64(len(d.data))))
	before := d.data[:offset]
	line := bytes.Count(before, []byte("\n"))
	return model.Pos{File: d.file, Line: line + 1, Column: utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1}
}

// posOf is the place of a path, or of what it is part of.
func (d *document) posOf(path string) model.Pos {
	for {
		if o, ok := d.at[path]; ok {
			return d.pos(o)
		}
		i := strings.LastIndexAny(path, ".[")
		if i < 0 {
			return d.pos(d.at[""])
		}
		path = path[:i]
	}
}

// wrong is a fault at a path.
func (d *document) wrong(code, path, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Path: path, Pos: d.posOf(path)}
}

// placed adds the place to an error that has none.
func (d *document) placed(err error, path string) error {
	e, ok := err.(*Error)
	switch {
	case err == nil:
		return nil
	case !ok:
		return d.wrong(InvalidTemplate, path, "%v", err)
	case e.Path == "":
		at := *e
		at.Path, at.Pos = path, d.posOf(path)
		return &at
	}
	return err
}
