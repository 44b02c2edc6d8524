package sql

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ceruleannet/cerulean/internal/paas"
	"github.com/ceruleannet/cerulean/internal/sql/geo"
	"github.com/ceruleannet/cerulean/model"
)

// Domain is the domain of SQL servers and of failover groups.
const Domain = "database.windows.net"

// Port is where servers listen.
const Port = 1433

// Cloud is the control plane as the servers see it.
type Cloud interface {
	// Authenticate returns who the value of an Authorization header speaks for,
	// if its token is good and for one of the audiences.
	Authenticate(header string, audiences ...string) (paas.Principal, error)
	// Tenant returns the GUID of the directory.
	Tenant() string
}

// Servers are the SQL servers of a network. Its methods are safe for concurrent
// use.
type Servers struct {
	cloud Cloud
	// pass is the password of the user that drills log in as.
	pass    string
	running context.Context
	end     context.CancelFunc
	working sync.WaitGroup

	mu      sync.Mutex
	world   geo.World // its methods may wait for the network
	moved   func(Failover)
	servers map[string]*server // by lower-case ID
	groups  map[string]*group  // by lower-case name
	next    int                // number of a session
	closed  bool
}

// server is one of them.
type server struct {
	id         model.ID
	region     string
	properties map[string]any
	logins     map[string]string // passwords by lower-case name
	users      []model.ID        // whose managed identities may log in
	stores     map[string]*store // by lower-case name
	sessions   map[*session]bool
}

// New returns servers of a cloud. There are none until [Servers.Follow].
func New(cloud Cloud) *Servers {
	s := &Servers{cloud: cloud, pass: rand.Text(), servers: map[string]*server{}, groups: map[string]*group{}, world: everywhere{}}
	s.running, s.end = context.WithCancel(context.Background())
	return s
}

// everywhere is a world without distance and failure.
type everywhere struct{}

func (everywhere) Up(string) bool                             { return true }
func (everywhere) Delay(string, string) (time.Duration, bool) { return 0, true }

// Network is the network that the servers are in. Between them lies the
// provider's own, whose links are those between the regions.
type Network interface {
	// ServiceUp reports whether a service runs, by its resource ID.
	ServiceUp(resource string) bool
	// Between is how long data take from a region to another; false if nothing
	// gets there.
	Between(from, to string) (time.Duration, bool)
}

// Attach says in which network the servers are. moved hears of every change of
// roles of a group, one after the other; it may be nil. [Servers.Disturbed] is to
// be called when the network changes.
func (s *Servers) Attach(n Network, moved func(Failover)) {
	s.mu.Lock()
	s.world, s.moved = backbone{n, s}, moved
	s.mu.Unlock()
	s.Disturbed()
}

// backbone is the world of the groups.
type backbone struct {
	net     Network
	servers *Servers
}

// Up implements [geo.World].
func (b backbone) Up(server string) bool { return b.net.ServiceUp(server) }

// Delay implements [geo.World].
func (b backbone) Delay(from, to string) (time.Duration, bool) {
	return b.net.Between(b.servers.region(from), b.servers.region(to))
}

// region returns where a server is, by its key.
func (s *Servers) region(key string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.servers[key]; v != nil {
		return v.region
	}
	return ""
}

// Disturbed makes the groups look at the world again.
func (s *Servers) Disturbed() {
	for _, g := range s.all() {
		g.poke()
	}
}

func (s *Servers) all() []*group {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*group, 0, len(s.groups))
	for _, g := range s.groups {
		out = append(out, g)
	}
	slices.SortFunc(out, func(a, b *group) int { return strings.Compare(a.name, b.name) })
	return out
}

// Close ends every session and group.
func (s *Servers) Close() {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	var sessions []*session
	for _, v := range s.servers {
		for x := range v.sessions {
			sessions = append(sessions, x)
		}
	}
	s.mu.Unlock()
	s.end()
	for _, x := range sessions {
		x.raw.Close()
	}
	s.working.Wait()
	for _, v := range s.servers {
		for _, d := range v.stores {
			d.close()
		}
	}
}

// Fill says who may log in to servers, as declared.
func (s *Servers) Fill(contents []model.Contents) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range contents {
		c := &contents[i]
		if !c.Service.Is(model.TypeSQLServer) {
			continue
		}
		v := s.server(c.Service)
		for name, password := range c.Logins {
			v.logins[strings.ToLower(name)] = password
		}
		v.users = slices.Clone(c.Users)
	}
}

// server returns one, made if it is new. The caller holds mu.
func (s *Servers) server(id model.ID) *server {
	v := s.servers[id.Key()]
	if v == nil {
		v = &server{id: id, logins: map[string]string{}, stores: map[string]*store{}, sessions: map[*session]bool{}}
		s.servers[id.Key()] = v
	}
	return v
}

// Follow makes the servers, databases and groups those of resources. Databases
// keep what they hold, and groups their roles: they are the servers' own matter
// (see [Servers.Failover]).
func (s *Servers) Follow(resources []*model.Resource) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	there := map[string]map[string]bool{} // databases by server
	for _, r := range resources {
		if r.ID.Is(model.TypeSQLServer) {
			v := s.server(r.ID)
			v.id, v.region, v.properties = r.ID, r.Location(), r.Properties()
			there[r.ID.Key()] = map[string]bool{"master": true}
		}
	}
	for _, r := range resources {
		if r.ID.Is(model.TypeSQLDatabase) && there[r.ID.Parent().Key()] != nil {
			there[r.ID.Parent().Key()][strings.ToLower(r.ID.Name())] = true
		}
	}
	var declared []Group
	for _, g := range Groups(resources) {
		// A group's databases are at every server of it.
		known := true
		for _, id := range g.Servers {
			known = known && there[id.Key()] != nil
		}
		if !known {
			continue
		}
		for _, id := range g.Servers {
			for _, d := range g.Databases {
				there[id.Key()][strings.ToLower(d)] = true
			}
		}
		declared = append(declared, g)
	}
	for key, v := range s.servers {
		for name := range there[key] {
			if v.stores[name] == nil {
				v.stores[name] = newStore(name)
			}
		}
		for name := range v.stores {
			if !there[key][name] {
				delete(v.stores, name) // sessions in it find out
			}
		}
		if there[key] == nil {
			v.properties = nil
		}
	}
	kept, ended := s.regroup(declared)
	s.mu.Unlock()
	for g, d := range kept {
		g.adopt(d)
	}
	for _, g := range ended {
		g.close()
	}
	s.Disturbed()
}

// regroup makes the groups those that are declared, and returns which there were
// already, and which are none any more. The caller holds mu, which is never held
// while that of a group is waited for.
func (s *Servers) regroup(declared []Group) (kept map[*group]Group, ended []*group) {
	keep := map[string]bool{}
	kept = map[*group]Group{}
	for _, d := range declared {
		key := strings.ToLower(d.Name)
		keep[key] = true
		if g := s.groups[key]; g != nil && g.same(d) {
			kept[g] = d
			continue
		} else if g != nil {
			ended = append(ended, g)
		}
		g := newGroup(s, d)
		s.groups[key] = g
		s.working.Go(g.run)
	}
	for key, g := range s.groups {
		if !keep[key] {
			ended = append(ended, g)
			delete(s.groups, key)
		}
	}
	return kept, ended
}

// Names returns the DNS names of a server: its own, and those of the groups it is
// in.
func (s *Servers) Names(resource model.ID) []string {
	if !resource.Is(model.TypeSQLServer) {
		return nil
	}
	out := []string{strings.ToLower(resource.Name()) + "." + Domain}
	for _, g := range s.all() {
		if _, in := g.ids[resource.Key()]; in {
			out = append(out, g.name+"."+Domain, g.name+".secondary."+Domain)
		}
	}
	return out
}

// Stream is [Servers.Serve] for a network.
func (s *Servers) Stream(c net.Conn, resource model.ID, from netip.Addr, refused bool, config *tls.Config) {
	s.Serve(c, resource, Client{Addr: from, Refused: refused}, config)
}

// place is a database at a server as a session finds it.
type place struct {
	store *store
	group *group // nil if it is in none
}

// find returns a database of a server.
func (s *Servers) find(at model.ID, name string) (place, bool) {
	s.mu.Lock()
	p := place{}
	if v := s.servers[at.Key()]; v != nil {
		p.store = v.stores[strings.ToLower(name)]
	}
	s.mu.Unlock()
	if p.store == nil {
		return p, false
	}
	for _, g := range s.all() {
		if _, in := g.ids[at.Key()]; in && g.has(name) {
			p.group = g
		}
	}
	return p, true
}

// maxSessions bounds the sessions of a server.
const maxSessions = 1000

// enter registers a session with its server.
func (s *Servers) enter(x *session) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.servers[x.at.Key()]
	switch {
	case s.closed || v == nil || v.properties == nil:
		return net.ErrClosed
	case len(v.sessions) >= maxSessions:
		return newProblem(10928, 16, 1, "Resource ID : 1. The %s limit for the server is %d and has been reached.", "session", maxSessions)
	}
	s.next++
	x.number = 50 + s.next
	v.sessions[x] = true
	s.working.Add(1)
	return nil
}

func (s *Servers) leave(x *session) {
	s.mu.Lock()
	delete(s.servers[x.at.Key()].sessions, x)
	s.mu.Unlock()
	s.working.Done()
}

// drop ends the sessions at servers that are in one of some databases.
func (s *Servers) drop(at map[string]model.ID, databases []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range at {
		v := s.servers[key]
		if v == nil {
			continue
		}
		for x := range v.sessions {
			if slices.Contains(databases, x.in()) {
				x.raw.Close()
			}
		}
	}
}

// audience is for whom tokens of the servers' clients are.
const audience = "https://" + Domain

// DrillUser is the login that [Servers.DrillPassword] is for.
const DrillUser = "cerulean-drill"

// DrillPassword lets who rehearses a failure in to every server.
func (s *Servers) DrillPassword() string { return s.pass }

// authorize checks a user and a password at a server.
func (s *Servers) authorize(at model.ID, user, password string) bool {
	name, suffix, cut := strings.Cut(user, "@")
	if cut && !strings.EqualFold(suffix, at.Name()) && !strings.EqualFold(suffix, at.Name()+"."+Domain) {
		name = user
	}
	if name == DrillUser && same(password, s.pass) {
		return true
	}
	s.mu.Lock()
	v := s.servers[at.Key()]
	if v == nil {
		s.mu.Unlock()
		return false
	}
	want, ok := v.logins[strings.ToLower(name)]
	administrator, _ := v.properties["administratorLogin"].(string)
	hash, _ := v.properties[paas.PasswordHashProperty].(string)
	s.mu.Unlock()
	if ok {
		return same(password, want)
	}
	// Outside the lock: it takes a while.
	return administrator != "" && strings.EqualFold(name, administrator) && paas.PasswordMatches(hash, password)
}

// identify returns the name of who a token speaks for, if a server knows it.
func (s *Servers) identify(at model.ID, token string) (string, error) {
	who, err := s.cloud.Authenticate("Bearer "+token, audience)
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.servers[at.Key()]
	if v == nil {
		return "", fmt.Errorf("there is no server %s", at.Name())
	}
	for _, id := range v.users {
		if strings.EqualFold(id.String(), who.Resource) {
			return id.Name(), nil
		}
	}
	// The server's administrator in Microsoft Entra ID.
	admin, _ := v.properties["administrators"].(map[string]any)
	if sid, _ := admin["sid"].(string); sid != "" && (strings.EqualFold(sid, who.ObjectID) || strings.EqualFold(sid, who.AppID)) {
		name, _ := admin["login"].(string)
		return name, nil
	}
	return "", fmt.Errorf("the identity %s is no user of server %s", who.ObjectID, at.Name())
}
