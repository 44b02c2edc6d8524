package sql

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/internal/sql/geo"
	"github.com/ceruleannet/cerulean/model"
)

// Group is a failover group as resources declare it.
type Group struct {
	Name      string // lower case
	Servers   []model.ID
	Databases []string // by their names; lower case
	Policy    geo.Policy
	// at is the group at its primary.
	at *model.Resource
}

// defaultGrace is the grace period of a group that does not say one
// ("failoverWithDataLossGracePeriodMinutes": at least an hour).
const defaultGrace = time.Hour

// Groups returns the failover groups of resources, as their primaries have them.
func Groups(resources []*model.Resource) []Group {
	var out []Group
	for _, r := range resources {
		if !r.ID.Is(model.TypeSQLFailoverGroup) {
			continue
		}
		p := r.Properties()
		if role, _ := p["replicationRole"].(string); strings.EqualFold(role, "Secondary") {
			continue
		}
		g := Group{Name: strings.ToLower(r.ID.Name()), Servers: []model.ID{r.ID.Parent()}, at: r}
		partners, _ := p["partnerServers"].([]any)
		for _, x := range partners {
			m, _ := x.(map[string]any)
			text, _ := m["id"].(string)
			if id, err := model.ParseID(text); err == nil && !slices.ContainsFunc(g.Servers, id.Equal) {
				g.Servers = append(g.Servers, id)
			}
		}
		databases, _ := p["databases"].([]any)
		for _, x := range databases {
			text, _ := x.(string)
			if id, err := model.ParseID(text); err == nil {
				g.Databases = append(g.Databases, strings.ToLower(id.Name()))
			}
		}
		endpoint, _ := p["readWriteEndpoint"].(map[string]any)
		policy, _ := endpoint["failoverPolicy"].(string)
		g.Policy = geo.Policy{Automatic: !strings.EqualFold(policy, "Manual"), Grace: defaultGrace}
		if n, ok := endpoint["failoverWithDataLossGracePeriodMinutes"].(json.Number); ok {
			if minutes, err := n.Int64(); err == nil && minutes > 0 {
				g.Policy.Grace = time.Duration(minutes) * time.Minute
			}
		}
		if len(g.Servers) > 1 {
			out = append(out, g)
		}
	}
	return out
}

// WithPrimary returns resources in which a server is the primary of a group: the
// group stands at it, with its partners.
func WithPrimary(resources []*model.Resource, group string, primary model.ID) []*model.Resource {
	for _, g := range Groups(resources) {
		if !strings.EqualFold(g.Name, group) || g.Servers[0].Equal(primary) || !slices.ContainsFunc(g.Servers, primary.Equal) {
			continue
		}
		moved := g.at.Clone()
		moved.ID = primary.Child("failoverGroups", g.at.ID.Name())
		moved.Doc["id"] = moved.ID.String()
		p := moved.Properties()
		p["replicationRole"] = "Primary"
		var partners, databases []any
		for _, id := range g.Servers {
			if !id.Equal(primary) {
				partners = append(partners, map[string]any{"id": id.String(), "replicationRole": "Secondary"})
			}
		}
		for _, d := range g.Databases {
			databases = append(databases, primary.Child("databases", d).String())
		}
		p["partnerServers"], p["databases"] = partners, databases
		out := slices.DeleteFunc(slices.Clone(resources), func(r *model.Resource) bool { return r == g.at || r.ID.Equal(moved.ID) })
		return append(out, moved)
	}
	return resources
}
