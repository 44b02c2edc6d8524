package node

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"time"
)

// Bench is the outcome of a benchmark: named figures of one machine.
type Bench struct {
	Name   string `json:"name"`
	What   string `json:"what"`
	Go     string `json:"go"`
	System string `json:"system"`
	CPUs   int    `json:"cpus"`
	Rounds int    `json:"rounds"`
	// Load is how many programs wanted a CPU in the last minute, this one
	// included; 0 where the system does not say. Above CPUs the figures are those
	// of a machine that has other things to do: only ratios within a section hold.
	Load    float64  `json:"load,omitempty"`
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
		CPUs: runtime.GOMAXPROCS(0), Rounds: rounds, Load: loadAverage(),
	}
	for _, n := range s.names {
		v := slices.Clone(s.values[n])
		slices.Sort(v)
		b.Figures = append(b.Figures, Figure{Name: n, Unit: s.units[n], Median: v[len(v)/2], Min: v[0], Max: v[len(v)-1]})
	}
	return b
}

// loadAverage is the load of the last minute (proc_loadavg(5)), 0 if unknown.
func loadAverage() (load float64) {
	b, err := os.ReadFile("/proc/loadavg")
	if err == nil {
		_, err = fmt.Sscan(string(b), &load)
	}
	if err != nil {
		return 0
	}
	return load
}

// WriteText writes the figures as a table.
func (b *Bench) WriteText(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "%s: %s\n%s, %s, %d CPUs, median of %d rounds\n\n", b.Name, b.What, b.Go, b.System, b.CPUs, b.Rounds); err != nil {
		return err
	}
	if b.Load > float64(b.CPUs) {
		if _, err := fmt.Fprintf(w, "  the machine is busy, load %.1f: only ratios hold\n\n", b.Load); err != nil {
			return err
		}
	}
	for _, f := range b.Figures {
		if _, err := fmt.Fprintf(w, "  %-40s %12.2f %-8s (%.2f to %.2f)\n", f.Name, f.Median, f.Unit, f.Min, f.Max); err != nil {
			return err
		}
	}
	return nil
}
