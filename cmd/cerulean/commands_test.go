package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// invoke runs a command line as main does, in this process.
func invoke(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

// TestHelp: every command explains itself with an example, and alone the
// program prints its help.
func TestHelp(t *testing.T) {
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		args := append(strings.Fields(c.CommandPath())[1:], "--help")
		code, out, errs := invoke(t, args...)
		if code != exitOK || errs != "" || !strings.Contains(out, "Usage:") {
			t.Errorf("%s: %d %s", c.CommandPath(), code, errs)
		}
		if c.Example == "" || !strings.Contains(out, c.Example) || !strings.Contains(c.Example, c.CommandPath()) {
			t.Errorf("%s has no example of itself", c.CommandPath())
		}
		for line := range strings.Lines(out) {
			if n := utf8.RuneCountInString(line) - 1; n > maxWidth {
				t.Errorf("%s: %d columns: %s", c.CommandPath(), n, line)
			}
		}
		for _, sub := range c.Commands() {
			if sub.Name() != "help" && sub.Name() != "completion" { // cobra's own
				walk(sub)
			}
		}
	}
	walk(newRoot())
	code, alone, _ := invoke(t)
	if _, help, _ := invoke(t, "--help"); code != exitOK || alone != help {
		t.Errorf("alone: %d\n%s", code, alone)
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if code, out, errs := invoke(t, "completion", shell); code != exitOK || len(out) < 1000 || errs != "" {
			t.Errorf("completion %s: %d %s", shell, code, errs)
		}
	}
}

// TestOutputs: what is printed into a pipe has no escape codes and no line
// wider than a window; for machines it is one JSON document and nothing else.
func TestOutputs(t *testing.T) {
	t.Parallel()
	globojava, broken := "../../examples/globojava", "../../examples/broken"
	dir := filepath.Join(t.TempDir(), "state")
	for _, c := range []struct {
		code int
		args []string
		text bool // has a form for people, too
	}{
		{exitOK, []string{"check", globojava}, true},
		{exitFalse, []string{"check", broken}, true},
		{exitFalse, []string{"up", "--once", broken}, true},
		{exitOK, []string{"up", "--once", globojava}, true},
		{exitOK, []string{"show", globojava}, true},
		{exitOK, []string{"show", "--expanded", globojava}, false},
		{exitOK, []string{"routes", "shop-prod-eastus", "-n", globojava}, true},
		{exitOK, []string{"rules", "shop-prod-eastus", "-n", globojava}, true},
		{exitOK, []string{"plan", "--dir", dir, globojava}, true},
		{exitOK, []string{"apply", "--dir", dir, globojava}, true},
		{exitOK, []string{"plan", "--dir", dir, globojava}, true},
		{exitOK, []string{"destroy", "--dir", dir, globojava}, true},
		{exitFalse, []string{"apply", "--dir", dir, broken}, true},
		{exitOK, []string{"bench", "up", "--rounds", "1", "-n", "../../examples/three-tier"}, true},
		{exitOK, []string{"bench", "prove", "--rounds", "1", "--spokes", "20", "--size", "50", "--rules", "100"}, true},
	} {
		name := strings.Join(c.args, " ")
		if c.text {
			code, out, errs := invoke(t, c.args...)
			if code != c.code || out == "" || strings.ContainsRune(out+errs, '\x1b') {
				t.Errorf("%s: %d %q", name, code, errs)
			}
			for line := range strings.Lines(out) {
				if n := utf8.RuneCountInString(line) - 1; n > maxWidth {
					t.Errorf("%s: %d columns: %s", name, n, line)
				}
			}
		}
		code, out, errs := invoke(t, append(c.args, "-o", "json")...)
		if code != c.code || !json.Valid([]byte(out)) {
			t.Errorf("%s -o json: %d %s %.200s", name, code, errs, out)
		}
		if c.code == exitOK && errs != "" {
			t.Errorf("%s -o json: %q", name, errs)
		}
	}
}

// TestUsage: what a user got wrong is said on standard error, with 2, and
// nothing is printed that a script could take for an answer.
func TestUsage(t *testing.T) {
	globojava := "../../examples/globojava"
	dir := filepath.Join(t.TempDir(), "state")
	for _, c := range []struct {
		want string
		args []string
	}{
		{"unknown command", []string{"chekc"}},
		{"unknown flag", []string{"plan", "--nope"}},
		{"accepts at most 1 arg", []string{"plan", "a", "b"}},
		{"accepts 1 arg", []string{"routes"}},
		{"unknown benchmark", []string{"bench", "fast"}},
		{"--rounds 0", []string{"bench", "up", "--rounds", "0"}},
		{"from 2 to 4000", []string{"bench", "prove", "--spokes", "1"}},
		{"nothing is called", []string{"rules", "nobody", "-n", globojava}},
		{"unknown output format", []string{"apply", "-o", "xml", globojava}},
		{"unknown cloud", []string{"plan", "--cloud", "moon", "--dir", dir, globojava}},
		{"--parallel 0", []string{"apply", "--parallel", "0", "--dir", dir, globojava}},
		{"latency NaN", []string{"up", "--once", "--latency", "nan", globojava}},
		{"latency +Inf", []string{"up", "--once", "--latency", "inf", globojava}},
		{"nowhere", []string{"up", "--once", "nowhere"}},
		{"not HOST:PORT", []string{"plan", "--listen", "127.0.0.1", "--dir", dir, globojava}},
	} {
		code, out, errs := invoke(t, c.args...)
		if code != exitUsage || out != "" || !strings.Contains(errs, c.want) {
			t.Errorf("%s: %d %q %q", strings.Join(c.args, " "), code, out, errs)
		}
	}
}

// full is a disk without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no room") }

// TestOutputLost: a report that could not be written is no success.
func TestOutputLost(t *testing.T) {
	for _, args := range [][]string{
		{"up", "--once", "../../examples/three-tier"},
		{"check", "../../examples/three-tier"},
		{"show", "../../examples/three-tier"},
		{"schema"},
		{"version"},
		{"--help"},
	} {
		var errs bytes.Buffer
		if code := run(t.Context(), args, strings.NewReader(""), full{}, &errs); code != exitFalse || !strings.Contains(errs.String(), "no room") {
			t.Errorf("%s: %d %s", strings.Join(args, " "), code, errs.String())
		}
	}
}

// TestInterrupted: an interrupt is no fault of the input.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, args := range [][]string{
		{"up", "--once", "../../examples/three-tier"},
		{"apply", "--dir", filepath.Join(t.TempDir(), "state"), "../../examples/three-tier"},
		{"bench", "up", "-n", "../../examples/three-tier"},
	} {
		var out, errs bytes.Buffer
		if code := run(ctx, args, strings.NewReader(""), &out, &errs); code != exitFalse || errs.Len() == 0 {
			t.Errorf("%s: %d %s", args[0], code, errs.String())
		}
	}
}
