package arm

import (
	_ "embed" // the table of durations
	"fmt"
	"strings"
	"time"
)

//go:embed timings.txt
var timingTable string

// timed is what an operation does to a resource.
type timed int

const (
	timedCreation timed = iota
	timedChange
	timedDeletion
	timedKinds
)

// timings are typical durations by lower-case type; "*" is that of all others.
type timings map[string][timedKinds]time.Duration

// readTimings reads the table: a type and three durations a line.
func readTimings(table string) (timings, error) {
	out := timings{}
	for i, line := range strings.Split(table, "\n") {
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(line, "#") {
			continue
		}
		if len(fields) != 1+int(timedKinds) {
			return nil, fmt.Errorf("timings, line %d: a type and %d durations, not %d fields", i+1, timedKinds, len(fields))
		}
		var all [timedKinds]time.Duration
		for j, f := range fields[1:] {
			d, err := time.ParseDuration(f)
			if err != nil || d < 0 {
				return nil, fmt.Errorf("timings, line %d: %q is no duration", i+1, f)
			}
			all[j] = d
		}
		out[strings.ToLower(fields[0])] = all
	}
	if _, ok := out["*"]; !ok {
		return nil, fmt.Errorf(`timings: a line "*" is missing`)
	}
	return out, nil
}

// takes returns how long an operation on a type shows as under way: the
// configured time for all, or Azure's, scaled.
func (s *Server) takes(resourceType string, what timed) time.Duration {
	if s.timingScale == 0 {
		return s.operationTime
	}
	all, ok := s.timings[strings.ToLower(resourceType)]
	if !ok {
		all = s.timings["*"]
	}
	return max(s.operationTime, time.Duration(float64(all[what])*s.timingScale))
}
