package plan

import (
	"slices"

	"github.com/ceruleannet/cerulean/model"
)

// Action is what a step does.
type Action string

// The actions of a step.
const (
	Create Action = "create" // PUT a resource that does not exist
	Update Action = "update" // PUT a resource that differs
	Delete Action = "delete" // DELETE an owned resource that is not declared
	Deploy Action = "commit" // POST a network manager's commit
	// Record writes the goal-state tag of a network manager: before a
	// configuration changes it forgets what was committed, after the commits
	// it notes what is in force.
	Record Action = "record"
)

// Change is one property that differs.
type Change struct {
	// Pointer is the property's JSON pointer (RFC 6901) in the declared
	// document, or in the observed one if the declared document lacks it.
	Pointer string
	// Path is the property as people read it: elements of arrays go by name
	// and the "properties" envelope is left out, for example
	// "securityRules[allow-web].priority".
	Path string
	// Old and New are JSON values; nil means absent.
	Old, New any
	Pos      model.Pos // where New was declared
}

// Commit is one POST .../networkManagers/N/commit: the configurations of one
// type that are to be in force in some regions. It is a goal state: it replaces
// what was committed there before, and no configurations means none.
type Commit struct {
	Type           string // Connectivity, SecurityAdmin, Routing
	Locations      []string
	Configurations []model.ID
}

// Step is one call on the cloud.
type Step struct {
	Action Action
	// ID is the resource; of a commit or a record the network manager.
	ID      model.ID
	Pos     model.Pos
	Changes []Change // of an update or a record
	// Resource is the document to send, nil for deletes and commits.
	Resource *model.Resource
	Commit   *Commit // nil but for commits
	// Needs are the indices of the steps that must have succeeded before; each
	// is smaller than the step's own index.
	Needs []int

	// locks are the keys of the resources Azure changes one write at a time.
	locks []string
}

// Plan is the ordered work between an observed and a declared state. It does
// not change once computed.
type Plan struct {
	network string
	steps   []Step
}

// Network returns the name of the declared network.
func (p *Plan) Network() string { return p.network }

// Steps returns the steps in an order that respects their needs. What they
// point to is shared and must not be changed.
func (p *Plan) Steps() []Step { return slices.Clone(p.steps) }

// Len returns the number of steps.
func (p *Plan) Len() int { return len(p.steps) }

// Empty reports whether there is nothing to do.
func (p *Plan) Empty() bool { return len(p.steps) == 0 }

// Count returns the number of steps with an action.
func (p *Plan) Count(a Action) int {
	n := 0
	for _, s := range p.steps {
		if s.Action == a {
			n++
		}
	}
	return n
}

// Options says whose network is planned.
type Options struct {
	// Network is the network's name. It is the value of [OwnerTag] on the
	// resource groups the network owns, and must not be empty.
	Network string
	// ForeignTags are names of tags that somebody else manages, for example a
	// policy that inherits tags from the subscription: they are left alone.
	// Every other tag of a declared resource is as declared.
	ForeignTags []string
}
