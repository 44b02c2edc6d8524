package policy

import (
	"github.com/ceruleannet/cerulean/internal/fabric"
)

// Box is a product of five sets of values, one for each packet field in the
// order of fabric.Field. The box of a rule holds what the rule matches, the box
// of a question the packets asked about.
type Box [fabric.NumFields]fabric.Set

// Everything returns the box of all packets.
func Everything() Box {
	var b Box
	for f := range b {
		b[f] = fabric.AllValues()
	}
	return b
}

// Contains reports whether a packet is in the box.
func (b *Box) Contains(p fabric.Packet) bool {
	for f := range fabric.NumFields {
		if !b[f].Contains(p.Field(f)) {
			return false
		}
	}
	return true
}

// Rule is one line of a list: what it matches and what it does with that.
type Rule struct {
	Match  Box
	Action fabric.Action
	// Masquerade is that of fabric.Rule. Two rules that pass packets do the same
	// only if both or neither masquerade.
	Masquerade bool
}

// Default stands in place of a rule's index for the list's default action.
const Default = -1

// Actions is a set of actions.
type Actions uint8

// ActionsOf returns the set of the given actions.
func ActionsOf(actions ...fabric.Action) Actions {
	var s Actions
	for _, a := range actions {
		s |= 1 << a
	}
	return s
}

// Has reports whether an action is in the set.
func (s Actions) Has(a fabric.Action) bool { return s>>a&1 == 1 }

// Passing holds the actions that let a packet leave the list.
func Passing() Actions { return ActionsOf(fabric.Pass, fabric.Bypass) }

// Status is how far a question was decided. The zero value is Undecided, so
// that nothing is safe by accident.
type Status uint8

// The statuses.
const (
	// Undecided means neither was shown, because the budget ran out or because
	// it depends on a rule whose action is fabric.Unknown.
	Undecided Status = iota
	// Found means there is such a packet.
	Found
	// Absent means there is none among all packets.
	Absent
)

// String returns "undecided", "found" or "absent".
func (s Status) String() string { return [...]string{"undecided", "found", "absent"}[s] }

// outcome is what becomes of a packet, as one number: the action, and masks if
// it passes with the forwarder's own address.
type outcome uint8

const (
	masks    = outcome(4)
	outcomes = 8 // how many there are
)

func outcomeOf(a fabric.Action, masquerade bool) outcome {
	o := outcome(a)
	if masquerade && (a == fabric.Pass || a == fabric.Bypass) {
		o |= masks
	}
	return o
}

func (o outcome) action() fabric.Action { return fabric.Action(o &^ masks) }
