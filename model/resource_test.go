package model

import (
	"encoding/json"
	"errors"
	"testing"
)

func TestResource(t *testing.T) {
	id := MustParseID(testVNet)
	r, err := NewResource(id, map[string]any{
		"location":   "West Europe",
		"tags":       map[string]any{"env": "prod"},
		"properties": map[string]any{"subnets": []any{map[string]any{"name": "A"}}, "unknown": json.Number("1")},
	}, Pos{"n.yaml", 3, 5})
	if err != nil {
		t.Fatal(err)
	}
	r.At = map[string]Pos{"/properties/subnets/0": {"n.yaml", 9, 7}}
	if r.Location() != "westeurope" || r.Tags()["env"] != "prod" || r.Doc["type"] != TypeVirtualNetwork || r.Doc["name"] != "V" {
		t.Errorf("%v", r.Doc)
	}
	for pointer, want := range map[string]string{
		"/properties/subnets/0/properties/addressPrefix": "n.yaml:9:7", // nearest ancestor
		"/properties/subnets/0":                          "n.yaml:9:7",
		"/properties/subnets":                            "n.yaml:3:5",
		"":                                               "n.yaml:3:5",
	} {
		if got := r.PosOf(pointer).String(); got != want {
			t.Errorf("%q is at %s, want %s", pointer, got, want)
		}
	}
	c := r.Clone()
	c.Properties()["subnets"].([]any)[0].(map[string]any)["name"] = "changed"
	if got := r.Properties()["subnets"].([]any)[0].(map[string]any)["name"]; got != "A" {
		t.Errorf("a change of the clone shows in the original: %v", got)
	}
	var view struct {
		Properties struct {
			Subnets []struct{ Name string }
		}
	}
	if err := r.Decode(&view); err != nil || view.Properties.Subnets[0].Name != "A" {
		t.Errorf("%+v, %v", view, err)
	}
	var wrong struct{ Properties struct{ Subnets string } }
	if err := r.Decode(&wrong); err == nil {
		t.Error("a list decoded into a string")
	}
}

func TestProblems(t *testing.T) {
	if err := Problems(nil).Err(); err != nil {
		t.Errorf("no problems are an error: %v", err)
	}
	err := Problems{
		{Pos: Pos{"b.yaml", 1, 1}, What: "second"},
		{Pos: Pos{"a.yaml", 9, 2}, What: "first", Fix: "do this"},
		{Resource: testVNet, What: "without a place"},
	}.Err()
	want := testVNet + ": without a place\na.yaml:9:2: first; do this\nb.yaml:1:1: second"
	if err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	var ps Problems
	if !errors.As(err, &ps) || len(ps) != 3 {
		t.Errorf("%d problems", len(ps))
	}
}

func TestParseJSON(t *testing.T) {
	doc, err := ParseJSON([]byte(`{"n": 12345678901234567890, "absent": null, "empty": []}`))
	if err != nil {
		t.Fatal(err)
	}
	if doc["n"] != json.Number("12345678901234567890") {
		t.Errorf("a number lost digits: %v", doc["n"])
	}
	if v, ok := doc["absent"]; !ok || v != nil {
		t.Error("null became absent")
	}
	for _, text := range []string{"", "null", "[]", "{", `"x"`} {
		if _, err := ParseJSON([]byte(text)); err == nil {
			t.Errorf("%q is not an object", text)
		}
	}
}
