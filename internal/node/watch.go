package node

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/intent"
	"github.com/ceruleannet/cerulean/internal/fabric/compile"
	"github.com/ceruleannet/cerulean/internal/proof"
	"github.com/ceruleannet/cerulean/model"
)

// Watch proves a network again whenever its files change. It is a core: it
// looks when it is asked to and knows no clock.
type Watch struct {
	path   string
	stamps map[string]stamp
	report *Report // of the last version that could be read
	// What the last version that compiled left behind: an edit re-does only what
	// it can affect.
	resources map[string]*model.Resource // by ID
	compiled  *compile.Compilation
	claims    *proof.Watch
	expected  []model.Expectation
	internet  []model.PublicHost
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
	begin := time.Now()
	declared, err := intent.Load(w.path, intent.Options{})
	if err == nil {
		u.Report, err = w.prove(declared, begin)
	}
	if err != nil {
		u.Err = err
		return u
	}
	if w.report != nil {
		u.Changed = changedFindings(w.report.Findings, u.Report.Findings)
	}
	w.report = u.Report
	return u
}

// prove compiles and proves the next version from the last.
func (w *Watch) prove(declared *intent.Declared, begin time.Time) (*Report, error) {
	next := make(map[string]*model.Resource, len(declared.Network.Resources))
	var edit compile.Edit
	for _, r := range declared.Network.Resources {
		key := r.ID.Key()
		if was := w.resources[key]; was != nil && reflect.DeepEqual(was, r) {
			next[key] = was
			continue
		}
		next[key] = r
		edit.Put = append(edit.Put, r)
	}
	for key, r := range w.resources {
		if next[key] == nil {
			edit.Remove = append(edit.Remove, r.ID)
		}
	}
	exps := declared.Network.Expectations
	opts := compile.Options{Internet: declared.Network.Internet}
	if !reflect.DeepEqual(opts.Internet, w.internet) {
		w.compiled, w.internet = nil, opts.Internet // names may have changed everywhere
	}
	var findings []proof.Finding
	if w.compiled == nil {
		c, err := compile.Follow(declared.Network.Resources, opts)
		if err != nil {
			return nil, err
		}
		w.compiled, w.claims = c, proof.NewWatch(proof.New(c.Image()), exps)
		findings = w.claims.Findings()
	} else {
		img, delta, err := w.compiled.Update(edit, opts)
		if err != nil {
			return nil, err
		}
		if reflect.DeepEqual(exps, w.expected) {
			findings = w.claims.Update(img, delta)
		} else {
			w.claims = proof.NewWatch(proof.New(img), exps)
			findings = w.claims.Findings()
		}
	}
	w.resources, w.expected = next, exps
	d := &Design{Declared: declared, Image: w.compiled.Image(), Prover: w.claims.Prover()}
	return d.report(findings, begin), nil
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
