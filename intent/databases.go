package intent

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// Bounds of databases and logins ("Naming rules and restrictions for Azure
// resources", servers/databases; "Password policy").
const (
	maxDatabaseName = 128
	minPassword     = 8
	maxPassword     = 128
)

// sqlLogin is the form of a login's name: it must not be taken for a server's.
var sqlLogin = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._-]{0,127}$`)

// databasesOf makes the databases of a server that a list names, and notes them.
func (b *builder) databasesOf(s *service, names Texts) {
	for _, t := range names {
		if !b.checkDatabase(t) {
			continue
		}
		key := s.id.Child("databases", t.Value).Key()
		if first, dup := b.databases[key]; dup {
			b.problem(t.Pos, fmt.Sprintf("it is already at %s; keep one", first), "server %s has the database %s twice", s.name, t.Value)
			continue
		}
		if b.databases == nil {
			b.databases = map[string]model.Pos{}
		}
		b.databases[key] = t.Pos
		b.emit(s.id.Child("databases", t.Value), object{
			"location":   s.region,
			"sku":        object{"name": "GP_Gen5", "tier": "GeneralPurpose", "family": "Gen5", "capacity": json.Number("2")},
			"properties": object{},
		}, t.Pos, nil)
	}
}

func (b *builder) checkDatabase(t Text) bool {
	bad := len(t.Value) > maxDatabaseName || strings.ContainsAny(t.Value, `<>*%&:\/?`) || strings.HasSuffix(t.Value, ".") || strings.HasSuffix(t.Value, " ")
	switch {
	case bad:
		b.problem(t.Pos, `use up to 128 characters, none of <>*%&:\/?, no '.' or space at the end`, "%q is not a name for a database", t.Value)
	case strings.EqualFold(t.Value, "master"):
		b.problem(t.Pos, "rename it", "every server has a database master already")
	default:
		return true
	}
	return false
}

// emitFailoverGroups makes failover groups and their databases.
func (b *builder) emitFailoverGroups() {
	taken := map[string]model.Pos{}
	for _, g := range b.doc.FailoverGroups {
		switch {
		case !g.Name.IsSet():
			b.problem(g.Pos, "add name: NAME", "a failover group has no name")
		case !b.sqlKind().validName.MatchString(g.Name.Value):
			b.problem(g.Name.Pos, b.sqlKind().nameRule, "%q is not a name for a failover group", g.Name.Value)
		case b.claimName(taken, g.Name, "failover group"):
			b.emitFailoverGroup(g)
		}
	}
}

func (b *builder) sqlKind() serviceKind {
	for _, k := range serviceKinds() {
		if k.word == "sql" {
			return k
		}
	}
	return serviceKind{}
}

func (b *builder) emitFailoverGroup(g FailoverGroup) {
	at := map[string]model.Pos{}
	var servers []*service
	regions := map[string]string{} // server, by region
	used := map[string]model.Pos{}
	for _, t := range g.Servers {
		s, ok := b.sqlServer(t)
		if !ok || !b.claimPart(used, s.id.Key(), t.Pos, "server "+s.name) {
			return
		}
		if other, same := regions[s.region]; same {
			b.problem(t.Pos, "use servers of different regions", "servers %s and %s of failover group %s are both in %s", other, s.name, g.Name.Value, s.region)
			return
		}
		regions[s.region] = s.name
		servers = append(servers, s)
	}
	if len(servers) < 2 {
		b.problem(g.Name.Pos, "add servers: [PRIMARY, SECONDARY]", "failover group %s has %d servers", g.Name.Value, len(servers))
		return
	}
	for _, s := range b.services {
		if strings.EqualFold(s.name, g.Name.Value) && s.kind.word == "sql" {
			b.problem(g.Name.Pos, "rename one", "failover group %s has the name of a server, and both are names under database.windows.net", g.Name.Value)
		}
	}
	var databases list
	for i, t := range g.Databases {
		id := servers[0].id.Child("databases", t.Value)
		if _, there := b.databases[id.Key()]; !there {
			b.databasesOf(servers[0], Texts{t})
		}
		for _, s := range servers[1:] {
			if first, there := b.databases[s.id.Child("databases", t.Value).Key()]; there {
				b.problem(first, "remove it: the group makes its copy there", "database %s of failover group %s is declared at its secondary %s", t.Value, g.Name.Value, s.name)
			}
		}
		if !b.claimPart(used, "database "+strings.ToLower(t.Value), t.Pos, "database "+t.Value) {
			continue
		}
		at[fmt.Sprintf("/properties/databases/%d", i)] = t.Pos
		databases = append(databases, id.String())
	}
	policy := b.oneOf("policy", g.Policy, "automatic", map[string]string{"automatic": "Automatic", "manual": "Manual"})
	endpoint := object{"failoverPolicy": policy}
	if policy == "Automatic" {
		endpoint["failoverWithDataLossGracePeriodMinutes"] = json.Number(strconv.Itoa(b.inRange(g.Grace, 60, 60, 100_000, "a grace period in minutes")))
	} else if g.Grace.IsSet() {
		b.problem(g.Grace.Pos, "remove it, or write policy: automatic", "failover group %s is failed over by hand, so nothing waits", g.Name.Value)
	}
	var partners list
	for i, s := range servers[1:] {
		at[fmt.Sprintf("/properties/partnerServers/%d", i)] = g.Servers[i+1].Pos
		partners = append(partners, object{"id": s.id.String()})
	}
	properties := object{"readWriteEndpoint": endpoint, "partnerServers": partners}
	if databases != nil {
		properties["databases"] = databases
	}
	b.emit(servers[0].id.Child("failoverGroups", g.Name.Value), object{"properties": properties}, g.Name.Pos, at)
}

// sqlServer resolves the name of an SQL server.
func (b *builder) sqlServer(t Text) (*service, bool) {
	var names []string
	for _, s := range b.services {
		if s.kind.word != "sql" {
			if strings.EqualFold(s.name, t.Value) {
				b.problem(t.Pos, "name a service of kind sql", "service %s is of kind %s", s.name, s.kind.word)
				return nil, false
			}
			continue
		}
		if strings.EqualFold(s.name, t.Value) {
			return s, true
		}
		names = append(names, s.name)
	}
	b.problem(t.Pos, suggestion(t.Value, names, "declare it under services with kind: sql"), "there is no SQL server %q", t.Value)
	return nil, false
}

// sqlContents adds who may log in to a server.
func (b *builder) sqlContents(s *service, c *model.Contents) {
	for _, e := range s.spec.Logins {
		switch {
		case s.kind.word != "sql":
			b.problem(e.Key.Pos, "declare them of a service of kind sql", "service %s of kind %s has no logins", s.name, s.kind.word)
		case !sqlLogin.MatchString(e.Key.Value):
			b.problem(e.Key.Pos, "use a letter, then up to 127 letters, digits, '.', '_' and '-'", "%q is not a name for a login", e.Key.Value)
		case len(e.Value.Value) < minPassword || len(e.Value.Value) > maxPassword:
			b.problem(e.Value.Pos, fmt.Sprintf("use %d to %d characters", minPassword, maxPassword), "the password of login %s has %d", e.Key.Value, len(e.Value.Value))
		default:
			c.Logins = put(c.Logins, e.Key.Value, e.Value.Value)
		}
	}
	for _, t := range s.spec.Users {
		if s.kind.word != "sql" {
			b.problem(t.Pos, "declare them of a service of kind sql, or give the host a role", "service %s of kind %s has no users", s.name, s.kind.word)
			continue
		}
		if h, ok := b.userNamed(s, t); ok {
			c.Users = append(c.Users, b.vmID(h))
		}
	}
	if s.kind.word != "sql" && len(s.spec.Databases) > 0 {
		b.problem(s.spec.Databases[0].Pos, "declare them of a service of kind sql", "service %s of kind %s has no databases", s.name, s.kind.word)
	}
}

// userNamed resolves a host whose managed identity is a user of a server.
func (b *builder) userNamed(s *service, t Text) (*host, bool) {
	var names []string
	for _, h := range b.hosts {
		if strings.EqualFold(h.name, t.Value) {
			if h.spec.Identity.Value == "none" || !h.spec.Identity.IsSet() && identityOf(h.spec) == "none" {
				b.problem(t.Pos, "write identity: system at the host", "host %s has no managed identity to log in to %s with", h.name, s.name)
				return nil, false
			}
			return h, true
		}
		names = append(names, h.name)
	}
	b.problem(t.Pos, suggestion(t.Value, names, "name a host"), "there is no host %q", t.Value)
	return nil, false
}
