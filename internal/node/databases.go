package node

import (
	"context"

	"github.com/ceruleannet/cerulean/internal/arm"
	"github.com/ceruleannet/cerulean/internal/live"
	"github.com/ceruleannet/cerulean/internal/observe"
	"github.com/ceruleannet/cerulean/internal/sql"
	"github.com/ceruleannet/cerulean/model"
)

// newDatabases makes the SQL servers of what the cloud holds; nil if another
// process serves that.
func (s *System) newDatabases() *sql.Servers {
	if s.Cloud.server == nil {
		return nil
	}
	d := sql.New(s.Cloud.server.DataPlane())
	d.Follow(s.Cloud.Snapshot())
	d.Fill(s.Design.Network().Contents)
	return d
}

// streams are the SQL servers as the network sees them.
func (s *System) streams() live.Streams {
	if s.databases == nil {
		return nil
	}
	return s.databases
}

// startDatabases puts the SQL servers into the running network: replication is as
// far as its regions are apart, fails with them, and what fails over there is
// written into the cloud's documents, from which everything else follows.
func (s *System) startDatabases() {
	if s.databases == nil {
		return
	}
	s.databases.Attach(s.Net, func(f sql.Failover) {
		s.Cloud.server.MovePrimary(f.Group, f.To)
	})
	s.Cloud.server.RunDatabases(databaseVerbs{s.databases})
	s.following.Go(func() {
		for {
			_, _, changed := s.Net.Forced()
			s.databases.Disturbed()
			select {
			case <-s.running.Done():
				return
			case <-changed:
			}
		}
	})
}

// databaseVerbs does what clients of Resource Manager ask. It implements
// [arm.Databases].
type databaseVerbs struct{ servers *sql.Servers }

// Failover implements [arm.Databases].
func (d databaseVerbs) Failover(ctx context.Context, group string, server model.ID, how arm.Failover) error {
	mode := map[arm.Failover]sql.Mode{arm.FailoverPlanned: sql.Planned, arm.FailoverForced: sql.Forced, arm.FailoverTryFirst: sql.TryFirst}[how]
	_, err := d.servers.Failover(ctx, group, server.String(), mode)
	return err
}

// databaseMetrics shows failover groups to Prometheus.
func (s *System) databaseMetrics() *observe.Databases {
	return observe.NewDatabases(s.Design.Network().Name, func() (copies []observe.DatabaseCopy, moved []observe.FailedOver) {
		if s.databases == nil {
			return nil, nil
		}
		for _, g := range s.databases.Status() {
			moved = append(moved, observe.FailedOver{Group: g.Name, Planned: g.Tally.Planned, Forced: g.Tally.Forced, Lost: g.Tally.Lost})
			for _, v := range g.Servers {
				for _, d := range v.Databases {
					copies = append(copies, observe.DatabaseCopy{
						Group: g.Name, Server: v.ID.Name(), Database: d.Name, Primary: v.Primary,
						Commits: d.Commits, Behind: d.Behind, Lag: d.Lag.Seconds(), Acknowledged: d.Acknowledged,
					})
				}
			}
		}
		return copies, moved
	})
}
