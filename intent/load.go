package intent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// File is one file of a declared network.
type File struct {
	Name string // as it shall appear in messages
	Data []byte
}

// Options change how a network is read. The zero Options are the usual ones.
type Options struct {
	// Subscription overrides the network's own.
	Subscription string
	// IgnoreLock assigns every address anew, as if there were no lock.
	IgnoreLock bool
}

// DefaultSubscription is the subscription of a network that names none.
const DefaultSubscription = "11111111-1111-1111-1111-111111111111"

// Declared is a network as declared, with the addresses assigned to it.
type Declared struct {
	Network *model.Network
	// Lock holds every assigned address; LockChanged says that it differs from
	// the one given.
	Lock        *Lock
	LockChanged bool
	// Warnings are suspicious but not wrong, for example a group without
	// members.
	Warnings model.Problems
	// Regions are the regions of the network in the order of their declaration.
	Regions []string
	folder  string
}

// Load reads a network from a file, or from every *.yaml and *.yml file of a
// folder in the order of their names, with the lock beside them. The error is a
// [model.Problems] with every problem, unless the files cannot be read.
func Load(path string, opts Options) (*Declared, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the network: %w", err)
	}
	folder, names := path, []string{}
	if info.IsDir() {
		entries, err := os.ReadDir(path)
		if err != nil {
			return nil, fmt.Errorf("cannot read the network: %w", err)
		}
		for _, e := range entries {
			if ext := strings.ToLower(filepath.Ext(e.Name())); !e.IsDir() && (ext == ".yaml" || ext == ".yml") {
				names = append(names, filepath.Join(path, e.Name()))
			}
		}
		if len(names) == 0 {
			return nil, fmt.Errorf("%s holds no .yaml file; write the network to %s", path, filepath.Join(path, "network.yaml"))
		}
	} else {
		folder, names = filepath.Dir(path), []string{path}
	}
	var files []File
	total := int64(0)
	for _, name := range names {
		data, err := readBounded(name, maxInput-total)
		if err != nil {
			return nil, err
		}
		total += int64(len(data))
		files = append(files, File{Name: name, Data: data})
	}
	lock, err := loadLock(folder)
	if err != nil {
		return nil, err
	}
	d, err := Parse(files, lock, opts)
	if err != nil {
		return nil, err
	}
	if err := checkBaselines(d.Network); err != nil {
		return nil, err
	}
	d.folder = folder
	return d, nil
}

// checkBaselines refuses expectations that compare with a network which is not
// there. Paths are relative to the file the expectation is in.
func checkBaselines(n *model.Network) error {
	var problems model.Problems
	for _, e := range n.Expectations {
		if e.Baseline == "" {
			continue
		}
		path := filepath.Join(filepath.Dir(e.Pos.File), filepath.FromSlash(e.Baseline))
		if _, err := os.Stat(path); err != nil {
			problems = append(problems, model.Problem{
				Pos: e.Pos, What: fmt.Sprintf("there is no network at %s", path),
				Fix: "write the path of a file or folder relative to this file",
			})
		}
	}
	return problems.Err()
}

// readBounded reads a file of at most limit bytes.
func readBounded(name string, limit int64) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read the network: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	if info.Size() > limit {
		return nil, model.Problems{{Pos: model.Pos{File: name}, What: fmt.Sprintf("the input is larger than %d bytes", maxInput), Fix: "split the network"}}
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read the network: %w", err)
	}
	return data, nil
}

func loadLock(folder string) (*Lock, error) {
	name := filepath.Join(folder, LockName)
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return NewLock(), nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the lock: %w", err)
	}
	return ParseLock(name, data)
}

// SaveLock writes the lock beside the network it was loaded from, whole or not
// at all.
func (d *Declared) SaveLock() error {
	if d.folder == "" {
		return errors.New("the network was not loaded from a folder, so its lock has no place")
	}
	tmp, err := os.CreateTemp(d.folder, LockName+".*")
	if err != nil {
		return fmt.Errorf("cannot write the lock: %w", err)
	}
	defer os.Remove(tmp.Name()) // fails once it was renamed
	_, err = tmp.Write(d.Lock.Marshal())
	if err == nil {
		err = tmp.Chmod(0o644)
	}
	if err == nil {
		err = tmp.Sync()
	}
	if e := tmp.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(tmp.Name(), filepath.Join(d.folder, LockName))
	}
	if err != nil {
		return fmt.Errorf("cannot write the lock: %w", err)
	}
	d.LockChanged = false
	return nil
}

// Parse reads a network from files and the lock of earlier assignments, which
// may be nil. It does no I/O. The error is a [model.Problems] with every
// problem found.
func Parse(files []File, lock *Lock, opts Options) (*Declared, error) {
	var problems model.Problems
	doc := parseFiles(files, &problems)
	if lock == nil {
		lock = NewLock()
	}
	old := lock
	if opts.IgnoreLock {
		old = NewLock()
	}
	b := newBuilder(doc, old, opts, &problems)
	if doc != nil {
		b.build()
	}
	problems = distinct(problems)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return &Declared{
		Network: b.net, Lock: b.lock, LockChanged: !b.lock.Equal(lock), Warnings: distinct(b.warnings), Regions: b.regions,
	}, nil
}

// distinct drops repetitions: what is declared once may be made in every
// region, with the same problem each time.
func distinct(ps model.Problems) model.Problems {
	seen := map[model.Problem]bool{}
	var out model.Problems
	for _, p := range ps {
		p.What, p.Fix = clip(p.What), clip(p.Fix)
		if !seen[p] {
			seen[p] = true
			out = append(out, p)
		}
	}
	return out
}

// maxMessage bounds the characters of a message: what it quotes may be long.
const maxMessage = 400

func clip(s string) string {
	if len(s) <= maxMessage {
		return s
	}
	return strings.ToValidUTF8(s[:maxMessage/2], "") + "..." + strings.ToValidUTF8(s[len(s)-maxMessage/2:], "")
}
