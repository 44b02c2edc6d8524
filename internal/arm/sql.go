package arm

import (
	"slices"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/model"
)

// Roles of a server in a failover group.
const (
	rolePrimary   = "Primary"
	roleSecondary = "Secondary"
)

func fillSQLServer(c *change) *Fault {
	c.doc["kind"] = "v12.0"
	return nil
}

// fillDatabase says what a database is sold as; without a SKU it is Azure's
// general purpose with two cores ("Databases - Create Or Update").
func fillDatabase(c *change) *Fault {
	c.keep("databaseId")
	p := c.props()
	p["status"] = "Online"
	if p["creationDate"] = c.oldProps()["creationDate"]; p["creationDate"] == nil {
		p["creationDate"] = c.by.At.UTC().Format(time.RFC3339)
	}
	if object(c.doc, "sku") == nil {
		c.doc["sku"] = map[string]any{"name": "GP_Gen5", "tier": "GeneralPurpose", "family": "Gen5", "capacity": number(2)}
		if was := object(c.old, "sku"); was != nil {
			c.doc["sku"] = model.CloneJSON(was)
		}
	}
	c.doc["kind"] = "v12.0,user,vcore"
	sku := object(c.doc, "sku")
	objective := text(sku, "name")
	if n, ok := whole(sku["capacity"]); ok && strings.Contains(objective, "_") && strings.Count(objective, "_") == 1 {
		objective += "_" + number(n).String()
	}
	p["currentServiceObjectiveName"], p["requestedServiceObjectiveName"] = objective, objective
	p["currentSku"] = model.CloneJSON(sku)
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

// completePartners fills where the partners are and what they are.
func (c *change) completePartners(role string) {
	other := roleSecondary
	if role == roleSecondary {
		other = rolePrimary
	}
	for _, o := range objects(c.props(), "partnerServers") {
		o["replicationRole"] = other
		if id, err := model.ParseID(text(o, "id")); err == nil {
			if e, ok := c.tx.Get(id); ok {
				o["location"] = e.Resource.Location()
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
