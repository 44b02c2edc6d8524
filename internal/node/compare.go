package node

import (
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/ceruleannet/cerulean/intent"
	"github.com/ceruleannet/cerulean/internal/proof"
	"github.com/ceruleannet/cerulean/model"
)

// Difference is what two versions of a network do differently.
type Difference struct {
	*proof.Difference
	before, after string
	took          time.Duration
}

// Compare finds what changes for packets from one version of a network to
// another. from and to narrow the question, as endpoints are written in
// expectations; empty means all. They are read with the names of the version
// that is asked second.
func Compare(before, after *Design, from, to string) (*Difference, error) {
	begin := time.Now()
	var scope proof.Scope
	var err error
	if scope.From, err = after.endpoint("--from", from); err != nil {
		return nil, err
	}
	if scope.To, err = after.endpoint("--to", to); err != nil {
		return nil, err
	}
	d, err := proof.Diff(before.Prover, after.Prover, scope)
	if err != nil {
		return nil, err
	}
	return &Difference{d, before.Network().Name, after.Network().Name, time.Since(begin)}, nil
}

// WriteText writes the difference for people.
func (d *Difference) WriteText(w io.Writer, color bool) error {
	if err := d.Difference.WriteText(w, proof.Style{Colour: color}); err != nil {
		return err
	}
	if d.Same() {
		return nil
	}
	_, err := fmt.Fprintf(w, "\n%s in %.0f ms\n", count(len(d.Changes), "change"), ms(d.took))
	return err
}

// WriteJSON writes the difference for machines.
func (d *Difference) WriteJSON(w io.Writer) error {
	return writeJSON(w, struct {
		Before string `json:"before"`
		After  string `json:"after"`
		Same   bool   `json:"same"`
		*proof.Difference
		MS float64 `json:"ms"`
	}{d.before, d.after, d.Same(), d.Difference, ms(d.took)})
}

// Fates is what becomes of all traffic between two places.
type Fates struct {
	Fates []proof.Fate `json:"fates"`
	From  string       `json:"from"`
	To    string       `json:"to"`
}

// ExplainAll follows all packets between two places of the network, rather
// than one flow.
func (d *Design) ExplainAll(from, to string) (*Fates, error) {
	source, err := intent.ParseEndpoint(d.Network(), from)
	if err != nil {
		return nil, fmt.Errorf("FROM: %w", err)
	}
	destination, traffic, _, err := d.target(&source, to)
	if err != nil {
		return nil, fmt.Errorf("TO: %w", err)
	}
	list, err := d.Prover.Fates(source, destination, traffic)
	return &Fates{list, from, to}, err
}

// Works reports whether all of it works.
func (f *Fates) Works() bool {
	for i := range f.Fates {
		if f.Fates[i].Level != proof.LevelWorks {
			return false
		}
	}
	return len(f.Fates) > 0
}

// WriteText writes the fates for people.
func (f *Fates) WriteText(w io.Writer, color bool) error {
	return proof.WriteFates(w, f.Fates, proof.Style{Colour: color})
}

// WriteJSON writes them for machines.
func (f *Fates) WriteJSON(w io.Writer) error { return writeJSON(w, f) }

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// baselines decides the expectations that speak of another version of the
// network: nothing may be delivered that the baseline does not deliver.
func (d *Design) baselines(findings []proof.Finding) {
	opened := map[string]*Design{}
	for i := range findings {
		f := &findings[i]
		if f.Expectation.Verb != model.NoMore {
			continue
		}
		path := f.Expectation.Baseline
		if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(f.Expectation.Pos.File), path)
		}
		base, ok := opened[path]
		if !ok {
			var err error
			if base, err = Open(path, LockRead); err != nil {
				f.Status, f.Why = proof.Unknown, fmt.Sprintf("the baseline cannot be read: %v", err)
				continue
			}
			opened[path] = base
		}
		d.noMore(base, f)
	}
}

// noMore decides one expectation against its baseline.
func (d *Design) noMore(base *Design, f *proof.Finding) {
	scope := proof.Scope{Traffic: f.Expectation.Traffic}
	if f.Expectation.From.Text != "" {
		scope.From = &f.Expectation.From
	}
	if f.Expectation.To.Text != "" {
		scope.To = &f.Expectation.To
	}
	diff, err := proof.Diff(base.Prover, d.Prover, scope)
	if err != nil {
		f.Status, f.Why = proof.Unknown, err.Error()
		return
	}
	f.Status, f.Why = proof.Holds, "nothing is delivered that "+f.Expectation.Baseline+" does not deliver"
	f.Counts.Steps = diff.Steps
	for i := range diff.Changes {
		c := &diff.Changes[i]
		if !c.Appears() && !c.Elsewhere {
			continue
		}
		if f.Witness == nil {
			f.Status = proof.Broken
			f.Why = fmt.Sprintf("%s from %s gets further than in %s: %s before, %s now", c.Witness.Packet, c.Witness.FromName,
				f.Expectation.Baseline, c.Before, c.After)
			f.Witness = c.Witness
		}
		if len(f.Groups) < proof.MaxGroups {
			f.Groups = append(f.Groups, proof.Group{Cause: "the baseline stops it: " + c.Because, Pairs: c.Pairs, More: c.More, Witness: c.Witness})
		} else {
			f.Omitted++
		}
	}
}
