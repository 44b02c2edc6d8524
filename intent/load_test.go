package intent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/model"
	"github.com/rogpeppe/go-internal/txtar"
)

func TestLoadFolder(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Load(dir, Options{}); err == nil || !strings.Contains(err.Error(), "holds no .yaml file") {
		t.Errorf("an empty folder: %v", err)
	}
	write("b.yml", "spokes:\n  - {name: two}\n")
	write("a.yaml", "network: t\nregions: [westeurope]\nspokes:\n  - {name: one}\n")
	write("notes.txt", "not yaml: [")
	d, err := Load(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !d.LockChanged {
		t.Error("a network without a lock has nothing to save")
	}
	if err := d.SaveLock(); err != nil || d.LockChanged {
		t.Fatalf("SaveLock: %v", err)
	}
	// The files come in the order of their names, whatever the lock says later.
	again, err := Load(filepath.Join(dir, "a.yaml"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if again.Lock.Networks["one"] != d.Lock.Networks["one"] || !again.LockChanged {
		t.Errorf("one file of the folder: %s", again.Lock.Marshal())
	}
	if entries, _ := filepath.Glob(filepath.Join(dir, LockName+"*")); len(entries) != 1 {
		t.Errorf("SaveLock leaves %v", entries)
	}
	write("c.yaml", "spokes: 3\n")
	_, err = Load(dir, Options{})
	var ps model.Problems
	if !errors.As(err, &ps) || ps[0].Pos.File != filepath.Join(dir, "c.yaml") {
		t.Errorf("problems: %v", err)
	}
}

func TestSaveLockNeedsAFolder(t *testing.T) {
	d := mustParse(t, []File{{Name: "n", Data: []byte("network: t\nregions: [westeurope]\n")}}, nil)
	if err := d.SaveLock(); err == nil {
		t.Error("a lock without a place was saved")
	}
}

// Hostile input ends in a problem, quickly.
func TestLimits(t *testing.T) {
	laughs := "a: &a [x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c <= 'l'; c++ {
		p := string(c - 1)
		laughs += string(c) + ": &" + string(c) + " [" + strings.TrimSuffix(strings.Repeat("*"+p+", ", 9), ", ") + "]\n"
	}
	for name, text := range map[string]string{
		"too large":      strings.Repeat("# padding\n", maxInput/10+1),
		"deep brackets":  "a: " + strings.Repeat("[", 100_000),
		"deep maps":      "a: " + strings.Repeat("{a: ", 100_000),
		"deep lists":     strings.Repeat("- ", 100_000),
		"deep keys":      strings.Repeat("? ", 100_000),
		"deep block":     deepBlock(2000),
		"wide map":       wide(20_000),
		"documents":      strings.Repeat("---\na: b\n", maxDocuments+1),
		"own alias":      "a: &a [*a]\nresources: *a\n",
		"billion laughs": laughs + "resources:\n  - {type: A.B/c, name: x, properties: {p: *l}}\n",
		"alias loop":     "x: &x *y\ny: &y *x\nregions: *x\n",
	} {
		if _, err := Parse([]File{{Name: "n.yaml", Data: []byte(text)}}, nil, Options{}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func wide(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "k%d: a\n", i)
	}
	return b.String()
}

func deepBlock(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

func FuzzParse(f *testing.F) {
	archives, _ := filepath.Glob("testdata/bad/*.txtar")
	for _, name := range archives {
		a, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		files, lock, _ := archive(a)
		for _, file := range files {
			f.Add(file.Data, lock)
		}
	}
	examples, _ := filepath.Glob("../examples/*/*.yaml")
	for _, name := range examples {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, []byte{})
	}
	f.Add([]byte("'':\n  a\n"), []byte{}) // an empty key is unknown, like any other
	f.Add([]byte("network: t\nregions: [westeurope]\n"), []byte("version: 1\nregions: {westeurope: 10.0.0.0/14}\n"))
	f.Fuzz(func(t *testing.T, data, lock []byte) {
		l, err := ParseLock(LockName, lock)
		if err != nil {
			l = nil
		}
		d, err := Parse([]File{{Name: "n.yaml", Data: data}}, l, Options{})
		var ps model.Problems
		switch {
		case err != nil && !errors.As(err, &ps):
			t.Fatalf("the error is a %T", err)
		case err == nil:
			if d.Network == nil || d.Lock == nil {
				t.Fatal("neither network nor error")
			}
			// What is accepted is stable: the lock it gives changes nothing.
			again, err := Parse([]File{{Name: "n.yaml", Data: data}}, d.Lock, Options{})
			if err != nil {
				t.Fatalf("refused with its own lock: %v", err)
			}
			if again.LockChanged {
				t.Fatalf("its own lock changes:\n%s\n%s", d.Lock.Marshal(), again.Lock.Marshal())
			}
		}
	})
}

func FuzzParseLock(f *testing.F) {
	f.Add([]byte("# head\nversion: 1\nregions:\n  westeurope: 10.0.0.0/14\nhosts: {h: 10.0.0.4}\nprivate: {lb/in: 10.0.0.5}\n"))
	f.Add([]byte("public: [a]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := ParseLock(LockName, data)
		if err != nil {
			return
		}
		again, err := ParseLock(LockName, l.Marshal())
		if err != nil || !again.Equal(l) {
			t.Fatalf("%v: %q reads back as\n%s", err, data, l.Marshal())
		}
	})
}

func FuzzSentence(f *testing.F) {
	for _, s := range []string{"a -> b", "a in b <-> 10.0.0.0/8 tcp/1-2,3 udp", "internet -> any icmp", "x:1", "a=b -> 2001:db8::/32", "on-premises -> dns in a dns", "host:https:ssh", "a -> b https/8443 tcp/1,"} {
		f.Add(s)
	}
	n := namesOf(nil, nil)
	f.Fuzz(func(t *testing.T, text string) {
		s, c := parseSentence(text)
		if c == nil && (s.from == "" || s.to == "") {
			t.Fatalf("%q has an empty side", text)
		}
		_, _ = n.selector(text)
		_, _, _ = ParseTarget(&model.Network{}, text)
	})
}
