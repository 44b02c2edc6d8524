package plan

import (
	"fmt"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// OwnerTag is the tag whose value names the network a resource group belongs
// to, and the key under properties.metadata that does the same for policy
// definitions and assignments, which live in no resource group. Only what is
// owned is ever deleted.
const OwnerTag = "cerulean-network"

// Owner returns the network that an observed resource group or policy names as
// its owner, or "".
func Owner(r *model.Resource) string {
	if r.ID.Is(model.TypeResourceGroup) {
		for name, value := range r.Tags() {
			if strings.EqualFold(name, OwnerTag) {
				return value
			}
		}
		return ""
	}
	metadata, _ := r.Properties()["metadata"].(map[string]any)
	owner, _ := metadata[OwnerTag].(string)
	return owner
}

// estate is what a network owns among the observed resources.
type estate struct {
	groups   map[string]bool // keys of resource groups
	policies map[string]bool // keys of policy definitions and assignments
}

func isPolicy(id model.ID) bool {
	return id.ResourceGroup() == "" && (id.Is(model.TypePolicyDefinition) || id.Is(model.TypePolicyAssignment))
}

// survey finds the estate of a network. A policy without an owner in its
// metadata belongs to the network if its effect fills a network group in an
// owned resource group, an assignment if its definition does.
func survey(network string, observed []*model.Resource) *estate {
	e := &estate{groups: map[string]bool{}, policies: map[string]bool{}}
	for _, r := range observed {
		if r.ID.Is(model.TypeResourceGroup) && Owner(r) == network {
			e.groups[r.ID.Key()] = true
		}
	}
	for _, pass := range []string{model.TypePolicyDefinition, model.TypePolicyAssignment} {
		for _, r := range observed {
			if isPolicy(r.ID) && r.ID.Is(pass) && e.ownsPolicy(network, r) {
				e.policies[r.ID.Key()] = true
			}
		}
	}
	return e
}

func (e *estate) ownsPolicy(network string, r *model.Resource) bool {
	if owner := Owner(r); owner != "" {
		return owner == network
	}
	if r.ID.Is(model.TypePolicyAssignment) {
		definition, _ := r.Properties()["policyDefinitionId"].(string)
		return e.policies[strings.ToLower(definition)]
	}
	group, err := model.ParseID(policyGroup(r))
	return err == nil && e.owns(group)
}

// policyGroup returns the ID of the network group a definition's effect
// fills, or "".
func policyGroup(r *model.Resource) string {
	rule, _ := r.Properties()["policyRule"].(map[string]any)
	then, _ := rule["then"].(map[string]any)
	details, _ := then["details"].(map[string]any)
	id, _ := details["networkGroupId"].(string)
	return id
}

// owns reports whether the network may change and delete a resource.
func (e *estate) owns(id model.ID) bool {
	if group := id.ResourceGroup(); group != "" {
		return e.groups[model.GroupID(id.Subscription(), group).Key()]
	}
	return e.policies[id.Key()]
}

func (e *estate) ownsText(id string) bool {
	parsed, err := model.ParseID(id)
	return err == nil && e.owns(parsed)
}

// claim returns the declared resource with the network's mark of ownership, if
// its type carries one.
func claim(network string, r *model.Resource) (*model.Resource, error) {
	mark := r.ID.Is(model.TypeResourceGroup)
	if !mark && !isPolicy(r.ID) {
		return r, nil
	}
	switch Owner(r) {
	case network:
		return r, nil
	case "":
	default:
		return nil, model.Problem{
			Pos: r.Pos, Resource: r.ID.String(),
			What: fmt.Sprintf("%s is declared as owned by network %q, but this network is %q", r.ID.Name(), Owner(r), network),
			Fix:  "leave out " + OwnerTag + ", it is set for you",
		}
	}
	c := r.Clone()
	if c.Doc == nil {
		c.Doc = map[string]any{}
	}
	if mark {
		setIn(c.Doc, network, "tags", OwnerTag)
	} else {
		setIn(c.Doc, network, "properties", "metadata", OwnerTag)
	}
	return c, nil
}

func setIn(doc map[string]any, value any, path ...string) {
	for _, k := range path[:len(path)-1] {
		next, ok := doc[k].(map[string]any)
		if !ok {
			next = map[string]any{}
			doc[k] = next
		}
		doc = next
	}
	doc[path[len(path)-1]] = value
}

// foreign returns the problem of declaring a group or policy that exists and
// belongs to somebody else, nil if it does not. Taking it over silently would
// put everything in the group at risk of deletion.
func (e *estate) foreign(network string, want, have *model.Resource) error {
	if !have.ID.Is(model.TypeResourceGroup) && !isPolicy(have.ID) || e.owns(have.ID) {
		return nil
	}
	what := fmt.Sprintf("%s exists and is not owned by network %q", have.ID.Name(), network)
	if owner := Owner(have); owner != "" {
		what = fmt.Sprintf("%s exists and is owned by network %q, not %q", have.ID.Name(), owner, network)
	}
	fix := "choose another name, or set its tag " + OwnerTag + "=" + network + " to hand it over"
	if isPolicy(have.ID) {
		fix = "choose another name, or set its properties.metadata." + OwnerTag + " to hand it over"
	}
	return model.Problem{Pos: want.Pos, Resource: want.ID.String(), What: what, Fix: fix}
}
