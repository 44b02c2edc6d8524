package arm

import (
	"net/http"
	"slices"
	"strings"
)

// operationsOf lists what roles can allow of a provider ("Operations - List"):
// the operations that its types have here.
func (c *call) operationsOf(namespace string) *Fault {
	if f := c.getOnly(); f != nil {
		return f
	}
	names := map[string][2]string{} // type and operation by name
	spelled := ""
	for _, k := range c.s.kinds {
		if !strings.EqualFold(k.namespace(), namespace) {
			continue
		}
		spelled = k.namespace()
		add := func(operation string) { names[operationOf(k.Type, operation)] = [2]string{k.Type, operation} }
		add("read")
		if !k.ReadOnly {
			add("write")
			add("delete")
		}
		for _, v := range k.Verbs {
			switch {
			case v.get:
				add(v.name + "/read")
			case v.put:
				add(v.name + "/write")
			default:
				add(v.name + "/action")
			}
		}
		for _, r := range k.Refs {
			if to := c.s.kinds[strings.ToLower(r.to)]; to != nil && strings.EqualFold(to.namespace(), namespace) {
				name := linkedAction(k, r.to, r.path)
				names[name] = [2]string{to.Type, lastSegment(strings.TrimSuffix(name, "/action")) + "/action"}
			}
		}
	}
	if spelled == "" {
		return fault(http.StatusNotFound, "InvalidResourceNamespace", "The resource namespace '%s' is invalid.", namespace)
	}
	ordered := make([]string, 0, len(names))
	for n := range names {
		ordered = append(ordered, n)
	}
	slices.Sort(ordered)
	value := make([]any, len(ordered))
	for i, n := range ordered {
		value[i] = map[string]any{
			"name": n, "isDataAction": false,
			"display": map[string]any{"provider": spelled, "resource": names[n][0], "operation": names[n][1], "description": names[n][1] + " of " + names[n][0]},
		}
	}
	writeJSON(c.w, http.StatusOK, map[string]any{"value": value})
	return nil
}
