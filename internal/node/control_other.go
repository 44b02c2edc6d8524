//go:build !unix

package node

import (
	"errors"
	"os"
)

// private reports whether a folder is one. Temporary folders are the user's own
// where there is no shared one.
func private(dir string) error {
	fi, err := os.Lstat(dir)
	if err == nil && !fi.IsDir() {
		err = errors.New("is no folder")
	}
	return err
}

// alive reports whether a process is there.
func alive(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	_ = p.Release()
	return true
}
