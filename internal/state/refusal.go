package state

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// Refusal is an update that was asked for and refused: the other half of the
// audit trail. It belongs to no revision.
type Refusal struct {
	At        time.Time `json:"at"`
	Who       string    `json:"who"`
	Request   string    `json:"request,omitempty"`
	Operation string    `json:"operation"` // what was asked for
	ID        string    `json:"id"`        // of what
	Status    int       `json:"status"`    // of the answer
	Code      string    `json:"code"`      // why
}

// bucketRefused is a further bucket of the file: big-endian sequence number ->
// Refusal as JSON. Files made before it had none.
var bucketRefused = []byte("refused")

// refuseDelay is how long a refusal waits for others to be synced along with it.
const refuseDelay = time.Millisecond

func (s *store) Refuse(r Refusal) error {
	r.At = r.At.UTC()
	return s.journal.refuse(r)
}

func (s *store) Refusals() ([]Refusal, error) { return s.journal.refusals() }

func (j *boltJournal) refuse(r Refusal) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return closedError(j.db.Batch(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(bucketRefused)
		if err != nil {
			return err
		}
		b.FillPercent = 1 // keys only grow
		n, err := b.NextSequence()
		if err != nil {
			return err
		}
		return b.Put(binary.BigEndian.AppendUint64(nil, n), line)
	}))
}

func (j *boltJournal) refusals() ([]Refusal, error) {
	var out []Refusal
	err := j.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketRefused)
		if b == nil {
			return nil
		}
		return b.ForEach(func(_, line []byte) error {
			var r Refusal
			if err := json.Unmarshal(line, &r); err != nil {
				return fmt.Errorf("the trail of refusals is damaged: %w", err)
			}
			out = append(out, r)
			return nil
		})
	})
	return out, closedError(err)
}

func (j *memoryJournal) refuse(r Refusal) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return ErrClosed
	}
	j.refused = append(j.refused, r)
	return nil
}

func (j *memoryJournal) refusals() ([]Refusal, error) {
	j.mu.RLock()
	defer j.mu.RUnlock()
	if j.closed {
		return nil, ErrClosed
	}
	return append([]Refusal(nil), j.refused...), nil
}
