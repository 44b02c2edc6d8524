package arm

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/model"
)

// codeFailover refuses a failover that the databases cannot do.
const codeFailover = "FailoverGroupFailoverNotPossible" // unconfirmed

// Failover is how a failover group is to move its primary role.
type Failover string

// The ways, by the verbs of Azure SQL's API.
const (
	FailoverPlanned  Failover = "failover"
	FailoverForced   Failover = "forceFailoverAllowDataLoss"
	FailoverTryFirst Failover = "tryPlannedBeforeForcedFailover"
)

// Databases is what runs the cloud's SQL databases.
type Databases interface {
	// Failover makes a server the primary of a group, by its name, and says so by
	// [Server.MovePrimary] before it returns.
	Failover(ctx context.Context, group string, server model.ID, how Failover) error
}

// RunDatabases says what runs the cloud's SQL databases, nil for nothing: roles
// then move at once, and hold no data.
func (s *Server) RunDatabases(d Databases) {
	if d == nil {
		s.databases.Store(nil)
		return
	}
	s.databases.Store(&d)
}

func failoverVerbs() []verb {
	var out []verb
	for _, how := range []Failover{FailoverPlanned, FailoverForced, FailoverTryFirst} {
		out = append(out, verb{name: string(how), act: func(c *call, on *model.Resource) *Fault { return c.failOver(on, how) }})
	}
	return out
}

// failOver makes the server it is asked of the primary of the group. With the
// group at the primary already there is nothing to do.
func (c *call) failOver(on *model.Resource, how Failover) *Fault {
	if d := c.s.databases.Load(); d != nil {
		if err := (*d).Failover(c.r.Context(), on.ID.Name(), on.ID.Parent(), how); err != nil {
			return fault(http.StatusConflict, codeFailover, "%v", err)
		}
		return c.acceptEmpty(on)
	}
	if f := c.update(func(tx *state.Tx) *Fault { return c.s.movePrimary(tx, on.ID, c.actor()) }); f != nil {
		return f
	}
	return c.acceptEmpty(on)
}

// MovePrimary writes into the documents of a failover group that another of its
// servers is the primary. It reports whether they say so now.
func (s *Server) MovePrimary(group string, server model.ID) bool {
	by := state.Actor{At: s.now(), Who: s.identity.ClientID}
	_, err := s.store.Update(by, func(tx *state.Tx) error {
		if f := s.movePrimary(tx, server.Child("failoverGroups", group), by); f != nil {
			return f
		}
		return nil
	})
	return err == nil
}

// movePrimary makes the server of a group's document the primary in the
// documents of all.
func (s *Server) movePrimary(tx *state.Tx, at model.ID, by state.Actor) *Fault {
	e, ok := tx.Get(at)
	if !ok {
		return notFound(at, true)
	}
	// Every server that some document of the group names.
	servers := []model.ID{e.Resource.ID.Parent()}
	for i := 0; i < len(servers); i++ {
		e, ok := tx.Get(servers[i].Child("failoverGroups", at.Name()))
		if !ok {
			continue
		}
		for _, id := range partnerGroups(e.Resource.ID, e.Resource.Doc) {
			if !slices.ContainsFunc(servers, id.Parent().Equal) {
				servers = append(servers, id.Parent())
			}
		}
	}
	for i, id := range servers {
		e, ok := tx.Get(id.Child("failoverGroups", at.Name()))
		if !ok {
			continue
		}
		ch := s.newChange(tx, s.kinds[strings.ToLower(typeSQLFailover)], e.Resource.ID, by)
		ch.doc, _ = model.CloneJSON(e.Resource.Doc).(map[string]any)
		role, partners := rolePrimary, servers[1:]
		if i > 0 {
			role, partners = roleSecondary, servers[:1]
		}
		var list []any
		for _, p := range partners {
			list = append(list, map[string]any{"id": p.String()})
		}
		ch.props()["replicationRole"], ch.props()["partnerServers"] = role, list
		ch.completePartners(role)
		if f := ch.put(); f != nil {
			return f
		}
	}
	return nil
}
