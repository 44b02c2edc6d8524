package node

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/model"
)

func TestFormats(t *testing.T) {
	d, err := Open("../../examples/broken", LockRead)
	if err != nil {
		t.Fatal(err)
	}
	r := d.Check()
	var b bytes.Buffer
	if err := r.WriteJUnit(&b); err != nil {
		t.Fatal(err)
	}
	var suite struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Cases    []struct {
			Name    string `xml:"name,attr"`
			Line    int    `xml:"line,attr"`
			Failure *struct {
				Text string `xml:",chardata"`
			} `xml:"failure"`
		} `xml:"testcase"`
	}
	if err := xml.Unmarshal(b.Bytes(), &suite); err != nil {
		t.Fatal(err)
	}
	if suite.Tests != 3 || suite.Failures != 2 || len(suite.Cases) != 3 || suite.Cases[0].Line == 0 {
		t.Errorf("%+v", suite)
	}
	if f := suite.Cases[0].Failure; f == nil || !strings.Contains(f.Text, "nothing-else") {
		t.Errorf("the failure does not name the rule: %+v", f)
	}

	b.Reset()
	if err := r.WriteSARIF(&b); err != nil {
		t.Fatal(err)
	}
	var log sarifLog
	if err := json.Unmarshal(b.Bytes(), &log); err != nil {
		t.Fatal(err)
	}
	results := log.Runs[0].Results
	if len(results) != 2 {
		t.Fatalf("%d results", len(results))
	}
	// The expectation's own line, and the line of the rule that denies.
	at, by := results[0].Locations[0].Physical, results[0].Related[0].Physical
	if !strings.HasSuffix(at.Artifact.URI, "network.yaml") || at.Region.StartLine == 0 || by.Region.StartLine == at.Region.StartLine {
		t.Errorf("at %+v, decided at %+v", at, by)
	}
}

func TestParsePlace(t *testing.T) {
	for text, want := range map[string]model.Pos{
		"a/b.yaml:12:3":            {File: "a/b.yaml", Line: 12, Column: 3},
		`C:\n.yaml:1:2`:            {File: `C:\n.yaml`, Line: 1, Column: 2},
		"no place":                 {File: "no place"},
		"":                         {},
		"x:99999999999999999999:1": {File: "x:99999999999999999999:1"},
	} {
		if got := parsePlace(text); got != want {
			t.Errorf("%q: %+v", text, got)
		}
	}
}
