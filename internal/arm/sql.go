package arm

import (
	"slices"
	"strings"
	"unicode"

	"github.com/ceruleannet/cerulean/internal/paas"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
)

// Roles of a server in a failover group.
const (
	rolePrimary   = "Primary"
	roleSecondary = "Secondary"
)

// serverAsked is what is found out about a server before its update: the
// directory of its identity, and the hash of its administrator's password, ""
// if none was given.
type serverAsked struct{ tenant, hash string }

// prepareSQLServer hashes the administrator's password outside the update, as
// that takes a while. The hash stays the one there is while the password does.
func prepareSQLServer(c *call, id model.ID, body map[string]any) (any, *Fault) {
	asked := serverAsked{tenant: c.s.identity.TenantID}
	given := object(body, "properties")
	v, there := given["administratorLoginPassword"]
	if !there || v == nil {
		return asked, nil
	}
	login := text(given, "administratorLogin")
	var was string
	if e, ok := c.s.store.View().Get(id); ok {
		was = text(e.Resource.Properties(), paas.PasswordHashProperty)
		if login == "" {
			login = text(e.Resource.Properties(), "administratorLogin")
		}
	}
	password, ok := v.(string)
	if !ok {
		return nil, badRequest("InvalidRequestFormat", "Cannot parse the request: property 'properties.administratorLoginPassword' of resource %s must be a string.", id)
	}
	if !complexPassword(password, login) {
		return nil, badRequest("PasswordNotComplex", "Password validation failed. The password does not meet policy requirements because it is not complex enough.")
	}
	asked.hash = was
	if was == "" || !paas.PasswordMatches(was, password) {
		asked.hash = paas.HashPassword(password)
	}
	return asked, nil
}

// complexPassword reports whether a password has 8 to 128 characters of three of
// the four sorts, and not the login's name in it ("Password policy" of Azure SQL
// Database).
func complexPassword(password, login string) bool {
	var upper, lower, digit, other int
	n := 0
	for _, r := range password {
		n++
		switch {
		case unicode.IsUpper(r):
			upper = 1
		case unicode.IsLower(r):
			lower = 1
		case unicode.IsDigit(r):
			digit = 1
		default:
			other = 1
		}
	}
	named := len(login) > 2 && strings.Contains(strings.ToLower(password), strings.ToLower(login))
	return n >= 8 && n <= 128 && upper+lower+digit+other >= 3 && !named
}

func fillSQLServer(c *change) *Fault {
	c.doc["kind"] = "v12.0"
	asked, _ := c.prepared.(serverAsked)
	if asked.tenant != "" {
		c.prepared = asked.tenant
	}
	c.fillManagedIdentity()
	if admins := object(c.props(), "administrators"); len(admins) == 0 {
		delete(c.props(), "administrators") // az sends an empty object for none
	}
	if hash := asked.hash; hash != "" {
		c.props()[paas.PasswordHashProperty] = hash
	} else if was := text(c.oldProps(), paas.PasswordHashProperty); was != "" {
		c.props()[paas.PasswordHashProperty] = was
	}
	return nil
}

// checkFailoverGroup: a group is between servers of two regions.
func checkFailoverGroup(c *change) *Fault {
	partners := objects(c.props(), "partnerServers")
	if len(partners) == 0 {
		return invalidProperty(c.id, "properties.partnerServers", nil, "a failover group needs a partner server")
	}
	server, _ := c.tx.Get(c.id.Parent())
	for _, o := range partners {
		id, err := model.ParseID(text(o, "id"))
		if err != nil {
			return invalidReference(c.id, text(o, "id"))
		}
		partner, ok := c.tx.Get(id)
		if !ok {
			return invalidReference(c.id, text(o, "id"))
		}
		if id.Equal(c.id.Parent()) || partner.Resource.Location() == server.Resource.Location() {
			return badRequest("InvalidFailoverGroupRegion", "Servers specified in a Failover Group cannot reside in the same region.")
		}
	}
	return nil
}

func fillFailoverGroup(c *change) *Fault {
	p := c.props()
	role := text(c.oldProps(), "replicationRole")
	if role == "" {
		role = rolePrimary
	}
	p["replicationRole"], p["replicationState"] = role, "CATCH_UP"
	c.completePartners(role)
	return nil
}

// displayName is what a region is called, where the service tells that in place
// of its name.
func displayName(location string) string {
	if region, ok := catalog.Region(location); ok {
		return region.DisplayName
	}
	return location
}

// completePartners fills where the group and its partners are, and what they
// are.
func (c *change) completePartners(role string) {
	if server, ok := c.tx.Get(c.id.Parent()); ok {
		c.doc["location"] = displayName(server.Resource.Location())
	}
	other := roleSecondary
	if role == roleSecondary {
		other = rolePrimary
	}
	for _, o := range objects(c.props(), "partnerServers") {
		o["replicationRole"] = other
		if id, err := model.ParseID(text(o, "id")); err == nil {
			if e, ok := c.tx.Get(id); ok {
				o["location"] = displayName(e.Resource.Location())
			}
		}
	}
}

// partnerGroups returns the IDs of a failover group at its partners.
func partnerGroups(group model.ID, doc map[string]any) []model.ID {
	var out []model.ID
	for _, o := range objects(object(doc, "properties"), "partnerServers") {
		if id, err := model.ParseID(text(o, "id")); err == nil {
			out = append(out, id.Child("failoverGroups", group.Name()))
		}
	}
	return out
}

// settleFailoverGroup keeps the group at the partner servers in step with the
// one at the primary: it is one group, seen from either side, and each of its
// databases has a copy there.
func settleFailoverGroup(c *change) *Fault {
	before, after := partnerGroups(c.id, c.old), partnerGroups(c.id, c.doc)
	for _, id := range before {
		if !slices.ContainsFunc(after, id.Equal) {
			c.tx.Delete(id)
		}
	}
	if c.doc == nil || text(c.props(), "replicationRole") == roleSecondary {
		return nil
	}
	for _, id := range after {
		e, ok := c.tx.Get(id.Parent())
		if !ok {
			continue
		}
		id = e.Resource.ID.Child("failoverGroups", c.id.Name())
		doc, _ := model.CloneJSON(c.doc).(map[string]any)
		doc["id"] = id.String()
		mirror := &change{kinds: c.kinds, tx: c.tx, kind: c.kind, id: id, doc: doc, etag: c.etag, by: c.by}
		mirror.props()["partnerServers"] = []any{map[string]any{"id": c.id.Parent().String()}}
		mirror.props()["replicationRole"] = roleSecondary
		mirror.completePartners(roleSecondary)
		var copies []any
		list, _ := c.props()["databases"].([]any)
		for _, v := range list {
			name, _ := v.(string)
			from, err := model.ParseID(name)
			if err != nil {
				continue
			}
			to := e.Resource.ID.Child("databases", from.Name())
			if f := c.copyDatabase(from, to, e.Resource.Location()); f != nil {
				return f
			}
			copies = append(copies, to.String())
		}
		if copies != nil {
			mirror.props()["databases"] = copies
		}
		if f := mirror.put(); f != nil {
			return f
		}
	}
	return nil
}

// copyDatabase makes the copy of a database at another server if there is none.
func (c *change) copyDatabase(from, to model.ID, location string) *Fault {
	source, ok := c.tx.Get(from)
	if !ok || has(c.tx, to) {
		return nil
	}
	doc, _ := model.CloneJSON(source.Resource.Doc).(map[string]any)
	doc["location"] = location
	made := &change{kinds: c.kinds, tx: c.tx, kind: c.kinds[strings.ToLower(typeSQLDatabase)], id: to, doc: doc, etag: c.etag, by: c.by}
	made.props()["secondaryType"] = "Geo"
	if f := made.complete(); f != nil {
		return f
	}
	if f := fillDatabase(made); f != nil {
		return f
	}
	return made.put()
}
