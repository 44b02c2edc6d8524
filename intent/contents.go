package intent

import (
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// Bounds of declared contents, in bytes: a network is a text, not a backup.
const (
	maxSecret  = 25 << 10
	maxContent = 1 << 20
)

// emitContents returns what services hold at first.
func (b *builder) emitContents() []model.Contents {
	var out []model.Contents
	for _, s := range b.services {
		c := model.Contents{Service: s.id, Pos: s.spec.Name.Pos}
		for _, e := range s.spec.Secrets {
			switch {
			case s.kind.word != "key-vault":
				b.problem(e.Key.Pos, "declare them of a key-vault", "service %s of kind %s has no secrets", s.name, s.kind.word)
			case len(e.Value.Value) > maxSecret:
				b.problem(e.Value.Pos, "shorten it", "secret %s has more than %d bytes", e.Key.Value, maxSecret)
			case !isSecretName(e.Key.Value):
				b.problem(e.Key.Pos, "use 1 to 127 letters, digits and '-'", "%q is not a name for a secret", e.Key.Value)
			default:
				c.Secrets = put(c.Secrets, e.Key.Value, e.Value.Value)
			}
		}
		for _, e := range s.spec.Blobs {
			container, name, ok := strings.Cut(e.Key.Value, "/")
			switch {
			case s.kind.word != "storage":
				b.problem(e.Key.Pos, "declare them of a storage account", "service %s of kind %s has no blobs", s.name, s.kind.word)
			case !ok || name == "" || len(container) < 3 || len(container) > 63 || strings.ToLower(container) != container:
				b.problem(e.Key.Pos, "write container/name, the container in lower case", "%q does not name a blob", e.Key.Value)
			case len(e.Value.Value) > maxContent:
				b.problem(e.Value.Pos, "put it into the running network instead", "blob %s has more than %d bytes", e.Key.Value, maxContent)
			default:
				c.Blobs = put(c.Blobs, e.Key.Value, e.Value.Value)
			}
		}
		b.sqlContents(s, &c)
		if len(c.Secrets)+len(c.Blobs)+len(c.Logins)+len(c.Users) > 0 {
			out = append(out, c)
		}
	}
	return out
}

func put(m map[string]string, key, value string) map[string]string {
	if m == nil {
		m = map[string]string{}
	}
	m[key] = value
	return m
}

func isSecretName(s string) bool {
	return len(s) > 0 && len(s) <= 127 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == ""
}

// emitAccess returns the roles of the hosts' managed identities: ROLE on
// SERVICE, or ROLE for the whole network.
func (b *builder) emitAccess() []model.Access {
	var out []model.Access
	for _, h := range b.hosts {
		for _, t := range h.spec.Roles {
			i := strings.LastIndex(strings.ToLower(t.Value), " on ")
			if i < 0 {
				b.problem(t.Pos, `write ROLE on SERVICE, for example "Key Vault Secrets User on shop-vault"`, "%q does not say what the role is for", t.Value)
				continue
			}
			role, target := strings.TrimSpace(t.Value[:i]), strings.TrimSpace(t.Value[i+len(" on "):])
			var names []string
			var scope model.ID
			for _, s := range b.services {
				if names = append(names, s.name); strings.EqualFold(s.name, target) {
					scope = s.id
				}
			}
			if scope.IsZero() {
				b.problem(t.Pos, suggestion(target, names, "declare it under services"), "there is no service %q", target)
				continue
			}
			out = append(out, model.Access{Host: h.name, VM: b.vmID(h), Role: role, Scope: scope, Pos: t.Pos})
		}
	}
	return out
}
