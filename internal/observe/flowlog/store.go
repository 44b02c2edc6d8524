package flowlog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Store keeps records in files below a folder, in the layout of Azure's blobs.
// Files of flow logs with a storage account are below a folder of its name.
type Store struct{ dir string }

// NewStore returns a store, and makes its folder if there is none.
func NewStore(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("flow logs: %w", err)
	}
	return &Store{dir}, nil
}

// A file is these around records, as the blobs are.
const (
	head = `{"records":[`
	tail = "]}"
)

// Write adds records to their files. Each file is replaced whole, so whoever
// reads it finds valid JSON, before, after and instead of a crash. Every file
// is tried; the error tells of those that failed.
func (s *Store) Write(entries []Entry) error {
	byFile := map[string][]Record{}
	var order []string
	for _, e := range entries {
		name := filepath.Join(s.dir, filepath.FromSlash(plainOrNone(e.Storage)), filepath.FromSlash(e.Path))
		if byFile[name] == nil {
			order = append(order, name)
		}
		byFile[name] = append(byFile[name], e.Record)
	}
	var failed []error
	for _, name := range order {
		if err := add(name, byFile[name]); err != nil {
			failed = append(failed, fmt.Errorf("flow log %s: %w", name, err))
		}
	}
	return errors.Join(failed...)
}

func plainOrNone(name string) string {
	if name == "" {
		return ""
	}
	return plain(name)
}

// add puts records at the end of a file.
func add(name string, records []Record) error {
	old, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var b bytes.Buffer
	switch {
	case len(old) == 0:
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		b.WriteString(head)
	case !bytes.HasPrefix(old, []byte(head)) || !bytes.HasSuffix(old, []byte(tail)):
		return errors.New("the file is no flow log; move it away")
	default:
		b.Write(old[:len(old)-len(tail)])
		b.WriteByte(',')
	}
	for i := range records {
		if i > 0 {
			b.WriteByte(',')
		}
		text, err := json.Marshal(&records[i])
		if err != nil {
			return err
		}
		b.Write(text)
	}
	b.WriteString(tail)
	// A file of the same folder, so that the rename is one step.
	next := name + ".new"
	if err := os.WriteFile(next, b.Bytes(), 0o644); err != nil {
		return err
	}
	return os.Rename(next, name)
}
