package state

import (
	"bytes"
	"errors"
	"testing"

	"github.com/ceruleannet/cerulean/model"
)

// FuzzRecord: damaged records are errors, whole ones round-trip.
func FuzzRecord(f *testing.F) {
	r := &model.Resource{ID: model.MustParseID("/subscriptions/S/resourceGroups/G"), Doc: map[string]any{}}
	f.Add(encodeRecord(Entry{Resource: r, JSON: []byte(`{"a":null}`), Revision: 7}))
	f.Add([]byte{})
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := decodeRecord(b)
		if err != nil {
			return
		}
		again, err := decodeRecord(encodeRecord(e))
		if err != nil || again.Revision != e.Revision || again.Resource.ID != e.Resource.ID || !bytes.Equal(again.JSON, e.JSON) {
			t.Errorf("%q became %q: %v", b, encodeRecord(e), err)
		}
	})
}

// brokenJournal refuses writes while broken is set.
type brokenJournal struct {
	memoryJournal
	broken bool
}

func (j *brokenJournal) append(batch []*revision) error {
	if j.broken {
		return errors.New("disk full")
	}
	return j.memoryJournal.append(batch)
}

func (j *brokenJournal) refuse(Refusal) error { return errors.New("broken") }

func (j *brokenJournal) refusals() ([]Refusal, error) { return nil, nil }

// TestJournalFails: a failed write is reported, never shown, and the store goes
// on from what is durable.
func TestJournalFails(t *testing.T) {
	j := &brokenJournal{broken: true}
	s := newStore(newView(), j, Options{})
	r := &model.Resource{ID: model.MustParseID("/subscriptions/S/resourceGroups/G"), Doc: map[string]any{}}
	if _, err := Put(s, Actor{}, r, 0); err == nil {
		t.Fatal("acknowledged")
	}
	if s.View().Len() != 0 {
		t.Error("shown")
	}
	j.broken = false
	if rev, err := Put(s, Actor{}, r, 0); err != nil || rev != 1 {
		t.Errorf("afterwards: %d, %v", rev, err)
	}
}
