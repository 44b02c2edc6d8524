package intent

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// TestReference runs every example of the language reference and looks for
// every key of the language in it.
func TestReference(t *testing.T) {
	b, err := os.ReadFile("../docs/network.md")
	if err != nil {
		t.Fatal(err)
	}
	s := compiledSchema(t)
	text := string(b)
	examples := 0
	for rest := text; ; {
		_, after, ok := strings.Cut(rest, "```yaml\n")
		if !ok {
			break
		}
		example, tail, _ := strings.Cut(after, "```")
		rest = tail
		examples++
		line := 1 + strings.Count(text[:len(text)-len(after)], "\n")
		if _, err := Parse([]File{{Name: "example", Data: []byte(example)}}, nil, Options{}); err != nil {
			t.Errorf("the example at line %d:\n%v", line, err)
		}
		if err := validate(s, []byte(example)); err != nil {
			t.Errorf("the example at line %d: %v", line, err)
		}
	}
	if examples < 5 {
		t.Errorf("only %d examples", examples)
	}
	seen := map[reflect.Type]bool{}
	var visit func(reflect.Type)
	visit = func(v reflect.Type) {
		switch v.Kind() {
		case reflect.Pointer, reflect.Slice:
			visit(v.Elem())
		case reflect.Struct:
			if seen[v] {
				return
			}
			seen[v] = true
			for i := range v.NumField() {
				f := v.Field(i)
				if key := f.Tag.Get("yaml"); key != "" && key != "-" && !strings.Contains(text, key) {
					t.Errorf("the reference does not speak of %s.%s", v.Name(), key)
				}
				visit(f.Type)
			}
		}
	}
	visit(reflect.TypeFor[Document]())
}
