package datapath

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// cover puts files over those of the calling process's mount namespace, which
// must be its own. Their content lives in memory and goes with the namespace.
func cover(files []File) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return fmt.Errorf("a mount namespace: %w", err)
	}
	// Their place is under /proc, which exists everywhere and which a new one
	// will take; it is left at once, the files stay mounted where they belong.
	const place = "/proc"
	type covering struct{ path, content string }
	var todo []covering
	for _, f := range files {
		path, err := filepath.EvalSymlinks(f.Path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		} else if err != nil {
			return err
		}
		content := f.Content
		if f.Append {
			old, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if len(old) > 0 && old[len(old)-1] != '\n' {
				old = append(old, '\n')
			}
			content = string(old) + content
		}
		todo = append(todo, covering{path, content})
	}
	if len(todo) == 0 {
		return nil
	}
	if err := unix.Mount("cerulean", place, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=0755,size=16m"); err != nil {
		return fmt.Errorf("a file system in memory: %w", err)
	}
	defer func() { _ = unix.Unmount(place, unix.MNT_DETACH) }()
	for i, c := range todo {
		source := filepath.Join(place, strconv.Itoa(i))
		if err := os.WriteFile(source, []byte(c.content), 0o644); err != nil {
			return err
		}
		if err := unix.Mount(source, c.path, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("covering %s: %w", c.path, err)
		}
	}
	return nil
}

// showProcesses mounts a /proc of the calling process's process namespace.
func showProcesses() error {
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	return nil
}
