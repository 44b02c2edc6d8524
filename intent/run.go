package intent

import (
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// maxRun bounds the arguments and the environment of a program; what systems take
// is about a hundred times that (ARG_MAX).
const maxRun = 1000

// runOf reads the program of a host; nil if it has none.
func (b *builder) runOf(h *host) *model.Run {
	spec := &h.spec
	if len(spec.Run) == 0 {
		if len(spec.Env) > 0 {
			b.problem(spec.Env[0].Key.Pos, "write run: COMMAND", "host %s has an environment and no program", h.name)
		}
		if spec.Restart.IsSet() {
			b.problem(spec.Restart.Pos, "write run: COMMAND", "host %s has nothing to restart", h.name)
		}
		return nil
	}
	run := &model.Run{Restart: model.RestartOnFailure, Pos: spec.Run[0].Pos}
	for _, t := range spec.Run {
		if strings.ContainsRune(t.Value, 0) || len(run.Args) == maxRun {
			b.problem(t.Pos, "write a shorter command without NUL bytes", "the program of host %s has an argument that no system takes", h.name)
			return nil
		}
		run.Args = append(run.Args, t.Value)
	}
	if strings.TrimSpace(run.Args[0]) == "" {
		b.problem(run.Pos, "write run: COMMAND", "the program of host %s has no name", h.name)
		return nil
	}
	for i, e := range spec.Env {
		if e.Key.Value == "" || strings.ContainsAny(e.Key.Value, "=\x00") || strings.ContainsRune(e.Value.Value, 0) || i == maxRun {
			b.problem(e.Key.Pos, "use a name without = and a value without NUL bytes", "%q cannot be in the environment of host %s", e.Key.Value, h.name)
			continue
		}
		run.Env = append(run.Env, e.Key.Value+"="+e.Value.Value)
	}
	if spec.Restart.IsSet() {
		kinds := []model.Restart{model.RestartAlways, model.RestartOnFailure, model.RestartNever}
		if run.Restart = model.Restart(spec.Restart.Value); !slices.Contains(kinds, run.Restart) {
			b.problem(spec.Restart.Pos, "write always, on-failure or never", "host %s cannot restart %q", h.name, spec.Restart.Value)
		}
	}
	return run
}
