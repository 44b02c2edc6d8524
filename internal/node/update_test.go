package node

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric/compile"
	"github.com/ceruleannet/cerulean/model"
)

// editor changes a generated network at random.
type editor struct {
	rng  *rand.Rand
	now  []*model.Resource
	gone []*model.Resource // to come back
}

func (e *editor) some(kind string) int {
	var list []int
	for i, r := range e.now {
		if r.Type() == kind {
			list = append(list, i)
		}
	}
	return list[e.rng.IntN(len(list))]
}

// edit makes one random change.
func (e *editor) edit() (compile.Edit, string) {
	change := func(kind string, f func(p object)) (compile.Edit, string) {
		i := e.some(kind)
		r := e.now[i].Clone()
		f(r.Doc)
		e.now[i] = r
		return compile.Edit{Put: []*model.Resource{r}}, kind + " " + r.ID.Name()
	}
	list := func(p object, name string) []any {
		l, _ := p["properties"].(object)[name].([]any)
		return l
	}
	switch n := e.rng.IntN(14); {
	case n >= 12:
		// A rule declared on its own, new or, half of the time, one to go.
		if i := slices.IndexFunc(e.now, func(r *model.Resource) bool { return r.Type() == model.TypeSecurityRule }); i >= 0 && e.rng.IntN(2) == 0 {
			r := e.now[i]
			e.now = append(e.now[:i:i], e.now[i+1:]...)
			return compile.Edit{Remove: []model.ID{r.ID}}, "without " + r.ID.Name()
		}
		group := e.now[e.some(model.TypeNSG)]
		doc := ruleDoc("", 2000+e.rng.IntN(500), e.rng.IntN(2) == 0, e.rng.IntN(2) == 0, "Tcp", "10.1.0.0/16", "*", "33").(object)
		r := &model.Resource{ID: group.ID.Child("securityRules", fmt.Sprint("own-", e.rng.Uint32())), Doc: doc}
		e.now = append(e.now, r)
		return compile.Edit{Put: []*model.Resource{r}}, "rule " + r.ID.Name()
	case n < 5:
		return change(model.TypeNSG, func(doc object) {
			rules := list(doc, "securityRules")
			if e.rng.IntN(4) == 0 && len(rules) > 3 {
				doc["properties"].(object)["securityRules"] = rules[1:]
				return
			}
			p := rules[e.rng.IntN(len(rules))].(object)["properties"].(object)
			switch e.rng.IntN(4) {
			case 0:
				p["access"] = []string{"Allow", "Deny"}[e.rng.IntN(2)]
			case 1:
				p["destinationPortRange"] = fmt.Sprint(1 + e.rng.IntN(9000))
			case 2:
				p["sourceAddressPrefix"] = []string{"VirtualNetwork", "10.0.0.0/9", "Internet", "NoSuchTag", "192.168.1.1"}[e.rng.IntN(5)]
			default:
				p["protocol"] = []string{"Udp", "*", "Icmp"}[e.rng.IntN(3)]
			}
		})
	case n == 5:
		return change(model.TypeRouteTable, func(doc object) {
			p := doc["properties"].(object)
			p["routes"] = append(list(doc, "routes"), object{"name": fmt.Sprint("r", e.rng.Uint32()), "properties": object{
				"addressPrefix": fmt.Sprintf("172.16.%d.0/24", e.rng.IntN(255)), "nextHopType": []string{"None", "Internet"}[e.rng.IntN(2)],
			}})
		})
	case n == 6:
		return change("Microsoft.Network/networkManagers/securityAdminConfigurations/ruleCollections/rules", func(doc object) {
			doc["properties"].(object)["access"] = []string{"Allow", "Deny", "AlwaysAllow"}[e.rng.IntN(3)]
		})
	case n == 7:
		return change(model.TypeVirtualNetwork, func(doc object) {
			doc["tags"] = []object{{"env": "prod"}, {"env": "nonprod"}, {"env": "nonprod", "guard": "admin"}, {}}[e.rng.IntN(4)]
		})
	case n == 8:
		return change(model.TypeVirtualNetwork, func(doc object) {
			if l := list(doc, "virtualNetworkPeerings"); len(l) > 0 {
				doc["properties"].(object)["virtualNetworkPeerings"] = l[:len(l)-1]
			}
		})
	case n == 9:
		return change(model.TypeRuleCollectionGroup, func(doc object) {
			c := list(doc, "ruleCollections")[0].(object)
			c["action"] = object{"type": []string{"Allow", "Deny"}[e.rng.IntN(2)]}
		})
	case n == 10 && len(e.gone) > 0:
		r := e.gone[0]
		e.gone, e.now = e.gone[1:], append(e.now, r)
		return compile.Edit{Put: []*model.Resource{r}}, "back " + r.ID.Name()
	default:
		i := e.some(model.TypeNIC)
		r := e.now[i]
		e.now = append(e.now[:i:i], e.now[i+1:]...)
		e.gone = append(e.gone, r)
		return compile.Edit{Remove: []model.ID{r.ID}}, "without " + r.ID.Name()
	}
}

// TestUpdateEqualsCompile: after every edit the followed image is the one that
// a compilation from nothing makes, and older images stay as they were.
func TestUpdateEqualsCompile(t *testing.T) {
	small, routes := 0, 0
	for seed := range uint64(3) {
		d, err := GenerateIsolation(24, seed, true)
		if err != nil {
			t.Fatal(err)
		}
		e := &editor{rng: rand.New(rand.NewPCG(seed, 2)), now: d.Resources}
		k, err := compile.Follow(d.Resources, compile.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for n := range 20 {
			before, was := k.Image(), k.Image().Digest()
			kept := append([]*model.Resource(nil), e.now...)
			edit, what := e.edit()
			fresh, wrong := compile.Compile(e.now, compile.Options{})
			img, delta, err := k.Update(edit, compile.Options{})
			if (err == nil) != (wrong == nil) || err != nil && err.Error() != wrong.Error() {
				t.Fatalf("seed %d, edit %d (%s): %v, compiled anew %v", seed, n, what, err, wrong)
			}
			if err != nil {
				e.now = kept
				continue
			}
			if img.Digest() != fresh.Digest() {
				t.Fatalf("seed %d, edit %d (%s): the image differs from one compiled anew", seed, n, what)
			}
			if before.Digest() != was {
				t.Fatalf("seed %d, edit %d (%s): the image before was changed", seed, n, what)
			}
			if delta.None() != (img.Digest() == was) && delta.None() {
				t.Fatalf("seed %d, edit %d (%s): a change without a delta", seed, n, what)
			}
			if !delta.Whole && len(delta.Filters) > 0 {
				small++
			}
			if len(delta.Tables) > 0 {
				routes++
			}
		}
	}
	if small < 15 || routes < 2 {
		t.Errorf("only %d edits changed filters alone, and %d tables", small, routes)
	}
}
