package audit

import (
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// RuleUnattached is a security group, application security group or route table
// that nothing names: it has no effect.
const RuleUnattached = "unattached"

// Unattached returns a note for every network security group, application
// security group and route table that no other resource refers to, sorted. Any mention of its ID counts, so
// resources whose meaning is not modelled attach it too.
func Unattached(resources []*model.Resource) []Finding {
	named := map[string]bool{}
	for _, r := range resources {
		mentions(r.Doc, r.ID.Key(), named)
	}
	var findings []Finding
	for _, r := range resources {
		if (r.ID.Is(model.TypeNSG) || r.ID.Is(model.TypeASG) || r.ID.Is(model.TypeRouteTable)) && !named[r.ID.Key()] {
			findings = append(findings, Finding{
				Severity: Note, Rule: RuleUnattached, Resource: r.ID.String(), Pos: r.Pos,
				What: r.ID.Name() + " is attached to nothing and has no effect",
				Fix:  "use it, or delete it",
			})
		}
	}
	sortFindings(findings)
	return findings
}

// mentions collects the IDs in a document, in lower case, but those of the
// resource itself.
func mentions(v any, self string, into map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			mentions(e, self, into)
		}
	case []any:
		for _, e := range v {
			mentions(e, self, into)
		}
	case string:
		if key := strings.ToLower(v); strings.HasPrefix(key, "/") && key != self {
			into[key] = true
		}
	}
}
