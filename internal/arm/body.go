package arm

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ceruleannet/cerulean/model"
)

// Limits of request bodies. ARM accepts 4 MB; depth and count keep a small body
// from costing more than a large one.
const (
	maxBody   = 4 << 20 // bytes
	maxValues = 400_000 // members and elements
)

// readBody reads a JSON object within the limits.
func readBody(w http.ResponseWriter, r *http.Request) (map[string]any, *Fault) {
	if t := r.Header.Get("Content-Type"); t != "" {
		if media, _, err := mime.ParseMediaType(t); err != nil || media != "application/json" {
			return nil, fault(http.StatusUnsupportedMediaType, "UnsupportedMediaType", "The content media type '%s' is not supported. Only 'application/json' is supported.", t)
		}
	}
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return nil, fault(http.StatusRequestEntityTooLarge, "RequestContentTooLarge", "The request content size exceeds the maximum size of %d bytes.", maxBody)
		}
		return nil, badRequest("InvalidRequestContent", "The request content could not be read: %v.", err)
	}
	return parseBody(b)
}

// parseBody reads a JSON object.
func parseBody(b []byte) (map[string]any, *Fault) {
	if f := checkSize(b); f != nil {
		return nil, f
	}
	if len(b) == 0 {
		return nil, badRequest(codeNoBody, "The request body is missing; send a JSON object.")
	}
	if !utf8.Valid(b) {
		return nil, badRequest("InvalidRequestContent", "The request content is not UTF-8 (RFC 8259 section 8.1).")
	}
	// ParseJSON reads the first value; nothing may follow it.
	var whole json.RawMessage
	err := json.Unmarshal(b, &whole)
	var doc map[string]any
	if err == nil {
		doc, err = model.ParseJSON(b)
	}
	if err != nil {
		return nil, badRequest("InvalidRequestContent", "The request content was invalid and could not be deserialized: '%v'.", err)
	}
	if key, at := duplicateKey(b); at >= 0 {
		line := bytes.Count(b[:at], []byte("\n")) + 1
		column := at - bytes.LastIndexByte(b[:at], '\n')
		return nil, badRequest("InvalidRequestContent",
			"The request content was invalid and could not be deserialized: 'Property with the name '%.100s' is there twice in one object, the second time at line %d, position %d.'", key, line, column)
	}
	return doc, nil
}

// duplicateKey returns the first name that an object of valid JSON has twice,
// and the offset of the second; -1 if there is none. RFC 8259 section 4 leaves
// open which of the two counts: a client that sends both means one of them.
func duplicateKey(b []byte) (key string, at int) {
	type frame struct {
		object bool
		names  []string
		known  map[string]bool // once there are many
	}
	const many = 16
	var stack []frame
	isName := false // the next string of an object
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '{', '[':
			isName = b[i] == '{'
			stack = append(stack, frame{object: isName})
		case '}', ']':
			stack = stack[:len(stack)-1]
			isName = false
		case ',':
			isName = stack[len(stack)-1].object
		case '"':
			begin := i
			for i++; b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
			if !isName {
				continue
			}
			isName = false
			name := string(b[begin+1 : i])
			if strings.Contains(name, `\`) {
				_ = json.Unmarshal(b[begin:i+1], &name) // it is valid
			}
			top := &stack[len(stack)-1]
			if top.known[name] || top.known == nil && slices.Contains(top.names, name) {
				return name, begin
			}
			if top.known == nil && len(top.names) == many {
				top.known = make(map[string]bool, 2*many)
				for _, n := range top.names {
					top.known[n] = true
				}
			}
			if top.known != nil {
				top.known[name] = true
			} else {
				top.names = append(top.names, name)
			}
		}
	}
	return "", -1
}

// checkSize bounds nesting and the number of values without building them.
// It need not understand malformed JSON, only never undercount the rest.
func checkSize(b []byte) *Fault {
	depth, values := 0, 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			for i++; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			depth++
			values++
		case '}', ']':
			depth--
		case ',':
			values++
		}
		if depth > model.MaxDepth {
			return badRequest("InvalidRequestContent", "The request content is nested deeper than %d levels.", model.MaxDepth)
		}
		if values > maxValues {
			return badRequest("InvalidRequestContent", "The request content has more than %d values.", maxValues)
		}
	}
	return nil
}
