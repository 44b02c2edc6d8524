package main

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes the test binary double as the program, so that scripts run
// the real commands in processes of their own.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"cerulean": func() {
			os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
		},
	})
}

// TestScripts runs testdata/script: each file is a story a user could live
// through. Besides testscript's own commands there are
//
//	example NAME            copies examples/NAME into the work folder
//	replace FILE OLD NEW    edits the one place of FILE that says OLD
//	same-addresses A B      every address assigned in lock file A is in B
func TestScripts(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("NO_COLOR", "1")
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"example": func(ts *testscript.TestScript, _ bool, args []string) {
				from := filepath.Join(root, "examples", args[0])
				to := ts.MkAbs(args[0])
				ts.Check(os.CopyFS(to, os.DirFS(from)))
				// Copies of a read-only tree must be writable.
				ts.Check(filepath.WalkDir(to, func(path string, d fs.DirEntry, err error) error {
					if err != nil || d.IsDir() {
						return err
					}
					return os.Chmod(path, 0o644)
				}))
			},
			"replace": func(ts *testscript.TestScript, _ bool, args []string) {
				if len(args) != 3 {
					ts.Fatalf("usage: replace FILE OLD NEW")
				}
				file := ts.MkAbs(args[0])
				b, err := os.ReadFile(file)
				ts.Check(err)
				unescape := strings.NewReplacer(`\n`, "\n").Replace
				old, text := unescape(args[1]), string(b)
				if n := strings.Count(text, old); n != 1 {
					ts.Fatalf("%s says %q %d times, not once", args[0], old, n)
				}
				ts.Check(os.WriteFile(file, []byte(strings.Replace(text, old, unescape(args[2]), 1)), 0o644))
			},
			"same-addresses": func(ts *testscript.TestScript, _ bool, args []string) {
				before, after := ts.ReadFile(args[0]), ts.ReadFile(args[1])
				have := map[string]bool{}
				for line := range strings.SplitSeq(after, "\n") {
					have[line] = true
				}
				for line := range strings.SplitSeq(before, "\n") {
					if !have[line] {
						ts.Fatalf("%q is not in %s any more", line, args[1])
					}
				}
			},
		},
	})
}
