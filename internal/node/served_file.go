package node

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// fileLook is how often a file is looked at for changes.
const fileLook = time.Second

func stampOf(path string) stamp {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}
	}
	return stamp{info.Size(), info.ModTime()}
}

// servedFile is the configuration of a server, in force as its file says: a good one
// takes over when the file changes, of a wrong one it is told what is wrong.
type servedFile struct {
	path string
	last stamp
	take func(path string) (name string, err error) // reads it and puts it in force

	mu sync.Mutex
	servedState
}

// servedState is what is in force.
type servedState struct {
	name    string
	since   time.Time
	problem string // of the file, if what is in force is older
}

// serveFile puts a file in force for the first time.
func serveFile(path string, take func(path string) (name string, err error)) (*servedFile, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	f := &servedFile{path: abs, last: stampOf(abs), take: take}
	if f.name, err = take(path); err != nil {
		return nil, err
	}
	f.since = time.Now()
	return f, nil
}

// follow takes over what the file becomes until the context ends, and tells what
// became of it. Meanwhile is called at every look.
func (f *servedFile) follow(ctx context.Context, told func(string), meanwhile func()) {
	tick := time.NewTicker(fileLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		meanwhile()
		if now := stampOf(f.path); now != f.last {
			f.last = now
			told(f.reload())
		}
	}
}

// reload reads the file again and says what became of it.
func (f *servedFile) reload() string {
	name, err := f.take(f.path)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		f.problem = err.Error()
		return fmt.Sprintf("%v\nthe last good configuration stays in force", err)
	}
	f.servedState = servedState{name: name, since: time.Now()}
	return "configuration loaded"
}

func (f *servedFile) state() servedState {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.servedState
}
