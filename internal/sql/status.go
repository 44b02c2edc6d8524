package sql

import (
	"slices"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/internal/sql/geo"
	"github.com/ceruleannet/cerulean/model"
)

// GroupStatus is a failover group as it is now.
type GroupStatus struct {
	Name      string
	Automatic bool
	Grace     time.Duration
	// Away is since when the primary is away; zero if it is not.
	Away      time.Time
	Servers   []ServerStatus // the primary first
	Failovers []Failover     // the last ones, oldest first
	Tally     Tally
}

// Tally counts the failovers of a group since it started, and what forced ones
// lost.
type Tally struct {
	Planned, Forced uint64
	Lost            uint64 // commits
}

// ServerStatus is a server of a group.
type ServerStatus struct {
	ID        model.ID
	Region    string
	Primary   bool
	Databases []DatabaseStatus
}

// DatabaseStatus is a database of a group at one server.
type DatabaseStatus struct {
	Name string
	// Commits is the number of the last commit here.
	Commits uint64
	// State, Behind and Lag are of secondaries: Behind counts the commits that
	// have not arrived, and Lag is the age of the oldest of them.
	State  geo.State
	Behind uint64
	Lag    time.Duration
	// Acknowledged counts the commits of the group since it started.
	Acknowledged uint64
}

// Status returns the failover groups by name.
func (s *Servers) Status() []GroupStatus {
	var out []GroupStatus
	now := time.Now()
	for _, g := range s.all() {
		g.mu.Lock()
		p := g.core.Policy()
		x := GroupStatus{Name: g.name, Automatic: p.Automatic, Grace: p.Grace, Away: g.core.Outage(), Failovers: slices.Clone(g.failovers), Tally: g.tally}
		for _, key := range g.core.Servers() {
			v := ServerStatus{ID: g.ids[key], Primary: key == g.core.Primary()}
			for _, name := range g.core.Databases() {
				d := DatabaseStatus{Name: name, Commits: g.core.Last(name), Acknowledged: g.commits[name]}
				if l, ok := g.core.Lag(now, name, key); ok {
					d.State, d.Commits, d.Behind, d.Lag = l.State, l.Applied, l.Commits, l.Age
				}
				v.Databases = append(v.Databases, d)
			}
			x.Servers = append(x.Servers, v)
		}
		g.mu.Unlock()
		s.mu.Lock()
		for i := range x.Servers {
			if v := s.servers[x.Servers[i].ID.Key()]; v != nil {
				x.Servers[i].Region = v.region
			}
		}
		s.mu.Unlock()
		out = append(out, x)
	}
	return out
}

// GroupAt returns the name of the group that has a listener of a DNS name, and
// whether it is the one for reading only.
func (s *Servers) GroupAt(name string) (group string, readOnly, ok bool) {
	label, found := strings.CutSuffix(strings.ToLower(strings.TrimSuffix(name, ".")), "."+Domain)
	if !found {
		return "", false, false
	}
	label, readOnly = strings.CutSuffix(label, ".secondary")
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok = s.groups[label]
	return label, readOnly, ok
}
