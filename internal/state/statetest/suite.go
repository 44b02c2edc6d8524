package statetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/model"
	"github.com/google/go-cmp/cmp"
)

// By is the actor of the suite's updates.
var By = state.Actor{At: time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC), Who: "suite", Request: "r1"}

// Resource makes a small resource named name.
func Resource(name string, size int) *model.Resource {
	id := model.GroupID("s", "Group").Resource(model.TypeRouteTable, name)
	return &model.Resource{ID: id, Doc: map[string]any{
		"id": id.String(), "properties": map[string]any{"size": float64(size), "none": nil, "empty": []any{}},
	}}
}

// Index gives a resource the terms "size:N" and "all".
func Index(r *model.Resource) []string {
	return []string{fmt.Sprintf("size:%v", r.Properties()["size"]), "all"}
}

// Run runs the suite. open must return a new empty store indexed by Index.
func Run(t *testing.T, open func(*testing.T) state.Store) {
	for name, test := range map[string]func(*testing.T, state.Store){
		"swap":      testSwap,
		"case":      testCase,
		"rollback":  testRollback,
		"list":      testList,
		"find":      testFind,
		"snapshot":  testSnapshot,
		"watch":     testWatch,
		"history":   testHistory,
		"refusals":  testRefusals,
		"noLoss":    testNoLostUpdate,
		"readNone":  testReadOnly,
		"badWrites": testBadWrites,
		"closed":    testClosed,
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			defer func() {
				if err := s.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			}()
			test(t, s)
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func put(t *testing.T, s state.Store, rs ...*model.Resource) uint64 {
	t.Helper()
	rev, err := s.Update(By, func(tx *state.Tx) error {
		for _, r := range rs {
			if err := tx.Put(r); err != nil {
				return err
			}
		}
		return nil
	})
	must(t, err)
	return rev
}

func names(s state.Store, prefix, after string) []string {
	var out []string
	for e := range s.View().List(prefix, after) {
		out = append(out, e.Resource.ID.Name())
	}
	return out
}

// testSwap: a writer that read an older revision is refused.
func testSwap(t *testing.T, s state.Store) {
	a := Resource("a", 1)
	first, err := state.Put(s, By, a, 0)
	must(t, err)
	if _, err := state.Put(s, By, Resource("a", 2), 0); !errors.Is(err, state.ErrConflict) {
		t.Errorf("creating twice: %v", err)
	}
	second, err := state.Put(s, By, Resource("a", 3), first)
	must(t, err)
	if _, err := state.Put(s, By, Resource("a", 4), first); !errors.Is(err, state.ErrConflict) {
		t.Errorf("stale write: %v", err)
	}
	e, ok := s.View().Get(a.ID)
	if !ok || e.Revision != second || e.Resource.Properties()["size"] != float64(3) {
		t.Errorf("got %+v at %d, want size 3 at %d", e.Resource, e.Revision, second)
	}
	if _, err := state.Delete(s, By, a.ID, first); !errors.Is(err, state.ErrConflict) {
		t.Errorf("stale delete: %v", err)
	}
	_, err = state.Delete(s, By, a.ID, second)
	must(t, err)
	if _, ok := s.View().Get(a.ID); ok {
		t.Error("still there after Delete")
	}
	if _, err := state.Delete(s, By, a.ID, second); !errors.Is(err, state.ErrConflict) {
		t.Errorf("deleting twice: %v", err)
	}
}

// testCase: IDs compare without case and keep their creator's.
func testCase(t *testing.T, s state.Store) {
	put(t, s, Resource("MixedCase", 1))
	e, ok := s.View().Get(model.MustParseID("/SUBSCRIPTIONS/S/resourcegroups/GROUP/providers/microsoft.network/ROUTETABLES/mixedcase"))
	if !ok || e.Resource.ID.Name() != "MixedCase" {
		t.Errorf("got %v, %v", e.Resource, ok)
	}
}

// testRollback: an update that fails leaves nothing, in trees, index or trail.
func testRollback(t *testing.T, s state.Store) {
	put(t, s, Resource("a", 1))
	before := s.View().Revision()
	refused := errors.New("refused")
	_, err := s.Update(By, func(tx *state.Tx) error {
		tx.Delete(Resource("a", 0).ID)
		must(t, tx.Put(Resource("b", 2)))
		if tx.Len() != 1 {
			t.Errorf("the update sees %d resources, want its own write only", tx.Len())
		}
		return refused
	})
	if !errors.Is(err, refused) {
		t.Errorf("error %v", err)
	}
	put(t, s, Resource("c", 3))
	if diff := cmp.Diff([]string{"a", "c"}, names(s, "", "")); diff != "" {
		t.Error(diff)
	}
	for term, e := range s.View().Find("size:2") {
		t.Errorf("found %s at %s", e.Resource.ID, term)
	}
	h, err := s.History(before, 0)
	must(t, err)
	if len(h) != 1 || h[0].ID != Resource("c", 0).ID.String() {
		t.Errorf("history %+v", h)
	}
}

// testList: prefixes ignore case, after resumes a listing.
func testList(t *testing.T, s state.Store) {
	put(t, s, Resource("b", 1), Resource("a", 1), Resource("ab", 1), Resource("c", 1))
	prefix := "/Subscriptions/s/resourceGroups/group/providers/Microsoft.Network/routeTables/"
	for _, tc := range []struct {
		prefix, after string
		want          []string
	}{
		{"", "", []string{"a", "ab", "b", "c"}},
		{prefix + "a", "", []string{"a", "ab"}},
		{prefix, prefix + "AB", []string{"b", "c"}},
		{prefix, prefix + "c", nil},
		{prefix + "x", "", nil},
	} {
		if diff := cmp.Diff(tc.want, names(s, tc.prefix, tc.after)); diff != "" {
			t.Errorf("List(%q, %q): %s", tc.prefix, tc.after, diff)
		}
	}
}

// testFind: terms follow replacement and deletion.
func testFind(t *testing.T, s state.Store) {
	put(t, s, Resource("a", 1), Resource("b", 1), Resource("c", 2))
	put(t, s, Resource("a", 2))
	_, err := s.Update(By, func(tx *state.Tx) error { tx.Delete(Resource("c", 0).ID); return nil })
	must(t, err)
	var got []string
	for term, e := range s.View().Find("size:") {
		got = append(got, term+" "+e.Resource.ID.Name())
	}
	if diff := cmp.Diff([]string{"size:1 b", "size:2 a"}, got); diff != "" {
		t.Error(diff)
	}
	var terms []string
	for term := range s.View().Terms("") {
		terms = append(terms, term)
	}
	if diff := cmp.Diff([]string{"all", "all", "size:1", "size:2"}, terms); diff != "" {
		t.Error(diff)
	}
}

// testSnapshot: a view does not move, and absent, null and empty stay apart.
func testSnapshot(t *testing.T, s state.Store) {
	put(t, s, Resource("a", 1))
	old := s.View()
	put(t, s, Resource("b", 1))
	if n := len(old.Snapshot()); n != 1 {
		t.Errorf("the old view has %d resources", n)
	}
	e, _ := s.View().Get(Resource("a", 0).ID)
	p := e.Resource.Properties()
	if none, ok := p["none"]; !ok || none != nil {
		t.Errorf("null became %v, %v", none, ok)
	}
	if empty, ok := p["empty"].([]any); !ok || len(empty) != 0 {
		t.Errorf("[] became %v", p["empty"])
	}
	if _, ok := p["absent"]; ok {
		t.Error("absent became present")
	}
}

// testWatch: a view's channel closes when a newer one is published.
func testWatch(t *testing.T, s state.Store) {
	v := s.View()
	select {
	case <-v.Superseded():
		t.Fatal("superseded before any write")
	default:
	}
	go put(t, s, Resource("a", 1))
	<-v.Superseded()
	if got := s.View().Revision(); got != v.Revision()+1 {
		t.Errorf("revision %d after %d", got, v.Revision())
	}
}

// testRefusals: refused updates are on a trail of their own, in order, and do
// not touch the resources.
func testRefusals(t *testing.T, s state.Store) {
	before := s.View()
	var want []state.Refusal
	for i := range 3 {
		r := state.Refusal{At: time.Unix(int64(i), 0).UTC(), Who: "w", Request: "r", Operation: "a/write", ID: "/x", Status: 400 + i, Code: "No"}
		if err := s.Refuse(r); err != nil {
			t.Fatal(err)
		}
		want = append(want, r)
	}
	got, err := s.Refusals()
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if h, err := s.History(0, 0); err != nil || len(h) != 0 || s.View() != before {
		t.Errorf("%v %v", h, err)
	}
}

// testHistory: the trail says who did what and when, and can be resumed.
func testHistory(t *testing.T, s state.Store) {
	a := Resource("a", 1)
	first := put(t, s, a)
	second := put(t, s, Resource("a", 2), Resource("b", 2))
	_, err := s.Update(By, func(tx *state.Tx) error { tx.Delete(a.ID); return nil })
	must(t, err)
	line := func(rev uint64, action state.Action, r *model.Resource) state.Change {
		return state.Change{Revision: rev, At: By.At, Who: By.Who, Request: By.Request, Action: action, ID: r.ID.String()}
	}
	want := []state.Change{
		line(first, state.ActionCreate, a),
		line(second, state.ActionUpdate, a),
		line(second, state.ActionCreate, Resource("b", 2)),
		line(second+1, state.ActionDelete, a),
	}
	for _, tc := range []struct {
		after uint64
		limit int
		want  []state.Change
	}{
		{0, 0, want},
		{0, 2, want[:2]},
		{first, 0, want[1:]},
		{first, 1, want[1:2]},
		{second + 1, 0, nil},
	} {
		got, err := s.History(tc.after, tc.limit)
		must(t, err)
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("History(%d, %d): %s", tc.after, tc.limit, diff)
		}
	}
}

// testNoLostUpdate: concurrent read-modify-writes all count, each sees its own
// write, and revisions are never shared.
func testNoLostUpdate(t *testing.T, s state.Store) {
	const writers, rounds = 16, 8
	put(t, s, Resource("sum", 0))
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen := map[uint64]bool{}
	for w := range writers {
		wg.Go(func() {
			for i := range rounds {
				own := Resource(fmt.Sprintf("w%d-%d", w, i), 1)
				rev, err := s.Update(By, func(tx *state.Tx) error {
					e, _ := tx.Get(Resource("sum", 0).ID)
					n := e.Resource.Properties()["size"].(float64)
					if err := tx.Put(Resource("sum", int(n)+1)); err != nil {
						return err
					}
					return tx.Put(own)
				})
				if err != nil {
					t.Error(err)
				}
				if e, ok := s.View().Get(own.ID); !ok || e.Revision != rev {
					t.Errorf("%s not readable after it was acknowledged", own.ID)
				}
				mu.Lock()
				if seen[rev] {
					t.Errorf("revision %d given twice", rev)
				}
				seen[rev] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	e, _ := s.View().Get(Resource("sum", 0).ID)
	if got := e.Resource.Properties()["size"]; got != float64(writers*rounds) {
		t.Errorf("sum %v, want %d", got, writers*rounds)
	}
	if got := s.View().Revision(); got != writers*rounds+1 {
		t.Errorf("revision %d, want %d", got, writers*rounds+1)
	}
}

// testReadOnly: an update that writes nothing makes no revision.
func testReadOnly(t *testing.T, s state.Store) {
	want := put(t, s, Resource("a", 1))
	v := s.View()
	got, err := s.Update(By, func(*state.Tx) error { return nil })
	must(t, err)
	if got != want || s.View() != v {
		t.Errorf("revision %d, want %d and the same view", got, want)
	}
}

// testBadWrites: what cannot be stored is refused and leaves no trace.
func testBadWrites(t *testing.T, s state.Store) {
	for name, r := range map[string]*model.Resource{
		"zero ID":  {Doc: map[string]any{}},
		"not JSON": {ID: Resource("a", 0).ID, Doc: map[string]any{"x": make(chan int)}},
	} {
		if _, err := state.Put(s, By, r, 0); err == nil {
			t.Errorf("%s: stored", name)
		}
	}
	if n := s.View().Len(); n != 0 {
		t.Errorf("%d resources", n)
	}
}

// testClosed: a closed store says so; closing twice is allowed.
func testClosed(t *testing.T, s state.Store) {
	put(t, s, Resource("a", 1))
	must(t, s.Close())
	if _, err := state.Put(s, By, Resource("b", 1), 0); !errors.Is(err, state.ErrClosed) {
		t.Errorf("Put: %v", err)
	}
	if err := s.Refuse(state.Refusal{}); !errors.Is(err, state.ErrClosed) {
		t.Errorf("Refuse: %v", err)
	}
	if _, err := s.Refusals(); !errors.Is(err, state.ErrClosed) {
		t.Errorf("Refusals: %v", err)
	}
	if _, err := s.History(0, 0); !errors.Is(err, state.ErrClosed) {
		t.Errorf("History: %v", err)
	}
}
