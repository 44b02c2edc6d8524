package state

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ceruleannet/cerulean/model"
	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// The file has four buckets:
//
//	resources  key -> record (see encodeRecord)
//	audit      big-endian sequence number -> Change as JSON
//	refused    big-endian sequence number -> Refusal as JSON
//	meta       "format" and "revision", each eight bytes, big-endian
var (
	bucketResources = []byte("resources")
	bucketAudit     = []byte("audit")
	bucketMeta      = []byte("meta")
	keyFormat       = []byte("format")
	keyRevision     = []byte("revision")
)

// format is the version of the file's layout.
const format = 1

// lockWait is how long Open waits for another process to let go of the file.
const lockWait = 2 * time.Second

// Open opens or makes a durable store in one file. It fails if another process
// has the file open, or if the file was made by a newer release.
func Open(path string, o Options) (Store, error) {
	err := examine(path)
	var db *bbolt.DB
	if err == nil {
		db, err = openBolt(path, &bbolt.Options{FreelistType: bbolt.FreelistMapType})
	}
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, fmt.Errorf("%s is in use by another process; stop it, or use another directory", path)
	case errors.Is(err, bolterrors.ErrVersionMismatch):
		return nil, fmt.Errorf("opening %s: the file was made by another release: %w", path, err)
	case err != nil:
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	var v *View
	err = guard(func() (err error) {
		v, err = load(db, o)
		return err
	})
	if err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	db.MaxBatchDelay = refuseDelay
	return newStore(v, &boltJournal{db}, o), nil
}

// load makes the buckets of a new file and reads the state of an old one.
func load(db *bbolt.DB, o Options) (*View, error) {
	v := newView()
	err := db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{bucketResources, bucketAudit, bucketMeta} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		meta := tx.Bucket(bucketMeta)
		if b := meta.Get(keyFormat); b == nil {
			return meta.Put(keyFormat, binary.BigEndian.AppendUint64(nil, format))
		} else if n := number(b); n != format {
			return fmt.Errorf("the file has format %d, this release reads format %d; use the release that made it", n, format)
		}
		v.revision = number(meta.Get(keyRevision))
		return tx.Bucket(bucketResources).ForEach(func(k, b []byte) error {
			e, err := decodeRecord(b)
			if err != nil {
				return fmt.Errorf("record %q: %w", k, err)
			}
			it := item{key: e.Resource.ID.Key(), entry: e}
			if it.key != string(k) {
				return fmt.Errorf("record %q holds %s", k, e.Resource.ID)
			}
			if o.Index != nil {
				it.terms = o.Index(e.Resource)
			}
			v.insert(it)
			return nil
		})
	})
	return v, err
}

func number(b []byte) uint64 {
	if len(b) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}

// encodeRecord lays an entry out as: revision (eight bytes, big-endian), length
// of the ID (uvarint), the ID in its creator's case, the document as JSON.
func encodeRecord(e Entry) []byte {
	id := e.Resource.ID.String()
	b := make([]byte, 0, 8+binary.MaxVarintLen16+len(id)+len(e.JSON))
	b = binary.BigEndian.AppendUint64(b, e.Revision)
	b = binary.AppendUvarint(b, uint64(len(id)))
	b = append(b, id...)
	return append(b, e.JSON...)
}

// decodeRecord is the inverse of encodeRecord. It keeps no part of b.
func decodeRecord(b []byte) (Entry, error) {
	if len(b) < 8 {
		return Entry{}, fmt.Errorf("%d bytes are too few", len(b))
	}
	e := Entry{Revision: binary.BigEndian.Uint64(b)}
	n, w := binary.Uvarint(b[8:])
	if w <= 0 || n > uint64(len(b)-8-w) {
		return Entry{}, fmt.Errorf("the ID's length is damaged")
	}
	b = b[8+w:]
	id, err := model.ParseID(string(b[:n]))
	if err != nil {
		return Entry{}, err
	}
	e.JSON = append([]byte(nil), b[n:]...)
	doc, err := model.ParseJSON(e.JSON)
	if err != nil {
		return Entry{}, fmt.Errorf("%s: %w", id, err)
	}
	e.Resource = &model.Resource{ID: id, Doc: doc}
	return e, nil
}

// boltJournal is a bbolt file. bbolt syncs it before a commit returns.
type boltJournal struct{ db *bbolt.DB }

func (j *boltJournal) append(batch []*revision) error {
	wrote := false
	for _, r := range batch {
		wrote = wrote || len(r.writes) > 0
	}
	if !wrote {
		return nil
	}
	return closedError(j.db.Update(func(tx *bbolt.Tx) error {
		resources, audit := tx.Bucket(bucketResources), tx.Bucket(bucketAudit)
		audit.FillPercent = 1 // keys only grow
		for _, r := range batch {
			for i := range r.writes {
				if err := appendWrite(resources, audit, &r.writes[i]); err != nil {
					return err
				}
			}
		}
		newest := batch[len(batch)-1].view.revision
		return tx.Bucket(bucketMeta).Put(keyRevision, binary.BigEndian.AppendUint64(nil, newest))
	}))
}

func appendWrite(resources, audit *bbolt.Bucket, w *write) error {
	var err error
	if w.change.Action == ActionDelete {
		err = resources.Delete([]byte(w.item.key))
	} else {
		err = resources.Put([]byte(w.item.key), encodeRecord(w.item.entry))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", w.change.ID, err)
	}
	line, err := json.Marshal(w.change)
	if err != nil {
		return fmt.Errorf("%s: %w", w.change.ID, err)
	}
	n, err := audit.NextSequence()
	if err != nil {
		return err
	}
	return audit.Put(binary.BigEndian.AppendUint64(nil, n), line)
}

// history reads backwards to the first change above after, then forwards.
func (j *boltJournal) history(after uint64, limit int) ([]Change, error) {
	var out []Change
	err := j.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketAudit).Cursor()
		var start []byte
		for k, b := c.Last(); k != nil; k, b = c.Prev() {
			ch, err := decodeChange(b)
			if err != nil {
				return err
			}
			if ch.Revision <= after {
				break
			}
			start = k
		}
		if start == nil {
			return nil
		}
		for k, b := c.Seek(start); k != nil && (limit <= 0 || len(out) < limit); k, b = c.Next() {
			ch, err := decodeChange(b)
			if err != nil {
				return err
			}
			out = append(out, ch)
		}
		return nil
	})
	return out, closedError(err)
}

func decodeChange(b []byte) (Change, error) {
	var ch Change
	if err := json.Unmarshal(b, &ch); err != nil {
		return ch, fmt.Errorf("the audit trail is damaged: %w", err)
	}
	return ch, nil
}

func (j *boltJournal) close() error { return j.db.Close() }

// closedError gives bbolt's error for a closed file our name.
func closedError(err error) error {
	if errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	return err
}
