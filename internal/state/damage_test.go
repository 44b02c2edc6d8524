package state_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/internal/state/statetest"
)

// filled returns the bytes of a store's file with some resources in it.
func filled(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state.db")
	s := open(t, path)
	for i := range 200 {
		if _, err := state.Put(s, statetest.By, statetest.Resource(fmt.Sprint("r", i), i), 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestDamagedPages: whatever part of the file is lost, opening it fails with
// words, or succeeds because the part was not in use; it never ends the process.
func TestDamagedPages(t *testing.T) {
	whole := filled(t)
	page := os.Getpagesize()
	dir := t.TempDir()
	tried, refused := 0, 0
	try := func(b []byte, must bool) {
		t.Helper()
		path := filepath.Join(dir, fmt.Sprint(tried, ".db"))
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		tried++
		s, err := state.Open(path, options)
		if err == nil {
			if must {
				t.Error("opened")
			}
			_ = s.Close()
			return
		}
		refused++
		if !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "damaged") && !strings.Contains(err.Error(), "record") {
			t.Errorf("error %v", err)
		}
	}
	for n := 1; n < len(whole); n += len(whole)/40 + 1 {
		try(whole[:n], n < 4*page)
	}
	for n := 0; n < len(whole); n += page {
		b := append([]byte(nil), whole...)
		clear(b[n:min(n+page, len(b))])
		try(b, false)
		if n > 64*page {
			break
		}
	}
	random := rand.New(rand.NewPCG(7, 7))
	for range 100 { // headers of pages: identity, flags, count, overflow
		b := append([]byte(nil), whole...)
		b[random.IntN(min(len(b)/page, 64))*page+random.IntN(16)] ^= 1 << random.IntN(8)
		try(b, false)
	}
	if refused < tried/10 {
		t.Errorf("only %d of %d were refused", refused, tried)
	}
}

// TestFormat: a file of another layout is refused with both numbers.
func TestFormat(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	if err := open(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("meta")).Put([]byte("format"), binary.BigEndian.AppendUint64(nil, 9))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = state.Open(path, options)
	if err == nil || !strings.Contains(err.Error(), "format 9, this release reads format 1") {
		t.Errorf("error %v", err)
	}
}
