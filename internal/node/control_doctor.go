package node

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// doctorQuestion is who wants to reach what.
type doctorQuestion struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// diagnose answers why a host reaches a target, or does not.
func (s *System) diagnose(w http.ResponseWriter, r *http.Request) {
	var q doctorQuestion
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	d, err := s.Doctor(r.Context(), q.From, q.To)
	if err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	answer(w, d)
}

// Doctor asks a running network why a host reaches a target, or does not.
func (r *Remote) Doctor(ctx context.Context, from, to string) (*Diagnosis, error) {
	out := &Diagnosis{}
	err := r.Post(ctx, "/v1/doctor", doctorQuestion{from, to}, out)
	return out, err
}

// WriteText writes the diagnosis for people; paint colours a state, or not.
func (d *Diagnosis) WriteText(w io.Writer, paint func(state, text string) string) error {
	for _, s := range d.Steps {
		took := ""
		if s.MS > 0 {
			took = fmt.Sprintf(" (%.1f ms)", s.MS)
		}
		place := ""
		if s.Place != "" {
			place = "  [" + s.Place + "]"
		}
		fmt.Fprintf(w, "%s  %-11s  %s%s%s\n", paint(s.State, fmt.Sprintf("%-7s", s.State)), s.Step, s.What, took, place)
	}
	if d.OK {
		_, err := fmt.Fprintf(w, "\n%s reaches %s\n", d.From, d.To)
		return err
	}
	fmt.Fprintf(w, "\n%s does not reach %s\n", d.From, d.To)
	if c := d.Cause; c != nil {
		fmt.Fprintf(w, "cause  %s\n", c.What)
		if c.Place != "" {
			fmt.Fprintf(w, "at     %s\n", c.Place)
		}
		if c.Fix != "" {
			fmt.Fprintf(w, "fix    %s\n", c.Fix)
		}
	}
	return nil
}
