package intent

import (
	"regexp"
	"strings"
)

// serviceLabel is the form of a service's name: a DNS label (RFC 1123 section
// 2.1).
var serviceLabel = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// discovered returns the name under which discovery has what a host serves, empty
// if it has not.
func (b *builder) discovered(h *host, serves bool) string {
	t := h.spec.Service
	switch {
	case !t.IsSet() && serves:
		return serviceOf(h.name, h.subnet.vnet.region)
	case !t.IsSet() || t.Value == "none":
		return ""
	case !serves:
		b.problem(t.Pos, "write what it listens on: serves: [http/80]", "host %s has a service and serves nothing", h.name)
	case !serviceLabel.MatchString(t.Value):
		b.problem(t.Pos, "use 1 to 63 lower-case letters, digits and '-', not at its ends, or none", "%q is not a name of a service", t.Value)
	}
	return t.Value
}

// serviceOf is the name of a host's service unless it has another: the host's
// without its region and without a number at the end.
func serviceOf(name, region string) string {
	parts := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return r == '-' || r == '_' || r == '.' })
	var kept []string
	for i, p := range parts {
		number := i == len(parts)-1 && strings.Trim(p, "0123456789") == ""
		if p != strings.ToLower(region) && !number {
			kept = append(kept, p)
		}
	}
	if len(kept) == 0 {
		kept = parts
	}
	out := strings.Join(kept, "-")
	return strings.Trim(out[:min(len(out), 63)], "-")
}
