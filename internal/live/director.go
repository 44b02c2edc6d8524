package live

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/traffic/trafficmanager"
)

// director is Traffic Manager: it asks the endpoints of profiles from the
// internet, and says what their names mean. Every region's resolver keeps an
// answer for its TTL, so names move within the TTL and not before.
type director struct {
	net    *Network
	random *rand.Rand

	mu        sync.Mutex
	pace      float64 // 0: nobody is asked
	profiles  []trafficmanager.Profile
	endpoints []*directed
	directory *trafficmanager.Directory
	version   uint64 // of directory
	kept      map[keptName]keptAnswer
	first     chan struct{} // closed when every endpoint was heard of
	changed   chan struct{} // closed with every version

	wake chan struct{}
	done chan struct{}
	ctx  context.Context
	stop context.CancelFunc
}

// directed is an endpoint that is asked.
type directed struct {
	*trafficmanager.Vitals
	key    trafficmanager.Key
	target string
	addr   netip.Addr // invalid: nothing here has the target's name
}

// keptName is a name as a region's resolver asks for it.
type keptName struct{ region, name string }

type keptAnswer struct {
	answer trafficmanager.Answer
	ok     bool
	until  time.Time
}

// maxKept bounds the answers that resolvers keep.
const maxKept = 4096

func newDirector(n *Network, profiles []trafficmanager.Profile, pace float64) *director {
	d := &director{
		net: n, pace: pace, profiles: profiles, kept: map[keptName]keptAnswer{},
		random: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())),
		first:  make(chan struct{}), changed: make(chan struct{}), wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
	d.ctx, d.stop = context.WithCancel(context.Background())
	d.endpoints = asked(profiles, nil, time.Now())
	d.compute()
	return d
}

// asked are the endpoints of profiles that are probed. What is known of one that
// was probed before, in the same way, stays known.
func asked(profiles []trafficmanager.Profile, before []*directed, now time.Time) []*directed {
	var out []*directed
	for i := range profiles {
		p := &profiles[i]
		for j := range p.Endpoints {
			e := &p.Endpoints[j]
			if e.Kind == trafficmanager.Nested || e.Disabled || e.AlwaysServe || p.Disabled {
				continue
			}
			x := &directed{key: trafficmanager.KeyOf(p, e), target: e.Target}
			if len(e.Addrs) > 0 {
				x.addr = e.Addrs[0]
			}
			same := slices.IndexFunc(before, func(o *directed) bool {
				return o.key == x.key && o.target == x.target && o.addr == x.addr && reflect.DeepEqual(o.Monitor, p.Monitor)
			})
			if same >= 0 {
				x = before[same]
			} else {
				x.Vitals = trafficmanager.NewVitals(p.Monitor, now)
			}
			out = append(out, x)
		}
	}
	return out
}

// Direct makes the Traffic Manager profiles those given. Endpoints that stay as they
// are keep what probes found of them; others are being checked.
func (n *Network) Direct(profiles []trafficmanager.Profile) {
	d := n.director
	d.mu.Lock()
	defer d.mu.Unlock()
	if reflect.DeepEqual(d.profiles, profiles) {
		return
	}
	d.profiles = profiles
	d.endpoints = asked(profiles, d.endpoints, time.Now())
	clear(d.kept) // a changed answer is what its owner wants seen
	d.compute()
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// compute makes the directory of what is known. The caller holds mu or is alone.
func (d *director) compute() {
	found := trafficmanager.Findings{}
	for _, e := range d.endpoints {
		if e.Status != trafficmanager.Checking {
			found[e.key] = e.Status
		}
	}
	d.directory = trafficmanager.New(d.profiles, found)
	d.version++
	close(d.changed)
	d.changed = make(chan struct{})
}

// settled tells those who wait that every endpoint was heard of. The caller
// holds mu.
func (d *director) settled() {
	for _, e := range d.endpoints {
		if e.addr.IsValid() && e.Sent == 0 && d.pace > 0 {
			return
		}
	}
	select {
	case <-d.first:
	default:
		close(d.first)
	}
}

// run asks until the network is closed.
func (d *director) run() {
	defer close(d.done)
	type finding struct {
		of    *directed
		reply trafficmanager.Reply
	}
	found := make(chan finding, askWidth)
	width := make(chan struct{}, askWidth)
	var asking sync.WaitGroup
	defer asking.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	d.mu.Lock()
	d.settled()
	d.mu.Unlock()
	for {
		select {
		case <-d.ctx.Done():
			return
		case <-d.wake:
		case <-timer.C:
		case f := <-found:
			d.mu.Lock()
			if f.of.Take(f.reply) && slices.Contains(d.endpoints, f.of) {
				d.compute()
			}
			d.settled()
			d.mu.Unlock()
		}
		due, pace, next := d.due(time.Now())
		for _, e := range due {
			select {
			case width <- struct{}{}:
			case <-d.ctx.Done():
				return
			}
			asking.Go(func() {
				defer func() { <-width }()
				select {
				case found <- finding{e, d.ask(e, pace)}:
				case <-d.ctx.Done():
				}
			})
		}
		timer.Reset(time.Until(next))
	}
}

// due returns the endpoints to ask now, and when to look again.
func (d *director) due(now time.Time) (out []*directed, pace float64, next time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	next = now.Add(time.Hour)
	if d.pace == 0 {
		return nil, 0, next
	}
	for _, e := range d.endpoints {
		if !e.addr.IsValid() {
			continue
		}
		if e.Due(now, d.pace) {
			out = append(out, e)
		}
		if e.Next.Before(next) && !e.Asking() {
			next = e.Next
		}
	}
	return out, d.pace, next
}

// setPace changes how much faster than declared endpoints are asked.
func (d *director) setPace(pace float64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pace = pace
	now := time.Now()
	for _, e := range d.endpoints {
		if soon := now.Add(trafficmanager.Scaled(e.Monitor.Interval, pace)); e.Next.After(soon) {
			e.Next = soon
		}
	}
	// What resolvers keep was kept at another pace.
	clear(d.kept)
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

func (d *director) close() {
	d.stop()
	<-d.done
}

// resolve answers for a name as the resolver of a region: from what it keeps, or
// newly. known is false if no profile has the name.
func (d *director) resolve(region, name string, now time.Time) (record *fabric.Record, known bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.directory.Profile(name); !ok {
		return nil, false
	}
	key := keptName{region, name}
	pace := max(d.pace, 1e-3)
	k, ok := d.kept[key]
	if !ok || !now.Before(k.until) {
		client := trafficmanager.Client{Place: trafficmanager.PlaceOf(region), Random: d.random.Uint64()}
		k.answer, k.ok = d.directory.Answer(name, &client)
		k.until = now.Add(trafficmanager.Scaled(time.Duration(k.answer.TTL)*time.Second, pace))
		if len(d.kept) >= maxKept {
			clear(d.kept)
		}
		d.kept[key] = k
	}
	if !k.ok {
		return nil, true
	}
	left := (k.until.Sub(now) + time.Second - 1) / time.Second
	return &fabric.Record{Name: name, Alias: k.answer.Alias, Addrs: k.answer.Addrs, TTL: uint32(max(0, left))}, true
}

// ManagerEndpoint is what probes found of one endpoint of a Traffic Manager
// profile.
type ManagerEndpoint struct {
	Endpoint *trafficmanager.Endpoint
	Status   trafficmanager.Status
	// Measured is false while nothing was asked, or if nobody can be.
	Measured     bool
	Why          string // of one that is degraded, or that cannot be asked
	Since        time.Time
	Sent, Failed uint64
	Answers      []trafficmanager.Reply // the last, oldest first
}

// Manager is a Traffic Manager profile as it is now.
type Manager struct {
	Profile   *trafficmanager.Profile
	Status    trafficmanager.ProfileStatus
	Endpoints []ManagerEndpoint
}

// Managers returns the Traffic Manager profiles with their states.
func (n *Network) Managers() []Manager {
	d := n.director
	if d == nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []Manager
	for _, s := range d.directory.States() {
		m := Manager{Profile: s.Profile, Status: s.Status}
		for _, e := range s.Endpoints {
			x := ManagerEndpoint{Endpoint: e.Endpoint, Status: e.Status}
			key := trafficmanager.KeyOf(s.Profile, e.Endpoint)
			if i := slices.IndexFunc(d.endpoints, func(w *directed) bool { return w.key == key }); i >= 0 {
				w := d.endpoints[i]
				x.Measured, x.Why, x.Since, x.Sent, x.Failed, x.Answers = w.Sent > 0, w.Why, w.Since, w.Sent, w.Failed, slices.Clone(w.Answers)
				if !w.addr.IsValid() {
					x.Why = fmt.Sprintf("nothing here has the name %s, so nobody is asked", w.target)
				}
			}
			m.Endpoints = append(m.Endpoints, x)
		}
		out = append(out, m)
	}
	return out
}

// Directory returns what Traffic Manager knows now, its version, and a channel
// that is closed when there is another. It is nil if there are no profiles.
func (n *Network) Directory() (d *trafficmanager.Directory, version uint64, changed <-chan struct{}) {
	if n.director == nil {
		return nil, 0, nil
	}
	n.director.mu.Lock()
	defer n.director.mu.Unlock()
	return n.director.directory, n.director.version, n.director.changed
}

// NameAnswer is what the resolver of a region answers for a name.
type NameAnswer struct {
	Name, Region string
	To           string // the alias or the addresses; empty: nothing
	// Within is how soon the name moves at the latest when its endpoint stops to
	// answer: until probes notice, and the TTL.
	Within time.Duration
	// Chance means that it changes by chance as well.
	Chance bool
}

// NameAnswers returns what the resolvers of the network's regions answer for the
// names of profiles: the names in the order of the profiles, for each the
// regions.
func (n *Network) NameAnswers(now time.Time) []NameAnswer {
	d := n.director
	if d == nil {
		return nil
	}
	d.mu.Lock()
	profiles, pace := d.profiles, d.pace
	d.mu.Unlock()
	var out []NameAnswer
	for i := range profiles {
		p := &profiles[i]
		for _, region := range n.Declared().Regions {
			a := NameAnswer{Name: p.FQDN, Region: region, Chance: p.Method == trafficmanager.Weighted || p.Method == trafficmanager.MultiValue}
			if r, known := d.resolve(region, p.FQDN, now); known && r != nil {
				a.To = r.Alias
				for _, addr := range r.Addrs {
					a.To = strings.TrimSpace(a.To + " " + addr.String())
				}
			}
			if pace > 0 {
				a.Within = p.Monitor.Noticing(pace) + trafficmanager.Scaled(time.Duration(p.TTL)*time.Second, pace)
			}
			out = append(out, a)
		}
	}
	return out
}
