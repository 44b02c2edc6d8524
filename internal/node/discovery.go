package node

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ceruleannet/cerulean/discovery"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/live"
	"github.com/ceruleannet/cerulean/internal/paas"
	"github.com/ceruleannet/cerulean/internal/traffic/dns"
	"github.com/ceruleannet/cerulean/internal/traffic/gateway"
	"github.com/ceruleannet/cerulean/model"
)

// DiscoveryZone is the zone of a running network's services; its own name is the
// registry's. ".internal" is reserved for private use (ICANN, 2024).
const DiscoveryZone = "discovery.cerulean.internal"

// discoveryAudience is what a managed identity's token for the registry is for.
const discoveryAudience = "https://" + DiscoveryZone

// instanceLease is how long a host's instances stay after it was heard of last, at
// the pace of declared health probes.
const instanceLease = 10 * time.Second

// serviceRegistry is a running network's: its hosts are in it by themselves.
type serviceRegistry struct {
	system   *System
	registry *discovery.Registry
	names    *serviceNames
	key      []byte // of the hosts' tokens
	identity paas.Cloud
	lease    time.Duration
	inside   http.Handler // for hosts
	control  http.Handler // for the user of the control socket
	ended    sync.WaitGroup

	mu      sync.Mutex
	stopped map[string]bool // hosts whose program has ended, by lower-case name
	wake    chan struct{}
}

// newServiceRegistry returns the registry of a network that is about to run.
func (s *System) newServiceRegistry(pace float64) (*serviceRegistry, error) {
	r := &serviceRegistry{
		system: s, registry: discovery.New(0), key: make([]byte, 32), stopped: map[string]bool{}, wake: make(chan struct{}, 1),
		lease: max(discovery.MinTTL, time.Duration(float64(instanceLease)/pace)),
	}
	_, _ = rand.Read(r.key) // it never fails
	if s.Cloud.server != nil {
		r.identity = s.Cloud.server.DataPlane()
	}
	r.inside = discovery.Handler(r.registry, discovery.Options{Authorize: r.authorize, Admit: r.admit})
	r.control = discovery.Handler(r.registry, discovery.Options{Authorize: func(_ *http.Request, write bool) error {
		if write {
			return errors.New("instances are registered from within the network")
		}
		return nil
	}})
	var err error
	r.names, err = newServiceNames(r.registry, DiscoveryZone, live.DiscoveryAddr().Addr())
	return r, err
}

// run keeps the hosts' instances until the system ends.
func (r *serviceRegistry) run(ctx context.Context) {
	_, base, _ := r.system.Net.Forced()
	first := r.instances(base, nil)
	for _, k := range first {
		r.renew(k)
	}
	r.ended.Go(func() { r.names.run(ctx) })
	r.ended.Go(func() { r.keep(ctx, base, first) })
}

func (r *serviceRegistry) close() {
	if r != nil {
		r.ended.Wait()
	}
}

// Zone implements [live.Discovery].
func (r *serviceRegistry) Zone() string { return DiscoveryZone }

// Answer implements [live.Discovery].
func (r *serviceRegistry) Answer(query []byte, from netip.Addr, tcp bool) []byte {
	out, o := r.names.now.Load().Respond(nil, dns.Request{Message: query, From: from, TCP: tcp, Random: mathrand.Uint64()})
	if o.Silent {
		return nil
	}
	return out
}

// callerHost is the key of the host that a request to the registry came from.
type callerHost struct{}

// Handler implements [live.Discovery]: with a token, a host reads everything and
// registers what answers at its own addresses.
func (r *serviceRegistry) Handler(host *live.Host) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.inside.ServeHTTP(w, req.WithContext(context.WithValue(req.Context(), callerHost{}, host)))
	})
}

// authorize says why a host's request is not allowed, nil if it is.
func (r *serviceRegistry) authorize(req *http.Request, _ bool) error {
	host := req.Context().Value(callerHost{}).(*live.Host)
	header := req.Header.Get("Authorization")
	if subtle.ConstantTimeCompare([]byte(header), []byte("Bearer "+r.token(host.Name))) == 1 {
		return nil
	}
	if r.identity == nil || header == "" {
		return fmt.Errorf("bring a token: the host's own, $CERULEAN_DISCOVERY_TOKEN of its programs, or a managed identity's for %s", discoveryAudience)
	}
	if _, err := r.identity.Authenticate(header, discoveryAudience); err != nil {
		return fmt.Errorf("the token is neither %s's own nor a managed identity's for %s: %w", host.Name, discoveryAudience, err)
	}
	return nil
}

// admit says why a host may not register an instance, nil if it may.
func (r *serviceRegistry) admit(req *http.Request, i *discovery.Instance) error {
	host := req.Context().Value(callerHost{}).(*live.Host)
	if !slices.Contains(host.Addrs(), i.Addr.Unmap()) {
		return fmt.Errorf("%s is no address of %s, which registers what answers at its own", i.Addr, host.Name)
	}
	return nil
}

// token is a host's: what its programs show to the registry.
func (r *serviceRegistry) token(host string) string {
	m := hmac.New(sha256.New, r.key)
	m.Write([]byte(strings.ToLower(host)))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// environment is what a host's programs are told of the registry.
func (r *serviceRegistry) environment(host string) []string {
	if r == nil {
		return nil
	}
	return []string{
		fmt.Sprintf("CERULEAN_DISCOVERY=http://%s:%d", DiscoveryZone, live.DiscoveryAddr().Port()),
		"CERULEAN_DISCOVERY_TOKEN=" + r.token(host),
	}
}

// program says that the program of a host runs, or that it has ended.
func (r *serviceRegistry) program(host string, runs bool) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped[strings.ToLower(host)] = !runs
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// followPools makes pools of a gateway follow services: their members as written are
// what Azure has.
func followPools(config *gateway.Config, followed []model.PoolService) {
	for _, f := range followed {
		for i := range config.Pools {
			if p := &config.Pools[i]; strings.EqualFold(p.Name, f.Pool) {
				p.Members, p.Discovery = nil, f.Service
				config.Discovery = gateway.Registry{URL: fmt.Sprintf("http://%s:%d", DiscoveryZone, live.DiscoveryAddr().Port())}
			}
		}
	}
}

// discover follows services for a gateway of the network: instances of its region
// that are well.
func (r *serviceRegistry) discover(followed []model.PoolService) gateway.Discover {
	return func(ctx context.Context, _ gateway.Registry, service string, on func([]gateway.Member)) {
		list := r.registry.List(time.Now(), service)
		on(membersIn(list.Instances, followed))
		for {
			changes, version, more, err := r.registry.Changes(time.Now(), service, list.Epoch, list.Version)
			if err != nil || len(changes) > 0 {
				list = r.registry.List(time.Now(), service)
				on(membersIn(list.Instances, followed))
				continue
			}
			list.Version = version
			select {
			case <-more:
			case <-ctx.Done():
				return
			}
		}
	}
}

// membersIn are the instances that a gateway asks of a service that it follows.
func membersIn(list []discovery.Instance, followed []model.PoolService) []gateway.Member {
	return membersOf(slices.DeleteFunc(slices.Clone(list), func(i discovery.Instance) bool {
		return !slices.ContainsFunc(followed, func(f model.PoolService) bool { return f.Service == i.Service && f.Region == i.Region })
	}))
}

// kept is an instance whose lease is kept here.
type kept struct {
	discovery.Instance
	host  string // lower case
	port  fabric.PortID
	lease string
}

// keep renews the leases of hosts that are up, three times in a lease. Those of a
// host that is down run out, as if its own program had renewed them; those of one
// that is no more are given back.
func (r *serviceRegistry) keep(ctx context.Context, img *fabric.Image, all []*kept) {
	tick := time.NewTicker(r.lease / 3)
	defer tick.Stop()
	for {
		failure, base, changed := r.system.Net.Forced()
		if base != img {
			img, all = base, r.instances(base, all)
		}
		for _, k := range all {
			if !slices.Contains(failure.Ports, k.port) {
				r.renew(k)
			}
		}
		select {
		case <-tick.C:
		case <-r.wake:
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// renew renews a lease, or registers anew where it is over.
func (r *serviceRegistry) renew(k *kept) {
	health := discovery.Passing
	r.mu.Lock()
	if r.stopped[k.host] {
		health = discovery.Critical
	}
	r.mu.Unlock()
	now := time.Now()
	if k.lease != "" && r.registry.Renew(now, k.Service, k.ID, k.lease, health) == nil {
		return
	}
	i := k.Instance
	i.Health = health
	// Somebody may have registered the name by hand: then it is theirs for now.
	k.lease, _, _ = r.registry.Register(now, i, r.lease, "")
}

// instances are those of an image's hosts; leases of earlier ones that stay as
// they are are kept, others are given back.
func (r *serviceRegistry) instances(img *fabric.Image, old []*kept) []*kept {
	ports := map[string]fabric.PortID{}
	for i := range img.Ports {
		if img.Ports[i].Kind != fabric.PortHost {
			continue
		}
		for _, l := range img.Ports[i].Labels {
			if _, known := ports[strings.ToLower(l.Name)]; l.Kind == string(model.LabelHost) && !known {
				ports[strings.ToLower(l.Name)] = fabric.PortID(i)
			}
		}
	}
	var out []*kept
	hosts := r.system.Design.Network().Hosts
	for i := range hosts {
		h := &hosts[i]
		if at, ok := ports[strings.ToLower(h.Name)]; ok && h.Service != "" {
			out = append(out, instancesOf(img, h, at)...)
		}
	}
	for _, k := range old {
		same := slices.IndexFunc(out, func(n *kept) bool {
			return n.Service == k.Service && n.ID == k.ID && n.Addr == k.Addr && n.Region == k.Region
		})
		if same >= 0 {
			out[same].lease = k.lease
		} else if k.lease != "" {
			_ = r.registry.Deregister(time.Now(), k.Service, k.ID, k.lease)
		}
	}
	return out
}

// instancesOf are what a host serves: its service, and for every further port one
// of the name with the port.
func instancesOf(img *fabric.Image, h *model.Host, at fabric.PortID) []*kept {
	addr, ok := firstAddr(img, at)
	if !ok {
		return nil
	}
	p := &img.Ports[at]
	i := discovery.Instance{ID: instanceID(h.Name), Addr: addr, Protocol: discovery.TCP}
	if p.Region != fabric.None {
		i.Region = img.Regions[p.Region]
	}
	i.Metadata = map[string]string{"host": h.Name}
	for _, l := range p.Labels {
		switch l.Kind {
		case string(model.LabelZone):
			_, i.Zone, _ = strings.Cut(l.Name, "/")
		case string(model.LabelSubnet), string(model.LabelVNet):
			i.Metadata[l.Kind] = l.Name
		}
	}
	var out []*kept
	for n, s := range h.Services {
		x := i
		x.Service, x.Port = h.Service, s.Port
		if n > 0 {
			port := fmt.Sprintf("-%d", s.Port)
			x.Service = x.Service[:min(len(x.Service), 63-len(port))] + port
		}
		if s.Kind == model.ServiceUDP || s.Kind == model.ServiceDNS {
			x.Protocol = discovery.UDP
		}
		x.Metadata = map[string]string{"kind": string(s.Kind)}
		for k, v := range i.Metadata {
			x.Metadata[k] = v
		}
		out = append(out, &kept{Instance: x, host: strings.ToLower(h.Name), port: at})
	}
	return out
}

// instanceID is a host's name as a DNS label: what is none is made one, and kept
// apart from others by a part of its hash.
func instanceID(host string) string {
	low := strings.ToLower(host)
	label := strings.Trim(strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '-' {
			return r
		}
		return '-'
	}, low), "-")
	if label == low && len(label) <= 63 {
		return label
	}
	sum := sha256.Sum256([]byte(low))
	return strings.Trim(label[:min(len(label), 50)]+"-"+hex.EncodeToString(sum[:4]), "-")
}

// serveServices lets the user of the control socket read and watch the registry.
func (s *System) serveServices(mux *http.ServeMux) {
	mux.Handle("/v1/discovery/", http.StripPrefix("/v1/discovery", s.discovery.control))
}
