package main

import (
	"fmt"
	"io"
	"sort"
	"strings"
)

// report sums outcomes up.
type report struct {
	recordings, whole            int
	exchanges, statuses, skipped int
	values, differences          int
	places                       map[place]*tally
	refusals                     map[place]*tally
}

// place is where answers differ: a property of a type.
type place struct{ kind, what string }

type tally struct {
	count   int
	example string
}

func newReport() *report {
	return &report{places: map[place]*tally{}, refusals: map[place]*tally{}}
}

// add counts what became of a recording; complete says that it was replayed to its
// end.
func (r *report) add(name string, outcomes []outcome, complete bool) {
	r.recordings++
	whole := complete && len(outcomes) > 0
	for i := range outcomes {
		o := &outcomes[i]
		whole = whole && o.agrees()
		if o.Skipped != "" {
			r.skipped++
			continue
		}
		r.exchanges++
		r.values += o.values
		r.differences += len(o.differences)
		example := fmt.Sprintf("%s #%d", name, o.Number)
		if o.Recorded == o.Ours {
			r.statuses++
		} else {
			what := fmt.Sprintf("%s %s: %d, recorded %d", o.Method, o.Type, o.Ours, o.Recorded)
			if o.Code != "" {
				what += " " + o.Code
			}
			if o.Ours >= 400 && o.Recorded < 400 {
				what += ": " + clip(o.Message, 150)
			}
			count(r.refusals, place{"status", what}, example)
		}
		for _, d := range o.differences {
			// A list tells of the same properties as its elements.
			d.Path = strings.TrimPrefix(d.Path, ".value[]")
			o.Type = strings.TrimSuffix(o.Type, " ()")
			what := fmt.Sprintf("%s %s", o.Type, d)
			if d.Kind != "differs" {
				what = fmt.Sprintf("%s %s: %s, as %s", o.Type, d.Path, d.Kind, clip(d.Recorded+d.Ours, 90))
				count(r.places, place{o.Type + d.Path + d.Kind, what}, example)
				continue
			}
			count(r.places, place{o.Type + d.Path + d.Recorded + d.Ours, what}, example)
		}
	}
	if whole {
		r.whole++
	}
}

func count(m map[place]*tally, p place, example string) {
	for k, t := range m {
		if k.kind == p.kind && (p.kind != "status" || k.what == p.what) {
			t.count++
			return
		}
	}
	m[p] = &tally{1, example}
}

func clip(s string, n int) string {
	if len(s) > n {
		return s[:n] + "..."
	}
	return s
}

// write prints the summary, with at most n places of each sort.
func (r *report) write(w io.Writer, n int) {
	list(w, "status differs", r.refusals, n)
	list(w, "fields differ", r.places, n)
	fmt.Fprintf(w, "\n%d recordings, %d of them alike in everything\n", r.recordings, r.whole)
	fmt.Fprintf(w, "%d answers compared (%d not, after a refused write): %d have the recorded status (%s)\n", r.exchanges, r.skipped, r.statuses, percent(r.statuses, r.exchanges))
	fmt.Fprintf(w, "%d values compared: %d as recorded (%s)\n", r.values, r.values-r.differences, percent(r.values-r.differences, r.values))
}

func percent(n, of int) string {
	if of == 0 {
		return "none"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(n)/float64(of))
}

func list(w io.Writer, title string, m map[place]*tally, n int) {
	type row struct {
		place
		*tally
	}
	var rows []row
	for p, t := range m {
		rows = append(rows, row{p, t})
	}
	sort.Slice(rows, func(i, j int) bool {
		if rows[i].count != rows[j].count {
			return rows[i].count > rows[j].count
		}
		return rows[i].what < rows[j].what
	})
	fmt.Fprintf(w, "\n%s in %d ways\n", title, len(rows))
	for i, r := range rows {
		if i == n {
			fmt.Fprintf(w, "  and %d more\n", len(rows)-n)
			break
		}
		fmt.Fprintf(w, "%6d  %s (%s)\n", r.count, r.what, r.example)
	}
}
