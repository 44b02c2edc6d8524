package arm

import (
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// filterTerm is one comparison of a filter.
type filterTerm struct{ name, value string }

// parseFilter reads the part of OData that listings of resources and resource
// groups take: "NAME eq 'VALUE'" with resourceType, resourceGroup, name,
// location, tagName or tagValue, joined by "and" or by "or". A tagName and a
// tagValue joined by "and" are of one tag ("Resources - List").
func parseFilter(s string) (func(*model.Resource) bool, *Fault) {
	if strings.TrimSpace(s) == "" {
		return func(*model.Resource) bool { return true }, nil
	}
	bad := badRequest("InvalidFilterInQueryString", "Invalid $filter '%.300s' specified in the query string. Use resourceType, resourceGroup, name, location, tagName or tagValue with eq and a quoted value, joined by and, or by or.", s)
	var terms []filterTerm
	joint := ""
	for rest := strings.TrimSpace(s); ; {
		name, after, ok := strings.Cut(rest, " ")
		op, after, ok2 := strings.Cut(strings.TrimSpace(after), " ")
		after = strings.TrimSpace(after)
		if !ok || !ok2 || !strings.EqualFold(op, "eq") || !strings.HasPrefix(after, "'") {
			return nil, bad
		}
		value, after, ok := quoted(after)
		if !ok {
			return nil, bad
		}
		switch strings.ToLower(name) {
		case "resourcetype", "resourcegroup", "name", "location", "tagname", "tagvalue":
			terms = append(terms, filterTerm{strings.ToLower(name), value})
		default:
			return nil, bad
		}
		rest = strings.TrimSpace(after)
		if rest == "" {
			break
		}
		word, next, _ := strings.Cut(rest, " ")
		word = strings.ToLower(word)
		if word != "and" && word != "or" || joint != "" && word != joint {
			return nil, bad
		}
		joint, rest = word, strings.TrimSpace(next)
	}
	if joint == "or" {
		return func(r *model.Resource) bool {
			for _, t := range terms {
				if matchTerm(r, t) {
					return true
				}
			}
			return false
		}, nil
	}
	return func(r *model.Resource) bool { return matchAll(r, terms) }, nil
}

// matchAll reports whether a resource fits every term, one tag all those of tags.
func matchAll(r *model.Resource, terms []filterTerm) bool {
	var tagTerms []filterTerm
	for _, t := range terms {
		if strings.HasPrefix(t.name, "tag") {
			tagTerms = append(tagTerms, t)
		} else if !matchTerm(r, t) {
			return false
		}
	}
	if len(tagTerms) == 0 {
		return true
	}
	for name, value := range r.Tags() {
		fits := true
		for _, t := range tagTerms {
			fits = fits && matchTag(name, value, t)
		}
		if fits {
			return true
		}
	}
	return false
}

func matchTag(name, value string, t filterTerm) bool {
	if t.name == "tagname" {
		return strings.EqualFold(name, t.value)
	}
	return value == t.value
}

func matchTerm(r *model.Resource, t filterTerm) bool {
	switch t.name {
	case "resourcetype":
		return r.ID.Is(t.value)
	case "resourcegroup":
		return strings.EqualFold(r.ID.ResourceGroup(), t.value)
	case "name":
		return strings.EqualFold(r.ID.Name(), t.value)
	case "location":
		return r.Location() == model.NormalizeLocation(t.value)
	}
	for name, value := range r.Tags() {
		if matchTag(name, value, t) {
			return true
		}
	}
	return false
}

// quoted reads a string in single quotes; a doubled quote stands for one.
func quoted(s string) (value, rest string, ok bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] != '\'' {
			b.WriteByte(s[i])
			continue
		}
		if i+1 < len(s) && s[i+1] == '\'' {
			b.WriteByte('\'')
			i++
			continue
		}
		return b.String(), s[i+1:], true
	}
	return "", "", false
}
