package gateway

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// PolicyOf reads a policy, as files of gateways have them, from a document that
// was decoded elsewhere. place says where a part was written, by JSON pointer.
// The error is [Problems].
func PolicyOf(doc map[string]any, place func(pointer string) Place) (Policy, error) {
	var all located[policyDoc]
	var problems Problems
	whole := map[string]any{}
	for _, key := range slices.Sorted(maps.Keys(doc)) {
		// One key after the other, so that each problem has its place.
		var one policyDoc
		b, err := yaml.Marshal(map[string]any{key: doc[key]})
		if err == nil {
			err = yaml.UnmarshalWithOptions(b, &one, yaml.Strict())
		}
		if err != nil {
			text := err.Error()
			if e, ok := err.(yaml.Error); ok {
				text = e.GetMessage()
			}
			problems = append(problems, Problem{place("/" + key), fmt.Sprintf("policy: %s: %s", key, strings.TrimSpace(text))})
			continue
		}
		whole[key] = doc[key]
	}
	b, err := yaml.Marshal(whole)
	if err == nil && len(whole) > 0 {
		err = yaml.UnmarshalWithOptions(b, &all.doc, yaml.Strict())
	}
	if err != nil {
		problems = append(problems, Problem{place(""), err.Error()})
	}
	read := builder{config: &Config{}}
	p := read.policy(&all)
	for _, x := range read.problems {
		problems = append(problems, Problem{place(""), x.Text})
	}
	if len(problems) > 0 {
		return Policy{}, problems
	}
	return p, nil
}
