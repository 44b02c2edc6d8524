package node

import (
	"fmt"
	"time"

	"github.com/ceruleannet/cerulean/intent"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/compile"
	"github.com/ceruleannet/cerulean/internal/proof"
	"github.com/ceruleannet/cerulean/internal/traffic/trafficmanager"
	"github.com/ceruleannet/cerulean/model"
)

// Design is a declared network, compiled.
type Design struct {
	Declared *intent.Declared
	Image    *fabric.Image
	// Managers are the Traffic Manager profiles.
	Managers []trafficmanager.Profile
	Prover   *proof.Prover
	// Took is how long declaring and compiling took.
	Took struct{ Declare, Compile time.Duration }
}

// Lock says what to do about addresses that are assigned for the first time.
type Lock int

// The ways to treat the lock file.
const (
	LockRead   Lock = iota // use it; write nothing
	LockWrite              // use it; write it if something was assigned
	LockFrozen             // refuse a network whose lock file would change
)

// Open reads, expands and compiles the network in a file or folder. The error
// of a wrong network is model.Problems: everything wrong with it. A path that
// ends in ".json" is a template: see [OpenTemplate].
func Open(path string, lock Lock) (*Design, error) {
	if IsTemplate(path) {
		return OpenTemplate(path, "")
	}
	begin := time.Now()
	declared, err := intent.Load(path, intent.Options{})
	if err != nil {
		return nil, err
	}
	if declared.LockChanged {
		switch lock {
		case LockWrite:
			if err := declared.SaveLock(); err != nil {
				return nil, fmt.Errorf("writing the lock file: %w", err)
			}
		case LockFrozen:
			return nil, fmt.Errorf("%s assigns addresses that cerulean.lock does not record; run 'cerulean plan %s' to assign them and commit the lock file", path, path)
		}
	}
	return newDesign(declared, time.Since(begin))
}

func newDesign(declared *intent.Declared, took time.Duration) (*Design, error) {
	d := &Design{Declared: declared}
	d.Took.Declare = took
	begin := time.Now()
	if err := d.recompile(declared.Network.Resources); err != nil {
		return nil, err
	}
	d.Took.Compile = time.Since(begin)
	return d, nil
}

func (d *Design) recompile(resources []*model.Resource) error {
	opts := compile.Options{Internet: d.Network().Internet}
	img, err := compile.Compile(resources, opts)
	if err != nil {
		return err
	}
	if d.Managers, err = compile.TrafficManagers(resources, opts); err != nil {
		return err
	}
	d.Image, d.Prover = img, proof.New(img)
	return nil
}

// Network returns what was declared.
func (d *Design) Network() *model.Network { return d.Declared.Network }
