package gateway

import (
	"context"
	"net/url"
	"regexp"
	"sync"
)

// Registry is a registry of services, as a file names it.
type Registry struct {
	Place     Place
	URL       string // for example "http://127.0.0.1:8500"
	TokenFile string // holds the token that the registry asks for; empty for none
}

// Discover follows the instances of a service until the context ends: it calls on
// with all that are to be asked, whenever they change. While the registry cannot
// be reached it calls nobody, so that the last known members stay.
type Discover func(ctx context.Context, from Registry, service string, on func([]Member))

// followed are the services that pools take their members from.
type followed struct {
	discover Discover
	running  sync.WaitGroup
	byName   map[followKey]*following // guarded by Server.mu
}

// followKey is a service of a registry.
type followKey struct {
	url, tokenFile, service string
}

// following is one service that is followed.
type following struct {
	end     context.CancelFunc
	members []Member // guarded by Server.mu
}

func keyOf(c *Config, p *Pool) followKey {
	return followKey{c.Discovery.URL, c.Discovery.TokenFile, p.Discovery}
}

// resolved returns a pool with the members that it has now. The caller holds
// s.mu.
func (s *Server) resolved(c *Config, p *Pool) *Pool {
	if p.Discovery == "" {
		return p
	}
	now := *p
	now.Members = nil
	if f := s.followed.byName[keyOf(c, p)]; f != nil {
		now.Members = f.members
	}
	return &now
}

// follow makes the services that are followed those of a configuration: who
// stays keeps its members. The caller holds s.mu.
func (s *Server) follow(c *Config) {
	next := map[followKey]*following{}
	for i := range c.Pools {
		p := &c.Pools[i]
		if p.Discovery == "" || s.followed.discover == nil {
			continue
		}
		key := keyOf(c, p)
		if next[key] != nil {
			continue
		}
		if f := s.followed.byName[key]; f != nil {
			next[key] = f
			continue
		}
		f := &following{}
		var ctx context.Context
		ctx, f.end = context.WithCancel(s.ctx)
		next[key] = f
		from := c.Discovery
		s.followed.running.Go(func() {
			defer f.end()
			s.followed.discover(ctx, from, key.service, func(members []Member) { s.discovered(key, f, members) })
		})
	}
	for key, f := range s.followed.byName {
		if next[key] != f {
			f.end()
		}
	}
	s.followed.byName = next
}

// discovered gives the pools of a service the members that it has now.
func (s *Server) discovered(key followKey, of *following, members []Member) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.followed.byName[key] != of {
		return
	}
	of.members = members
	state := s.state.Load()
	if state == nil {
		return
	}
	c := state.router.config
	for i := range c.Pools {
		p := &c.Pools[i]
		if p.Discovery == "" || keyOf(c, p) != key {
			continue
		}
		for _, b := range s.backends {
			if b.name[0] == p.Name {
				b.update(s.ctx, s, s.resolved(c, p))
			}
		}
	}
}

// followed finds what is wrong with a pool that names a service.
func (k *checker) followed(p *Pool) {
	from := &k.config.Discovery
	switch {
	case p.Discovery == "":
		return
	case len(p.Members) > 0:
		k.add(p.Place, "pool %s: members and discovery exclude each other", p.Name)
	case !serviceName.MatchString(p.Discovery):
		k.add(p.Place, "pool %s: service %q: use 1 to 63 lower-case letters, digits and '-', not at its ends", p.Name, p.Discovery)
	}
	if from.URL == "" {
		k.add(p.Place, "pool %s names a service and no registry is named: add discovery: {url: http://ADDRESS:PORT}", p.Name)
		return
	}
	if u, err := url.Parse(from.URL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		k.add(from.Place, "discovery: %q is no address of a registry: write http://ADDRESS:PORT", from.URL)
	}
}

// serviceName is the form of the names of services: a DNS label (RFC 1123 section
// 2.1).
var serviceName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
