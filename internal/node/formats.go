package node

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/ceruleannet/cerulean/internal/proof"
	"github.com/ceruleannet/cerulean/model"
)

// WriteJUnit writes the report as JUnit XML: a test case per expectation, what
// is broken as a failure with its witness, what is unknown as an error.
func (r *Report) WriteJUnit(w io.Writer) error {
	type message struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
	type testcase struct {
		Name    string   `xml:"name,attr"`
		Class   string   `xml:"classname,attr"`
		File    string   `xml:"file,attr,omitempty"`
		Line    int      `xml:"line,attr,omitempty"`
		Failure *message `xml:"failure,omitempty"`
		Error   *message `xml:"error,omitempty"`
	}
	type testsuite struct {
		XMLName  xml.Name   `xml:"testsuite"`
		Name     string     `xml:"name,attr"`
		Tests    int        `xml:"tests,attr"`
		Failures int        `xml:"failures,attr"`
		Errors   int        `xml:"errors,attr"`
		Time     string     `xml:"time,attr"`
		Cases    []testcase `xml:"testcase"`
	}
	suite := testsuite{Name: r.network, Tests: len(r.Findings), Time: fmt.Sprintf("%.3f", r.took.Seconds())}
	for i := range r.Findings {
		f := &r.Findings[i]
		c := testcase{Name: f.Expectation.Name, Class: r.network, File: f.Expectation.Pos.File, Line: f.Expectation.Pos.Line}
		if f.Status != proof.Holds {
			var text bytes.Buffer
			if err := f.WriteText(&text, proof.Style{}); err != nil {
				return err
			}
			m := &message{f.Why, f.Status.String(), text.String()}
			if f.Status == proof.Broken {
				suite.Failures, c.Failure = suite.Failures+1, m
			} else {
				suite.Errors, c.Error = suite.Errors+1, m
			}
		}
		suite.Cases = append(suite.Cases, c)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(suite); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// The parts of a SARIF 2.1.0 log (OASIS Standard, 2020) that a report has.
type (
	sarifLog struct {
		Version string     `json:"version"`
		Schema  string     `json:"$schema"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool    sarifTool     `json:"tool"`
		Results []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name  string      `json:"name"`
		Rules []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID               string    `json:"id"`
		ShortDescription sarifText `json:"shortDescription"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations,omitempty"`
		Related   []sarifLocation `json:"relatedLocations,omitempty"`
	}
	sarifLocation struct {
		Physical sarifPhysical `json:"physicalLocation"`
		Message  *sarifText    `json:"message,omitempty"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn,omitempty"`
	}
)

// WriteSARIF writes the report as SARIF: a result for every expectation that
// does not hold, at the declared line of the expectation, with the rule or route
// that decides as a related location; one for what is not modelled; and one for
// each finding of the advice.
func (r *Report) WriteSARIF(w io.Writer) error {
	run := sarifRun{Results: []sarifResult{}, Tool: sarifTool{sarifDriver{Name: "cerulean", Rules: []sarifRule{
		{"expectation-broken", sarifText{"An expectation of the network is false; the message has a packet that shows it."}},
		{"expectation-unknown", sarifText{"An expectation of the network could not be decided."}},
		{"not-modelled", sarifText{"Something in the network is not modelled; what depends on it is unknown."}},
	}}}}
	for i := range r.Findings {
		f := &r.Findings[i]
		if f.Status == proof.Holds {
			continue
		}
		result := sarifResult{
			RuleID: "expectation-" + f.Status.String(), Level: "error",
			Message: sarifText{f.Expectation.Name + ": " + f.Why}, Locations: locations(f.Expectation.Pos, ""),
		}
		if f.Witness != nil && f.Witness.Answer == nil {
			_, reason := f.Witness.Conn.Verdict()
			o := r.image.OriginOf(reason)
			result.Related = locations(parsePlace(o.Place), "decided by "+o.Name)
		}
		run.Results = append(run.Results, result)
	}
	for _, n := range r.Notes {
		run.Results = append(run.Results, sarifResult{
			RuleID: "not-modelled", Level: "note", Message: sarifText{n.What}, Locations: locations(parsePlace(n.Origin.Place), ""),
		})
	}
	results, rules := r.adviceResults()
	run.Results = append(run.Results, results...)
	run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, rules...)
	return writeJSON(w, sarifLog{Version: "2.1.0", Schema: "https://json.schemastore.org/sarif-2.1.0.json", Runs: []sarifRun{run}})
}

func locations(p model.Pos, message string) []sarifLocation {
	if p.File == "" {
		return nil
	}
	l := sarifLocation{Physical: sarifPhysical{Artifact: sarifArtifact{filepath.ToSlash(p.File)}}}
	if p.Line > 0 {
		l.Physical.Region = &sarifRegion{p.Line, p.Column}
	}
	if message != "" {
		l.Message = &sarifText{message}
	}
	return []sarifLocation{l}
}

var placePattern = regexp.MustCompile(`^(.*):(\d+):(\d+)$`)

// parsePlace reads an origin's "file:line:column" back.
func parsePlace(place string) model.Pos {
	m := placePattern.FindStringSubmatch(place)
	if m == nil {
		return model.Pos{File: place}
	}
	// Numbers too large for a line are not places.
	line, errLine := strconv.Atoi(m[2])
	column, errColumn := strconv.Atoi(m[3])
	if errLine != nil || errColumn != nil {
		return model.Pos{File: place}
	}
	return model.Pos{File: m[1], Line: line, Column: column}
}
