package intent

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/model"
	"github.com/rogpeppe/go-internal/txtar"
)

// TestBadInput parses each archive of testdata/bad and compares every problem,
// in order, with the archive's file "problems".
func TestBadInput(t *testing.T) {
	archives, _ := filepath.Glob("testdata/bad/*.txtar")
	if len(archives) == 0 {
		t.Fatal("no archives")
	}
	for _, name := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			files, lock, want := archive(a)
			got := ""
			l, err := ParseLock(LockName, lock)
			if err == nil {
				_, err = Parse(files, l, Options{})
			}
			if err != nil {
				got = err.Error() + "\n"
				var ps model.Problems
				if !errors.As(err, &ps) {
					t.Errorf("the error is a %T, not model.Problems", err)
				}
				for _, p := range ps {
					if p.Pos.IsZero() || p.What == "" || p.Fix == "" {
						t.Errorf("a problem lacks its place, cause or fix: %#v", p)
					}
				}
			}
			if got == "" {
				t.Error("the input is accepted")
			}
			if *update {
				update := &txtar.Archive{Comment: a.Comment}
				for _, f := range a.Files {
					if f.Name != "problems" {
						update.Files = append(update.Files, f)
					}
				}
				update.Files = append(update.Files, txtar.File{Name: "problems", Data: []byte(got)})
				if err := os.WriteFile(name, txtar.Format(update), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != want {
				t.Errorf("problems:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// archive separates an archive into a network's files, its lock and what is
// expected.
func archive(a *txtar.Archive) (files []File, lock []byte, want string) {
	for _, f := range a.Files {
		switch f.Name {
		case "problems":
			want = string(f.Data)
		case LockName:
			lock = f.Data
		default:
			files = append(files, File{Name: f.Name, Data: f.Data})
		}
	}
	return files, lock, want
}
