package intent

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

var update = flag.Bool("update", false, "rewrite the committed schema and expected outputs")

const schemaFile = "../docs/network.schema.json"

func TestSchemaIsCommitted(t *testing.T) {
	got, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(schemaFile, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the types give; run go test ./intent -run Schema -update", schemaFile)
	}
}

func compiledSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	b, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(SchemaID, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(SchemaID)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func validate(s *jsonschema.Schema, data []byte) error {
	asJSON, err := yaml.YAMLToJSON(data)
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		return err
	}
	return s.Validate(v)
}

func TestExamplesValidate(t *testing.T) {
	s := compiledSchema(t)
	files, _ := filepath.Glob("../examples/*/*.yaml")
	if len(files) < 4 {
		t.Fatalf("found only %d files of examples", len(files))
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(s, data); err != nil {
			t.Errorf("%s: %v", f, err)
		}
	}
}

func TestSchemaRefuses(t *testing.T) {
	s := compiledSchema(t)
	for name, text := range map[string]string{
		"unknown key":    "netwrk: a",
		"wrong type":     "addresses: {region: fourteen}",
		"not a list":     "hubs: {name: a}",
		"each of what":   "hubs: [{name: a, each: zone}]",
		"no vnet name":   "hubs: [{region: westeurope}]",
		"priority":       "nsgs: {a: {inbound: [{deny: any -> any, priority: 5000}]}}",
		"resource shape": "resources: [{name: a}]",
	} {
		if err := validate(s, []byte(text)); err == nil {
			t.Errorf("%s: the schema accepts %s", name, text)
		}
	}
}
