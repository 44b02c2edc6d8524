package frontdoor

import "time"

// window are the results of the last probes of an origin.
type window struct {
	size, need int
	results    []bool
	latencies  []time.Duration
	said       string
	since      time.Time // of the state
	asked      time.Time // last
	sent, bad  uint64
}

func newWindow(g *Group) *window {
	return &window{size: or(g.Samples, defaultSamples), need: or(g.Successful, defaultSuccessful)}
}

// resize takes the numbers of a group; results stay.
func (w *window) resize(g *Group) {
	w.size, w.need = or(g.Samples, defaultSamples), or(g.Successful, defaultSuccessful)
	w.results = w.results[max(0, len(w.results)-w.size):]
	w.latencies = w.latencies[max(0, len(w.latencies)-w.size):]
}

// hear takes a result.
func (w *window) hear(ok bool, latency time.Duration) {
	w.sent++
	w.results = append(w.results, ok)
	if len(w.results) > w.size {
		w.results = w.results[1:]
	}
	if !ok {
		w.bad++
		return
	}
	w.latencies = append(w.latencies, latency)
	if len(w.latencies) > w.size {
		w.latencies = w.latencies[1:]
	}
}

// state says how the origin is: well if enough of the last probes were. Before it
// was asked as often, only failures count against it.
func (w *window) state() State {
	failed := 0
	for _, ok := range w.results {
		if !ok {
			failed++
		}
	}
	s := State{Healthy: failed <= w.size-w.need}
	if len(w.latencies) > 0 {
		for _, l := range w.latencies {
			s.Latency += l
		}
		s.Latency /= time.Duration(len(w.latencies))
	}
	return s
}
