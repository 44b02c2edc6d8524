package intent

import (
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// Text is a piece of text with its place. The zero Text is absent.
type Text struct {
	Value string
	Pos   model.Pos
}

// IsSet reports whether the text was given.
func (t Text) IsSet() bool { return !t.Pos.IsZero() }

// Or returns the text, or a default at another place if it was not given.
func (t Text) Or(value string, pos model.Pos) Text {
	if t.IsSet() {
		return t
	}
	return Text{value, pos}
}

// Int is a whole number with its place. The zero Int is absent.
type Int struct {
	Value int
	Pos   model.Pos
}

// IsSet reports whether the number was given.
func (i Int) IsSet() bool { return !i.Pos.IsZero() }

// Or returns the number, or a default if it was not given.
func (i Int) Or(value int) int {
	if i.IsSet() {
		return i.Value
	}
	return value
}

// Bool is a yes or no with its place. The zero Bool is absent.
type Bool struct {
	Value bool
	Pos   model.Pos
}

// IsSet reports whether the value was given.
func (b Bool) IsSet() bool { return !b.Pos.IsZero() }

// Or returns the value, or a default if it was not given.
func (b Bool) Or(value bool) bool {
	if b.IsSet() {
		return b.Value
	}
	return value
}

// Texts is one text or a list of them.
type Texts []Text

// Join returns the texts separated by commas, for people.
func (ts Texts) Join() string {
	parts := make([]string, len(ts))
	for i, t := range ts {
		parts[i] = t.Value
	}
	return strings.Join(parts, ", ")
}

// Map is a map that keeps its order and the places of its keys.
type Map[T any] []Entry[T]

// Entry is one key of a [Map] with its value.
type Entry[T any] struct {
	Key   Text
	Value T
}

// Get returns the value of a key, compared exactly.
func (m Map[T]) Get(key string) (T, bool) {
	for _, e := range m {
		if e.Key.Value == key {
			return e.Value, true
		}
	}
	var zero T
	return zero, false
}

// Keys returns the keys in the order of the document.
func (m Map[T]) Keys() []string {
	keys := make([]string, len(m))
	for i, e := range m {
		keys[i] = e.Key.Value
	}
	return keys
}

// PublicIP asks for a public address: true, or {address: A}.
type PublicIP struct {
	Wanted  bool
	Address Text // absent: assigned
	Pos     model.Pos
}

// Raw is a resource in its Resource Manager shape: type, name, and optionally
// location, resource-group and each; every other key is the document's own.
type Raw struct {
	Type          Text
	Name          Text
	ResourceGroup Text
	Each          Text
	Doc           map[string]any
	// At gives the place of every value by JSON pointer.
	At  map[string]model.Pos
	Pos model.Pos
}

// Doc is a map that is decoded later, by who knows what it means.
type Doc struct {
	Doc map[string]any
	// At gives the place of every value by JSON pointer.
	At  map[string]model.Pos
	Pos model.Pos
}

func (Map[T]) isMap() {}

// keyed is implemented by every Map; the decoder tells maps from lists by it.
type keyed interface{ isMap() }
