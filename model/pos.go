package model

import (
	"fmt"
	"sort"
	"strings"
)

// Pos is a place in a declared file. Line and Column count from 1; zero means
// unknown. The zero Pos means "not declared in a file", for example a resource
// read from a cloud.
type Pos struct {
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
}

// IsZero reports whether the place is unknown.
func (p Pos) IsZero() bool { return p == Pos{} }

// String returns "file:line:column", leaving out what is unknown.
func (p Pos) String() string {
	switch {
	case p.File == "" && p.Line == 0:
		return ""
	case p.Line == 0:
		return p.File
	case p.Column == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	default:
		return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
	}
}

// Problem is one thing wrong with a declared network: what, where, and what to
// do about it.
type Problem struct {
	Pos      Pos    `json:"pos"`
	Resource string `json:"resource,omitempty"` // resource ID, where the problem has one
	What     string `json:"what"`               // one sentence with the offending value
	Fix      string `json:"fix,omitempty"`      // what to do
}

// Error formats the problem on one line: "where: what; fix".
func (p Problem) Error() string {
	var b strings.Builder
	if at := p.Pos.String(); at != "" {
		b.WriteString(at + ": ")
	} else if p.Resource != "" {
		b.WriteString(p.Resource + ": ")
	}
	b.WriteString(p.What)
	if p.Fix != "" {
		b.WriteString("; " + p.Fix)
	}
	return b.String()
}

// Problems is every problem found in one go. It is an error when not empty.
type Problems []Problem

// Error lists the problems, one per line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Err returns the problems sorted by place as an error, or nil if there are none.
func (ps Problems) Err() error {
	if len(ps) == 0 {
		return nil
	}
	sort.SliceStable(ps, func(i, j int) bool {
		a, b := ps[i].Pos, ps[j].Pos
		if a.File != b.File {
			return a.File < b.File
		}
		if a.Line != b.Line {
			return a.Line < b.Line
		}
		return a.Column < b.Column
	})
	return ps
}
