package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// errDamaged says what to do about a file that cannot be read.
var errDamaged = errors.New("the file is damaged; restore a copy, or move it away to start with an empty cloud")

// examine reads every record of an existing file before it is opened for
// writing. bbolt panics on a damaged page, and reading past the end of a
// truncated file that is mapped into memory kills the process: so the length is
// compared first, and whatever still goes wrong is an error here. (bbolt's
// NoFreelistSync must stay off: with it, opening a file walks the pages on a
// goroutine of bbolt's own, whose panics nobody can catch.)
func examine(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file", path)
	case info.Size() == 0: // a process that died while making it
		return nil
	}
	return guard(func() error {
		db, err := openBolt(path, &bbolt.Options{ReadOnly: true})
		var refused *fs.PathError
		switch {
		case errors.Is(err, bolterrors.ErrTimeout), errors.Is(err, bolterrors.ErrVersionMismatch), errors.As(err, &refused), errors.Is(err, errDamaged):
			return err
		case err != nil: // too short, or without a good page to start from
			return fmt.Errorf("%w (%w)", errDamaged, err)
		}
		defer db.Close()
		return db.View(func(tx *bbolt.Tx) error {
			// The length is read again: until now another process may have
			// been writing.
			if info, err = os.Stat(path); err != nil {
				return err
			}
			if tx.Size() > info.Size() {
				return fmt.Errorf("%w (%d bytes of %d)", errDamaged, info.Size(), tx.Size())
			}
			return tx.ForEach(func(_ []byte, b *bbolt.Bucket) error {
				return b.ForEach(func(_, _ []byte) error { return nil })
			})
		})
	})
}

// openBolt opens a file that may be damaged. If bbolt panics, the file stays
// mapped and locked until the process ends: there is no handle to close.
func openBolt(path string, o *bbolt.Options) (db *bbolt.DB, err error) {
	o.Timeout = lockWait
	err = guard(func() (err error) {
		db, err = bbolt.Open(path, 0o600, o)
		return err
	})
	return db, err
}

// guard turns a panic of fn, or its reading of memory that is not there, into
// errDamaged.
func guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w (%v)", errDamaged, r)
		}
	}()
	return fn()
}
