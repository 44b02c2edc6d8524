package intent

import (
	"regexp"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// serviceLabel is the form of a service's name: a DNS label (RFC 1123 section
// 2.1).
var serviceLabel = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// noService leaves a host out of discovery.
const noService = "none"

// discovered returns the name under which discovery has what a host serves, empty
// if it has not.
func (b *builder) discovered(h *host, serves bool) string {
	t := h.spec.Service
	switch {
	case !t.IsSet() && serves:
		return serviceOf(h.name, h.subnet.vnet.region)
	case !t.IsSet() || t.Value == noService:
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

// servicePrefix marks a pool whose members are those of a service.
const servicePrefix = "service:"

// members are those of a pool: as they are written, or the hosts of a service in the
// gateway's region, which a running gateway follows in discovery.
func (w *gatewayWriter) members(e Entry[Texts]) Texts {
	i := slices.IndexFunc(e.Value, func(t Text) bool { return strings.HasPrefix(t.Value, servicePrefix) })
	if i < 0 {
		return e.Value
	}
	t, region := e.Value[i], w.g.subnet.vnet.region
	if len(e.Value) > 1 {
		w.b.problem(t.Pos, "make it a pool of its own", "pool %s is of a service and has other members", e.Key.Value)
		return nil
	}
	service := strings.TrimPrefix(t.Value, servicePrefix)
	if !serviceLabel.MatchString(service) || service == noService {
		w.b.problem(t.Pos, "use 1 to 63 lower-case letters, digits and '-', not at its ends", "%q is not a name of a service", service)
		return nil
	}
	var out Texts
	var known []string
	for _, h := range w.b.hosts {
		if len(h.spec.Serves) == 0 || h.subnet.vnet.region != region {
			continue
		}
		name := h.spec.Service.Or(serviceOf(h.name, region), t.Pos).Value
		if name == service {
			out = append(out, Text{h.name, t.Pos})
		} else if name != noService && !slices.Contains(known, name) {
			known = append(known, name)
		}
	}
	if len(out) == 0 {
		w.b.problem(t.Pos, suggestion(service, known, "give hosts there service: "+service), "no host of %s serves %q", region, service)
		return nil
	}
	w.g.extra.Followed = append(w.g.extra.Followed, model.PoolService{Pool: e.Key.Value, Service: service, Region: region, Pos: t.Pos})
	return out
}
