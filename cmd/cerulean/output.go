package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// outputFlag adds -o to a command. The first format is the default.
func outputFlag(cmd *cobra.Command, formats ...string) *string {
	format := formats[0]
	cmd.Flags().StringVarP(&format, "output", "o", format, fmt.Sprintf("output format: %s", list(formats)))
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
	check := func() error {
		for _, f := range formats {
			if f == format {
				return nil
			}
		}
		return fmt.Errorf("unknown output format %q; use %s", format, list(formats))
	}
	run := cmd.RunE
	cmd.RunE = func(c *cobra.Command, args []string) error {
		if err := check(); err != nil {
			return err
		}
		return run(c, args)
	}
	return &format
}

func list(words []string) string {
	out := words[0]
	for i, w := range words[1:] {
		if i == len(words)-2 {
			out += " or " + w
		} else {
			out += ", " + w
		}
	}
	return out
}

// writeJSON writes a value for machines.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// checkedWriter remembers the first error of a writer, so that a report that a
// full disk cut short is not taken for a whole one.
type checkedWriter struct {
	w   io.Writer
	err error
}

func (c *checkedWriter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	if c.err == nil {
		c.err = err
	}
	return n, err
}

// behind returns the writer that is checked: a program that is given it may find
// that it is a terminal.
func behind(w io.Writer) io.Writer {
	if c, ok := w.(*checkedWriter); ok {
		return c.w
	}
	return w
}

// isTerminal reports whether a writer is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := behind(w).(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// lineWidth returns how many columns a line of a terminal has, at most maxWidth.
func lineWidth(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 {
			return min(columns, maxWidth)
		}
	}
	return maxWidth
}

// maxWidth is the longest line that is printed on purpose, in columns.
const maxWidth = 100

// colour reports whether to colour what is written; NO_COLOR (no-color.org)
// and TERM=dumb switch it off.
func colour(w io.Writer) bool {
	return isTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// paint is a terminal's colours, or nothing.
type paint bool

func (p paint) with(code, s string) string {
	if !p {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (p paint) bold(s string) string { return p.with("1", s) }
func (p paint) dim(s string) string  { return p.with("2", s) }
