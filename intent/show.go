package intent

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/goccy/go-yaml"
)

// Expanded returns every resource that the network stands for as one YAML list
// in the order of their IDs. A comment before each says where it was declared.
func (d *Declared) Expanded() ([]byte, error) {
	var out bytes.Buffer
	for _, r := range d.Network.Resources {
		doc, err := yaml.MarshalWithOptions(plainNumbers(r.Doc), yaml.IndentSequence(true))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.ID, err)
		}
		fmt.Fprintf(&out, "# %s\n", r.Pos)
		for i, line := range strings.Split(strings.TrimRight(string(doc), "\n"), "\n") {
			indent := "  "
			if i == 0 {
				indent = "- "
			}
			out.WriteString(indent + line + "\n")
		}
	}
	return out.Bytes(), nil
}

// ExpandedResource is one element of [Declared.ExpandedJSON].
type ExpandedResource struct {
	// Declared is "file:line:column" of the resource.
	Declared string         `json:"declared"`
	Resource map[string]any `json:"resource"`
	// Parts are the places of parts of the resource by JSON pointer.
	Parts map[string]string `json:"parts,omitempty"`
}

// ExpandedJSON returns the same list as JSON, with the places of every rule,
// route and subnet.
func (d *Declared) ExpandedJSON() ([]byte, error) {
	list := make([]ExpandedResource, 0, len(d.Network.Resources))
	for _, r := range d.Network.Resources {
		e := ExpandedResource{Declared: r.Pos.String(), Resource: r.Doc, Parts: places(r.At)}
		list = append(list, e)
	}
	return json.MarshalIndent(list, "", "  ")
}

func places(at map[string]model.Pos) map[string]string {
	out := make(map[string]string, len(at))
	for pointer, pos := range at {
		out[pointer] = pos.String()
	}
	return out
}

// plainNumbers turns json.Number, which YAML would quote, into numbers.
func plainNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64()
		return f
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = plainNumbers(e)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = plainNumbers(e)
		}
		return out
	default:
		return v
	}
}
