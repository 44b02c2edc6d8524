package plan_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/plan"
	"github.com/ceruleannet/cerulean/internal/plan/plantest"
	"github.com/ceruleannet/cerulean/model"
)

func compute(t testing.TB, desired []*model.Resource, cloud *plantest.Cloud) *plan.Plan {
	t.Helper()
	p, err := plan.Compute(desired, cloud.Observe(), plan.Options{Network: network})
	if err != nil {
		t.Fatalf("Compute: %v", err)
	}
	checkOrder(t, p)
	return p
}

// apply brings the cloud into the desired state and checks that a second plan
// is empty and that no deployment is stale.
func apply(t testing.TB, desired []*model.Resource, cloud *plantest.Cloud) {
	t.Helper()
	p := compute(t, desired, cloud)
	if _, err := plan.Execute(t.Context(), p, cloud, plan.ExecuteOptions{Concurrency: 4}); err != nil {
		t.Fatalf("Execute: %v\n%s", err, show(t, p))
	}
	checkConverged(t, desired, cloud)
}

func checkConverged(t testing.TB, desired []*model.Resource, cloud *plantest.Cloud) {
	t.Helper()
	if p := compute(t, desired, cloud); !p.Empty() {
		t.Fatalf("the second plan is not empty:\n%s", show(t, p))
	}
	if stale := cloud.Stale(); len(stale) > 0 {
		t.Fatalf("in force, but not what is stored: %s", strings.Join(stale, "\n"))
	}
}

func checkOrder(t testing.TB, p *plan.Plan) {
	t.Helper()
	for i, s := range p.Steps() {
		for _, n := range s.Needs {
			if n >= i {
				t.Fatalf("step %d (%s %s) needs step %d, which is not before it", i, s.Action, s.ID, n)
			}
		}
	}
}

func show(t testing.TB, p *plan.Plan) string {
	t.Helper()
	var b strings.Builder
	if err := plan.Write(&b, p, plan.Style{}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func without(rs []*model.Resource, parts ...string) []*model.Resource {
	var out []*model.Resource
	for _, r := range rs {
		keep := true
		for _, p := range parts {
			keep = keep && !strings.Contains(r.ID.Key(), strings.ToLower(p))
		}
		if keep {
			out = append(out, r)
		}
	}
	return out
}

// edited returns the resources with one document's text changed.
func edited(t testing.TB, rs []*model.Resource, id, old, new string) []*model.Resource {
	t.Helper()
	out := make([]*model.Resource, len(rs))
	found := false
	for i, r := range rs {
		out[i] = r
		if strings.HasSuffix(r.ID.Key(), strings.ToLower(id)) {
			text := jsonOf(t, r.Doc)
			if !strings.Contains(text, old) {
				t.Fatalf("%s has no %s in %s", id, old, text)
			}
			doc, err := model.ParseJSON([]byte(strings.ReplaceAll(text, old, new)))
			if err != nil {
				t.Fatal(err)
			}
			out[i] = &model.Resource{ID: r.ID, Doc: doc, Pos: r.Pos}
			found = true
		}
	}
	if !found {
		t.Fatalf("no resource %s", id)
	}
	return out
}

// edits are what people do to a network, each from the sample with two spokes.
func edits(t testing.TB) map[string][]*model.Resource {
	all := sample(t, 2)
	return map[string][]*model.Resource{
		"same":            all,
		"third spoke":     sample(t, 3),
		"spoke removed":   sample(t, 1),
		"nothing":         nil,
		"rule changed":    edited(t, all, "/rules/ssh", `"22"`, `"3389"`),
		"rule removed":    without(all, "/rules/ssh"),
		"config removed":  without(all, "securityAdminConfigurations", "commits/securityadmin"),
		"region removed":  without(all, "commits/securityadmin.eastus"),
		"manager removed": without(all, "networkManagers", "policy"),
		"group removed": without(replaced(t, all, `[{"groupConnectivity":"None","networkGroupId":"$/net@/networkManagers/m/networkGroups/prod"}]`, "[]",
			`[{"networkGroupId":"$/net@/networkManagers/m/networkGroups/prod"}]`, "[]"), "networkGroups", "policy"),
		"nsg unlinked":   without(replaced(t, all, `"networkSecurityGroup":{"id":"$/net@/networkSecurityGroups/nsg1"},`, ""), "nsg1"),
		"tag removed":    edited(t, all, "virtualNetworks/spoke1", `"tags":{"env":"prod"}`, `"tags":{}`),
		"host renamed":   replaced(t, all, "/web1", "/www1"),
		"nic moved":      edited(t, edited(t, edited(t, edited(t, all, "virtualNetworks/spoke1", `"app"`, `"front"`), "virtualNetworks/spoke1", "10.1.0.0/24", "10.1.5.0/24"), "networkInterfaces/web1", "subnets/app", "subnets/front"), "networkInterfaces/web1", "10.1.0.4", "10.1.5.4"),
		"policy renamed": replaced(t, all, "policies/global", "policies/world"),
	}
}

// replaced returns the resources with pairs of texts replaced everywhere.
func replaced(t testing.TB, rs []*model.Resource, pairs ...string) []*model.Resource {
	t.Helper()
	expand := strings.NewReplacer("$", "/subscriptions/s/resourceGroups", "@", "/providers/Microsoft.Network")
	var docs []string
	for _, r := range rs {
		text := jsonOf(t, r.Doc)
		for i := 0; i < len(pairs); i += 2 {
			text = strings.ReplaceAll(text, expand.Replace(pairs[i]), expand.Replace(pairs[i+1]))
		}
		docs = append(docs, text)
	}
	return parseResources(t, "["+strings.Join(docs, ",")+"]")
}

var errKilled = errors.New("killed")

// After a kill before or after any call, computing again gives the remaining
// work, and what is in force is what is declared.
func TestInterruptedAnywhere(t *testing.T) {
	states := edits(t)
	start := states["same"]
	for name, end := range states {
		t.Run(name, func(t *testing.T) {
			for _, lost := range []bool{false, true} {
				for at := 0; ; at++ {
					var cloud plantest.Cloud
					apply(t, start, &cloud)
					if !interrupt(t, end, &cloud, at, lost) {
						break
					}
					apply(t, end, &cloud)
				}
			}
		})
	}
	// The first deployment, and going back to what was after a kill.
	for at := 0; ; at++ {
		var cloud plantest.Cloud
		if !interrupt(t, start, &cloud, at, at%2 == 0) {
			break
		}
		apply(t, start, &cloud)
	}
	for at := 0; ; at++ {
		var cloud plantest.Cloud
		apply(t, start, &cloud)
		if !interrupt(t, states["rule changed"], &cloud, at, true) {
			break
		}
		for again := 0; ; again++ {
			if !interrupt(t, start, &cloud, again, false) {
				break
			}
		}
		checkConverged(t, start, &cloud)
	}
}

// interrupt executes the plan and fails every call from the at-th on: before it
// takes effect, or with lost once after. It reports whether a call was failed.
func interrupt(t testing.TB, desired []*model.Resource, cloud *plantest.Cloud, at int, lost bool) bool {
	t.Helper()
	p := compute(t, desired, cloud)
	n, hit := 0, false
	fail := func() error {
		if n++; n <= at {
			return nil
		}
		hit = true
		return errKilled
	}
	if lost {
		cloud.After = func(string) error { return fail() }
	} else {
		cloud.Hook = func(context.Context, string) error { return fail() }
	}
	_, err := plan.Execute(t.Context(), p, cloud, plan.ExecuteOptions{Concurrency: 1})
	cloud.Hook, cloud.After = nil, nil
	if hit != errors.Is(err, errKilled) {
		t.Fatalf("interrupted: %v, but Execute says: %v", hit, err)
	}
	return hit
}

// Random resources with random references are made and unmade in an order the
// strict double accepts.
func TestRandomReferences(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var cloud plantest.Cloud
		for range 3 {
			desired := randomNetwork(t, rng)
			p := compute(t, desired, &cloud)
			if _, err := plan.Execute(t.Context(), p, &cloud, plan.ExecuteOptions{Concurrency: 1 + rng.IntN(8)}); err != nil {
				t.Fatalf("seed %d: %v\n%s", seed, err, show(t, p))
			}
			checkConverged(t, desired, &cloud)
		}
	}
}

func randomNetwork(t testing.TB, rng *rand.Rand) []*model.Resource {
	docs := []string{`{"id":"$/a","location":"eastus"}`, `{"id":"$/b","location":"eastus"}`}
	n := 2 + rng.IntN(15)
	for i := range n {
		// References go to smaller numbers only, so there is no cycle; the
		// names are shuffled by the group so that order by ID is no help.
		var refs []string
		for j := range i {
			if rng.IntN(4) == 0 {
				refs = append(refs, fmt.Sprintf(`{"id":%q}`, randomID(j)))
			}
		}
		docs = append(docs, fmt.Sprintf(`{"id":%q,"properties":{"size":%d,"uses":[%s]}}`, randomID(i), rng.IntN(3), strings.Join(refs, ",")))
	}
	rng.Shuffle(len(docs), func(i, j int) { docs[i], docs[j] = docs[j], docs[i] })
	return parseResources(t, "["+strings.Join(docs, ",")+"]")
}

func randomID(i int) string {
	return fmt.Sprintf("$/%c@/things/t%03d", "ab"[i*7%2], (i*37)%101)
}
