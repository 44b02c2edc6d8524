package intent

import (
	"embed"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strings"

	"github.com/invopop/jsonschema"
)

// languageSource holds the files whose comments describe the schema.
//
//go:embed language*.go
var languageSource embed.FS

// SchemaID is the address under which the schema is published.
const SchemaID = "https://github.com/ceruleannet/cerulean/docs/network.schema.json"

// Schema returns the JSON Schema of the declared network, generated from the
// types of the language. It describes one file: a network may be split, so no
// section is required. Names, addresses and sentences are checked by Parse.
func Schema() ([]byte, error) {
	comments, err := languageComments()
	if err != nil {
		return nil, err
	}
	r := &jsonschema.Reflector{
		FieldNameTag:               "yaml",
		RequiredFromJSONSchemaTags: true,
		LookupComment: func(t reflect.Type, field string) string {
			return comments[t.Name()+"."+field]
		},
		Mapper: schemaOf,
	}
	s := r.Reflect(&Document{})
	s.ID = SchemaID
	s.Title = "A network declared for Cerulean"
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(b, '\n'), nil
}

// schemaOf gives the schema of the types that stand for a single value.
func schemaOf(t reflect.Type) *jsonschema.Schema {
	text := func() *jsonschema.Schema { return &jsonschema.Schema{Type: "string"} }
	switch t {
	case reflect.TypeFor[Text]():
		return text()
	case reflect.TypeFor[Int]():
		return &jsonschema.Schema{Type: "integer"}
	case reflect.TypeFor[Bool]():
		return &jsonschema.Schema{Type: "boolean"}
	case reflect.TypeFor[Texts]():
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{text(), {Type: "array", Items: text()}}}
	case reflect.TypeFor[PublicIP]():
		properties := jsonschema.NewProperties()
		properties.Set("address", text())
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{
			{Type: "boolean"}, {Type: "object", Properties: properties, AdditionalProperties: jsonschema.FalseSchema},
		}}
	case reflect.TypeFor[Doc]():
		return &jsonschema.Schema{Type: "object"}
	case reflect.TypeFor[Raw]():
		properties := jsonschema.NewProperties()
		for _, key := range []string{"type", "name", "resource-group", "location", "each"} {
			properties.Set(key, text())
		}
		for _, key := range []string{"properties", "tags"} {
			properties.Set(key, &jsonschema.Schema{Type: "object"})
		}
		return &jsonschema.Schema{Type: "object", Properties: properties, Required: []string{"type", "name"}}
	}
	return nil
}

// JSONSchemaAlias shows a Map as what it is in YAML.
func (Map[T]) JSONSchemaAlias() any {
	return map[string]T{}
}

// languageComments returns the comments of the language: "Type." for a type,
// "Type.Field" for a field.
func languageComments() (map[string]string, error) {
	comments := map[string]string{}
	files, err := languageSource.ReadDir(".")
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		name := f.Name()
		source, err := languageSource.ReadFile(name)
		if err != nil {
			return nil, err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		for _, decl := range file.Decls {
			if g, ok := decl.(*ast.GenDecl); ok {
				addComments(comments, g)
			}
		}
	}
	return comments, nil
}

// addComments notes the comments of the types of one declaration.
func addComments(comments map[string]string, g *ast.GenDecl) {
	for _, spec := range g.Specs {
		t, ok := spec.(*ast.TypeSpec)
		if !ok {
			continue
		}
		comments[t.Name.Name+"."] = oneLine(g.Doc.Text())
		s, ok := t.Type.(*ast.StructType)
		if !ok {
			continue
		}
		for _, f := range s.Fields.List {
			for _, n := range f.Names {
				comments[t.Name.Name+"."+n.Name] = oneLine(f.Doc.Text())
			}
		}
	}
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
