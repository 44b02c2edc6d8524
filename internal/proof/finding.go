package proof

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/ceruleannet/cerulean/model"
)

// Status is what became of a claim. The zero value is Unknown: nothing is
// proved by accident.
type Status uint8

// The statuses.
const (
	Unknown Status = iota // not decided, or not decidable from what is modelled
	Holds                 // true of all packets
	Broken                // false: there is a witness, or nothing to speak of
)

// String returns "holds", "broken" or "unknown".
func (s Status) String() string { return [...]string{"unknown", "holds", "broken"}[s] }

// MarshalText implements encoding.TextMarshaler.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Counts say how much a finding speaks of.
type Counts struct {
	Sources      int `json:"sources"`         // ports that send
	Destinations int `json:"destinations"`    // ports that are sent to
	Leaves       int `json:"leaves"`          // boxes that the packets fell apart into
	Steps        int `json:"steps"`           // work done, in rules and hops
	Names        int `json:"names,omitempty"` // names asked, one per virtual network and name
}

// Group is further counterexamples with one cause.
type Group struct {
	Cause string `json:"cause"` // the rule or route, or what else decided
	// Pairs is the number of pairs of ports concerned; More says that there are
	// more than were counted.
	Pairs   int      `json:"pairs"`
	More    bool     `json:"more,omitempty"`
	Witness *Witness `json:"witness,omitempty"`
}

// Finding is the outcome of one claim.
type Finding struct {
	Expectation model.Expectation
	Status      Status
	Why         string // one sentence for people
	// Witness shows the claim broken, or what is unknown about it. It is nil
	// when there is nothing to show.
	Witness *Witness
	// Groups are the counterexamples by cause, the witness's own first. At most
	// [MaxGroups] are kept.
	Groups []Group
	// Omitted is the number of causes beyond those kept.
	Omitted int
	Counts  Counts
	// Internal is a disagreement between the proof and the reference evaluator:
	// a defect of Cerulean, not of the network.
	Internal error
}

// MaxGroups is how many causes a finding lists.
const MaxGroups = 8

// maxPairs is how many pairs of ports are counted per cause.
const maxPairs = 10_000

// MarshalJSON gives findings a shape of their own. The first group's witness is
// the finding's and not repeated.
func (f Finding) MarshalJSON() ([]byte, error) {
	groups := slices.Clone(f.Groups)
	if len(groups) > 0 {
		groups[0].Witness = nil
	}
	out := struct {
		Name     string    `json:"name"`
		Claim    string    `json:"claim"`
		Verb     string    `json:"verb"`
		Pos      model.Pos `json:"pos"`
		Status   Status    `json:"status"`
		Why      string    `json:"why"`
		Witness  *Witness  `json:"witness,omitempty"`
		Groups   []Group   `json:"groups,omitempty"`
		Omitted  int       `json:"omitted,omitempty"`
		Counts   Counts    `json:"counts"`
		Internal string    `json:"internal,omitempty"`
	}{
		f.Expectation.Name, f.Expectation.Text, string(f.Expectation.Verb), f.Expectation.Pos,
		f.Status, f.Why, f.Witness, groups, f.Omitted, f.Counts, "",
	}
	if f.Internal != nil {
		out.Internal = f.Internal.Error()
	}
	return marshal(out)
}

// marshal is json.Marshal that leaves ">" as it is.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// quoted writes a selector for people.
func quoted(s string) string { return fmt.Sprintf("%q", s) }

func relationText(r model.Relation) string {
	switch r {
	case model.OtherRegion:
		return "in different regions"
	case model.SameRegion:
		return "in one region"
	default:
		return "in different virtual networks"
	}
}
