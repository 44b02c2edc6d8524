package avnm

import (
	"fmt"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
)

// checkCondition says what is wrong with a condition, or "".
func checkCondition(c *wire.Condition) string {
	forms := 0
	for _, given := range []bool{c.AllOf != nil, c.AnyOf != nil, c.Not != nil, c.Field != ""} {
		if given {
			forms++
		}
	}
	if forms != 1 {
		return "a condition needs exactly one of allOf, anyOf, not and field"
	}
	for _, list := range [][]wire.Condition{c.AllOf, c.AnyOf} {
		for i := range list {
			if what := checkCondition(&list[i]); what != "" {
				return what
			}
		}
	}
	if c.Not != nil {
		return checkCondition(c.Not)
	}
	if c.Field == "" {
		return ""
	}
	if _, _, ok := field(c.Field, &VNet{}); !ok {
		return fmt.Sprintf("the condition's field %q is not known", c.Field)
	}
	operators := 0
	for _, given := range []bool{
		c.Equals != nil, c.NotEquals != nil, c.In != nil, c.NotIn != nil,
		c.Contains != nil, c.NotContains != nil, c.Like != nil, c.Exists != nil,
	} {
		if given {
			operators++
		}
	}
	if operators != 1 {
		return fmt.Sprintf("the condition on field %q needs exactly one of equals, notEquals, in, notIn, contains, notContains, like and exists", c.Field)
	}
	if c.Like != nil && strings.Count(*c.Like, "*") > 1 {
		return fmt.Sprintf("the pattern %q has more than one *", *c.Like)
	}
	return ""
}

// holds reports whether a virtual network meets a condition that
// [checkCondition] accepts. Comparisons ignore case ("Azure Policy definition
// structure", conditions).
func holds(c *wire.Condition, v *VNet) bool {
	switch {
	case c.AllOf != nil:
		for i := range c.AllOf {
			if !holds(&c.AllOf[i], v) {
				return false
			}
		}
		return true
	case c.AnyOf != nil:
		for i := range c.AnyOf {
			if holds(&c.AnyOf[i], v) {
				return true
			}
		}
		return false
	case c.Not != nil:
		return !holds(c.Not, v)
	}
	value, present, _ := field(c.Field, v)
	switch {
	case c.Equals != nil:
		return strings.EqualFold(value, *c.Equals)
	case c.NotEquals != nil:
		return !strings.EqualFold(value, *c.NotEquals)
	case c.In != nil:
		return foldIn(value, c.In)
	case c.NotIn != nil:
		return !foldIn(value, c.NotIn)
	case c.Contains != nil:
		return foldContains(value, *c.Contains)
	case c.NotContains != nil:
		return !foldContains(value, *c.NotContains)
	case c.Like != nil:
		return foldLike(value, *c.Like)
	default:
		want := strings.EqualFold(fmt.Sprint(c.Exists), "true")
		return present == want
	}
}

// field returns the value of a condition's field, whether the virtual network
// has it, and whether the field is known.
func field(name string, v *VNet) (value string, present, known bool) {
	switch strings.ToLower(name) {
	case "name":
		return v.ID.Name(), true, true
	case "id":
		return v.ID.String(), true, true
	case "type":
		return model.TypeVirtualNetwork, true, true
	case "location":
		return v.Region, true, true
	}
	tag, ok := tagName(name)
	if !ok {
		return "", false, false
	}
	// Tag names ignore case.
	for k, value := range v.Tags {
		if strings.EqualFold(k, tag) {
			return value, true, true
		}
	}
	return "", false, true
}

// tagName reads "tags['NAME']", "tags[NAME]" and "tags.NAME".
func tagName(field string) (string, bool) {
	if len(field) < 6 || !strings.EqualFold(field[:4], "tags") {
		return "", false
	}
	rest := field[4:]
	switch {
	case rest[0] == '.':
		return rest[1:], true
	case rest[0] == '[' && strings.HasSuffix(rest, "]"):
		name := rest[1 : len(rest)-1]
		if q, ok := strings.CutPrefix(name, "'"); ok {
			name, ok = strings.CutSuffix(q, "'")
			return name, ok && name != ""
		}
		return name, name != ""
	default:
		return "", false
	}
}

func foldIn(value string, list []string) bool {
	for _, s := range list {
		if strings.EqualFold(value, s) {
			return true
		}
	}
	return false
}

func foldContains(value, part string) bool {
	return strings.Contains(strings.ToLower(value), strings.ToLower(part))
}

func foldLike(value, pattern string) bool {
	value, pattern = strings.ToLower(value), strings.ToLower(pattern)
	head, tail, wild := strings.Cut(pattern, "*")
	if !wild {
		return value == pattern
	}
	return len(value) >= len(head)+len(tail) && strings.HasPrefix(value, head) && strings.HasSuffix(value, tail)
}
