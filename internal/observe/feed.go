package observe

import (
	"sync"
	"sync/atomic"

	"github.com/ceruleannet/cerulean/internal/engine"
)

// Watcher is told of flows. It is called with the network's locks held: it must
// be quick and must not call the network.
type Watcher interface {
	OnFlow(engine.FlowEvent)
	OnClose(engine.FlowEnd)
}

// Feed tells several watchers what the engine tells of flows. The zero value
// tells nobody.
type Feed struct {
	mu   sync.Mutex
	list atomic.Pointer[[]Watcher] // never changed in place
}

// OnFlow passes on what the engine tells.
func (f *Feed) OnFlow(e engine.FlowEvent) {
	if list := f.list.Load(); list != nil {
		for _, w := range *list {
			w.OnFlow(e)
		}
	}
}

// OnClose passes on what the engine tells.
func (f *Feed) OnClose(e engine.FlowEnd) {
	if list := f.list.Load(); list != nil {
		for _, w := range *list {
			w.OnClose(e)
		}
	}
}

// Add tells w from now on, until stop is called; stop may be called twice.
func (f *Feed) Add(w Watcher) (stop func()) {
	f.change(func(list []Watcher) []Watcher { return append(list, w) })
	var once sync.Once
	return func() {
		once.Do(func() {
			f.change(func(list []Watcher) []Watcher {
				for i := range list {
					if list[i] == w {
						return append(list[:i], list[i+1:]...)
					}
				}
				return list
			})
		})
	}
}

func (f *Feed) change(edit func([]Watcher) []Watcher) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []Watcher
	if old := f.list.Load(); old != nil {
		list = append(list, *old...)
	}
	list = edit(list)
	f.list.Store(&list)
}
