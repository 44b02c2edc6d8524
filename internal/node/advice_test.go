package node

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/audit"
)

// Findings stand in text, JSON and SARIF, with place, rule and what to do; they
// are no expectations.
func TestAdvice(t *testing.T) {
	d, err := Open("../../examples/broken", LockRead)
	if err != nil {
		t.Fatal(err)
	}
	r := d.Check()
	failed := r.Failed()
	r.Advise(d)
	if len(r.Advice) != 1 || r.Advice[0].Rule != audit.RuleAsymmetricSpokes || r.Refused() || r.Failed() != failed {
		t.Fatalf("%+v", r.Advice)
	}
	var text, doc, log bytes.Buffer
	if err := r.WriteText(&text, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"warning: ../../examples/broken/network.yaml:", ": asymmetric-spokes\n", "hub-firewall", "    fix: give this subnet"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
	if err := r.WriteJSON(&doc); err != nil {
		t.Fatal(err)
	}
	var out struct {
		Findings []struct {
			Rule  string
			Shown struct{ Forward, Reply []string }
		}
	}
	if err := json.Unmarshal(doc.Bytes(), &out); err != nil || len(out.Findings) != 1 || len(out.Findings[0].Shown.Forward) != 3 {
		t.Errorf("%v %+v", err, out)
	}
	if err := r.WriteSARIF(&log); err != nil {
		t.Fatal(err)
	}
	var sarif sarifLog
	if err := json.Unmarshal(log.Bytes(), &sarif); err != nil {
		t.Fatal(err)
	}
	run := sarif.Runs[0]
	last := run.Results[len(run.Results)-1]
	if last.RuleID != audit.RuleAsymmetricSpokes || last.Level != "warning" || last.Locations[0].Physical.Region.StartLine == 0 {
		t.Errorf("%+v", last)
	}
	if rule := run.Tool.Driver.Rules[len(run.Tool.Driver.Rules)-1]; rule.ID != last.RuleID || rule.ShortDescription.Text == "" {
		t.Errorf("%+v", rule)
	}
}

// Only what Azure refuses makes a network refused.
func TestRefused(t *testing.T) {
	for severity, want := range map[audit.Severity]bool{audit.Note: false, audit.Warning: false, audit.Error: true} {
		r := &Report{Advice: []audit.Finding{{Severity: severity}}}
		if r.Refused() != want {
			t.Errorf("%s: %v", severity, r.Refused())
		}
	}
}
