//go:build unix

package node

import (
	"errors"
	"os"
	"syscall"
)

// private reports whether a folder is the user's own and closed to others.
func private(dir string) error {
	fi, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	switch {
	case !fi.IsDir():
		return errors.New("is no folder")
	case !ok || int(st.Uid) != os.Getuid():
		return errors.New("belongs to another user")
	case fi.Mode().Perm()&0o077 != 0:
		return errors.New("is open to others")
	}
	return nil
}

// alive reports whether a process is there.
func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
