package node

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"time"
)

// Bench is the outcome of a benchmark: named figures of one machine.
type Bench struct {
	Name    string   `json:"name"`
	What    string   `json:"what"`
	Go      string   `json:"go"`
	System  string   `json:"system"`
	CPUs    int      `json:"cpus"`
	Rounds  int      `json:"rounds"`
	Figures []Figure `json:"figures"`
}

// Figure is one measured quantity: the median of the rounds and their range.
type Figure struct {
	Name   string  `json:"name"`
	Unit   string  `json:"unit"`
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// series collects a figure's rounds.
type series struct {
	names  []string
	units  map[string]string
	values map[string][]float64
}

func (s *series) add(name, unit string, v float64) {
	if s.values == nil {
		s.values, s.units = map[string][]float64{}, map[string]string{}
	}
	if _, ok := s.units[name]; !ok {
		s.names = append(s.names, name)
		s.units[name] = unit
	}
	s.values[name] = append(s.values[name], v)
}

func (s *series) addTime(name string, d time.Duration) {
	s.add(name, "ms", float64(d)/float64(time.Millisecond))
}

func (s *series) bench(name, what string, rounds int) *Bench {
	b := &Bench{
		Name: name, What: what, Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH,
		CPUs: runtime.GOMAXPROCS(0), Rounds: rounds,
	}
	for _, n := range s.names {
		v := slices.Clone(s.values[n])
		slices.Sort(v)
		b.Figures = append(b.Figures, Figure{Name: n, Unit: s.units[n], Median: v[len(v)/2], Min: v[0], Max: v[len(v)-1]})
	}
	return b
}

// WriteText writes the figures as a table.
func (b *Bench) WriteText(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "%s: %s\n%s, %s, %d CPUs, median of %d rounds\n\n", b.Name, b.What, b.Go, b.System, b.CPUs, b.Rounds); err != nil {
		return err
	}
	for _, f := range b.Figures {
		if _, err := fmt.Fprintf(w, "  %-40s %12.2f %-8s (%.2f to %.2f)\n", f.Name, f.Median, f.Unit, f.Min, f.Max); err != nil {
			return err
		}
	}
	return nil
}
