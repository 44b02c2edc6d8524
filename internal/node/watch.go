package node

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/internal/proof"
)

// Watch proves a network again whenever its files change. It is a core: it
// looks when it is asked to and knows no clock.
type Watch struct {
	path   string
	stamps map[string]stamp
	report *Report // of the last version that could be read
}

// stamp is what tells two versions of a file apart.
type stamp struct {
	size int64
	time time.Time
}

// NewWatch watches the network in a file or folder.
func NewWatch(path string) *Watch { return &Watch{path: path} }

// Update is what a change of the files did.
type Update struct {
	Files  []string // that changed, were added or removed
	Err    error    // the network cannot be read or compiled: what is wrong with it
	Report *Report  // nil with Err
	// Changed are the findings whose status is another than before, or that are
	// new; the first update has none.
	Changed []proof.Finding
	First   bool
}

// Poll proves the network if a file of it changed since the last time, and
// returns nil if none did.
func (w *Watch) Poll() *Update {
	now := w.look()
	files := changedFiles(w.stamps, now)
	if w.stamps != nil && len(files) == 0 {
		return nil
	}
	u := &Update{Files: files, First: w.stamps == nil}
	w.stamps = now
	design, err := Open(w.path, LockRead)
	if err != nil {
		u.Err = err
		return u
	}
	u.Report = design.Check()
	if w.report != nil {
		u.Changed = changedFindings(w.report.Findings, u.Report.Findings)
	}
	w.report = u.Report
	return u
}

// look takes the stamps of the network's files. A file that cannot be read has
// none; reading the network says why.
func (w *Watch) look() map[string]stamp {
	out := map[string]stamp{}
	add := func(name string, info fs.FileInfo) { out[name] = stamp{info.Size(), info.ModTime()} }
	info, err := os.Stat(w.path)
	switch {
	case err != nil:
	case !info.IsDir():
		add(w.path, info)
	default:
		entries, err := os.ReadDir(w.path)
		if err != nil {
			return out
		}
		for _, e := range entries {
			ext := strings.ToLower(filepath.Ext(e.Name()))
			if ext != ".yaml" && ext != ".yml" {
				continue
			}
			if info, err := e.Info(); err == nil {
				add(filepath.Join(w.path, e.Name()), info)
			}
		}
	}
	return out
}

func changedFiles(before, now map[string]stamp) []string {
	var out []string
	for name, s := range now {
		if was, ok := before[name]; !ok || was != s {
			out = append(out, name)
		}
	}
	for name := range before {
		if _, ok := now[name]; !ok {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// changedFindings returns the findings whose status changed, by name.
func changedFindings(before, now []proof.Finding) []proof.Finding {
	was := map[string]proof.Status{}
	for i := range before {
		was[before[i].Expectation.Name] = before[i].Status
	}
	var out []proof.Finding
	for i := range now {
		if s, ok := was[now[i].Expectation.Name]; !ok || s != now[i].Status {
			out = append(out, now[i])
		}
	}
	return out
}

// WriteText writes an update for people: everything the first time, then what
// changed and a line that says how things stand.
func (u *Update) WriteText(w io.Writer, color bool) error {
	if !u.First {
		fmt.Fprintf(w, "\n%s changed\n", strings.Join(u.Files, ", "))
	}
	if u.Err != nil {
		_, err := fmt.Fprintln(w, u.Err)
		return err
	}
	if u.First {
		return u.Report.WriteText(w, color)
	}
	if err := proof.WriteFindings(w, u.Changed, proof.Style{Colour: color}); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%s: %s (%.0f ms)\n", u.Report.network, u.Report.Headline(), ms(u.Report.took))
	return err
}
