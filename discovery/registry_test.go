package discovery

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

func web(id string) Instance {
	return Instance{Service: "web", ID: id, Addr: netip.MustParseAddr("10.0.0.4"), Port: 80}
}

func ids(list []Instance) string {
	var out []string
	for _, i := range list {
		out = append(out, i.ID)
	}
	return strings.Join(out, " ")
}

func TestLeases(t *testing.T) {
	r, now := New(0), time.Unix(1000, 0)
	lease, v, err := r.Register(now, web("a"), 10*time.Second, "")
	if err != nil || v != 1 {
		t.Fatal(v, err)
	}
	if _, _, err := r.Register(now, web("a"), 10*time.Second, ""); !errors.Is(err, ErrTaken) {
		t.Errorf("without the lease: %v", err)
	}
	if _, v, err := r.Register(now, web("a"), 10*time.Second, lease); err != nil || v != 1 {
		t.Errorf("the same again is no change: %d %v", v, err)
	}
	if err := r.Renew(now.Add(9*time.Second), "web", "a", lease, Critical); err != nil {
		t.Fatal(err)
	}
	if got := r.List(now.Add(18*time.Second), "web").Instances; len(got) != 1 || got[0].Health != Critical || got[0].Version != 2 {
		t.Errorf("renewed: %+v", got)
	}
	if next := r.Expire(now.Add(18 * time.Second)); !next.Equal(now.Add(19 * time.Second)) {
		t.Errorf("next end: %v", next)
	}
	if err := r.Renew(now.Add(19*time.Second), "web", "a", lease, ""); !errors.Is(err, ErrNoLease) {
		t.Errorf("too late: %v", err)
	}
	list, _, _, err := r.Changes(now.Add(20*time.Second), "web", r.epoch, 2)
	if err != nil || len(list) != 1 || !list[0].Gone || list[0].Why != "its lease is over" {
		t.Errorf("%+v %v", list, err)
	}
}

func TestCompaction(t *testing.T) {
	r, now := New(8), time.Unix(1000, 0)
	for i := range 20 {
		if _, _, err := r.Register(now, web(fmt.Sprint("i", i)), time.Minute, ""); err != nil {
			t.Fatal(err)
		}
	}
	var compacted *CompactedError
	if _, _, _, err := r.Changes(now, "", r.epoch, 3); !errors.As(err, &compacted) {
		t.Fatalf("forgotten: %v", err)
	}
	list, version, _, err := r.Changes(now, "", r.epoch, compacted.Oldest)
	if err != nil || version != 20 || uint64(len(list)) != 20-compacted.Oldest {
		t.Errorf("from the oldest: %d to %d, %v", len(list), version, err)
	}
	if _, _, _, err := r.Changes(now, "", r.epoch, 21); !errors.As(err, &compacted) {
		t.Errorf("yet to come: %v", err)
	}
	if _, _, _, err := r.Changes(now, "", "another", 20); !errors.As(err, &compacted) {
		t.Errorf("another run's version: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	r, now := New(0), time.Unix(1000, 0)
	for _, c := range []struct {
		rule   string
		change func(*Instance)
		ttl    time.Duration
	}{
		{"names are labels", func(i *Instance) { i.Service = "Web" }, time.Minute},
		{"ids are labels", func(i *Instance) { i.ID = "a.b" }, time.Minute},
		{"an address", func(i *Instance) { i.Addr = netip.Addr{} }, time.Minute},
		{"a port", func(i *Instance) { i.Port = 0 }, time.Minute},
		{"a weight", func(i *Instance) { i.Weight = 1001 }, time.Minute},
		{"a health", func(i *Instance) { i.Health = "fine" }, time.Minute},
		{"short metadata", func(i *Instance) { i.Metadata = map[string]string{"k": strings.Repeat("x", 257)} }, time.Minute},
		{"a lease of a second", func(*Instance) {}, time.Millisecond},
		{"a lease of an hour", func(*Instance) {}, 2 * time.Hour},
	} {
		i := web("a")
		c.change(&i)
		if _, _, err := r.Register(now, i, c.ttl, ""); err == nil {
			t.Errorf("%s: taken", c.rule)
		}
	}
	if l := r.List(now, ""); l.Version != 0 || len(l.Instances) != 0 {
		t.Errorf("something was left: %+v", l)
	}
}

// FuzzWatch: whoever lists once and applies all changes knows what the registry
// knows, whatever happens and however seldom it looks.
func FuzzWatch(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 1))
		r, now := New(64), time.Unix(1000, 0)
		leases := map[string]string{}
		state := r.List(now, "web")
		relisted := 0
		for range 400 {
			now = now.Add(time.Duration(rng.IntN(1000)) * time.Millisecond)
			i := web(fmt.Sprint("i", rng.IntN(6)))
			if rng.IntN(4) == 0 {
				i.Service = "other"
			}
			key := i.Service + i.ID
			switch rng.IntN(4) {
			case 0:
				i.Port += uint16(rng.IntN(3))
				if l, _, err := r.Register(now, i, time.Duration(1+rng.IntN(4))*time.Second, leases[key]); err == nil {
					leases[key] = l
				} else if l, _, err := r.Register(now, i, time.Second, ""); err == nil {
					leases[key] = l
				}
			case 1:
				_ = r.Renew(now, i.Service, i.ID, leases[key], []Health{Passing, Critical, ""}[rng.IntN(3)])
			case 2:
				_ = r.Deregister(now, i.Service, i.ID, leases[key])
			}
			if rng.IntN(10) > 0 {
				continue
			}
			changes, version, _, err := r.Changes(now, "web", state.Epoch, state.Version)
			if err != nil {
				state = r.List(now, "web")
				relisted++
				continue
			}
			for k := range changes {
				if changes[k].Version <= state.Version {
					t.Fatalf("version %d after %d", changes[k].Version, state.Version)
				}
				state.Instances, state.Version = changes[k].apply(state.Instances), changes[k].Version
			}
			state.Version = version
			if want := r.List(now, "web"); !reflect.DeepEqual(state.Instances, want.Instances) && len(want.Instances)+len(state.Instances) > 0 {
				t.Fatalf("followed %+v\nlisted %+v", state.Instances, want.Instances)
			}
		}
	})
}
